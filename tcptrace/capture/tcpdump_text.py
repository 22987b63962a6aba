"""Text printed by tcpdump, as found in tickets and articles, to rows of Packets.

What tcpdump printed is taken as it stands: packets count as frames from 1, in order. What the text does
not say stays unknown, above all the sequence number of a pure acknowledgement, which is inferred
and marked so.
"""

import io
import itertools
import re
from collections.abc import Iterator

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.tcpdump_context import TextContext
from tcptrace.capture.tcpdump_line import DIRECTIONS, read_ip_header, shows_signs
from tcptrace.capture.tcpdump_names import Endpoints
from tcptrace.capture.tcpdump_other import FIXED_NAMES, UNREADABLE_TCP, UNRECOGNISED, ends_in_addresses, other_name
from tcptrace.capture.tcpdump_packets import TextPacket, begins_packet, read_packets
from tcptrace.capture.tcpdump_rows import Origin, Rows
from tcptrace.capture.tcpdump_segment import find_segment
from tcptrace.capture.tcpdump_time import Clock
from tcptrace.capture.text_lines import readable, text_of
from tcptrace.schema import UNKNOWN, Packets

FORMAT = "tcpdump text"
CHUNK_FRAMES = 4096
_NAMED_AT_MOST = 3
LOOK_AHEAD_BYTES = 1 << 22
"""So far from its start a log may hold tcpdump's first packet."""
_CLOSELY_LINES = 1000
"""Behind so many lines only packets of IP and ARP are looked for: that takes a tenth of the time."""
OTHER_NAMES_MAX = 30
"""Kinds of packets beside those of fixed names; in text that tcpdump did not print, every word is one."""
OTHER_TEXT = "other text"

_LINK_TYPE = re.compile(r"link-type ([A-Z]\w*)")
_QUESTIONABLE = {
    UNREADABLE_TCP: "packets of TCP whose header is cut short or cannot be read",
    UNRECOGNISED: "lines with a time show no known protocol; they count as frames",
    OTHER_TEXT: "lines with a time begin with ever other words; they count as frames",
}
_HOST_NAMES = "host names stand for addresses (tcpdump without -n): {}; each counts as an address of its own"
_SERVICES = "service names without a known port: {}; port 0 stands for each"


def looks_like_tcpdump(head: bytes) -> bool:
    """Whether the beginning of a file holds a line that tcpdump printed for a packet."""
    lines = enumerate(map(readable, text_of(head).splitlines()))
    return any(begins_packet(line) for number, line in lines if number < _CLOSELY_LINES or shows_signs(line))


def read_text(stream: io.BufferedReader, addresses: AddressBook, summary: CaptureSummary) -> Iterator[Packets]:
    """The TCP segments of a text, some thousand rows at a time; fills `addresses` and `summary` meanwhile.

    Nothing in the text raises an error: what cannot be read is counted in `summary`.
    """
    return _TextReader(addresses, summary).read(stream)


class _TextReader:
    """What is known of one text while it is read."""

    def __init__(self, addresses: AddressBook, summary: CaptureSummary) -> None:
        self._summary = summary
        self._endpoints = Endpoints(addresses)
        self._context = TextContext(summary.context, self._endpoints)
        self._clock = Clock()
        self._rows = Rows()
        self._interfaces: dict[str, int] = {}
        self._place = 0
        self._kinds: set[str] = set()
        self._first_line: dict[str, int] = {}
        self._cut_lines: list[int] = []

    def read(self, stream: io.BufferedReader) -> Iterator[Packets]:
        """Read all of the stream."""
        self._summary.format = FORMAT
        messages: list[str] = []
        for packet in read_packets(stream, messages):
            self._take(packet)
            if self._place == CHUNK_FRAMES:
                yield self._settle()
        yield self._settle()
        self._conclude(messages)

    def _take(self, packet: TextPacket) -> None:
        """Count a packet and keep its row if it has one."""
        summary, head = self._summary, packet.head
        summary.frames += 1
        self._clock.note(head)
        name = "" if head["interface"] in (None, "?") else head["interface"]
        interface = self._interfaces.setdefault(name, len(self._interfaces))
        direction = DIRECTIONS.get(head["direction"], UNKNOWN)
        origin = Origin(summary.frames, self._place, interface, direction)
        self._place += 1
        segment = find_segment(packet.text)
        if (segment and segment.is_cut) or ends_in_addresses(packet.text):
            self._cut_lines.append(packet.line)
        source = self._endpoints.find(segment.source) if segment else None
        target = self._endpoints.find(segment.target) if segment else None
        if segment and source and target:
            summary.tcp_frames += 1
            self._rows.add(origin, source, target, read_ip_header(segment.before), segment)
            return
        kind = self._kind(UNREADABLE_TCP if segment else other_name(packet.text))
        summary.other_frames[kind] = summary.other_frames.get(kind, 0) + 1
        self._first_line.setdefault(kind, packet.line)
        self._context.take(kind, packet.text, origin)

    def _kind(self, name: str) -> str:
        """The name under which a packet without a row is counted."""
        if name in FIXED_NAMES or name in self._kinds:
            return name
        if len(self._kinds) == OTHER_NAMES_MAX:
            return OTHER_TEXT
        self._kinds.add(name)
        return name

    def _settle(self) -> Packets:
        """The rows since the last call."""
        times = self._clock.settle()
        self._context.settle(times)
        self._summary.interfaces = list(self._interfaces)
        self._place = 0
        self._summary.note_times(times)
        return self._rows.take(times)

    def _conclude(self, messages: list[str]) -> None:
        """Complete the summary once the text is read."""
        summary, ends = self._summary, self._endpoints
        summary.dated = self._clock.dated
        summary.note_unread()
        for message in messages:
            if link_type := _LINK_TYPE.search(message):
                summary.link_types += [link_type[1]] if link_type[1] not in summary.link_types else []
            elif not message.lstrip().startswith("0 "):
                summary.problems.append(f"tcpdump itself said: {message.strip()}")
        if cut := self._cut_lines:
            lines = "1 line ends before its" if len(cut) == 1 else f"{len(cut):,} lines end before their"
            summary.problems.append(f"{lines} length: folded or cut (first: line {cut[0]})")
        for kind, what in _QUESTIONABLE.items():
            if kind in self._first_line:
                count, line = summary.other_frames[kind], self._first_line[kind]
                summary.problems.append(f"{count} {what} (first: line {line})")
        for names, what in ((ends.host_names, _HOST_NAMES), (ends.unknown_services, _SERVICES)):
            if names:
                listed = ", ".join(itertools.islice(names, _NAMED_AT_MOST)) + (
                    ", ..." if len(names) > _NAMED_AT_MOST else ""
                )
                summary.problems.append(what.format(listed))
