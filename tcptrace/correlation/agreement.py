"""Whether two legs may be one stream: what their segments say for it and against it."""

from collections import defaultdict
from enum import IntEnum
from functools import cached_property

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.legs import Legs
from tcptrace.flows import FIN, SYN
from tcptrace.schema import I64

PLAIN_MAX = 1 << 16
"""Initial sequence numbers below this are hardly random."""
PLAIN_FLOWS = 3
"""Nor are those that so many flows of a point have."""
MARKED = 32
"""Sightings of a leg whose marks are compared."""
MARKS_MIN = 2
"""Different timestamps or IP identifications at the same places that prove two legs to be one stream."""

Mark = tuple[int, int, int]
"""Side, place in its stream, and the timestamp or (below 0) IP identification there."""


class Support(IntEnum):
    """How well two legs fit each other."""

    CONTRADICTED = 0
    POSSIBLE = 1
    """Nothing speaks against it."""
    ALIKE = 2
    """They have segments of the same length at the same places, one end in common, or nothing to compare."""
    PROVEN = 3
    """Timestamps or IP identifications are the same at the same places, or random numbers and all ends."""


class Agreement:
    """Compares legs; what it finds of a leg is kept."""

    def __init__(self, legs: Legs) -> None:
        self.legs = legs
        self._isn: list[list[int]] = legs.isn.tolist()
        self._marks: dict[int, frozenset[Mark]] = {}

    def is_plain(self, isn: int) -> bool:
        """Whether an initial sequence number is one that unrelated connections may share."""
        return isn < PLAIN_MAX or isn in self._frequent

    @cached_property
    def _frequent(self) -> set[int]:
        """Those that several connections of one point have."""
        ends: dict[tuple[int, int], set[tuple[str, str]]] = defaultdict(set)
        point = self.legs.point.tolist()
        for side in (REQUEST, REPLY):
            for leg, isn in enumerate(self.legs.isn[:, side].tolist()):
                ends[point[leg], isn].add((self.legs.client[leg], self.legs.server[leg]))
        return {isn for (_, isn), several in ends.items() if len(several) >= PLAIN_FLOWS}

    def size(self, leg: int) -> int:
        """How many sightings a leg has."""
        return self.legs.first[leg + 1] - self.legs.first[leg]

    def isns_differ(self, a: int, b: int) -> bool:
        """Whether both legs know an initial sequence number, and not the same."""
        return any(self._isn[a][side] != self._isn[b][side] for side in self._sides(a, b))

    def alike(self, a: int, b: int) -> int:
        """How many segments with payload have the same length at the same place."""
        return sum(len(self.legs.profile(a, side) & self.legs.profile(b, side)) for side in self._sides(a, b))

    def support(self, a: int, b: int) -> Support:
        """How well two legs fit; how many numbers their ends chose alike is not asked here."""
        if any(self._is_contradicted(a, b, side) for side in self._sides(a, b)):
            return Support.CONTRADICTED
        client, server = self.legs.client, self.legs.server
        if client[a] == client[b] or server[a] == server[b] or self.alike(a, b) or not self._have_data(a, b):
            return Support.ALIKE
        return Support.POSSIBLE

    def is_proven(self, a: int, b: int) -> bool:
        """Whether timestamps or IP identifications are the same at the same places."""
        return len({value for _, _, value in self.marks(a) & self.marks(b)}) >= MARKS_MIN

    def are_marked_apart(self, a: int, b: int) -> bool:
        """Whether both have timestamps or IP identifications, and none in common."""
        here, there = self.marks(a), self.marks(b)
        return min(len(here), len(there)) >= MARKS_MIN and here.isdisjoint(there)

    def marks(self, leg: int) -> frozenset[Mark]:
        """What a sender gave a leg's first segments besides their numbers."""
        if leg not in self._marks:
            self._marks[leg] = self._find_marks(self.legs.rows(leg)[:MARKED], leg)
        return self._marks[leg]

    def _find_marks(self, rows: I64, leg: int) -> frozenset[Mark]:
        seen = self.legs.sightings
        rows = rows[(seen.len[rows] > 0) | (seen.flags[rows] & SYN > 0)]
        side = seen.side[rows]
        place = (seen.start[rows] - self.legs.base[leg][side]).tolist()
        tsval, ip_id = seen.tsval[rows].tolist(), (-seen.ip_id[rows]).tolist()
        stamps = zip(side.tolist(), place, tsval, strict=True)
        identifications = zip(side.tolist(), place, ip_id, strict=True)
        return frozenset([mark for mark in stamps if mark[2] > 0] + [mark for mark in identifications if mark[2] < 0])

    def _sides(self, a: int, b: int) -> list[int]:
        """The sides whose beginning both legs know."""
        here, there = self._isn[a], self._isn[b]
        return [side for side in (REQUEST, REPLY) if here[side] >= 0 and there[side] >= 0]

    def _have_data(self, a: int, b: int) -> bool:
        """Whether both have segments to compare."""
        return all(any(self.legs.profile(leg, side) for side in (REQUEST, REPLY)) for leg in (a, b))

    @cached_property
    def _fins(self) -> dict[tuple[int, int], int]:
        """Leg and side → the place of its FIN."""
        seen = self.legs.sightings
        rows = np.flatnonzero(seen.flags & FIN)
        leg, side = self.legs.leg[rows], seen.side[rows]
        place = seen.end[rows] - 1 - self.legs.base[leg, side]
        return dict(zip(zip(leg.tolist(), side.tolist(), strict=True), place.tolist(), strict=True))

    def _is_contradicted(self, a: int, b: int, side: int) -> bool:
        """Whether what a side sent begins and ends at other places, where both legs hold it."""
        here, there = self.legs.profile(a, side), self.legs.profile(b, side)
        fin, other_fin = self._fins.get((a, side)), self._fins.get((b, side))
        if fin is not None and other_fin is not None and fin != other_fin:
            return True
        if _goes_beyond(here, other_fin) or _goes_beyond(there, fin):
            return True
        if not here or not there or here & there:
            return False
        ends, other_ends = {end for _, end in here}, {end for _, end in there}
        first = max(min(here), min(there))[0]
        return ends.isdisjoint(other_ends) and first < min(max(ends), max(other_ends))


def _goes_beyond(segments: frozenset[tuple[int, int]], fin: int | None) -> bool:
    return fin is not None and any(end > fin for _, end in segments)
