"""Whose clock was set, when, and how far: found host by host, each against those that are aligned already."""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.clock_fit import STAMPS_NS
from tcptrace.correlation.clock_limits import Observed, Steps, reference_ns
from tcptrace.correlation.clock_model import Model, modelled
from tcptrace.correlation.clock_steps import MERGED_NS, Bounds, Jump, Sights, in_order, jumps, step_of
from tcptrace.correlation.crossings import Crossings, crossings
from tcptrace.correlation.result import ClockStep
from tcptrace.schema import I64, NO_TIME, UNKNOWN

BACK_NS = 50_000_000
"""Time that goes back by so much from frame to frame shows that the clock was set; by less it is file order."""
ALIKE = 0.1
"""Jumps whose sizes differ by less than this part may be one."""
RATE_NS = 50_000_000
"""So long a sender's timestamps must be watched to tell their rate."""


class _Found(NamedTuple):
    """Jumps of one host against others."""

    host: str
    root: str
    """Of those others, the first to be aligned."""
    bounds: Bounds
    jumps: list[Jump]


def find_steps(observed: Observed, hosts: Sequence[str]) -> Steps:
    """The steps that the clocks of all hosts made, the same in whatever order these are given.

    The others are held against one host after the other, until the clock of one host explains all. If none does, the
    fewest do.
    """
    ties = {host: _tied(observed, host, [other for other in hosts if other != host]) for host in sorted(hosts)}
    told: list[tuple[int, Steps]] = []
    for root in sorted(ties, key=ties.__getitem__, reverse=True):
        steps = _held_against(observed, [root, *(host for host in ties if host != root)])
        told.append((sum(map(bool, steps.values())), steps))
        if told[-1][0] == 1:
            break
    return min(told, key=lambda one: (not one[0], one[0]))[1]


def _held_against(observed: Observed, hosts: Sequence[str]) -> Steps:
    """Steps as they look from the first host. What all others seem to do at once, the one they are held against did."""
    steps, found = _searched(observed, hosts, {})
    roots = dict.fromkeys(one.root for one in found)
    known = {root: _of_root(observed, [one for one in found if one.root == root]) for root in roots}
    return _searched(observed, hosts, known)[0] if any(known.values()) else steps


def _searched(observed: Observed, hosts: Sequence[str], known: Steps) -> tuple[Steps, list[_Found]]:
    steps = dict(known)
    found: list[_Found] = []
    aligned = [hosts[0]]
    while len(aligned) < len(hosts):
        model = modelled(observed, aligned, steps)
        host = max((host for host in hosts if host not in aligned), key=lambda host: _tied(observed, host, aligned))
        sound = _sound(observed, host, model)
        bounds, margin_ns = _bounds(observed, host, model, sound)
        one = _Found(host, model.hosts[sound[0]], bounds, jumps(bounds, margin_ns))
        steps[host] = [*known.get(host, ()), *(step_of(jump, bounds, bounds.own, jump.by_ns) for jump in one.jumps)]
        found.append(one)
        aligned.append(host)
    return steps, found


def _tied(observed: Observed, host: str, others: Collection[str]) -> tuple[int, int, int]:
    """How many streams tie a host to one of the others: next to it both ways, both ways, and one way."""
    points = observed.passages.points
    beside = both = either = 0
    for resets, streams in Counter(route.resets for route in observed.routes).items():
        ways = [[points[point].host for point in order] for order in resets]
        near = [{one for pair in pairwise(way) if host in pair for one in pair} for way in ways]
        met = [host in way and not set(way).isdisjoint(others) for way in ways]
        beside += streams * bool(near[0].intersection(near[1], others))
        both += streams * all(met)
        either += streams * any(met)
    return beside, both, either


def _sound(observed: Observed, host: str, model: Model) -> list[int]:
    """Numbers of the hosts that a host is held against: of those aligned, the nearest, and what is bound to it."""
    numbers = range(len(model.hosts))
    nearest = max(numbers, key=lambda number: _tied(observed, host, [model.hosts[number]]))
    return [number for number in numbers if None not in model.system.offset_range(number, nearest)]


def _bounds(observed: Observed, host: str, model: Model, sound: list[int]) -> tuple[Bounds, float]:
    """What bounds a host's offset against sound ones, at every point of it, and how far that may be wrong."""
    passages, points = observed.passages, observed.passages.points
    folded_ns = _folded(observed, model)
    parts: list[Bounds] = []
    held = [model.hosts[number] for number in sound]
    ends = [[number for number, point in enumerate(points) if point.host in names] for names in ([host], held)]
    others = set()
    for own_point, other_point in product(*ends):
        clock = model.clocks[points[other_point].host]
        for crossing in crossings(passages, observed.routes, {own_point, other_point}):
            own, other = _sights(crossing, passages.frame, crossing.source == own_point)
            others.add(clock.host)
            reached_ns = reference_ns(clock, other_point, other.frame, other.time_ns)
            moment_ns = reached_ns + folded_ns[passages.row[crossing.passage, other_point]]
            is_upper = np.full(len(moment_ns), crossing.source == own_point)
            parts.append(Bounds(moment_ns, reached_ns - own.time_ns, is_upper, crossing.passage, own, other))
    ranges = [model.system.offset_range(number, sound[0]) for number in sound]
    wide = [high - low for low, high in ranges if low is not None and high is not None]
    doubt_ns = max(observed.ticks_ns) + STAMPS_NS
    return in_order(parts), (max(wide) if len(others) > 1 else 0) + doubt_ns


def _sights(crossing: Crossings, frame: I64, is_source: bool) -> tuple[Sights, Sights]:
    ends = [
        Sights(np.full(len(time_ns), point), frame[crossing.passage, point], time_ns)
        for point, time_ns in ((crossing.source, crossing.left_ns), (crossing.target, crossing.arrived_ns))
    ]
    return (ends[0], ends[1]) if is_source else (ends[1], ends[0])


def _folded(observed: Observed, model: Model) -> I64:
    """By how much reference time has gone back at every sighting, so that what came later sorts later."""
    seen = observed.passages.sightings
    found = np.zeros(len(seen.time_ns), np.int64)
    for point, its in enumerate(observed.passages.points):
        if its.host in model.clocks:
            rows = np.flatnonzero((seen.point == point) & (seen.time_ns != NO_TIME))
            rows = rows[np.argsort(seen.frame[rows], kind="stable")]
            time_ns = reference_ns(model.clocks[its.host], point, seen.frame[rows], seen.time_ns[rows])
            back_ns = np.diff(time_ns, prepend=time_ns[:1])
            found[rows] = -np.cumsum(np.where(back_ns < -BACK_NS, back_ns, 0))
    return found


def _of_root(observed: Observed, found: Sequence[_Found]) -> list[ClockStep]:
    """Steps of the clock that others are held against: what every host that was watched meanwhile shows."""
    steps: list[ClockStep] = []
    if found:
        first = found[0]
        for jump in first.jumps:
            witnesses = [other for other in found[1:] if _watched(other, first, jump)]
            same = [other for other in witnesses if any(_is_same(other, its, first, jump) for its in other.jumps)]
            if same == witnesses and (same or _is_of_other(observed, first.bounds, jump)):
                steps.append(step_of(jump, first.bounds, first.bounds.other, -jump.by_ns))
    return steps


def _watched(one: _Found, other: _Found, jump: Jump) -> bool:
    """Whether a host has bounds on either side of another's jump."""
    moment_ns = other.bounds.moment_ns[jump.last]
    return bool((one.bounds.moment_ns <= moment_ns).any() and (one.bounds.moment_ns > moment_ns).any())


def _is_same(one: _Found, its: Jump, other: _Found, jump: Jump) -> bool:
    here, there = one.bounds.moment_ns[its.last :], other.bounds.moment_ns[jump.last :]
    together = here[0] <= there[1] + MERGED_NS and there[0] <= here[1] + MERGED_NS
    return bool(together) and abs(its.by_ns - jump.by_ns) <= ALIKE * abs(jump.by_ns)


def _is_of_other(observed: Observed, bounds: Bounds, jump: Jump) -> bool:
    """Of two clocks, whether it was not the host's own that was set.

    A clock that goes back was. Else the sender's timestamps tell how much time passed. Else the one that went further
    ahead was set forward: that one was set back during a silence as long as the step would be chance.
    """
    own_ns, other_ns = (
        int(sights.time_ns[jump.last + 1] - sights.time_ns[jump.last]) for sights in (bounds.own, bounds.other)
    )
    if min(own_ns, other_ns) < -abs(jump.by_ns) // 2:
        return other_ns < own_ns
    passed = _passed_by_timestamps(observed, bounds, jump)
    if passed:
        return sum(abs(other - true) > abs(own - true) for own, other, true in passed) * 2 > len(passed)
    return other_ns > own_ns


def _passed_by_timestamps(observed: Observed, bounds: Bounds, jump: Jump) -> list[tuple[int, int, float]]:
    """Time across a jump, of each direction of a stream: by the own clock, by the other, and by the sender's TSval."""
    passages = observed.passages
    rows = np.arange(jump.first, jump.stop)
    tsval = passages.sightings.tsval[passages.row[bounds.passage[rows], bounds.own.point[rows]]]
    rows, tsval = rows[tsval != UNKNOWN], tsval[tsval != UNKNOWN]
    channel = passages.stream[bounds.passage[rows]] * 2 + passages.direction[bounds.passage[rows]]
    found = []
    for one in np.unique(channel).tolist():
        its, ticks = rows[channel == one], tsval[channel == one]
        after = int(np.searchsorted(its, jump.last, "right"))
        runs = [run for run in (slice(0, after), slice(after, len(its))) if len(its[run])]
        if len(runs) == 2:
            lasted = [(bounds.own.time_ns[its[run][-1]] - bounds.own.time_ns[its[run][0]], run) for run in runs]
            watched_ns, run = max(lasted, key=lambda pair: int(pair[0]))
            ticked = int(ticks[run][-1] - ticks[run][0])
            if watched_ns >= RATE_NS and ticked > 0:
                edge = its[[after - 1, after]]
                own, other = (int(np.diff(sights.time_ns[edge])[0]) for sights in (bounds.own, bounds.other))
                found.append((own, other, float(ticks[after] - ticks[after - 1]) * float(watched_ns) / ticked))
    return found
