"""Segments that are alike, told apart: the original and its repeats, acknowledgements that say the same.

A group holds sightings of one place in a stream, at several legs. Where a leg has one of them only, the group is one
segment. Else IP identification, timestamp and window tell which are the same, as far as nobody rewrites them; what is
left is paired in order, and where a leg has fewer, by time.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.correlation.numbering import distinct, numbered, ranked
from tcptrace.schema import I64, NO_TIME, UNKNOWN

SAMPLES = 200
"""Segments by which the clocks of two legs are compared, roughly."""


class _Several(NamedTuple):
    """A set of sightings that are taken for one segment."""

    rows: list[int]
    legs: frozenset[int]


def tell_apart(group: I64, legs: Legs) -> I64:
    """For every sighting the number of its segment, from 0 without gaps; `group` has a value for every sighting."""
    leg = legs.leg
    alike = ranked(numbered(group, leg))
    is_twin = np.isin(group, group[alike > 0])
    passage = group.copy()
    twins = np.flatnonzero(is_twin)
    if len(twins):
        passage[twins] = group.max() + 1 + _of_twins(twins, group, legs)
    found: I64 = np.unique(passage, return_inverse=True)[1].astype(np.int64)
    return found


def _of_twins(twins: I64, group: I64, legs: Legs) -> I64:
    """Numbers for the sightings in groups of which a leg has several."""
    seen, leg = legs.sightings, legs.leg
    ip_id = np.where(seen.ip_id[twins] > 0, seen.ip_id[twins], UNKNOWN).astype(np.int64)
    like = numbered(group[twins], ip_id, seen.tsval[twins], seen.window[twins].astype(np.int64))
    count = np.bincount(place := numbered(like, leg[twins]))[place]
    rank = ranked(place)
    # Where legs have different numbers of what is alike in all, only time can tell: each stands alone for now.
    most = np.zeros(int(like.max()) + 1, np.int64)
    np.maximum.at(most, like, count)
    uneven = np.isin(like, like[count != most[like]])
    rank[uneven] = np.arange(len(rank))[uneven]
    number = numbered(like, rank)
    open_groups = np.unique(group[twins][np.bincount(number)[number] < distinct(group[twins], leg[twins])])
    rows = np.flatnonzero(np.isin(group[twins], open_groups))
    if len(rows):
        _pair(rows, twins, group, legs, number)
    return number


def _pair(rows: I64, twins: I64, group: I64, legs: Legs, number: I64) -> None:
    """In groups where some segments lack legs, give those that no leg has twice one number, in place."""
    offset_ns = _offsets(twins, group, legs)
    order = rows[np.argsort(group[twins[rows]], kind="stable")]
    bounds = np.flatnonzero(np.diff(group[twins[order]], prepend=-1, append=-1))
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        _pair_group(order[first:stop].tolist(), twins, legs, number, offset_ns)


def _pair_group(rows: list[int], twins: I64, legs: Legs, number: I64, offset_ns: Callable[[int, int], int]) -> None:
    sets: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        sets[int(number[row])].append(row)
    several = [_Several(members, frozenset(legs.leg[twins[members]].tolist())) for members in sets.values()]
    kept: list[_Several] = []
    for one in sorted(several, key=lambda one: -len(one.legs)):
        fitting = [(_apart_ns(one, other, twins, legs, offset_ns), i) for i, other in enumerate(kept)]
        fitting = [(apart, i) for apart, i in fitting if kept[i].legs.isdisjoint(one.legs)]
        if not fitting:
            kept.append(one)
            continue
        _, best = min(fitting)
        number[one.rows] = number[kept[best].rows[0]]
        kept[best] = _Several(kept[best].rows + one.rows, kept[best].legs | one.legs)


def _apart_ns(a: _Several, b: _Several, twins: I64, legs: Legs, offset_ns: Callable[[int, int], int]) -> int:
    """How far in time two sets lie apart, by the clocks as roughly as they are known."""
    rows = twins[[a.rows[0], b.rows[0]]]
    time_ns, other_ns = legs.sightings.time_ns[rows].tolist()
    return 0 if NO_TIME in (time_ns, other_ns) else abs(time_ns - other_ns - offset_ns(*legs.leg[rows].tolist()))


def _offsets(twins: I64, group: I64, legs: Legs) -> Callable[[int, int], int]:
    """How far one leg's times are ahead of another's, delay included: the median of segments without twins."""
    alone = np.ones(len(group), np.bool_)
    alone[twins] = False
    known: dict[tuple[int, int], int] = {}
    time_ns = legs.sightings.time_ns

    def rows_of(one: int) -> I64:
        found = legs.rows(one)
        chosen: I64 = found[alone[found] & (time_ns[found] != NO_TIME)][:SAMPLES]
        return chosen

    def offset_ns(a: int, b: int) -> int:
        if (a, b) not in known:
            here, there = rows_of(a), rows_of(b)
            _, i, j = np.intersect1d(group[here], group[there], return_indices=True)
            apart = time_ns[here[i]] - time_ns[there[j]]
            known[a, b] = int(np.median(apart)) if len(apart) else 0
        return known[a, b]

    return offset_ns
