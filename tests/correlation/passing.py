"""Passages made up: segments that pass points at true times, as clocks that are wrong in known ways saw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Point
from tcptrace.schema import I64, NO_TIME, Sightings, columns

FLAGS = {"SYN": 0x02, "SYN-ACK": 0x12, "ACK": 0x10, "RST": 0x04}


@dataclass(frozen=True)
class WrongClock:
    """A clock shows true time, moved, running fast or slow, and set at some moments of true time."""

    ahead_ns: int = 0
    fast_ppm: float = 0.0
    set_by: Sequence[tuple[int, int]] = ()
    """(true time, nanoseconds)"""

    def shows(self, true_ns: I64) -> I64:
        shown = true_ns + self.ahead_ns + np.rint(true_ns * self.fast_ppm / 1e6).astype(np.int64)
        for at_ns, by_ns in self.set_by:
            shown = shown + by_ns * (true_ns >= at_ns)
        return shown

    def true_ns(self, shown_ns: I64) -> I64:
        """What it shows, the other way round: of a clock that is never set."""
        found: I64 = np.rint((shown_ns - self.ahead_ns) / (1 + self.fast_ppm / 1e6)).astype(np.int64)
        return found


@dataclass
class Passing:
    """N segments; `true_ns` is (N, points), NO_TIME where a point did not see one."""

    points: Sequence[str]
    true_ns: I64
    direction: Sequence[int] | npt.NDArray[np.int8]
    stream: Sequence[int] | I64 | None = None
    flags: Sequence[int] | None = None
    """None: nothing tells which segment answers which."""
    ttl: Sequence[Sequence[int]] | None = None
    tsval_hz: float = 0.0
    clocks: Mapping[str, WrongClock] = field(default_factory=dict)

    def passages(self) -> Passages:
        """As the matching of segments would tell it."""
        count, width = self.true_ns.shape
        points = tuple(Point(name, name.partition(":")[0], i) for i, name in enumerate(self.points))
        stream = np.zeros(count, np.int64) if self.stream is None else np.asarray(self.stream, np.int64)
        order = np.lexsort((np.where(self.true_ns == NO_TIME, 2**62, self.true_ns).min(axis=1), stream))
        true_ns, stream = self.true_ns[order], stream[order]
        direction = np.asarray(self.direction, np.int8)[order]
        has = true_ns != NO_TIME
        shown = np.stack(
            [self.clocks.get(p.host, WrongClock()).shows(true_ns[:, i]) for i, p in enumerate(points)], axis=1
        )
        frame = np.argsort(np.argsort(np.where(has, true_ns, 2**62), axis=0, kind="stable"), axis=0) + 1
        row = np.full((count, width), NOWHERE, np.int32)
        row[has] = np.arange(has.sum())
        table = {name: np.full(int(has.sum()), -1, dtype) for name, (dtype, _) in columns(Sightings).items()}
        table["point"][:] = np.broadcast_to(np.arange(width), has.shape)[has]
        table["time_ns"][:], table["frame"][:] = shown[has], frame[has]
        if self.ttl is not None:
            table["ttl"][:] = np.asarray(self.ttl).reshape(has.shape)[order][has]
        if self.tsval_hz:
            sent_ns = np.where(has, true_ns, 2**62).min(axis=1)
            ticks = np.broadcast_to((sent_ns * self.tsval_hz / 1e9).astype(np.int64)[:, None], has.shape)
            table["tsval"][:] = ticks[has]
        position = np.arange(count)
        return Passages(
            points,
            Sightings(**table),
            stream,
            direction,
            position,
            position + 1,
            position if self.flags is not None else np.full(count, -1),
            np.asarray([FLAGS["ACK"]] * count if self.flags is None else self.flags, np.int64)[order],
            np.zeros(count, np.int64),
            row,
            np.zeros((count, width), np.bool_),
        )

    def first_ns(self) -> list[int]:
        """The first time of every point by its own clock."""
        found = self.passages()
        seen = [column[column != NO_TIME] for column in found.time_ns.T]
        return [int(times.min()) if len(times) else NO_TIME for times in seen]


def written(points: Sequence[str], text: str, clocks: Mapping[str, WrongClock] | None = None) -> Passing:
    """Segments in words, `> SYN client=0 lvs=100/63` a line: direction, kind, where it was at how many us, with TTL.

    A number before the arrow is the stream.
    """
    lines = [words for line in text.splitlines() if (words := line.split())]
    true_ns = np.full((len(lines), len(points)), NO_TIME)
    ttl = np.full(true_ns.shape, -1)
    stream, direction, flags = [], [], []
    for i, words in enumerate(lines):
        stream.append(int(words.pop(0)) if words[0].isdigit() else 0)
        direction.append(REQUEST if words[0] == ">" else REPLY)
        flags.append(FLAGS[words[1]])
        for place in words[2:]:
            name, _, told = place.partition("=")
            at, _, hops = told.partition("/")
            true_ns[i, points.index(name)] = round(float(at) * 1000)
            ttl[i, points.index(name)] = int(hops or -1)
    return Passing(points, true_ns, direction, stream, flags, ttl.tolist(), clocks=clocks or {})


def conversation(
    rng: np.random.Generator,
    points: Sequence[str],
    ways: tuple[Sequence[str], Sequence[str]],
    *,
    count: int,
    span_ns: int,
    clocks: Mapping[str, WrongClock],
    least_ns: int = 20_000,
    streams: int = 1,
) -> Passing:
    """Segments to and fro at random times, with random delays of at least so much, along the ways given."""
    sent_ns = np.sort(rng.integers(0, span_ns, count))
    direction = (np.arange(count) % 2).astype(np.int8)
    true_ns = np.full((count, len(points)), NO_TIME)
    for way, names in enumerate(ways):
        rows = direction == way
        delays = least_ns + rng.exponential(2 * least_ns, (int(rows.sum()), max(len(names) - 1, 0))).astype(np.int64)
        at_ns = sent_ns[rows]
        for i, name in enumerate(names):
            if i:
                at_ns = at_ns + delays[:, i - 1]
            true_ns[rows, points.index(name)] = at_ns
    return Passing(points, true_ns, direction, rng.integers(0, streams, count), tsval_hz=1000, clocks=clocks)
