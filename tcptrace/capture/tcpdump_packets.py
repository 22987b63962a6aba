"""Lines of text to the packets that tcpdump printed, each with the lines that belong to it.

A line with a time begins a packet when it names a protocol, or when its time has the form that
the text's packets have. A line without a time does so when it names a protocol and stands no
deeper than the packets before it (`-t`). All else continues a packet (`-v`, tunnels, a line that was
folded since) or is none: hex dumps, decoded payload, tcpdump's own messages and whatever stands around in a log.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tcptrace.capture.tcpdump_folded import FOLDS_MAX, may_go_on, put_together
from tcptrace.capture.tcpdump_line import HEAD, find_inside, is_continued, is_stamped, names_protocol
from tcptrace.capture.tcpdump_segment import MARK
from tcptrace.capture.text_lines import LINE_CHARS, lines_of

TEXT_CHARS = 4 * LINE_CHARS
"""No headers are longer than this, whatever lines they are printed over."""
MESSAGES_KEPT = 100

_MESSAGE = re.compile(r"link-type [A-Z]|\d packets? dropped by ")


@dataclass(slots=True)
class TextPacket:
    """A packet as printed."""

    line: int
    """Number of its first line, from 1."""
    head: re.Match[str]
    """A match of HEAD."""
    text: str
    """All from the protocol on, its lines joined by blanks."""
    loose: list[str] = field(default_factory=list)
    """Lines below it that may be the rest of its last one."""

    def take_folded(self, line: str) -> None:
        """Keep a line that may be the rest of the last one until it is clear that it is."""
        if len(self.loose) < FOLDS_MAX and may_go_on(self.text):
            self.loose.append(line)
            if whole := put_together(self.text, self.loose):
                self.text, self.loose = whole, []


def read_packets(stream: io.BufferedReader, messages: list[str]) -> Iterator[TextPacket]:
    """The packets of a text in order; `messages` takes tcpdump's own words about the capture."""
    form = _Form()
    held: TextPacket | None = None  # until the next packet begins, it may go on
    for number, line in enumerate(lines_of(stream), 1):
        head = HEAD.match(line)
        if head is None or not line:
            continue
        if held is not None and not held.loose and form.goes_on(held, head):
            held.text = f"{held.text} {line.strip()}"
        elif begun := form.find_begin(head):
            if held is not None:
                yield held
            held = TextPacket(number, begun, line[begun.end() :])
        elif _MESSAGE.search(line) and len(messages) < MESSAGES_KEPT:
            messages.append(line)
        elif held is not None:
            held.take_folded(line)
    if held is not None:
        yield held


class _Form:
    """How the packets of one text begin, learned from those so far."""

    def __init__(self) -> None:
        self._stamp: tuple[bool, bool, int] | None = None
        self._numbered = False
        self._indent: int | None = None

    def find_begin(self, head: re.Match[str]) -> re.Match[str] | None:
        """The HEAD of the packet that a line begins, None when it begins none."""
        inside = find_inside(head)
        if inside is not None and self._begins(inside):
            return inside
        if self._begins(head) or (is_stamped(head) and _stamp_form(head) == self._stamp):
            return head
        return None

    def goes_on(self, packet: TextPacket, head: re.Match[str]) -> bool:
        """Whether a line continues a packet's headers."""
        if is_stamped(head) or (self._numbered and head["number"]):
            return False
        if MARK in packet.text or len(packet.text) > TEXT_CHARS:
            return False
        return is_continued(packet.text, deeper=len(head["indent"]) > (self._indent or 0))

    def _begins(self, head: re.Match[str]) -> bool:
        """Whether a packet surely begins here; if so, learn from it."""
        if not names_protocol(head):
            return False
        numbered = head["number"] is not None
        if self._indent is None:
            self._indent, self._numbered = (0 if numbered else len(head["indent"])), numbered
        if is_stamped(head):
            self._stamp = self._stamp or _stamp_form(head)
            return True
        return numbered == self._numbered and (numbered or len(head["indent"]) <= self._indent)


def begins_packet(line: str) -> bool:
    """Whether a line alone is enough to say that tcpdump printed it."""
    head = HEAD.match(line)
    return head is not None and _Form().find_begin(head) is not None


def _stamp_form(head: re.Match[str]) -> tuple[bool, bool, int]:
    return head["date"] is not None, head["clock"] is not None, len(head["fraction"] or head["epoch_fraction"] or "")
