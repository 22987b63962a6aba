"""A connection's segments as the rungs of a ladder: where each was seen, when, and where it was lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Connection, Hop
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.segment_marks import NO_REPEAT, verdict
from tcptrace.report.segment_words import Segment, told
from tcptrace.report.terminal import Piece
from tcptrace.schema import I32, I64, NO_TIME, UNKNOWN

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

SYN = 0x002
UNSAID = Segment._make([*[UNKNOWN] * 12, 0, []])
"""A segment of which nothing is said: of its window only that it is closed is, of its options nothing."""


class Sight(Enum):
    """What a point had of a segment."""

    SEEN = "seen"
    PARTLY = "partly"
    """Its bytes, in segments of other sizes."""
    MISSED = "missed"
    """It came by, as later points or an acknowledgement show; the capture lacks it."""
    LOST = "lost"
    """It never came here, nor to any later point."""


class Stop(NamedTuple):
    """A segment at a point."""

    point: int
    sight: Sight
    frame: int
    """UNKNOWN where it was not seen."""
    time_ns: int
    """By reference time; NO_TIME where it was not seen, or no time is known."""


@dataclass(frozen=True)
class Rung:
    """One transmission of a segment, on its way over the points."""

    stream: int
    direction: int
    time_ns: int
    """By reference time, at its first stop."""
    segment: Segment
    words: Piece
    """The segment in a line: what is news of it."""
    mark: Piece
    """Why it was sent again, if it was."""
    stops: tuple[Stop, ...]
    """In the order of its way."""


def rungs(correlation: "Correlation", connection: Connection) -> list[Rung]:
    """All segments of a connection, of all its streams, in order of reference time."""
    sequels = _Sequels(connection.hops)
    found = [
        rung for stream in connection.streams for rung in _of_stream(correlation, connection, stream.stream, sequels)
    ]
    return sorted(found, key=lambda rung: rung.time_ns)


def by_rung(ladder: Sequence[Rung], correlation: "Correlation", found: Sequence[Finding]) -> dict[int, list[Finding]]:
    """Findings by the index of the rung that has the frame they name first; -1: none has."""
    names = [point.name for point in correlation.points]
    rung_of = {
        (names[stop.point], stop.frame): index
        for index, rung in reversed(list(enumerate(ladder)))
        for stop in rung.stops
        if stop.frame != UNKNOWN
    }
    placed: dict[int, list[Finding]] = {}
    for finding in found:
        frames = ((point, frame) for point, frames in frames_of(finding) for frame in frames)
        index = next((rung_of[place] for place in frames if place in rung_of), -1)
        placed.setdefault(index, []).append(finding)
    return placed


def frames_of(finding: Finding) -> Sequence[tuple[str, Sequence[int]]]:
    """Points and the frames there that show it, those that tell most first."""
    if finding.evidence_frames:
        return finding.evidence_frames
    return [(finding.point, finding.frames)] if finding.point else []


class _Sequels:
    """What the hops say of segments that the next point lacks."""

    def __init__(self, hops: Sequence[Hop]) -> None:
        self.of: dict[tuple[int, int, int, int], tuple[int, Sight]] = {}
        for hop in hops:
            for frames, sight in ((hop.missed_frames, Sight.MISSED), (hop.lost_frames, Sight.LOST)):
                for frame in frames:
                    self.of[hop.stream, hop.direction, hop.source, frame] = (hop.target, sight)

    def after(self, stream: int, direction: int, stop: Stop) -> Stop | None:
        """The point that lacks what passed this stop, if a hop says so."""
        sequel = self.of.get((stream, direction, stop.point, stop.frame))
        return Stop(sequel[0], sequel[1], UNKNOWN, NO_TIME) if sequel else None


def _of_stream(correlation: "Correlation", connection: Connection, stream: int, sequels: _Sequels) -> Iterator[Rung]:
    passages = correlation.passages
    first, last = np.searchsorted(passages.stream, (stream, stream + 1)).tolist()
    directions = passages.direction[first:last].tolist()
    before: dict[int, Segment] = {}
    of_row = zip(directions, _stops(correlation, first, last), _segments(passages, first, last), strict=True)
    for direction, seen, (segment, mark) in of_row:
        way = connection.path[direction]
        seen.sort(key=lambda stop: way.index(stop.point) if stop.point in way else len(way))
        stops = tuple(part for stop in seen for part in (stop, sequels.after(stream, direction, stop)) if part)
        yield Rung(stream, direction, seen[0].time_ns, segment, told(segment, before.get(direction)), mark, stops)
        before[direction] = segment


def _stops(correlation: "Correlation", first: int, last: int) -> Iterator[list[Stop]]:
    """For every segment where it was seen, by the number of the point."""
    passages = correlation.passages
    rows = passages.row[first:last]
    columns = (
        np.where(rows >= 0, passages.sightings.frame[rows], UNKNOWN),
        reference_times(correlation, rows),
        passages.partly[first:last],
    )
    for frames, times, partly in zip(*(column.tolist() for column in columns), strict=True):
        yield [
            Stop(point, Sight.PARTLY if partly[point] else Sight.SEEN, frame, times[point])
            for point, frame in enumerate(frames)
            if frame != UNKNOWN
        ]


def reference_times(correlation: "Correlation", rows: I32) -> I64:
    """Times of sightings by the reference clock, for rows (N, points) of which some are NOWHERE."""
    times = np.where(rows >= 0, correlation.passages.sightings.time_ns[rows], NO_TIME)
    for column, point in enumerate(correlation.points):
        clock = correlation.clocks[point.host]
        known = times[:, column] != NO_TIME
        own = times[known, column]
        times[known, column] = own + np.array([clock.shift_ns(time) for time in own.tolist()], np.int64)
    return times


def _segments(passages: Passages, first: int, last: int) -> Iterator[tuple[Segment, Piece]]:
    """For every segment what is said of it, by a point that has it, and why it was sent again."""
    rows = passages.row[first:last].max(axis=1)
    columns = (
        *(column[first:last] for column in (passages.flags, passages.start, passages.ack, passages.len)),
        passages.sightings.window[rows],
        passages.sightings.repeat[rows],
    )
    for flags, start, ack, length, window, repeat in zip(*(column.tolist() for column in columns), strict=True):
        closed = window == 0 and not flags & SYN
        segment = UNSAID._replace(flags=flags, seq=start, ack=ack, len=length, window=0 if closed else UNKNOWN)
        yield segment, Piece("") if repeat == NO_REPEAT else verdict(repeat, 0, 0)
