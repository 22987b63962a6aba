"""Clocks that were set while they recorded.

A clock that is left alone changes its offset by at most DRIFT_MAX. Every crossing bounds a host's offset at a moment,
from above or from below; where one bound and another a while later contradict each other even so, a clock was set
between them. That is all the proof there is: a step within what the bounds leave open is not seen.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.order_evidence import DRIFT_MAX
from tcptrace.correlation.result import ClockStep
from tcptrace.schema import I64, Bools

MERGED_NS = 100_000_000
"""Contradictions so close are of one step: around it, the order of the bounds is not quite known."""
NEIGHBOURS = 64
"""Bounds at a point, on either side of a step, by which its place among the frames is found."""
STEPS_MAX = 32
"""Who contradicts himself more often was not set so often; something else is wrong."""


class Sights(NamedTuple):
    """Where and when one of two hosts saw the segments that both saw."""

    point: I64
    frame: I64
    time_ns: I64
    """By its own clock."""


class Bounds(NamedTuple):
    """Bounds on what is added to a host's times to reach those of hosts already aligned, in order of moment."""

    moment_ns: I64
    """By the aligned hosts."""
    offset_ns: I64
    is_upper: Bools
    """Whether the offset is at most that, or at least."""
    passage: I64
    own: Sights
    other: Sights
    """Of the aligned host."""


class Jump(NamedTuple):
    """The offset of a host changes at once."""

    first: int
    """The bounds from this row..."""
    last: int
    """...to this one come before it..."""
    stop: int
    """...and the others before this one after it."""
    before_ns: float
    """The offset before it."""
    after_ns: float

    @property
    def by_ns(self) -> int:
        """How far the host's own clock jumps, if it is that clock."""
        return round(self.before_ns - self.after_ns)


def jumps(bounds: Bounds, margin_ns: float = 0) -> list[Jump]:
    """All jumps that the bounds prove, where these may be wrong by a margin."""
    found: list[Jump] = []
    spans = _spans(bounds, margin_ns)
    for (first, proof, stop), (after, _, until) in pairwise(spans):
        moment_ns = int(bounds.moment_ns[stop])
        before_ns = _offset_near(bounds, slice(first, proof + 1), moment_ns)
        after_ns = _offset_near(bounds, slice(after, until), moment_ns)
        zone = bounds.offset_ns[proof : after + 1]
        last = proof - 1 + _before(zone, before_ns, after_ns)
        found.append(Jump(first, min(max(last, proof), after - 1), until, before_ns, after_ns))
    return found


def in_order(parts: Sequence[Bounds]) -> Bounds:
    """All of these together."""
    moment_ns = np.concatenate([part.moment_ns for part in parts] or [np.empty(0, np.int64)])
    rows = np.argsort(moment_ns, kind="stable")

    def joined(columns: Sequence[I64]) -> I64:
        return np.concatenate([*columns, np.empty(0, np.int64)])[rows]

    own, other = (
        Sights(*(joined(columns) for columns in zip(*sights, strict=True))) if parts else Sights(rows, rows, rows)
        for sights in ([part.own for part in parts], [part.other for part in parts])
    )
    offset_ns, passage = joined([part.offset_ns for part in parts]), joined([part.passage for part in parts])
    is_upper = joined([part.is_upper.astype(np.int64) for part in parts]) == 1
    return Bounds(moment_ns[rows], offset_ns, is_upper, passage, own, other)


def step_of(jump: Jump, bounds: Bounds, sights: Sights, by_ns: int) -> ClockStep:
    """A jump as a step by `by_ns` of the clock of either host, whose sights these are."""
    rows = np.arange(jump.first, jump.stop)
    frames: dict[int, int] = {}
    times_ns = [int(sights.time_ns[jump.last + 1])]
    for point in np.unique(sights.point[rows]).tolist():
        its = rows[sights.point[rows] == point]
        place = int(np.searchsorted(its, jump.last, "right"))
        near = its[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS]
        near = near[np.argsort(sights.frame[near], kind="stable")]
        after = near[_before(bounds.offset_ns[near], jump.before_ns, jump.after_ns) :]
        if len(after):
            frames[point] = int(sights.frame[after[0]])
            times_ns.append(int(sights.time_ns[after[0]]))
    return ClockStep(min(times_ns), by_ns, frames)


def _spans(bounds: Bounds, margin_ns: float) -> list[tuple[int, int, int]]:
    """Runs of bounds that agree: the first row, one that contradicts what comes after, and the end."""
    spans: list[tuple[int, int, int]] = []
    first, count = 0, len(bounds.moment_ns)
    while first < count:
        proof, stop = _agreeing(bounds, first, margin_ns)
        is_short = bounds.moment_ns[stop - 1] - bounds.moment_ns[first] < MERGED_NS
        if not (is_short and spans and stop < count):
            spans.append((first, proof, stop))
        if len(spans) > STEPS_MAX:
            return []
        first = stop
    return spans


def _agreeing(bounds: Bounds, first: int, margin_ns: float) -> tuple[int, int]:
    """The two rows of the first contradiction from a row on; if there is none, the last row and the end."""
    passed = (bounds.moment_ns[first:] - bounds.moment_ns[first]).astype(np.float64) * DRIFT_MAX
    is_upper = bounds.is_upper[first:]
    offset = (bounds.offset_ns[first:] - bounds.offset_ns[first]).astype(np.float64)
    lowers = np.where(is_upper, -np.inf, offset + passed)
    uppers = np.where(is_upper, offset - passed, np.inf)
    least, most = np.maximum.accumulate(lowers) - passed, np.minimum.accumulate(uppers) + passed
    against = np.flatnonzero(least > most + margin_ns)
    if not len(against):
        return len(bounds.moment_ns) - 1, len(bounds.moment_ns)
    stop = int(against[0])
    proof = int(lowers[:stop].argmax() if is_upper[stop] else uppers[:stop].argmin())
    return first + proof, first + stop


def _offset_near(bounds: Bounds, rows: slice, moment_ns: int) -> float:
    """The middle of what the offset may be at a moment, by these bounds; where one side is open, the other bound."""
    away = abs(bounds.moment_ns[rows] - moment_ns) * DRIFT_MAX
    offset, is_upper = bounds.offset_ns[rows], bounds.is_upper[rows]
    least = (offset - away)[~is_upper].max(initial=-np.inf)
    most = (offset + away)[is_upper].min(initial=np.inf)
    known = [bound for bound in (least, most) if np.isfinite(bound)]
    return float(sum(known) / len(known))


def _before(offset_ns: I64, before_ns: float, after_ns: float) -> int:
    """How many of these lie before a jump, so that the fewest are on the wrong side of its middle."""
    is_after = abs(offset_ns - after_ns) < abs(offset_ns - before_ns)
    early = np.concatenate(([0], np.cumsum(is_after)))
    late = np.concatenate((np.cumsum(~is_after[::-1])[::-1], [0]))
    return int((early + late).argmin())
