"""One flow as a rule reads it: who, how it went, and the segments that tell it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tcptrace.capture.context import IcmpError
from tcptrace.schema import KINDS, LABELS, NO_TIME, REPEATS, SIDES
from tcptrace.tcp.notable import KEPT_MAX

CLIENT, SERVER = 0, 1
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Told(NamedTuple):
    """A notable segment: a row of schema.Notable, in its order."""

    flow: int
    side: int
    frame: int
    time_ns: int
    kinds: int
    flags: int
    labels: int
    repeat: int
    seq: int
    ack: int
    len: int
    window_bytes: int
    ttl: int
    ip_id: int
    tsval: int
    idle_ns: int
    waited_ns: int

    def is_kind(self, kind: str) -> bool:
        """Whether it was kept for this reason, one of KINDS."""
        return bool(self.kinds >> KINDS.index(kind) & 1)

    def has_label(self, label: str) -> bool:
        """Whether Wireshark calls it so, one of LABELS."""
        return bool(self.labels >> LABELS.index(label) & 1)

    @property
    def repeats(self) -> str:
        """Why it was sent again, one of REPEATS; `none` if it was not."""
        return REPEATS[self.repeat]

    @property
    def is_syn(self) -> bool:
        """A SYN without ACK."""
        return self.flags & (SYN | ACK | RST) == SYN

    @property
    def is_syn_ack(self) -> bool:
        """A SYN-ACK."""
        return self.flags & (SYN | ACK | RST) == SYN | ACK

    @property
    def is_fin(self) -> bool:
        """It ends its side's data."""
        return self.flags & (FIN | RST) == FIN

    @property
    def is_rst(self) -> bool:
        """A reset."""
        return self.flags & RST != 0

    @property
    def has_ack(self) -> bool:
        """Its acknowledgement counts."""
        return self.flags & ACK != 0


@dataclass(frozen=True)
class Story:
    """One flow. Sides are CLIENT and SERVER; times are ns since the epoch."""

    flow: Any
    """Its record of schema.Flows."""
    measures: Any
    """Its record of schema.FlowMeasures."""
    sides: tuple[Any, Any]
    """What must be known of each side, records of schema.SideFacts."""
    client: str
    server: str
    """The ends as text, `10.0.0.1:80`."""
    segments: list[Told]
    """The notable ones, in order of capture."""
    steps: list[Any]
    """Every change of a state, records of schema.Transitions, in order."""
    end_ns: int
    """When the recording of it ended: the capture, or one of those joined in it; NO_TIME where it has no times."""
    icmp: Sequence[IcmpError] = ()
    """ICMP errors about its segments, in order of capture."""

    @property
    def number(self) -> int:
        """The flow's number."""
        return int(self.flow.flow)

    def end(self, side: int) -> str:
        """The client's or the server's end as text."""
        return self.server if side else self.client

    def measured(self, side: int, what: str) -> int:
        """A measure of one side, a column of FlowMeasures without the side's name."""
        return int(getattr(self.measures, f"{SIDES[side]}_{what}"))

    def of(self, side: int) -> Iterator[Told]:
        """The notable segments that a side sent."""
        return (segment for segment in self.segments if segment.side == side)

    def kind(self, kind: str, side: int | None = None) -> list[Told]:
        """The segments kept for a reason, one of KINDS, of one side or both."""
        bit = 1 << KINDS.index(kind)
        return [told for told in self.segments if told.kinds & bit and side in (None, told.side)]

    def is_more(self, kind: str, side: int) -> bool:
        """Whether a side may have sent more of a kind than are notable: of each, the first few are kept."""
        return len(self.kind(kind, side)) >= KEPT_MAX

    def first(self, kind: str, side: int | None = None) -> Told | None:
        """The first of those."""
        return next(iter(self.kind(kind, side)), None)

    def before(self, segment: Told, side: int | None = None) -> list[Told]:
        """The notable segments before one, of one side or both, the nearest last."""
        place = self.segments.index(segment)
        return [told for told in self.segments[:place] if side in (None, told.side)]

    def after(self, segment: Told, side: int | None = None) -> list[Told]:
        """The notable segments after one, of one side or both."""
        place = self.segments.index(segment)
        return [told for told in self.segments[place + 1 :] if side in (None, told.side)]

    def entered(self, side: int, state: int) -> Any | None:
        """The first step that took a side into a state, an index into STATES."""
        return next((step for step in self.steps if step.side == side and step.to_state == state), None)

    def endings(self, side: int | None = None) -> list[Told]:
        """The RSTs that changed a state: their numbers were such that somebody heeded them."""
        heeded = {step.frame for step in self.steps if not step.unexpected}
        return [told for told in self.kind("rst", side) if told.frame in heeded]

    def at(self, time_ns: int) -> str:
        """A moment as time since the flow's first frame."""
        return elapsed(time_ns - self.flow.start_ns) if NO_TIME not in (time_ns, self.flow.start_ns) else "?"


def counted(number: int, noun: str, *, at_least: bool = False) -> str:
    """`1 segment`, `at least 2,000 segments`."""
    return f"{'at least ' * at_least}{number:,} {noun}{'' if number == 1 else 's'}"


def times(number: int, *, at_least: bool = False) -> str:
    """`once`, `twice`, `at least 7 times`."""
    if not at_least and 1 <= number <= 2:
        return "once" if number == 1 else "twice"
    return counted(number, "time", at_least=at_least)


def elapsed(ns: int) -> str:
    """A span of time in the unit that reads best: `1.04 s`, `250 ms`, `40 µs`."""
    for unit, length in (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)):
        number = ns / length
        if abs(number) >= 0.9995:
            return f"{number:.3g} {unit}" if abs(number) < 999.5 else f"{number:,.0f} {unit}"
    return f"{ns} ns"


def apart_ns(sooner: Told, later: Told) -> int:
    """Time from one segment to another; 0 where there are no times."""
    return later.time_ns - sooner.time_ns if NO_TIME not in (sooner.time_ns, later.time_ns) else 0


def numbers(segments: Iterable[Told]) -> tuple[int, ...]:
    """Their frames, in order."""
    return tuple(sorted({segment.frame for segment in segments if segment.frame > 0}))


def frames_filter(frames: Iterable[int]) -> str:
    """Wireshark's display filter for these frames."""
    return f"frame.number in {{{', '.join(map(str, sorted(frames)))}}}"
