"""What causality says of clocks: no segment arrives before it left.

A segment seen at one host and next at another bounds how far their clocks are apart: its way takes time, so what is
added to the time it left, to reach the other clock, is at most the difference of the two times. Of millions only those
matter that a straight line over time can touch from below, the vertices of the lower hull (Moon, Skelly, Towsley,
Estimation and removal of clock skew from network delay measurements, INFOCOM 1999).
"""

from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.schema import I64, NO_TIME

CLOSE = 1e-3
"""Points so little below a chord, in nanoseconds, lie on it."""
MANY, SOME = 4096, 64
"""Of more points than MANY, one in SOME tells first which of them may be vertices."""


class Crossings(NamedTuple):
    """Segments that passed one point, and next one of another host."""

    source: int
    """Index into the points."""
    target: int
    passage: I64
    """Rows of the passages."""
    left_ns: I64
    """By the source's clock."""
    arrived_ns: I64
    """By the target's."""


def crossings(passages: Passages, routes: Sequence[Route], among: Container[int]) -> Iterator[Crossings]:
    """All of them between the points `among`, which are taken for all there are.

    Bounds between hosts further apart follow from those of neighbours. What a point saw in pieces is left out.
    """
    time_ns = np.ascontiguousarray(passages.time_ns.T)
    if passages.partly.any():
        time_ns[passages.partly.T] = NO_TIME
    ways = {way: number for number, way in enumerate(dict.fromkeys(route.resets for route in routes))}
    kind: type[np.integer[Any]] = np.int16 if len(ways) < 1 << 14 else np.int32  # short ones are sorted by digits
    key = np.array([ways[route.resets] * 2 for route in routes], kind)[passages.stream] + passages.direction
    rows = np.argsort(key, kind="stable")
    ends = np.searchsorted(key[rows], np.arange(2 * len(ways) + 1))
    for way, number in ways.items():
        for direction in (REQUEST, REPLY):
            chosen = rows[ends[2 * number + direction] : ends[2 * number + direction + 1]]
            order = [point for point in way[direction] if point in among]
            yield from _along([(point, time_ns[point][chosen]) for point in order], chosen, passages)


def _along(times_ns: list[tuple[int, I64]], rows: I64, passages: Passages) -> Iterator[Crossings]:
    """Of the points along a way: from the last that saw a segment to each."""
    points = passages.points
    seen = [column != NO_TIME for _, column in times_ns]
    for i, (target, arrived_ns) in enumerate(times_ns):
        left = seen[i].copy()
        for j in range(i - 1, -1, -1):
            source, left_ns = times_ns[j]
            both = left & seen[j]
            if points[source].host != points[target].host and both.any():
                yield Crossings(source, target, rows[both], left_ns[both], arrived_ns[both])
            left &= ~seen[j]
            if not left.any():
                break


def lower_hull(x: I64, y: I64) -> I64:
    """Rows of the vertices of the lower convex hull of points, leftmost first."""
    if len(x) <= MANY:
        return _quickhull(x, y)
    some = lower_hull(x[::SOME], y[::SOME]) * SOME
    line = np.interp((x - x[some[0]]).astype(np.float64), x[some] - x[some[0]], y[some] - y[some[0]])
    rows = np.flatnonzero((y - y[some[0]] <= line + CLOSE) | (x < x[some[0]]) | (x > x[some[-1]]))
    return rows[_quickhull(x[rows], y[rows])]


def _quickhull(x: I64, y: I64) -> I64:
    """The same: what lies above a chord is out, the lowest beneath it is a vertex and makes two chords of one.

    Barber, Dobkin, Huhdanpaa, The quickhull algorithm for convex hulls, ACM TOMS 22, 1996.
    """
    vertices = list(dict.fromkeys((_lowest(x, y, int(x.min())), _lowest(x, y, int(x.max())))))
    inside = np.flatnonzero((x > x[vertices[0]]) & (x < x[vertices[-1]]))
    chords = [(vertices[0], vertices[-1], inside)]
    while chords:
        a, b, rows = chords.pop()
        if not len(rows):
            continue
        slope = (y[b] - y[a]) / (x[b] - x[a])
        above = (y[rows] - y[a]) - slope * (x[rows] - x[a])
        lowest = above.argmin()
        if above[lowest] < -CLOSE:
            vertex = int(rows[lowest])
            vertices.append(vertex)
            rows = rows[above < -CLOSE]
            chords += [(a, vertex, rows[x[rows] < x[vertex]]), (vertex, b, rows[x[rows] > x[vertex]])]
    return np.array(sorted(vertices, key=x.__getitem__))


def _lowest(x: I64, y: I64, where: int) -> int:
    rows = np.flatnonzero(x == where)
    return int(rows[y[rows].argmin()])
