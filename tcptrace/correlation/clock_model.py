"""The simplest clocks that causality allows: offsets alone if these do, else with drift; given what steps they made."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.clock_fit import Limits, System
from tcptrace.correlation.crossings import crossings, lower_hull
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Clock, ClockStep
from tcptrace.schema import I64, NO_TIME

RESOLUTION_NS = 1_000
"""Most captures cut times off to microseconds: contradictions up to this are none."""

Steps = Mapping[str, Sequence[ClockStep]]
"""By host, in order."""


class Observed(NamedTuple):
    """What clocks are told from."""

    passages: Passages
    routes: Sequence[Route]
    starts_ns: Mapping[str, int]
    """First time of every host by its own clock."""


class Model(NamedTuple):
    """Clocks of some hosts, the first of which is the reference."""

    hosts: Sequence[str]
    system: System
    clocks: Mapping[str, Clock]
    crossed: Mapping[tuple[int, int], int]
    """How many segments tie the clocks of two hosts, from one to the other."""

    @property
    def contradiction_ns(self) -> int:
        """By how much, on some hop, segments still arrive before they left."""
        return 0 if self.system.slack >= -RESOLUTION_NS else round(-self.system.slack)


def modelled(observed: Observed, hosts: Sequence[str], steps: Steps) -> Model:
    """The clocks of these hosts, if they made these steps; the sizes of steps are adjusted."""
    least, crossed = limits_of(observed, hosts, steps, only_least=True)
    starts_ns = [observed.starts_ns[host] for host in hosts]
    counts = [len(steps.get(host, ())) for host in hosts]
    system = System(least, starts_ns, counts)
    if system.slack < -RESOLUTION_NS:
        hulls, _ = limits_of(observed, hosts, steps, only_least=False)
        system = System(hulls, starts_ns, counts, range(1, len(hosts)))
        told = [host for host in system.drifting if _excludes_zero(*system.drift_range(host))]
        simpler = System(hulls, starts_ns, counts, told)
        system = simpler if simpler.slack >= min(system.slack, -RESOLUTION_NS) else system
    x = system.shared()
    clocks = {}
    for number, host in enumerate(hosts):
        drift_ppm = system.drift(x, number) * 1e6 if number in system.drifting else None
        adjusted = (
            ClockStep(step.time_ns, step.by_ns + round(system.step_ns(x, number, i)), step.frames)
            for i, step in enumerate(steps.get(host, ()))
        )
        offset_ns = round(system.offset_ns(x, number))
        clocks[host] = Clock(host, offset_ns, None, None, drift_ppm, starts_ns[number], tuple(adjusted))
    return Model(hosts, system, clocks, crossed)


def _excludes_zero(low: float | None, high: float | None) -> bool:
    return (low is not None and low > 0) or (high is not None and high < 0)


def limits_of(
    observed: Observed, hosts: Sequence[str], steps: Steps, *, only_least: bool
) -> tuple[Limits, dict[tuple[int, int], int]]:
    """The crossings between these hosts that may bind, and how many there were from one to another.

    Where clocks do not drift, that is the quickest one; else the vertices of the lower hull. Between every two steps.
    """
    passages, points = observed.passages, observed.passages.points
    numbers = {host: number for number, host in enumerate(hosts)}
    parts = [Limits(*np.empty((6, 0), np.int64))]
    crossed: dict[tuple[int, int], int] = {}
    among = {number for number, point in enumerate(points) if point.host in numbers}
    for crossing in crossings(passages, observed.routes, among):
        columns = []
        for point, time_ns in ((crossing.source, crossing.left_ns), (crossing.target, crossing.arrived_ns)):
            its_steps = steps.get(points[point].host, ())
            made = steps_made(its_steps, point, passages.frame[crossing.passage, point], time_ns) if its_steps else None
            columns.append((numbers[points[point].host], *_continued(time_ns, made, its_steps)))
        (earlier, left_ns, left_steps), (later, arrived_ns, arrived_steps) = columns
        crossed[earlier, later] = crossed.get((earlier, later), 0) + len(left_ns)
        ends = (np.full(len(left_ns), host) for host in (earlier, later))
        parts.append(_binding(Limits(*ends, left_ns, arrived_ns, left_steps, arrived_steps), only_least))
    return _binding(Limits(*(np.concatenate(column) for column in zip(*parts, strict=True))), only_least), crossed


def steps_made(steps: Sequence[ClockStep], point: int, frame: I64, time_ns: I64) -> I64:
    """How many of its steps a clock had made when a point recorded these frames."""
    made = np.zeros(len(frame), np.int64)
    for step in steps:
        made += frame >= step.frames[point] if point in step.frames else time_ns >= step.time_ns
    return made


def _continued(time_ns: I64, made: I64 | None, steps: Sequence[ClockStep]) -> tuple[I64, I64]:
    """Times as if the clock had not been set, and the steps it had made."""
    if made is None:
        return time_ns, np.zeros(len(time_ns), np.int64)
    gone = np.concatenate(([0], np.cumsum([step.by_ns for step in steps]))).astype(np.int64)
    return time_ns - gone[made], made


def _binding(limits: Limits, only_least: bool) -> Limits:
    """Those that may bind."""
    groups = np.stack((limits.earlier, limits.later, limits.left_steps, limits.arrived_steps))
    if not groups.size:
        return limits
    if (groups == groups[:, :1]).all():
        rows = [_lowest(limits, np.arange(len(limits.left_ns)), only_least)]
    else:
        _, group = np.unique(groups, axis=1, return_inverse=True)
        group = group.reshape(-1)
        rows = [_lowest(limits, np.flatnonzero(group == one), only_least) for one in range(group.max() + 1)]
    return Limits(*(column[np.concatenate(rows)] for column in limits))


def _lowest(limits: Limits, rows: I64, only_least: bool) -> I64:
    apart_ns = limits.arrived_ns[rows] - limits.left_ns[rows]
    return rows[[apart_ns.argmin()]] if only_least else rows[lower_hull(limits.left_ns[rows], apart_ns)]


def reference_ns(clock: Clock, point: int, frame: I64, time_ns: I64) -> I64:
    """Times of a point of a clock's host, by the reference clock; NO_TIME stays."""
    made = steps_made(clock.steps, point, frame, time_ns) if clock.steps else None
    found, _ = _continued(time_ns, made, clock.steps)
    drift = 0.0 if clock.drift_ppm is None else clock.drift_ppm / 1e6
    drifted = np.rint((found - clock.start_ns) * drift).astype(np.int64) if drift else 0
    return np.where(time_ns == NO_TIME, NO_TIME, found + clock.offset_ns + drifted)
