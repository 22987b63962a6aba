"""How far one point's clock is ahead of another's, roughly: by segments that both saw once."""

from bisect import bisect
from functools import cache

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.schema import I64, NO_TIME, Bools

SAMPLES = 10_000
"""Sightings of a leg or a point by which its clock is compared, spread over all of them."""


class RoughClocks:
    """Compares clocks by segments of which nothing looks like another; delays on the way are not told apart."""

    def __init__(self, legs: Legs, passage: I64, is_single: Bools) -> None:
        """`passage` numbers every sighting's segment, `is_single` tells of each whether no leg has it twice."""
        self._legs, self._passage, self._is_single = legs, passage.copy(), is_single
        self._apart = cache(self._find_apart)

    def ahead_ns(self, leg: int, other: int, time_ns: int) -> int:
        """How far a leg's clock, at a time it tells, is ahead of another's."""
        if leg == other:
            return 0
        times, apart = self._apart(leg, other)
        return apart[max(bisect(times, time_ns) - 1, 0)] if times else 0

    def _find_apart(self, leg: int, other: int) -> tuple[list[int], list[int]]:
        """Times at a leg, ascending, and how far it was ahead; of other legs of the points where it has none."""
        found = self._compared(self._legs.rows(leg), self._legs.rows(other))
        if not found[0]:
            rows, there = (self._of_point(int(self._legs.point[one])) for one in (leg, other))
            found = self._compared(rows, there)
        return found

    def _of_point(self, point: int) -> I64:
        return np.flatnonzero(self._legs.sightings.point == point)

    def _compared(self, here: I64, there: I64) -> tuple[list[int], list[int]]:
        time_ns = self._legs.sightings.time_ns
        here, there = (
            rows[self._is_single[self._passage[rows]] & (time_ns[rows] != NO_TIME)] for rows in (here, there)
        )
        here = here[:: max(len(here) // SAMPLES, 1)]
        _, i, j = np.intersect1d(self._passage[here], self._passage[there], return_indices=True)
        times, apart = time_ns[here[i]], time_ns[here[i]] - time_ns[there[j]]
        order = np.argsort(times, kind="stable")
        return times[order].tolist(), apart[order].tolist()
