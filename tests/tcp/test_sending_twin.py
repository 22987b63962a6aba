"""Sending against a naive twin, which remembers every byte and looks through all that came before."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.rows import part
from tcptrace.schema import LABELS, LIMITS, REPEATS
from tests.conversation import packets
from tests.tcp.measured import MS, measures, told

UNIT = 10
"""Bytes of a segment in these conversations; numbers are multiples of it."""
DUPLICATE_ACK = 1 << LABELS.index("duplicate_ack")


@dataclass
class Row:
    """A segment: `start` to `end` in units, milliseconds, blocks of units, whether its label says duplicate ACK."""

    frame: int
    side: int
    start: int
    end: int
    ack: int
    now: int
    blocks: list[tuple[int, int]]
    tsval: int
    tsecr: int
    window: int
    duplicate: bool

    def sacked(self) -> int:
        blocks = self.blocks[self.dsack() :]
        return sum(right - left for left, right in blocks)

    def dsack(self) -> bool:
        """RFC 2883: the first block lies below the acknowledgement, or in the second."""
        first, *rest = self.blocks or [(0, 0)]
        inside = bool(rest) and rest[0][0] <= first[0] and first[1] <= rest[0][1]
        return bool(self.blocks) and (first[1] <= self.ack or inside)


@dataclass
class Unit:
    """A unit of the stream: its transmissions."""

    frame: int
    times: list[int]
    stamps: list[int]
    proofs: int = 0
    next_when_acked: int = -1

    def repeats(self) -> int:
        return len(self.times) - 1 - self.proofs


@dataclass
class Side:
    """What one side sent, and what its peer said of it."""

    units: dict[int, Unit] = field(default_factory=dict)  # unacknowledged
    again: list[Unit] = field(default_factory=list)  # acknowledged, sent again
    again_at: list[int] = field(default_factory=list)
    reported: set[int] = field(default_factory=set)
    next: int = -1
    acked: int = -1
    high: Row | None = None
    last_ms: int = -1
    acked_ms: int = -1
    raised_ms: int = -1
    below_ms: int = -1
    duplicates: int = 0
    samples: list[int] = field(default_factory=list)
    recover: int = -1
    by_timeout: bool = False
    begun_ms: int = -1
    backoff: int = 0
    timeouts: int = 0
    spurious: int = 0
    repeats: int = 0
    copies: int = 0
    before: Row | None = None
    window: int = -1
    last_len: int = 0
    largest: int = 0

    def out(self) -> int:
        return self.next - self.acked if self.acked >= 0 else 0

    def is_asked(self) -> bool:
        return self.duplicates > 0 or any(unit in self.units for unit in self.reported)

    def srtt(self) -> int:
        smoothed = self.samples[0] if self.samples else 0
        for sample in self.samples[1:]:
            smoothed += (sample - smoothed) // 8
        return smoothed


class Twin:
    """Both sides; `take` gives the columns of a row by name."""

    def __init__(self) -> None:
        self.sides = (Side(), Side())
        self.previous_ms: int | None = None
        self.limited = dict.fromkeys(LIMITS, 0)
        self.latest = ("", 0)

    def limit(self, row: Row) -> None:
        """Give the time since the previous row, and within it what both sides wait for, to a cause."""
        mine, peer = self.sides[row.side], self.sides[1 - row.side]
        idle = 0 if self.previous_ms is None else (row.now - self.previous_ms) * MS
        cause = min(self.cause(mine, peer), self.cause(peer, mine), key=LIMITS.index)
        known = self.previous_ms is not None and mine.acked >= 0 and peer.acked >= 0
        self.latest = (cause if known else "", idle)
        is_answer = known and cause == "application" and mine.acked_ms == self.previous_ms
        on_way = min(idle, min(peer.samples, default=0)) if is_answer else 0
        self.limited["path"] += on_way
        self.limited[cause if known else "unknown"] += idle - on_way
        self.previous_ms = row.now

    @staticmethod
    def cause(mine: Side, peer: Side) -> str:
        needed = mine.out() + mine.largest if mine.out() > 0 else mine.last_len
        if mine.out() > 0 and mine.recover >= 0:
            return "loss"
        if 0 <= peer.window < needed:
            return "receiver_window"
        return "path" if mine.out() > 0 else "application"

    def count_as_loss(self, waited: int) -> None:
        """A timer ran so long: the time since the previous row, and before that what was the path's or the window's."""
        cause, idle = self.latest
        if waited < 0 or cause not in ("path", "receiver_window"):
            return
        moved = {cause: idle}
        for name in ("path", "receiver_window"):
            here = self.limited[name] - (idle if name == cause else 0)
            more = max(0, min(waited - sum(moved.values()), here))
            moved[name] = moved.get(name, 0) + more
        for name, taken in moved.items():
            self.limited[name] -= taken
            self.limited["loss"] += taken

    def take(self, row: Row) -> dict[str, int | str]:
        mine, peer = self.sides[row.side], self.sides[1 - row.side]
        found: dict[str, int | str] = {"repeat": "none", "original": 0, "rtt_ns": -1, "timestamp_rtt_ns": -1}
        found["waited_ns"] = -1
        self.limit(row)
        found |= {"bytes_in_flight": -1, "backoff": 0, "sacked_bytes": 0, "dsack": 0, "reordered_by": 0}
        if self.is_copy(row):
            mine.copies += 1
            return found | {"repeat": "copy"}
        mine.before = row
        if row.end > row.start:
            if row.start < mine.next:
                found |= self.below(row)
            if row.end > mine.next:
                mine.units[row.start] = Unit(row.frame, [row.now], [row.tsval])
                mine.next, mine.high, mine.last_ms, mine.last_len = row.end, row, row.now, row.end - row.start
            mine.largest = max(mine.largest, row.end - row.start)
            if mine.acked >= 0:
                out = set(range(mine.acked, mine.next)) - (mine.reported & set(mine.units))
                found["bytes_in_flight"] = len(out) * UNIT
        found |= self.acknowledge(row, peer)
        mine.window = 0 if row.window == 0 else -1
        return found

    def is_copy(self, row: Row) -> bool:
        mine, peer = self.sides[row.side], self.sides[1 - row.side]
        if mine.before is None or row.ack > peer.acked or (row.end > row.start and row.end > mine.next):
            return False
        keys = [(r.start, r.end, r.ack, r.now, r.tsval, r.window) for r in (mine.before, row)]
        asks = peer.next > peer.acked and mine.copies + peer.copies == 0
        return keys[0] == keys[1] and (row.end > row.start or not (asks or row.blocks))

    def path(self, side: int) -> int:
        return self.sides[side].srtt() + min(self.sides[1 - side].samples, default=0)

    def timer(self, side: int) -> int:
        return self.path(side) + 200 * MS

    def below(self, row: Row) -> dict[str, int | str]:
        mine = self.sides[row.side]
        beyond = sum(start >= row.end for start in mine.units)
        unit = mine.units.get(row.start) if row.end > mine.acked else None
        if row.end <= mine.acked:
            mine.below_ms = max(mine.below_ms, row.now)
            self.prove(mine, row.start, row.end)
            beyond = 0
        elif unit is None:
            mine.units[row.start] = Unit(row.frame, [row.now], [row.tsval])
            if self.is_overtaken(row):
                return {"repeat": "reordered", "reordered_by": beyond}
        kind = self.kind(row, unit)
        mine.repeats += 1
        waited = (row.now - max(mine.last_ms, mine.raised_ms)) * MS if kind in ("timeout", "tail_loss_probe") else -1
        self.count_as_loss((row.now - self.opened(row)) * MS if kind == "fast" and unit is None else waited)
        if kind == "spurious":
            mine.spurious += 1
        elif kind != "unclear":
            if kind == "timeout" and not self.follows_probe(row, unit):
                mine.timeouts += 1
                mine.backoff += 1
            if mine.recover < 0 or kind == "timeout":
                mine.begun_ms = row.now if mine.recover < 0 else mine.begun_ms
                mine.recover, mine.by_timeout = mine.next, kind == "timeout"
        if unit:
            unit.times.append(row.now)
            unit.stamps.append(row.tsval)
        mine.last_ms = row.now
        backoff = mine.backoff if kind == "timeout" else 0
        told = {"repeat": kind, "original": unit.frame if unit else 0, "waited_ns": waited}
        return told | {"backoff": backoff, "reordered_by": beyond}

    def opened(self, row: Row) -> int:
        """When what lies beyond a hole was first sent."""
        mine = self.sides[row.side]
        assert mine.high is not None
        beyond = min((start for start in mine.units if start > row.start), default=None)
        return mine.units[beyond].times[0] if beyond is not None else mine.high.now

    def is_overtaken(self, row: Row) -> bool:
        mine = self.sides[row.side]
        assert mine.high is not None
        if row.tsval >= 0 and mine.high.tsval >= 0 and row.tsval != mine.high.tsval:
            return row.tsval < mine.high.tsval
        since = row.now - self.opened(row)
        bound = self.path(row.side) // 2 if mine.samples else 3 * MS
        return since * MS < bound and not mine.is_asked()

    def follows_probe(self, row: Row, unit: Unit | None) -> bool:
        mine = self.sides[row.side]
        if unit is None or mine.backoff != 1 or unit.repeats() != 1 or mine.raised_ms > unit.times[0] or mine.acked < 0:
            return False
        first, second = unit.times[0], unit.times[-1]
        return 0 < (row.now - second) * 2 < (second - first) * 3

    def kind(self, row: Row, unit: Unit | None) -> str:
        mine, peer = self.sides[row.side], self.sides[1 - row.side]
        if row.end <= mine.acked:
            return "spurious"
        in_loss = mine.recover >= 0 and mine.by_timeout
        sent = unit.times[-1] if unit else mine.last_ms
        waited = (row.now - max(mine.last_ms if in_loss or mine.acked < 0 else sent, mine.raised_ms)) * MS
        lowest = mine.acked < 0 or row.start <= mine.acked
        ran_out = lowest and waited * 8 >= self.timer(row.side) * 7
        if in_loss:
            return "timeout" if ran_out else "go_back_n"
        lost_again = mine.recover >= 0 and sent >= max(mine.begun_ms, mine.raised_ms)
        if ran_out and lost_again and not any(unit in mine.units for unit in mine.reported):
            return "timeout"
        partial = mine.recover >= 0 and row.start <= mine.acked and mine.raised_ms >= mine.begun_ms
        prompt = 20 * MS + min(peer.samples, default=0) + mine.srtt() // 4
        if (partial or mine.is_asked()) and (mine.acked_ms < 0 or (row.now - mine.acked_ms) * MS <= prompt):
            return "fast"
        if ran_out:
            return "timeout"
        tail = row.end == mine.next and sent == mine.last_ms and row.start > mine.acked >= 0
        probes = waited * 8 >= max(2 * MS, min(2 * self.path(row.side), self.timer(row.side))) * 7
        return "tail_loss_probe" if tail and probes and mine.samples and mine.recover < 0 else "unclear"

    def prove(self, mine: Side, left: int, right: int) -> int:
        """Repeats of these units that turned out to be needless."""
        found = [u for at, u in zip(mine.again_at, mine.again, strict=True) if left <= at < right]
        found += [unit for start, unit in mine.units.items() if left <= start < right and unit.repeats() > 0]
        for unit in found:
            unit.proofs += 1
        kept = [(at, unit) for at, unit in zip(mine.again_at, mine.again, strict=True) if unit.repeats() > 0]
        mine.again_at, mine.again = [at for at, _ in kept], [unit for _, unit in kept]
        return len(found)

    def acknowledge(self, row: Row, peer: Side) -> dict[str, int | str]:
        """What a row says of its peer's side."""
        found: dict[str, int | str] = {"sacked_bytes": row.sacked() * UNIT, "dsack": int(row.dsack())}
        if row.ack > peer.acked:
            if peer.again and peer.again[-1].next_when_acked < peer.acked:
                peer.again, peer.again_at = [], []
            acked = sorted(start for start in peer.units if start < row.ack)
            by_ack = [self.by_ack(row, peer, start) for start in acked]
            by_stamp = [start for start in acked if row.tsecr >= 0 and peer.units[start].stamps[0] == row.tsecr][:1]
            found |= {"timestamp_rtt_ns": -1, "rtt_ns": max(by_ack, default=-1)}
            for start in acked:
                unit = peer.units.pop(start)
                proven = start in by_stamp and len(unit.stamps) > 1 and unit.stamps[0] not in unit.stamps[1:]
                peer.spurious += proven
                if start in by_stamp and (proven or unit.repeats() + unit.proofs == 0):
                    found["timestamp_rtt_ns"] = (row.now - unit.times[0]) * MS
                if unit.repeats() > 0 and not proven:
                    unit.next_when_acked = peer.next
                    peer.again.append(unit)
                    peer.again_at.append(start)
            peer.acked, peer.raised_ms, peer.duplicates, peer.backoff = row.ack, row.now, 0, 0
            peer.recover = -1 if peer.recover <= row.ack else peer.recover
            peer.samples += [sample for sample in by_ack if sample >= 0]
        elif row.duplicate or (row.sacked() > 0 and row.end == row.start):
            peer.duplicates += 1
        peer.acked_ms = row.now
        if row.dsack():
            peer.spurious += self.prove(peer, *row.blocks[0])
        for left, right in row.blocks[row.dsack() :]:
            peer.reported |= {start for start in peer.units if max(left, peer.acked) <= start < right}
        return found

    def by_ack(self, row: Row, peer: Side, start: int) -> int:
        """The round trip of a unit: only of the highest, sent once, and nothing below it later (Karn)."""
        unit = peer.units[start]
        peer.below_ms = max(peer.below_ms, unit.times[-1])
        once = len(unit.times) == 1 and unit.times[-1] >= peer.below_ms
        return (row.now - unit.times[0]) * MS if once and start + 1 == row.ack else -1


@st.composite
def conversations(draw: st.DrawFn) -> list[Row]:
    """Segments of at most a unit, with acknowledgements and blocks that need not make sense."""
    rows, now, stamps = [], 0, draw(st.booleans())
    for frame in range(1, draw(st.integers(1, 30)) + 1):
        now += draw(st.sampled_from([0, 0, 1, 1, 2, 15, 50, 300]))
        start, ack = draw(st.integers(0, 8)), draw(st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 5, 9]))
        edges = draw(st.lists(st.integers(0, 9), max_size=4, unique=True).filter(lambda e: len(e) % 2 == 0))
        blocks = [(left, right) for left, right in list(pairwise(sorted(edges)))[::2]]
        if draw(st.booleans()):
            blocks = blocks[::-1]
        tsval, tsecr = (draw(st.integers(now // 10, now // 10 + 1)), draw(st.integers(0, 9))) if stamps else (-1, -1)
        end, window = start + draw(st.integers(0, 1)), draw(st.sampled_from([1000, 1000, 1000, 0]))
        rows.append(Row(frame, draw(st.integers(0, 1)), start, end, ack, now, blocks, tsval, tsecr, window, False))
    return rows


def line(row: Row) -> str:
    first, last, ack = (1 + number * UNIT for number in (row.start, row.end, row.ack))
    sack = "sack=" + ",".join(f"{1 + left * UNIT}:{1 + right * UNIT}" for left, right in row.blocks)
    given = f"window={row.window} tsval={row.tsval} tsecr={row.tsecr} {sack if row.blocks else ''}"
    return f"{row.now} {'CS'[row.side]} . {first}:{last} {ack} {given}"


@given(conversations(), st.integers(0, 30))
def test_sending_is_measured_as_by_the_twin(rows: list[Row], cut: int) -> None:
    chunk = packets("\n".join(map(line, rows)), {"C": 10**6, "S": 2 * 10**6})
    for chosen in (kernels.plain(), kernels.compiled()):
        tracker, segments = told(part(chunk, 0, cut), part(chunk, cut, len(rows)), with_kernels=chosen)
        twin = Twin()
        for i, row in enumerate(rows):
            row.duplicate = bool(segments.labels[i] & DUPLICATE_ACK)
            for name, expected in twin.take(row).items():
                value = getattr(segments, name)[i]
                assert (REPEATS[value] if name == "repeat" else value) == expected, (i, name)
        found = measures(tracker)
        if {row.side for row in rows} != {0, 1}:
            twin.limited = dict.fromkeys(LIMITS, 0) | {"unknown": sum(twin.limited.values())}
        for name, expected in twin.limited.items():
            assert getattr(found, f"{name}_ns")[0] == expected, name
        for name, side in zip(("client", "server"), twin.sides if rows[0].side == 0 else twin.sides[::-1], strict=True):
            for count in ("retransmissions", "timeouts", "spurious", "copies"):
                expected = side.repeats if count == "retransmissions" else getattr(side, count)
                assert getattr(found, f"{name}_{count}")[0] == expected, (name, count)
