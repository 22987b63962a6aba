"""Hops: of each stream and direction, what passed between neighbouring points, what did not, and how long it took.

Reordering is counted as RFC 4737 (section 4.1) does: segments that reach the target after one that was sent later.
A segment is duplicated where the target has the same packet twice and the source once. Delays between points of one
host are as exact as their times; between hosts they are told only where the clocks' interval has two ends.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.fates import SPAN, Fates
from tcptrace.correlation.numbering import numbered
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Delay, Hop, Points
from tcptrace.correlation.ways import ways
from tcptrace.schema import I16, I64, NO_TIME, UNKNOWN, Bools

IP_IDS = 1 << 16
"""How many there are."""

Number = TypeVar("Number", int, I64)

Named = dict[int, tuple[int, ...]]
"""Values by way."""


class _Counts(NamedTuple):
    """What is known of all hops between one place and the next on their routes, by way."""

    both: I64
    lost: I64
    lost_frames: Named
    missed: I64
    missed_frames: Named
    duplicated: I64
    reordered: I64
    delay: dict[int, Delay]


def hops(passages: Passages, routes: Sequence[Route], became: Fates, alignment: Alignment) -> list[Hop]:
    """All hops, in order of stream, direction and place on the route."""
    reference_ns = alignment.reference_ns(passages)
    places = range(1, became.point.shape[1])
    counts = [_counted(passages, became, place, reference_ns, alignment) for place in places]
    return [hop for stream, route in enumerate(routes) for hop in _of_stream(stream, route, counts)]


def _of_stream(stream: int, route: Route, counts: Sequence[_Counts]) -> Iterator[Hop]:
    for direction, points in ((REQUEST, route.request), (REPLY, route.reply)):
        way = stream * 2 + direction
        for (source, target), found in zip(pairwise(points), counts, strict=False):
            yield Hop(
                direction,
                source,
                target,
                stream,
                frames=int(found.both[way]),
                lost=int(found.lost[way]),
                lost_frames=found.lost_frames.get(way, ()),
                duplicated=int(found.duplicated[way]),
                reordered=int(found.reordered[way]),
                delay=found.delay.get(way),
                missed=int(found.missed[way]),
                missed_frames=found.missed_frames.get(way, ()),
            )


def _counted(passages: Passages, became: Fates, place: int, reference_ns: I64, alignment: Alignment) -> _Counts:
    """What is known of the hops that end at a place of their routes."""
    way, count = ways(passages), int(passages.stream.max(initial=-1)) * 2 + 2
    source, target = became.point[:, place - 1], became.point[:, place]
    both = became.seen[:, place - 1] & became.seen[:, place]
    lost, missed = became.lost == place - 1, became.missed[:, place]
    named = missed & became.seen[:, place - 1]

    def by_way(rows: Bools) -> I64:
        return np.bincount(way[rows], minlength=count)

    rows = np.flatnonzero(both)
    sent = _At(reference_ns[rows, source[rows]], passages.frame[rows, source[rows]])
    came = _At(reference_ns[rows, target[rows]], passages.frame[rows, target[rows]])
    return _Counts(
        by_way(both),
        by_way(lost),
        _named(way, passages.frame, source, lost),
        by_way(missed),
        _named(way, passages.frame, source, named),
        by_way(_is_duplicate(passages, became, place)),
        np.bincount(way[rows][_is_overtaken(way[rows], sent, came)], minlength=count),
        _delays(passages.points, way[rows], source[rows], target[rows], sent, came, alignment),
    )


class _At(NamedTuple):
    """When some segments passed a point, by reference time, and their frames there."""

    time_ns: I64
    frame: I64


def _named(way: I64, frame: I64, source: I16, rows: Bools) -> Named:
    """Frames at the source, ascending, by way."""
    index = np.flatnonzero(rows)
    frames = frame[index, source[index]]
    order = np.lexsort((frames, way[index]))
    arranged, first = np.unique(way[index][order], return_index=True)
    parts = np.split(frames[order], first[1:])
    return {one: tuple(part.tolist()) for one, part in zip(arranged.tolist(), parts, strict=False)}


def _is_duplicate(passages: Passages, became: Fates, place: int) -> Bools:
    """Whether it came into being on this hop, as a further copy of a packet that passed it.

    The same packet has the same IP identification, or where there is none the same timestamp and acknowledgement.
    """
    found = np.zeros(len(became.seen), np.bool_)
    new: Bools = became.seen[:, place] & ~became.seen[:, :place].any(axis=1)
    where = ways(passages) * SPAN + passages.start
    here = np.flatnonzero(became.seen[:, place] & np.isin(where, where[new]))
    row = passages.row[here, became.point[here, place]]
    ip_id, tsval = passages.sightings.ip_id[row].astype(np.int64), passages.sightings.tsval[row]
    same = np.where(ip_id > 0, ip_id, np.where(tsval >= 0, tsval + IP_IDS, UNKNOWN))
    here, same = here[same >= 0], same[same >= 0]
    packet = numbered(where[here], passages.end[here], passages.ack[here], same)
    is_sent = np.bincount(packet[~new[here]], minlength=len(packet) + 1) > 0
    found[here[new[here] & is_sent[packet]]] = True
    return found


def _is_overtaken(way: I64, sent: _At, came: _At) -> Bools:
    """Whether a segment of the same way that was sent later came sooner."""
    rank = np.empty(len(way), np.int64)
    rank[np.lexsort((sent.frame, sent.time_ns, way))] = np.arange(len(way))
    order = np.lexsort((came.frame, came.time_ns, way))
    found = np.zeros(len(way), np.bool_)
    # Ranks of a way are all above those of the ways before it, so one running maximum serves all.
    found[order] = rank[order] < np.maximum.accumulate(rank[order])
    return found


def _delays(
    points: Points, way: I64, source: I16, target: I16, sent: _At, came: _At, alignment: Alignment
) -> dict[int, Delay]:
    """Of each way, where the two clocks allow to tell."""
    found: dict[int, Delay] = {}
    timed = (sent.time_ns != NO_TIME) & (came.time_ns != NO_TIME)
    pairs = np.unique(source.astype(np.int64) * len(points) + target)
    for a, b in (divmod(pair, len(points)) for pair in pairs.tolist()):
        rows = np.flatnonzero(timed & (source == a) & (target == b))
        low, high = alignment.delay_error_ns(points, a, b)
        if len(rows) and low is not None and high is not None:
            tick_ns = max(alignment.ticks_ns[a], alignment.ticks_ns[b])
            found |= _spread(way[rows], came.time_ns[rows] - sent.time_ns[rows], low, high, tick_ns)
    return found


def _spread(way: I64, delay_ns: I64, low_ns: int, high_ns: int, tick_ns: int) -> dict[int, Delay]:
    """Delays of each way that are wrong by `low_ns` to `high_ns`, in whole ticks.

    None is negative. Where one is by more than that, times were taken out of order, and all are wrong by as much.
    """
    order = np.lexsort((delay_ns, way))
    arranged, first, count = np.unique(way[order], return_index=True, return_counts=True)
    delay_ns = delay_ns[order]
    least, most = delay_ns[first], delay_ns[first + count - 1]
    median, p99 = (_quantile(delay_ns, first, count, q) for q in (0.5, 0.99))
    disorder = np.maximum(-(least + high_ns), 0)
    lows, highs = np.maximum(median + low_ns - disorder, 0), median + high_ns + disorder
    told = (in_ticks(column, tick_ns) for column in (least, median, p99, most))
    columns = (column.tolist() for column in (arranged, *told, lows, highs))
    return {
        one: Delay(low, mid, high, top, least_mid, most_mid, tick_ns)
        for one, low, mid, high, top, least_mid, most_mid in zip(*columns, strict=True)
    }


def in_ticks(delay_ns: Number, tick_ns: int) -> Number:
    """A delay as exact as its times are, and never negative."""
    whole = (delay_ns + tick_ns // 2) // tick_ns * tick_ns
    return whole * (whole > 0)


def _quantile(ordered: I64, first: I64, count: I64, q: float) -> I64:
    """Of each group, by linear interpolation between ranks."""
    rank = q * (count - 1)
    low = np.floor(rank).astype(np.int64)
    here, above = ordered[first + low], ordered[first + np.minimum(low + 1, count - 1)]
    found: I64 = here + np.rint((above - here) * (rank - low)).astype(np.int64)
    return found
