"""The segments of a connection in order of time, and of too many those that tell its story."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.correlation.clock_limits import reference_ns
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.segment_marks import NO_REPEAT
from tcptrace.report.segment_words import FIN, RST, SYN
from tcptrace.schema import I32, I64, NO_TIME

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

NAMED, LACKING, ENDING, REPEATED, OTHER = range(5)
"""Why a segment is told: a finding names it first, a point lacks it or a finding names it too, it opens or ends, it
was sent again, or there is room."""


class InOrder(NamedTuple):
    """The segments of a connection, in order of reference time."""

    rows: I64
    """Of the passages."""
    first: I64
    """Row in the sightings: as the first point of its way saw it which has it."""
    time_ns: I64
    """When that was."""


def in_order(correlation: "Correlation", connection: Connection) -> InOrder:
    """Those of all streams of a connection."""
    passages = correlation.passages
    parts = [passages.rows(one.stream) for one in connection.streams]
    rows = np.concatenate([np.empty(0, np.int64), *parts])
    times = reference_times(correlation, rows)
    first = np.empty(len(rows), np.int64)
    for direction in range(len(connection.path)):
        ways = passages.direction[rows] == direction
        columns = np.array(in_order_of_way(connection, direction, len(correlation.points)), np.int64)
        seen = passages.row[rows[ways]][:, columns] != NOWHERE
        first[ways] = columns[seen.argmax(axis=1)]
    at_first = times[np.arange(len(rows)), first]
    order = np.argsort(at_first, kind="stable")
    return InOrder(rows[order], passages.row[rows, first][order].astype(np.int64), at_first[order])


def in_order_of_way(connection: Connection, direction: int, points: int) -> list[int]:
    """All points, those of the way first."""
    return list(dict.fromkeys((*connection.path[direction], *range(points))))


def reference_times(correlation: "Correlation", rows: I64) -> I64:
    """(N, points) times of passages by the reference clock; NO_TIME where not seen."""
    sightings, seen = correlation.passages.sightings, correlation.passages.row[rows]
    times = np.full(seen.shape, NO_TIME)
    for column, point in enumerate(correlation.points):
        there = seen[:, column] != NOWHERE
        known = seen[there, column]
        clock = correlation.clocks[point.host]
        times[there, column] = reference_ns(clock, column, sightings.frame[known], sightings.time_ns[known])
    return times


def telling(correlation: "Correlation", connection: Connection, segments: InOrder, most: int) -> I64:
    """Places of no more than `most` segments, in order: what tells most, then the first ones."""
    rows, passages = segments.rows, correlation.passages
    if len(rows) <= most:
        return np.arange(len(rows))
    rank = np.full(len(rows), OTHER)
    rank[passages.sightings.repeat[segments.first] != NO_REPEAT] = REPEATED
    rank[passages.flags[rows] & (SYN | FIN | RST) != 0] = ENDING
    names = {point.name: number for number, point in enumerate(correlation.points)}
    found = [frames_of(one) for one in correlation.found if connection.connection in one.connections]
    places = [(names[point], frames) for one in found for point, frames in one if point in names]
    lacking = [(hop.source, frames) for hop in connection.hops for frames in (hop.lost_frames, hop.missed_frames)]
    rank[_holds(correlation, rows, [*lacking, *places])] = LACKING
    rank[_holds(correlation, rows, [(point, frames[:1]) for point, frames in places])] = NAMED
    best: I64 = np.sort(np.lexsort((np.arange(len(rows)), rank))[:most])
    return best


def frames_of(finding: Finding) -> Sequence[tuple[str, Sequence[int]]]:
    """Points and the frames there that show it, those that tell most first."""
    if finding.evidence_frames:
        return finding.evidence_frames
    return [(finding.point, finding.frames)] if finding.point else []


def _holds(correlation: "Correlation", rows: I64, frames: Iterable[tuple[int, Sequence[int]]]) -> I64:
    """Places in `rows` of segments that are one of these frames."""
    by_point: dict[int, list[int]] = {}
    for point, numbers in frames:
        by_point.setdefault(point, []).extend(numbers)
    there = np.zeros(len(rows), np.bool_)
    for point, wanted in by_point.items():
        seen: I32 = correlation.passages.row[rows, point]
        there |= (seen != NOWHERE) & np.isin(correlation.passages.sightings.frame[seen], wanted)
    return np.flatnonzero(there)
