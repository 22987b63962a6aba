"""Slow start against a naive twin, which cuts the life of a direction into rounds first and compares them then."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.rows import part
from tcptrace.schema import REPEATS
from tests.conversation import packets
from tests.tcp.measured import measures, told
from tests.tcp.test_slow_start import HANDSHAKE, MSS, flights

NO_LOSS = {"none", "reordered", "copy", "spurious", "unclear"}


@dataclass
class Round:
    """A flight, what acknowledges it, and what that releases."""

    flights: list[int] = field(default_factory=lambda: [0])
    is_filled: bool = False
    is_dry: bool = False
    ended_ns: int = -1
    has_room: bool = False
    can_tell: bool = False
    """Whether it may be the end: full segments were released before, and the sender is near."""


@dataclass
class Life:
    """The client's direction up to now."""

    rounds: list[Round] = field(default_factory=lambda: [Round()])
    samples: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    next: int = 0
    acked: int = -1
    raised_ns: int = -1
    first_ns: int | None = None
    boundary: int = 0
    is_crossed: bool = True
    is_full: bool = False
    was_filled: bool = False
    largest: int = 0
    window: int = -1
    recover: int = -1
    lost_ns: int | None = None

    def can_tell(self) -> bool:
        own, other = (min(of, default=0) for of in self.samples)
        return self.was_filled and own >= other

    def srtt_ns(self) -> int:
        smoothed = self.samples[0][0] if self.samples[0] else 0
        for sample in self.samples[0][1:]:
            smoothed += (sample - smoothed) // 8
        return smoothed

    def send(self, row: Any) -> None:
        """A segment of the client with payload."""
        if row.repeat not in NO_LOSS:
            if self.recover < 0 and self.lost_ns is None:
                self.lost_ns = row.time_ns
                self.rounds[-1].can_tell = self.can_tell()
            if self.recover < 0 or row.repeat == "timeout":
                self.recover = self.next
        if row.end > self.next:
            self.next = row.end
            if self.first_ns is not None:
                self.release(row)
        self.largest = max(self.largest, row.end - row.start)
        if self.lost_ns is None:
            self.rounds[-1].flights.append(row.flight)
        if self.first_ns is None:
            self.first_ns, self.boundary = row.time_ns, self.next

    def release(self, row: Any) -> None:
        """New payload after the first: whether an acknowledgement let a full segment go."""
        self.is_full = (row.end - row.start) % MSS == 0
        is_prompt = row.time_ns - self.raised_ns <= self.srtt_ns() // 2
        if self.is_full and is_prompt and self.raised_ns > (self.first_ns or 0) and not self.rounds[-1].is_dry:
            self.rounds[-1].is_filled = self.was_filled = True

    def acknowledge(self, row: Any) -> None:
        """More than before is acknowledged."""
        if self.first_ns is not None and self.lost_ns is None:
            if self.is_crossed:
                self.end_round(row.time_ns)
            if row.ack >= self.boundary:
                self.is_crossed = True
                self.rounds[-1].is_dry |= row.ack >= self.next and not self.is_full
        self.acked, self.raised_ns = row.ack, row.time_ns
        if self.recover <= row.ack:
            self.recover = -1

    def end_round(self, now_ns: int) -> None:
        last = self.rounds[-1]
        last.ended_ns, last.can_tell = now_ns, self.can_tell()
        last.has_room = self.window < 0 or max(last.flights) + self.largest <= self.window
        self.rounds.append(Round())
        self.is_crossed, self.boundary = False, self.next


def slow_start(life: Life) -> tuple[int, int]:
    """Bytes in flight at its end, and when after the first payload that was; (0, -1): it was not seen to end."""
    grown, candidate_ns = 0, None
    *ended, last = life.rounds
    for one in ended:
        most, tells = max(one.flights), one.is_filled and not one.is_dry and one.has_room
        is_flat = tells and grown * 3 <= most * 4 and most * 4 < grown * 5
        if is_flat and candidate_ns is not None:
            return (max(most, grown), candidate_ns - (life.first_ns or 0)) if one.can_tell else (0, -1)
        candidate_ns = one.ended_ns if is_flat else None
        if not is_flat:
            grown = most if tells else max(most, grown)
    if life.lost_ns is not None and last.can_tell:
        return max(*last.flights, grown), life.lost_ns - (life.first_ns or 0)
    return 0, -1


@dataclass
class Seen:
    """A row of the tracker, as far as it counts here."""

    side: int
    start: int
    end: int
    ack: int
    time_ns: int
    flight: int
    repeat: str
    rtt_ns: int
    window: int


def rows(chunk: Any, segments: Any) -> list[Seen]:
    columns = (
        segments.side,
        segments.position,
        segments.end_position,
        segments.ack_position,
        chunk.time_ns,
        segments.bytes_in_flight,
        segments.repeat,
        segments.rtt_ns,
        segments.window_bytes,
    )
    found = [Seen(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    for row in found:
        row.repeat = REPEATS[int(row.repeat)]
    return found


def lived(seen: list[Seen]) -> Life:
    life = Life()
    for row in seen:
        if row.repeat == "copy":
            continue
        if row.side == 0 and row.end > row.start and row.flight >= 0:
            life.send(row)
        elif row.side == 0 and row.end > row.start:
            life.next = max(life.next, row.end)
        if row.side == 1 and row.ack > life.acked:
            life.acknowledge(row)
        if row.rtt_ns >= 0:
            life.samples[1 - row.side].append(row.rtt_ns)
        if row.side == 1:
            life.window = row.window
    return life


@st.composite
def transfers(draw: st.DrawFn) -> str:
    """Flights as a sender may send them; of a rough life some segments once more, or small, or long without an ACK."""
    handshake = draw(st.sampled_from([HANDSHAKE, HANDSHAKE, "0 C S 0\n 1 S S. 0 1\n 30 C . 1 1\n"]))
    lines, position, now, is_rough = [handshake], 1, 100, draw(st.booleans())
    grown, trip_ms = [2, 4, 8][: draw(st.integers(0, 3))], draw(st.sampled_from([10, 30]))
    for count in [*grown, *draw(st.lists(st.sampled_from([1, 6, 8, 8, 8, 8, 10, 11, 16]), max_size=7))]:
        size = draw(st.sampled_from([MSS, MSS, MSS, 2 * MSS, 100])) if is_rough else MSS
        ends = [position + size * (n + 1) for n in range(count)]
        ends[-1] -= draw(st.sampled_from([0, 0, 0, 50])) if is_rough else 0
        starts = [position, *ends[:-1]]
        lines += [f"{now} C . {start}:{end} 1" for start, end in zip(starts, ends, strict=True)]
        now += draw(st.sampled_from([1, 10, 30])) if is_rough else trip_ms
        if is_rough and draw(st.integers(0, 6)) == 0:
            again = draw(st.integers(0, count - 1))
            now += draw(st.sampled_from([0, 300]))
            lines.append(f"{now} C . {starts[again]}:{ends[again]} 1")
            now += 10
        window = draw(st.sampled_from([1000, 1000, 1000, 34]))
        places = draw(
            st.sampled_from([[count // 2, count - 1], [count - 1], list(range(count)), []][: 4 if is_rough else 3])
        )
        lines += [f"{now} S . 1 {ends[place]} window={window}" for place in sorted(set(places))]
        position, now = ends[-1], now + draw(st.sampled_from([0, 1, 1, 2, 20]))
    return "\n".join(lines)


@given(transfers(), st.integers(0, 60))
@example(flights(2, 4, 8, 8, 8, 8), 7)
@example(flights(2, 4, 8, 8, 16, 32), 0)
@example(f"{flights(2, 4, 8)}\n 194 C . 7505:8041 1\n 900 C . 7505:8041 1", 9)
@example(flights(8, 8, 8, 8, 8, here="window=34"), 3)
def test_slow_start_is_what_the_twin_tells(text: str, cut: int) -> None:
    chunk = packets(text)
    for chosen in (kernels.plain(), kernels.compiled()):
        tracker, segments = told(part(chunk, 0, cut), part(chunk, cut, len(chunk.frame)), with_kernels=chosen)
        found = measures(tracker)
        told_so = int(found.client_slow_start_bytes[0]), int(found.client_slow_start_ns[0])
        assert told_so == slow_start(lived(rows(chunk, segments)))
