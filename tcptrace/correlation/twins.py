"""Segments that are alike, told apart: the original and its repeats, acknowledgements that say the same.

A group holds sightings of one place in a stream, at several legs. Where each leg has one of them only, the group is
one segment. Else IP identification, timestamp, window and TTL tell which are the same, as far as all of a group have
them; what is equal in these too is paired in order where all legs have as many, and by time where some lack one.
"""

from bisect import bisect
from collections import Counter, defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.correlation.numbering import distinct, numbered, ranked, renumbered
from tcptrace.correlation.rough_clocks import RoughClocks
from tcptrace.schema import I32, I64, NO_TIME, UNKNOWN, Bools

NEIGHBOURS = 16
"""Sets of sightings that are tried for one more, either way in time."""


class _Set(NamedTuple):
    """Sightings that are taken for one segment."""

    time_ns: int
    """Roughly, by one clock."""
    rows: list[int]
    legs: frozenset[int]
    packet: int
    """The same for the rounds of one packet in a loop."""
    round: int


def tell_apart(key: I64, legs: Legs) -> I64:
    """For every sighting the number of its segment, from 0 without gaps; equal keys, leg by leg, are of a group."""
    by_key = np.argsort(key, kind="stable")
    rows, arranged = legs.order[by_key], key[by_key]
    differs = arranged[1:] != arranged[:-1]
    group = np.concatenate((np.zeros(min(len(key), 1), np.int64), np.cumsum(differs)))
    leg = legs.leg[rows]
    again = np.flatnonzero(~differs & (leg[1:] == leg[:-1]))
    passage = np.empty(len(key), np.int64)
    passage[rows] = group
    if not len(again):
        return passage
    has_twins = np.zeros(int(group[-1]) + 1, np.bool_)
    has_twins[group[again]] = True
    twins = np.flatnonzero(has_twins[group])
    clocks = RoughClocks(legs, passage, ~has_twins)
    passage[rows[twins]] = len(has_twins) + _Twins(rows[twins], group[twins], leg[twins], legs, clocks).told_apart()
    return renumbered(passage)


class _Twins:
    """Groups of which a leg has several sightings, group by group and leg by leg."""

    def __init__(self, rows: I64, group: I64, leg: I32, legs: Legs, clocks: RoughClocks) -> None:
        self.rows, self.leg = rows, leg
        self.group = numbered(group)
        self._seen, self._clocks = legs.sightings, clocks
        self._round = self._rounds()
        self._packet = self._by_marks()

    def told_apart(self) -> I64:
        """A number for every sighting, the same for those of one segment."""
        alike = numbered(self._packet, np.where(self._all_have(self._round + 1), self._round + 1, 0))
        place = numbered(alike, self.leg)
        count, rank = np.bincount(place)[place], ranked(place)
        most = np.zeros(int(alike.max()) + 1, np.int64)
        np.maximum.at(most, alike, count)
        uneven = np.zeros(len(most), np.bool_)
        uneven[alike[count != most[alike]]] = True
        # Where legs have different numbers of what is alike in all, only time can tell: each stands alone for now.
        rank = np.where(uneven[alike], np.arange(len(rank)), rank)
        number = numbered(alike, rank)
        is_open = np.zeros(int(self.group[-1]) + 1, np.bool_)
        is_open[self.group[np.bincount(number)[number] < distinct(self.group, self.leg)]] = True
        places = np.flatnonzero(is_open[self.group])
        if len(places):
            self._pair(places, number)
        return number

    def _by_marks(self) -> I64:
        """A number for every sighting, the same for those of a group that are alike in all that can be compared.

        But for the TTL, which tells the rounds of one packet.
        """
        seen = self._seen
        marks: list[I64] = [
            np.maximum(seen.ip_id[self.rows], 0).astype(np.int64),
            seen.tsval[self.rows] + 1,
            seen.window[self.rows].astype(np.int64) + 1,
        ]
        return numbered(self.group, *(np.where(self._all_have(mark), mark, 0) for mark in marks))

    def _rounds(self) -> I64:
        """How far each TTL lies below its group's highest at that leg: a segment in a loop comes by again."""
        ttl, place = self._seen.ttl[self.rows].astype(np.int64), numbered(self.group, self.leg.astype(np.int64))
        highest = np.full(int(place.max()) + 1, UNKNOWN)
        np.maximum.at(highest, place, ttl)
        below: I64 = np.where(ttl >= 0, highest[place] - ttl, UNKNOWN)
        return below

    def _all_have(self, mark: I64) -> Bools:
        """Whether all sightings of a sighting's group have a mark other than 0."""
        lacking = np.zeros(int(self.group[-1]) + 1, np.bool_)
        lacking[self.group[mark == 0]] = True
        found: Bools = ~lacking[self.group]
        return found

    def _pair(self, places: I64, number: I64) -> None:
        """In groups where some segments lack legs, give those that no leg has twice one number, in place."""
        bounds = np.flatnonzero(np.diff(self.group[places], prepend=-1, append=-1)).tolist()
        for first, stop in pairwise(bounds):
            for one, other in self._pairs(places[first:stop], number):
                number[one.rows] = number[other.rows[0]]

    def _pairs(self, places: I64, number: I64) -> list[tuple[_Set, _Set]]:
        """Sets of a group's sightings of which the first belongs to the second."""
        members: dict[int, list[int]] = defaultdict(list)
        for place, one in zip(places.tolist(), number[places].tolist(), strict=True):
            members[one].append(place)
        reference, *_ = self.leg[places].tolist()
        every = frozenset(self.leg[places].tolist())
        sets = [self._set(rows, reference) for rows in members.values()]
        count = Counter(one.legs for one in sets)  # those that saw most come first: the others find theirs among them
        waiting = [one for one in sets if one.legs != every]
        waiting.sort(key=lambda one: (-len(one.legs), -count[one.legs], sorted(one.legs), one.time_ns))
        kept: list[_Set] = []
        found = []
        for one in waiting:
            best = _nearest(one, kept)
            if best is None:
                kept.insert(bisect(kept, one.time_ns, key=lambda kept: kept.time_ns), one)
            else:
                other = kept[best]
                found.append((one, other))
                kept[best] = other._replace(rows=other.rows + one.rows, legs=other.legs | one.legs)
        return found

    def _set(self, places: list[int], reference: int) -> _Set:
        first = places[0]
        time_ns, leg = int(self._seen.time_ns[self.rows[first]]), int(self.leg[first])
        roughly_ns = 0 if time_ns == NO_TIME else time_ns - self._clocks.ahead_ns(leg, reference, time_ns)
        legs, packet, turn = frozenset(self.leg[places].tolist()), int(self._packet[first]), int(self._round[first])
        return _Set(roughly_ns, places, legs, packet, turn)


def _nearest(one: _Set, kept: list[_Set]) -> int | None:
    """The place of the set nearest in time that has none of its legs, and is no other round of the same packet."""
    middle = bisect(kept, one.time_ns, key=lambda kept: kept.time_ns)
    near = range(max(middle - NEIGHBOURS, 0), min(middle + NEIGHBOURS, len(kept)))
    others = (place for place in near if kept[place].packet != one.packet or kept[place].round == one.round)
    fitting = (place for place in others if kept[place].legs.isdisjoint(one.legs))
    return min(fitting, key=lambda place: abs(kept[place].time_ns - one.time_ns), default=None)
