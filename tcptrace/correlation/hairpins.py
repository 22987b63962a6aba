"""Points that segments pass twice: once as they came, once as the host sent them on with other addresses.

A node that translates what it routes back by the interface it came from shows each segment two times in one capture.
Such a point counts as two of one name: the second has the flows that left again.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.correlation.result import Point, Points
from tcptrace.flows import RST

FIRST = 64
"""Segments of a leg that are looked at."""

Segments = dict[tuple[int, int, int, int], int]
"""Direction, start, end and flags of a leg's segments, and the row in the sightings of the first of each."""


def with_hairpins(points: Points, legs: Legs, of_leg: Sequence[int]) -> tuple[tuple[Point, ...], Legs]:
    """The points, one that a stream passes twice followed by a second of its name, and the legs with those there."""
    leaving = list(_leaving(legs, of_leg))
    if not leaving:
        return tuple(points), legs
    is_twice = np.zeros(len(points), np.bool_)
    is_twice[legs.point[leaving]] = True
    place = np.arange(len(points)) + np.cumsum(is_twice) - is_twice
    of_legs = place[legs.point]
    of_legs[leaving] += 1
    of_sightings = of_legs[legs.leg].astype(legs.sightings.point.dtype)
    several = [point for number, point in enumerate(points) for _ in range(1 + int(is_twice[number]))]
    return tuple(several), replace(legs, point=of_legs, sightings=legs.sightings._replace(point=of_sightings))


def _leaving(legs: Legs, of_leg: Sequence[int]) -> Iterator[int]:
    """The legs that hold, later, what another leg of their stream holds at the same point."""
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for leg, (stream, point) in enumerate(zip(of_leg, legs.point.tolist(), strict=True)):
        together[stream, point].append(leg)
    for several in together.values():
        if len(several) == 2:
            one, other = (_segments(legs, leg) for leg in several)
            if shared := one.keys() & other.keys():
                yield several[min(one[same] for same in shared) < min(other[same] for same in shared)]


def _segments(legs: Legs, leg: int) -> Segments:
    """The first segments of a leg, by their place in the stream; RSTs go their own ways."""
    seen, rows = legs.sightings, legs.rows(leg)
    rows = rows[seen.flags[rows] & RST == 0][:FIRST]
    base = legs.base[leg, seen.side[rows].astype(np.int64)]
    columns = seen.side[rows], seen.start[rows] - base, seen.end[rows] - base, seen.flags[rows]
    found: Segments = {}
    for row, *same in zip(rows.tolist(), *(column.tolist() for column in columns), strict=True):
        found.setdefault((same[0], same[1], same[2], same[3]), row)
    return found
