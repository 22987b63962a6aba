"""Crossings as limits on clocks: of millions, those between two hosts that may bind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.crossings import crossings, lower_hull
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Clock, ClockStep
from tcptrace.schema import I64, NO_TIME

LEAST_NS = 1_000
"""What a segment takes between two hosts, through a kernel at each end, and hardly ever less."""

Steps = Mapping[str, Sequence[ClockStep]]
"""By host, in order."""


class Observed(NamedTuple):
    """What clocks are told from."""

    passages: Passages
    routes: Sequence[Route]
    starts_ns: Mapping[str, int]
    """First time of every host by its own clock."""
    ticks_ns: Sequence[int]
    """By point, the unit of its times."""


class Limits(NamedTuple):
    """Crossings that bound the clocks, K rows."""

    earlier: I64
    """Host that a segment left."""
    later: I64
    """Host that it reached."""
    left_ns: I64
    """By the earlier host's clock, its steps so far taken back."""
    arrived_ns: I64
    """By the later host's, at the latest: at the end of the unit that its time tells, less LEAST_NS."""
    left_steps: I64
    """How many steps the earlier host's clock had made."""
    arrived_steps: I64


def limits_of(observed: Observed, hosts: Sequence[str], steps: Steps) -> tuple[Limits, dict[tuple[int, int], int]]:
    """The crossings between these hosts that may bind, and how many there were from one to another.

    They are the vertices of the lower hull, one for every pair of hosts and of what steps their clocks had made.
    """
    passages, points = observed.passages, observed.passages.points
    numbers = {host: number for number, host in enumerate(hosts)}
    among = {number for number, point in enumerate(points) if point.host in numbers}
    parts = [Limits(*np.empty((6, 0), np.int64))]
    crossed: dict[tuple[int, int], int] = {}
    for crossing in crossings(passages, observed.routes, among):
        ends = []
        for point, time_ns in ((crossing.source, crossing.left_ns), (crossing.target, crossing.arrived_ns)):
            its = steps.get(points[point].host, ())
            frame = passages.frame[crossing.passage, point] if its else np.empty(0, np.int64)
            ends.append((numbers[points[point].host], *_continued(its, point, frame, time_ns)))
        (earlier, left_ns, left_steps), (later, arrived_ns, arrived_steps) = ends
        crossed[earlier, later] = crossed.get((earlier, later), 0) + len(left_ns)
        pair = np.broadcast_to(np.int64(earlier), left_ns.shape), np.broadcast_to(np.int64(later), left_ns.shape)
        latest_ns = arrived_ns + max(observed.ticks_ns[crossing.target] - 1 - LEAST_NS, 0)
        parts.append(_hulls(Limits(*pair, left_ns, latest_ns, left_steps, arrived_steps)))
    return _hulls(Limits(*(np.concatenate(column) for column in zip(*parts, strict=True)))), crossed


def quickest(limits: Limits) -> Limits:
    """Of every pair the one crossing that binds where clocks do not drift."""
    rows = [its[(limits.arrived_ns - limits.left_ns)[its].argmin()] for its in _alike(limits)]
    return Limits(*(column[np.array(rows, np.int64)] for column in limits))


def _hulls(limits: Limits) -> Limits:
    kept = [np.empty(0, np.int64)]
    for its in _alike(limits):
        left_ns = limits.left_ns[its]
        kept.append(its[lower_hull(left_ns, limits.arrived_ns[its] - left_ns)])
    rows = np.concatenate(kept)
    return Limits(*(column[rows] for column in limits))


def _alike(limits: Limits) -> Iterator[I64]:
    """Rows of each pair of hosts and of steps made."""
    pairs = np.stack((limits.earlier, limits.later, limits.left_steps, limits.arrived_steps))
    if (pairs == pairs[:, :1]).all():
        yield from [np.arange(pairs.shape[1])] if pairs.size else []
        return
    _, number = np.unique(pairs, axis=1, return_inverse=True)
    for one in range(int(number.max()) + 1):
        yield np.flatnonzero(number.reshape(-1) == one)


def _steps_made(steps: Sequence[ClockStep], point: int, frame: I64, time_ns: I64) -> I64:
    """How many of its steps a clock had made when a point recorded these frames."""
    made = np.zeros(len(time_ns), np.int64)
    for step in steps:
        made += frame >= step.frames[point] if point in step.frames else time_ns >= step.time_ns
    return made


def _continued(steps: Sequence[ClockStep], point: int, frame: I64, time_ns: I64) -> tuple[I64, I64]:
    """Times as if the clock had not been set, and the steps it had made."""
    if not steps:
        return time_ns, np.broadcast_to(np.int64(0), time_ns.shape)
    made = _steps_made(steps, point, frame, time_ns)
    gone = np.concatenate(([0], np.cumsum([step.by_ns for step in steps]))).astype(np.int64)
    return time_ns - gone[made], made


def reference_ns(clock: Clock, point: int, frame: I64, time_ns: I64) -> I64:
    """Times of a point of a clock's host, by the reference clock; NO_TIME stays."""
    found, _ = _continued(clock.steps, point, frame, time_ns)
    drift = 0.0 if clock.drift_ppm is None else clock.drift_ppm / 1e6
    drifted = np.rint((found - clock.start_ns) * drift).astype(np.int64) if drift else 0
    return np.where(time_ns == NO_TIME, NO_TIME, found + clock.offset_ns + drifted)
