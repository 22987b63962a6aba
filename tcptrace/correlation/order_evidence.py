"""What tells the order in which segments pass the points, without a word on how their clocks are set.

Every kind of evidence votes on every pair of points, for each stream and direction by itself. Two points of one clock
are compared by their times. Between hosts a turn tells: a segment, and one the other way close to it. What the one
takes from a to b and the other from b to a adds up to a round trip, however the clocks are set; it is positive if a
is nearer to the sender of the first. Routers lower the TTL.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import NOWHERE, REPLY, REQUEST, Points
from tcptrace.schema import I8, I64, NO_TIME, UNKNOWN

Bools = npt.NDArray[np.bool_]

SAMPLES = 64
"""Segments of a stream that are asked: its first. The others would say the same."""
RESOLUTION_NS = 1_000
"""Most captures cut times off to microseconds."""
AGREEING = 0.9
"""So large a part of the votes must say the same."""

Votes = Iterator[tuple[I64, Callable[[int, int], npt.NDArray[np.float64]]]]


class Sample(NamedTuple):
    """The first segments of every stream, in order."""

    points: Points
    stream: I64
    direction: I8
    end: I64
    ack: I64
    time_ns: I64
    """(n, points)"""
    host_ns: I64
    """(n, points) the same; where a point lacks a segment, the time of another point of its host."""
    ttl: I64
    """(n, points)"""


def sample(passages: Passages) -> Sample:
    """What evidence is taken from."""
    rank = np.arange(len(passages.stream)) - np.searchsorted(passages.stream, passages.stream)
    rows = np.flatnonzero(rank < SAMPLES)
    row = passages.row[rows]
    seen = passages.sightings
    has = row != NOWHERE
    time_ns = np.where(has, seen.time_ns[row], NO_TIME) if len(seen.time_ns) else np.full(row.shape, NO_TIME)
    ttl = np.where(has, seen.ttl[row], UNKNOWN).astype(np.int64) if len(seen.ttl) else np.full(row.shape, UNKNOWN)
    columns = (passages.stream[rows], passages.direction[rows], passages.end[rows], passages.ack[rows])
    return Sample(passages.points, *columns, time_ns, _of_hosts(time_ns, passages.points), ttl)


def _of_hosts(time_ns: I64, points: Points) -> I64:
    latest = np.iinfo(np.int64).max
    known = np.where(time_ns == NO_TIME, latest, time_ns)
    found = time_ns.copy()
    for i, point in enumerate(points):
        earliest = known[:, [j for j, other in enumerate(points) if other.host == point.host]].min(axis=1)
        found[:, i] = np.where(time_ns[:, i] != NO_TIME, time_ns[:, i], np.where(earliest < latest, earliest, NO_TIME))
    return found


class Kind(NamedTuple):
    """A kind of evidence."""

    told: str
    votes: Callable[[Sample, int, int, int], tuple[I64, I64]]
    """Of a sample, a direction and two points: the streams that votes are of, and the votes: 1 for the first."""


def _by_clock(of: Sample, direction: int, a: int, b: int) -> tuple[I64, I64]:
    if of.points[a].host != of.points[b].host:
        return of.stream[:0], of.stream[:0]
    rows = np.flatnonzero((of.direction == direction) & (of.time_ns[:, [a, b]] != NO_TIME).all(axis=1))
    return of.stream[rows], np.sign(of.time_ns[rows, b] - of.time_ns[rows, a])


def _by_turns(of: Sample, direction: int, a: int, b: int) -> tuple[I64, I64]:
    if of.points[a].host == of.points[b].host:
        return of.stream[:0], of.stream[:0]
    first = np.flatnonzero((np.diff(of.stream) == 0) & (np.diff(of.direction) != 0))
    there = np.where(of.direction[first] == direction, first, first + 1)
    back = 2 * first + 1 - there
    times = np.stack((of.time_ns[there, a], of.time_ns[there, b], of.host_ns[back, b], of.host_ns[back, a]))
    known = (times != NO_TIME).all(axis=0)
    left, arrived, left_again, returned = times[:, known]
    round_trip = (arrived - left) + (returned - left_again)
    return of.stream[there[known]], np.sign(round_trip) * (abs(round_trip) > 2 * RESOLUTION_NS)


def _by_ttl(of: Sample, direction: int, a: int, b: int) -> tuple[I64, I64]:
    rows = np.flatnonzero((of.direction == direction) & (of.ttl[:, [a, b]] != UNKNOWN).all(axis=1))
    return of.stream[rows], np.sign(of.ttl[rows, a] - of.ttl[rows, b])


KINDS = (
    Kind("one clock", _by_clock),
    Kind("round trips", _by_turns),
    Kind("TTL", _by_ttl),
)
"""The strongest first. A round trip is sound where both ways pass the points; a TTL is where nobody sets it anew."""


def votes(of: Sample, streams: int) -> I8:
    """(streams, kinds, directions, pairs of points) 1 where the first of a pair comes first, -1 where the second, 0."""
    pairs = list(combinations(range(len(of.points)), 2))
    found = np.zeros((streams, len(KINDS), 2, len(pairs)), np.int8)
    for k, kind in enumerate(KINDS):
        for direction in (REQUEST, REPLY):
            for q, (a, b) in enumerate(pairs):
                stream, vote = kind.votes(of, direction, a, b)
                total = np.bincount(stream, vote, streams)
                cast = np.bincount(stream, vote != 0, streams)
                found[:, k, direction, q] = np.sign(total) * (abs(total) >= AGREEING * cast)
    return found


def answering_ns(of: Sample, streams: int, direction: int) -> I64:
    """(streams, points) the least time from a segment of the other direction to one of this that acknowledges it.

    As the point's host saw them: at the sender it is what the sender itself takes. The largest integer where unknown.
    """
    never = np.iinfo(np.int64).max
    first = np.flatnonzero((np.diff(of.stream) == 0) & (np.diff(of.direction) != 0))
    first = first[(of.direction[first + 1] == direction) & (of.ack[first + 1] >= of.end[first])]
    found = np.full((streams, len(of.points)), never)
    for point in range(len(of.points)):
        asked, answered = of.host_ns[first, point], of.host_ns[first + 1, point]
        known = (asked != NO_TIME) & (answered != NO_TIME) & (answered >= asked)
        np.minimum.at(found[:, point], of.stream[first[known]], (answered - asked)[known])
    return found
