"""What tells the order in which segments pass the points, without a word on how their clocks are set.

Every kind of evidence votes on every pair of points, for each stream and direction by itself. Two points of one clock
are compared by their times. Between hosts a turn tells: a segment, and one the other way close to it. What the one
takes from a to b and the other from b to a adds up to a round trip, however the clocks are set; it is positive if a
is nearer to the sender of the first. Routers lower the TTL.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Points
from tcptrace.flows import SYN
from tcptrace.schema import I8, I64, NO_TIME, UNKNOWN, Bools

SAMPLES = 16
"""Segments of a stream that are asked, each way: its first. The others would say the same."""
RESOLUTION_NS = 1_000
"""Most captures cut times off to microseconds."""
DRIFT_MAX = 500e-6
"""No clock drifts faster: NTP slews by so much."""
AGREEING = 0.9
"""So large a part of the votes must say the same."""


class Sample(NamedTuple):
    """The first segments of every stream."""

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
    is_syn: Bools
    """(n,)"""
    turns: tuple[tuple[I64, I64], ...]
    """By point: rows of segments, and of those the other way that come next, as the point's host saw them."""


def sample(passages: Passages) -> Sample:
    """What evidence is taken from."""
    rows = np.flatnonzero(_place_in_way(passages) < SAMPLES)
    row = passages.row[rows]
    seen = passages.sightings
    has = row != NOWHERE
    time_ns = np.where(has, seen.time_ns[row], NO_TIME) if len(rows) else np.empty(row.shape, np.int64)
    ttl = np.where(has, seen.ttl[row], UNKNOWN).astype(np.int64) if len(rows) else np.empty(row.shape, np.int64)
    columns = (passages.stream[rows], passages.direction[rows], passages.end[rows], passages.ack[rows])
    host_ns = _of_hosts(time_ns, passages.points)
    turns = (_turns(columns[0], columns[1], column) for column in host_ns.T)
    is_syn = passages.flags[rows] & SYN != 0
    return Sample(passages.points, *columns, time_ns, host_ns, ttl, is_syn, tuple(turns))


def _place_in_way(passages: Passages) -> I64:
    """(N,) how many segments of its stream and direction come before it."""
    is_reply = passages.direction == REPLY
    replies = np.cumsum(is_reply) - is_reply
    first = np.searchsorted(passages.stream, passages.stream)
    replies_before = replies - replies[first]
    found: I64 = np.where(is_reply, replies_before, np.arange(len(first)) - first - replies_before)
    return found


def _turns(stream: I64, direction: I8, host_ns: I64) -> tuple[I64, I64]:
    known = np.flatnonzero(host_ns != NO_TIME)
    rows = known[np.lexsort((host_ns[known], stream[known]))]
    turn = (np.diff(stream[rows]) == 0) & (np.diff(direction[rows]) != 0)
    return rows[:-1][turn], rows[1:][turn]


def _of_hosts(time_ns: I64, points: Points) -> I64:
    never = np.iinfo(np.int64).max
    known = np.where(time_ns == NO_TIME, never, time_ns)
    earliest = np.stack(
        [known[:, [other.host == point.host for other in points]].min(axis=1) for point in points], axis=1
    )
    found: I64 = np.where((time_ns == NO_TIME) & (earliest < never), earliest, time_ns)
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
    first, second = of.turns[a]
    there = np.where(of.direction[first] == direction, first, second)
    back = first + second - there
    times = np.stack((of.time_ns[there, a], of.time_ns[there, b], of.host_ns[back, b], of.host_ns[back, a]))
    known = (times != NO_TIME).all(axis=0)
    left, arrived, left_again, returned = times[:, known]
    round_trip = (arrived - left) + (returned - left_again)
    doubt = 2 * RESOLUTION_NS + DRIFT_MAX * abs(returned - left)
    return of.stream[there[known]], np.sign(round_trip) * (abs(round_trip) > doubt)


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
    """(streams, points) how long it took from the peer's handshake segment to one of this direction that answers it.

    As the point's host saw them, the least: SYN and SYN-ACK are answered by the kernel at once, so at the sender it is
    what the sender itself takes, and elsewhere a round trip. Anything later may wait, for a program or for more to
    acknowledge. The largest integer where unknown.
    """
    found = np.full((streams, len(of.points)), np.iinfo(np.int64).max)
    for point in range(len(of.points)):
        asked, answer = of.turns[point]
        known = (of.direction[answer] == direction) & (of.ack[answer] >= of.end[asked]) & of.is_syn[asked]
        took_ns = of.host_ns[answer, point] - of.host_ns[asked, point]
        np.minimum.at(found[:, point], of.stream[answer[known]], took_ns[known])
    return found
