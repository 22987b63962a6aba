"""What became of each transmission on its way: seen, missed by a capture, or lost.

That a capture lacks a segment proves nothing by itself. What a later point has, or what the receiver acknowledged
though no other copy of these bytes got there, has passed: the capture missed it. A RST shows that what it acknowledges
came to its maker, wherever that is. The rest is lost behind the last point that has it. A transmission is lost though
what repeats it arrives. A point records as long as any point does, unless its file is truncated; what a host refused
with a RST of its own was not lost under way, nor was what circled until its TTL was used up.

What may have passed before a capture began, and bare acknowledgements that nothing tells of, are neither (unproven.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.numbering import numbered
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Points, ResetOrigin
from tcptrace.correlation.unproven import unproven
from tcptrace.correlation.ways import highest_acknowledged, reset_at, ways
from tcptrace.flows import ACK, RST
from tcptrace.schema import I16, I64, NO_TIME, Bools

TICK_BITS = 32
"""Of a timestamp."""
SPAN = 1 << 40
"""More than a stream has positions."""


class Fates(NamedTuple):
    """Row for row beside the N passages; L is the length of the longest route."""

    point: I16
    """(N, L) the points of its route, in order; NOWHERE after its end."""
    seen: Bools
    """(N, L) whether that point has it."""
    lost: I16
    """(N,) place on its route of the last point that has it, if it was lost behind that; else NOWHERE."""
    missed: Bools
    """(N, L) whether it passed that point though the capture lacks it."""
    refused: Bools
    """(N,) whether it ended at a host that answered by a RST in the peer's name, or circled until its TTL was spent."""


def fates(
    passages: Passages,
    routes: Sequence[Route],
    truncated: Collection[int] = (),
    origins: Mapping[int, ResetOrigin] | None = None,
) -> Fates:
    """What became of every passage, by the route of its stream.

    `truncated` are the points whose capture ends before the others; `origins` the reset origins by stream.
    """
    along = _along(routes)
    point = along[passages.stream, passages.direction]
    seen = (point >= 0) & (np.take_along_axis(passages.row, np.maximum(point, 0).astype(np.int64), axis=1) >= 0)
    places = np.arange(point.shape[1])
    partly = np.take_along_axis(passages.partly, np.maximum(point, 0).astype(np.int64), axis=1)
    first = np.where(seen, places, len(places)).min(axis=1, initial=len(places))
    whole = np.where(seen & ~partly, places, len(places)).min(axis=1, initial=len(places))
    last = np.where(seen, places, NOWHERE).max(axis=1, initial=NOWHERE)
    recorded = (point >= 0) & _recorded(passages, point, truncated) & _is_led_there(passages, point, seen)
    behind = np.minimum(last + 1, len(places) - 1)
    gone = (last >= 0) & (last < behind) & np.take_along_axis(recorded, behind[:, None], axis=1)[:, 0]
    proven, possible = _echoed(passages, last) if gone.any() else (np.zeros_like(gone), np.zeros_like(gone))
    acknowledged = np.where(
        _is_acknowledged(passages), places[-1], reset_at(passages, along.reshape(-1, len(places)), last)
    )
    acknowledged[_is_repeated_beyond(passages, whole, last)] = NOWHERE
    reach = np.where(gone, np.where(proven, places[-1], acknowledged), NOWHERE)
    arrived = reach > last
    refused = _is_refused(passages, point, first, last, (origins or {}).items()) | _is_spent(passages, point, last)
    refused &= gone & ~arrived
    missed = ~seen & recorded & (places > first[:, None]) & (places <= np.maximum(reach, last)[:, None])
    in_pieces = _is_in_pieces(partly, seen)
    missed[:, 1:] &= ~in_pieces[:, :-1]
    is_lost = gone & (reach < last) & ~possible & ~refused & ~in_pieces[:, -1]
    lost = np.where(is_lost, last, NOWHERE).astype(np.int16)
    lost[unproven(passages, point, seen, lost, missed)] = NOWHERE
    return Fates(point, seen, lost, missed, refused)


def _along(routes: Sequence[Route]) -> I16:
    """(streams, 2, L) the points of every route."""
    longest = max((len(way) for route in routes for way in (route.request, route.reply)), default=0)
    found = np.full((len(routes), 2, max(longest, 1)), NOWHERE, np.int16)
    for stream, route in enumerate(routes):
        for direction, way in enumerate((route.request, route.reply)):
            found[stream, direction, : len(way)] = way
    return found


def _is_in_pieces(partly: Bools, seen: Bools) -> Bools:
    """(N, L) whether the last point up to there that has it saw its bytes in other sizes.

    What became of them behind that point is told by the segments as it saw them.
    """
    latest = np.maximum.accumulate(np.where(seen, np.arange(seen.shape[1]), 0), axis=1)
    found: Bools = np.take_along_axis(partly & seen, latest, axis=1)
    return found


def _recorded(passages: Passages, point: I16, truncated: Collection[int]) -> Bools:
    """(N, L) whether that point still recorded: a truncated one until the last segment that it shares with another."""
    found = np.ones(point.shape, np.bool_)
    for cut in truncated:
        shared = passages.row[:, [cut]] >= 0
        until = np.where(shared, passages.time_ns, NO_TIME).max(axis=0, initial=NO_TIME)
        in_time = ((passages.row >= 0) & (passages.time_ns <= until)).any(axis=1)
        found &= (point != cut) | in_time[:, None]
    return found


def _is_led_there(passages: Passages, point: I16, seen: Bools) -> Bools:
    """(N, L) whether what has these addresses comes by that point, if anything of its direction does.

    A client may send to the called address and, wrongly answered, to another, by another way.
    """
    found = np.ones(point.shape, np.bool_)
    way = ways(passages)
    flow = np.where(passages.row >= 0, passages.sightings.flow[passages.row], NOWHERE)
    for place in range(1, point.shape[1]):
        before = np.where(seen[:, :place].any(axis=1), seen[:, :place].argmax(axis=1), NOWHERE)
        lacking = np.bincount(way[(before >= 0) & ~seen[:, place]], minlength=int(way.max(initial=0)) + 1) > 0
        rows = np.flatnonzero((before >= 0) & lacking[way])
        source = point[rows, before[rows]].astype(np.int64)
        leg = numbered(way[rows], source, flow[rows, source])
        here = seen[rows, place]
        led = np.bincount(leg[here], minlength=len(rows) + 1) > 0
        reached = np.bincount(way[rows[here]], minlength=len(lacking)) > 0
        found[rows, place] = led[leg] | ~reached[way[rows]]
    return found


def _is_acknowledged(passages: Passages) -> Bools:
    """Whether its receiver acknowledged it, or the same bytes sent again."""
    highest = highest_acknowledged(passages, int(passages.stream.max(initial=-1)) + 1)
    found: Bools = (passages.end > passages.start) & (passages.end <= highest[ways(passages)])
    return found


def _echoed(passages: Passages, last: I64) -> tuple[Bools, Bools]:
    """Whether its receiver echoed its timestamp (RFC 7323 section 4.3), which nothing behind its last point explains.

    Proven where no other segment of its way bears that timestamp; possible where others do. What is echoed arrived in
    order, so it tells of bare acknowledgements too, and an original from its repeat.
    """
    seen, way, row = passages.sightings, ways(passages), passages.row
    tsval, tsecr = (np.where(row >= 0, column[row], NOWHERE).max(axis=1) for column in (seen.tsval, seen.tsecr))
    echo, mark = (way ^ 1) << TICK_BITS | tsecr, way << TICK_BITS | tsval
    _, alike, count = np.unique(mark, return_inverse=True, return_counts=True)
    farthest = np.full(len(count), NOWHERE)
    np.maximum.at(farthest, alike, last)
    found = (tsval > 0) & (last == farthest[alike]) & np.isin(mark, echo[(tsecr > 0) & (passages.flags & ACK != 0)])
    return found & (count[alike] == 1), found


def _is_repeated_beyond(passages: Passages, whole: I64, last: I64) -> Bools:
    """Whether all its bytes were seen behind the last point that has it, in segments that passed that point as well.

    `whole` is the first place that saw each in its own size: what was never seen so up to there may be pieces of it.
    """
    found = np.zeros(len(last), np.bool_)
    base = ways(passages) * SPAN + 1
    start, end = base + passages.start, base + passages.end
    for place in np.unique(last[last >= 0]).tolist():
        mine, again = np.flatnonzero(last == place), (last > place) & (whole <= place)
        found[mine] = _within(start[mine], end[mine], *_union(start[again], end[again]))
    return found


def _union(start: I64, end: I64) -> tuple[I64, I64]:
    """Ranges as few that do not touch, in order."""
    if not len(start):
        return start, end
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    opens = np.flatnonzero(np.append(True, start[1:] > reach[:-1]))
    return start[opens], reach[np.append(opens[1:], len(start)) - 1]


def _within(start: I64, end: I64, starts: I64, ends: I64) -> Bools:
    """Whether each range lies within one of those that do not touch."""
    at = np.searchsorted(starts, start, side="right") - 1
    reach = np.append(ends, -1)[at]
    found: Bools = (at >= 0) & (reach >= end)
    return found


def _is_spent(passages: Passages, point: I16, last: I64) -> Bools:
    """Whether its TTL was used up (RFC 1812 section 5.3.1) after it had passed its last point with a higher one.

    A TTL of 1 alone says nothing: a sender that calls its neighbours only may begin with it.
    """
    ttl = passages.sightings.ttl
    rows = np.flatnonzero(last >= 0)
    there = point[rows, last[rows]].astype(np.int64)
    is_low = (ttl[passages.row[rows, there]] | 1) == 1
    found = np.zeros(len(last), np.bool_)
    for row, place in zip(rows[is_low].tolist(), there[is_low].tolist(), strict=True):
        stream = passages.rows(passages.stream[row])
        seen = passages.row[stream, place][passages.direction[stream] == passages.direction[row]]
        found[row] = ttl[seen[seen >= 0]].max() > 1
    return found


def _is_refused(
    passages: Passages, point: I16, first: I64, last: I64, origins: Iterable[tuple[int, ResetOrigin]]
) -> Bools:
    """Whether it ended at a middlebox that had answered what came before, or this, by a RST."""
    found = np.zeros(len(last), np.bool_)
    ending = np.where(last >= 0, np.take_along_axis(point, np.maximum(last, 0)[:, None], axis=1)[:, 0], NOWHERE)
    for stream, origin in origins:
        if origin.side != "middlebox":
            continue
        rows = passages.rows(stream)
        own = _points_of(passages.points, origin.host or passages.points[origin.point].host)
        at_host = np.isin(ending[rows], own)
        is_routed = first[rows] < point.shape[1]
        born = np.take_along_axis(point[rows], (first[rows] * is_routed)[:, None], axis=1)[:, 0]
        is_other = (passages.flags[rows] & RST != 0) & (passages.direction[rows] != origin.direction)
        is_other &= is_routed & (first[rows] > 0) & np.isin(born, own)
        resets = np.flatnonzero(passages.frame[rows, origin.point] == origin.frame)
        for reset in (*resets, *np.flatnonzero(is_other)[:1]):
            place = origin.point if reset in resets else int(born[reset])
            frame = passages.frame[rows, place]
            towards = passages.direction[rows] != passages.direction[rows][reset]
            asked = frame[towards & (frame < frame[reset])].max(initial=NOWHERE)
            answered = towards & at_host & (frame >= max(asked, 0))
            found[rows] |= answered if answered.any() else _is_answered_unseen(passages, rows, reset, own)
    return found


def _is_answered_unseen(passages: Passages, rows: I64, reset: int, own: Sequence[int]) -> Bools:
    """Of a stream's rows, which one a bare RST answers whose maker captured at `own` and missed it.

    That is the last one before it at another point that has the RST, if it acknowledges up to where the RST begins.
    """
    frame, towards = passages.frame[rows], passages.direction[rows] != passages.direction[rows][reset]
    found = np.zeros(len(frame), np.bool_)
    for point in set(np.flatnonzero(frame[reset] >= 0).tolist()) - set(own):
        before = np.flatnonzero(towards & (frame[:, point] >= 0) & (frame[:, point] < frame[reset, point]))
        for last in before[np.argsort(frame[before, point])][-1:].tolist():
            is_seen = bool((frame[last, own] >= 0).any())
            found[last] |= not is_seen and passages.ack[rows][last] == passages.start[rows][reset]
    return found


def _points_of(points: Points, host: str) -> list[int]:
    return [number for number, point in enumerate(points) if point.host == host]
