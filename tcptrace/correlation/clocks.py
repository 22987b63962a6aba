"""How the hosts' clocks stand to one another: offsets, drifts and steps, and how sure that is.

Nothing is assumed about synchronisation. What a clock shows is tied to others by the segments that both saw, since
none arrives before it left. The simplest explanation counts: offsets that stay; if no such offsets are possible, clocks
that drift; if none of these are, clocks that were set.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import ceil, floor

import numpy as np

from tcptrace.correlation.clock_fit import System
from tcptrace.correlation.clock_limits import LEAST_NS, Observed, reference_ns
from tcptrace.correlation.clock_model import Model, modelled
from tcptrace.correlation.clock_search import find_steps
from tcptrace.correlation.clock_ticks import ticks_ns
from tcptrace.correlation.order import Route
from tcptrace.correlation.order_evidence import DRIFT_MAX
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Clock, Clocks, Points
from tcptrace.schema import I64, NO_TIME

DRIFT_USUAL = 100e-6
"""Crystals are within this of what they should be."""
COUNTS = 0.15
"""Drift that cannot be told, and times cut off, are allowed for where they matter by so much of an interval."""

Interval = tuple[int | None, int | None]
"""Least and greatest; None: unbounded."""


@dataclass(frozen=True)
class Alignment:
    """The clocks of all hosts."""

    clocks: Clocks
    bounds: Mapping[tuple[str, str], Interval]
    """Of two hosts, between what the first one's offset less the second one's may be, in nanoseconds."""
    ticks_ns: Sequence[int]
    """By point, the unit of its times."""

    def reference_ns(self, passages: Passages) -> I64:
        """(N, points) times of passages by the reference clock; NO_TIME where not seen."""
        columns = [
            reference_ns(self.clocks[point.host], i, passages.frame[:, i], passages.time_ns[:, i])
            for i, point in enumerate(passages.points)
        ]
        return np.stack(columns, axis=1)

    def delay_error_ns(self, points: Points, source: int, target: int) -> Interval:
        """What must be added to a delay from one point to another by these clocks, to be true: least and greatest."""
        here, there = points[source].host, points[target].host
        chosen = self.clocks[there].offset_ns - self.clocks[here].offset_ns
        low, high = self.bounds[there, here] if here != there else (chosen, chosen)
        before_ns, after_ns = self.ticks_ns[source] - 1, self.ticks_ns[target] - 1
        return None if low is None else low - chosen - before_ns, None if high is None else high - chosen + after_ns


def align(
    passages: Passages,
    routes: Sequence[Route],
    points: Points,
    first_ns: Sequence[int],
    declared_ns: Sequence[int] = (),
    *,
    trust: bool = False,
) -> Alignment:
    """The clocks of the points' hosts against that of the first point.

    `routes` are those of the streams by number; `first_ns` is each point's first time, NO_TIME where it has none;
    `declared_ns` the units of their times, as far as their formats tell. With `trust` the clocks are taken as they are.
    """
    hosts = list(dict.fromkeys(point.host for point in points))
    ticks = ticks_ns(passages, declared_ns)
    starts_ns = {host: _start_ns(host, points, first_ns) for host in hosts}
    if trust:
        clocks = {host: Clock(host, 0, 0, 0, None, starts_ns[host], basis="taken as it is") for host in hosts}
        return Alignment(clocks, dict.fromkeys(permutations(hosts, 2), (0, 0)), ticks)
    observed = Observed(passages, routes, starts_ns, ticks)
    model = modelled(observed, hosts, {})
    if model.contradiction_ns:
        steps = find_steps(observed, hosts)
        if any(steps.values()):
            first = modelled(observed, hosts, steps)
            adjusted = modelled(observed, hosts, {host: clock.steps for host, clock in first.clocks.items()})
            model = min((model, adjusted), key=lambda one: one.contradiction_ns)
    return _told(model, ticks)


def _start_ns(host: str, points: Points, first_ns: Sequence[int]) -> int:
    times = [time for point, time in zip(points, first_ns, strict=True) if point.host == host and time != NO_TIME]
    return min(times, default=0)


def _told(model: Model, ticks: Sequence[int]) -> Alignment:
    """A model with what it leaves open."""
    drifting, cut_off_ns = _allowing_for_drift(model), min(max(ticks) - 1, LEAST_NS)
    bounds = {
        (model.hosts[a], model.hosts[b]): _interval(model.system, drifting, a, b, cut_off_ns)
        for a, b in permutations(range(len(model.hosts)), 2)
    }
    reference = model.hosts[0]
    told = {host: _with_ranges(model, drifting, host) for host in model.hosts}
    clocks = {reference: replace(told[reference], low_ns=0, high_ns=0, basis="the reference")}
    for host in model.hosts[1:]:
        low, high = bounds[host, reference]
        offset_ns = max(told[host].offset_ns, -sys.maxsize if low is None else low)
        offset_ns = min(offset_ns, sys.maxsize if high is None else high)
        clock = replace(told[host], offset_ns=offset_ns, low_ns=low, high_ns=high)
        clocks[host] = replace(clock, basis=_basis(model, clock))
    return Alignment({host: clocks[host] for host in model.hosts}, bounds, ticks)


def _allowing_for_drift(model: Model) -> System:
    """The same inequalities with drift of all hosts, usual drift where none was told."""
    clocks = [model.clocks[host] for host in model.hosts]
    starts_ns, counts = [clock.start_ns for clock in clocks], [len(clock.steps) for clock in clocks]
    drift_max = DRIFT_MAX if model.system.drifting else DRIFT_USUAL
    return System(model.limits, starts_ns, counts, range(1, len(clocks)), drift_max)


def _interval(system: System, drifting: System, a: int, b: int, cut_off_ns: int) -> Interval:
    """How far apart two offsets may be; with drift where that was told, or where untold it could still matter."""
    low, high = system.offset_range(a, b)
    counts_ns = 0 if low is None or high is None else (high - low) * COUNTS
    if system.drifting or system.span_ns * DRIFT_USUAL > counts_ns:
        low, high = drifting.offset_range(a, b)
    if low is not None and high is not None and cut_off_ns > counts_ns:
        low, high = low - cut_off_ns, high + cut_off_ns
    return _whole(low, high)


def _whole(low: float | None, high: float | None) -> Interval:
    return None if low is None else ceil(low - 0.01), None if high is None else floor(high + 0.01)


def _with_ranges(model: Model, drifting: System, host: str) -> Clock:
    """A clock whose steps are told with how great they may be, whatever the drift."""
    steps = []
    for i, (before, step) in enumerate(zip(model.steps.get(host, ()), model.clocks[host].steps, strict=True)):
        low, high = _whole(*drifting.step_range(model.hosts.index(host), i))
        low, high = (None if more is None else before.by_ns + more for more in (low, high))
        steps.append(replace(step, low_ns=low, high_ns=high))
    return replace(model.clocks[host], steps=tuple(steps))


def _basis(model: Model, clock: Clock) -> str:
    """What an offset rests on, in words."""
    number, reference = model.hosts.index(clock.host), model.hosts[0]
    there, back = model.crossed.get((0, number), 0), model.crossed.get((number, 0), 0)
    tied = [model.hosts[other] for pair in model.crossed if number in pair for other in pair if other != number]
    others = " and ".join(dict.fromkeys(tied))
    if clock.low_ns is None and clock.high_ns is None:
        told = "no common reference"
    elif clock.low_ns is None or clock.high_ns is None:
        told = f"one way only: no segment passes {'to' if clock.low_ns is None else 'from'} it and tells more"
    elif there and back:
        told = f"{there:,} segments from {reference} and {back:,} to it"
    else:
        told = f"segments exchanged with {others}"
    if clock.drift_ppm is not None:
        told += ", its drift told apart from none"
    if clock.steps:
        told += f", set {len(clock.steps)} times" if len(clock.steps) > 1 else ", set once"
    if model.contradiction_ns:
        told += f"; contradictory: a segment arrives {model.contradiction_ns:,} ns before it left"
    return told
