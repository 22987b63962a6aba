"""What is known of a capture as a whole, once it has been read."""

from dataclasses import dataclass, field

import numpy as np

from tcptrace.capture.context import ICMP_ERRORS, READ_MAX, Context
from tcptrace.schema import I64, NO_TIME

BREAK_NS = 86_400_000_000_000
"""A day without a single frame: nobody was recording, as between captures that were joined into one file."""

CUT_EXAMPLES = 5
"""Frames named of those that were cut."""


@dataclass
class CaptureSummary:
    """One capture: what it is, how much of it was read, and what was not TCP."""

    path: str
    format: str
    """`pcap`, `pcapng`, `tcpdump text`, ...; with compression named: `pcap, gzip`."""
    link_types: list[str] = field(default_factory=list)
    """Names of the link types met, in order of appearance, e.g. `EN10MB`."""
    interfaces: list[str] = field(default_factory=list)
    """Names of the interfaces, by the number Packets.interface uses; "" for a nameless one."""
    frames: int = 0
    tcp_frames: int = 0
    flows: int = 0
    """Known once the flows are."""
    start_ns: int | None = None
    end_ns: int | None = None
    breaks: list[int] = field(default_factory=list)
    """Times after which no frame came for BREAK_NS or longer, in order of the file."""
    tick_ns: int = 1
    """The unit of its times, as its format says; the coarsest where interfaces differ."""
    dated: bool = True
    """False: tcpdump text without dates; times count from 1970-01-01."""
    truncated: bool = False
    """The file ends, or is damaged, before its end."""
    problems: list[str] = field(default_factory=list)
    """What a user should know of the reading: damage and where, how much was lost."""
    other_frames: dict[str, int] = field(default_factory=dict)
    """Frames without a TCP row by what they were: `UDP`, `ARP`, `later fragment`, `ethertype 0x88cc (unknown)`."""

    cut_frames: int = 0
    """Segments whose payload was not kept whole."""
    cut_examples: list[int] = field(default_factory=list)
    """The first of these frames."""
    cut_to_bytes: int = 0
    """Most bytes that were kept of one: the snap length, where it was the same for all."""
    unflagged_frames: int = 0
    """Segments cut before their flags: they belong to no flow."""
    context: Context = field(default_factory=Context)
    """ICMP errors, ARP and names."""

    @property
    def is_text(self) -> bool:
        """Whether it is what tcpdump printed, which has no bytes of frames."""
        return self.format.startswith("tcpdump text")

    def note_times(self, times: I64) -> None:
        """Widen the capture's time span to hold these times, which follow those before in the file."""
        if len(times) and times.min() == NO_TIME:
            times = times[times != NO_TIME]
        if not len(times):
            return
        first, last = int(times.min()), int(times.max())
        before = int(times[0]) if self.end_ns is None else self.end_ns
        if last - before >= BREAK_NS:
            latest = np.maximum.accumulate(np.concatenate(((before,), times)))
            self.breaks += latest[:-1][np.diff(latest) >= BREAK_NS].tolist()
        self.start_ns = first if self.start_ns is None else min(first, self.start_ns)
        self.end_ns = max(before, last)

    def recorded_until(self, time_ns: int) -> int:
        """When the recording ended that was going on at that time; NO_TIME where the capture has no times."""
        later = (one for one in self.breaks if one >= time_ns)
        return min(later, default=NO_TIME if self.end_ns is None else self.end_ns)

    def note_truncated(self, problem: str) -> None:
        """The reading ended before the capture did, for this reason."""
        self.truncated = True
        self.problems.append(problem)

    def note_unread(self) -> None:
        """All is read: say of which frames that findings may need little or nothing was looked into."""
        if self.unflagged_frames:
            self.problems.append(
                f"{self.unflagged_frames:,} of {self.tcp_frames:,} segments were cut before their flags and belong to"
                " no flow; record with a larger snap length (tcpdump -s 128, more in tunnels)"
            )
        if more := self.context.unread(ICMP_ERRORS):
            self.problems.append(f"{more:,} ICMP errors beyond the first {READ_MAX:,} were only counted")
