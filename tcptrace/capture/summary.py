"""What is known of a capture as a whole, once it has been read."""

from dataclasses import dataclass, field

import numpy as np

from tcptrace.capture.context import ICMP_ERRORS, READ_MAX, Context
from tcptrace.schema import I64, NO_TIME

BREAK_NS = 86_400_000_000_000
"""From one frame to the next in the file, on or back: nobody was recording, as between captures that were joined."""

RECORDINGS_MAX = 1000
"""More are not told apart: clocks that differ by days, not recordings."""

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
    recordings: list[tuple[int, int]] = field(default_factory=list)
    """First and last time of each recording in it, in order of the file: captures may have been joined into one."""
    context: Context = field(default_factory=Context)
    """ICMP errors, ARP and names."""

    @property
    def is_text(self) -> bool:
        """Whether it is what tcpdump printed, which has no bytes of frames."""
        return self.format.startswith("tcpdump text")

    def note_times(self, times: I64) -> None:
        """Take the times of frames that follow those before in the file."""
        if len(times) and times.min() == NO_TIME:
            times = times[times != NO_TIME]
        if not len(times):
            return
        parts = [times]
        if times.max() - times.min() >= BREAK_NS:
            parts = np.split(times, np.flatnonzero(abs(np.diff(times)) >= BREAK_NS) + 1)
        for part in parts:
            self.note_recording(int(part[0]), int(part.min()), int(part.max()))

    def note_recording(self, time_ns: int, first_ns: int, last_ns: int) -> None:
        """Take frames in a row, the first of them at `time_ns`: of the recording that goes on, or of another one."""
        known = self.recordings
        if known and (abs(time_ns - known[-1][1]) < BREAK_NS or len(known) == RECORDINGS_MAX):
            known[-1] = min(first_ns, known[-1][0]), max(last_ns, known[-1][1])
        else:
            known.append((first_ns, last_ns))
        self.start_ns = min(first for first, _ in known)
        self.end_ns = max(last for _, last in known)

    def recorded_until(self, times: I64) -> I64:
        """When the recordings ended that were going on at these times; NO_TIME where the capture has no times."""
        if len(self.recordings) < 2:
            return np.full(len(times), NO_TIME if self.end_ns is None else self.end_ns)
        firsts, lasts = np.array(sorted(self.recordings)).T
        ends: I64 = lasts[np.maximum(np.searchsorted(firsts, times, "right") - 1, 0)]
        return ends

    def note_truncated(self, problem: str) -> None:
        """The reading ended before the capture did, for this reason."""
        self.truncated = True
        self.problems.append(problem)

    def note_unread(self) -> None:
        """All is read: say of which frames that findings may need little or nothing was looked into."""
        if self.unflagged_frames:
            self.problems.append(
                f"{self.unflagged_frames:,} of {self.tcp_frames:,} segments end before their flags (cut, or of a false"
                " IP length) and belong to no flow; record with a larger snap length (tcpdump -s 128, more in tunnels)"
            )
        if more := self.context.unread(ICMP_ERRORS):
            self.problems.append(f"{more:,} ICMP errors beyond the first {READ_MAX:,} were only counted")
