"""A connection's segments as the rungs of a ladder: where each was seen, when, and where it was lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Connection, Hop
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.correlation.telling import InOrder, frames_of, in_order, in_order_of_way, reference_times, telling
from tcptrace.report.segment_marks import NO_REPEAT, verdict
from tcptrace.report.segment_words import RST, SYN, Segment, told
from tcptrace.report.terminal import Piece
from tcptrace.schema import I64, NO_TIME, UNKNOWN

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

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
    """NOWHERE where it was not seen."""
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
    skipped: int = 0
    """Segments left out between the rung before and this one."""


class Ladder(NamedTuple):
    """A connection, or what tells most of it."""

    rungs: list[Rung]
    total: int
    """Segments of the connection."""

    @property
    def skipped_after(self) -> int:
        """Segments left out after the last rung."""
        return self.total - len(self.rungs) - sum(rung.skipped for rung in self.rungs)


def ladder_of(correlation: "Correlation", connection: Connection, most: int) -> Ladder:
    """The segments of a connection, of all its streams, in order of reference time; of more than `most` some."""
    segments = in_order(correlation, connection)
    places = telling(correlation, connection, segments, most)
    chosen = InOrder(*(column[places] for column in segments))
    sequels = _Sequels(connection.hops)
    before: dict[tuple[int, int], Segment] = {}
    found = []
    last = -1
    shown = zip(places.tolist(), chosen.time_ns.tolist(), _passed(correlation, connection, chosen), strict=True)
    for place, time_ns, (stream, direction, seen, segment, mark) in shown:
        stops = tuple(part for stop in seen for part in (stop, sequels.after(stream, direction, stop)) if part)
        words = told(segment, before.get((stream, direction)))
        found.append(Rung(stream, direction, time_ns, segment, words, mark, stops, place - last - 1))
        before[stream, direction] = segment
        last = place
    return Ladder(found, len(segments.rows))


def by_rung(ladder: Sequence[Rung], correlation: "Correlation", found: Sequence[Finding]) -> dict[int, list[Finding]]:
    """Findings by the index of the rung that has the frame they name first; -1: none has."""
    names = [point.name for point in correlation.points]
    rung_of = {
        (names[stop.point], stop.frame): index
        for index, rung in reversed(list(enumerate(ladder)))
        for stop in rung.stops
        if stop.frame != NOWHERE
    }
    placed: dict[int, list[Finding]] = {}
    for finding in found:
        frames = ((point, frame) for point, frames in frames_of(finding) for frame in frames)
        index = next((rung_of[place] for place in frames if place in rung_of), -1)
        placed.setdefault(index, []).append(finding)
    return placed


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
        return Stop(sequel[0], sequel[1], NOWHERE, NO_TIME) if sequel else None


Passed = tuple[int, int, list[Stop], Segment, Piece]
"""Stream, direction, where it was seen in the order of its way, what is said of it, why it was sent again."""


def _passed(correlation: "Correlation", connection: Connection, segments: InOrder) -> Iterator[Passed]:
    """One after the other."""
    passages, rows, points = correlation.passages, segments.rows, len(correlation.points)
    columns = (passages.stream[rows].tolist(), passages.direction[rows].tolist())
    ways = [in_order_of_way(connection, direction, points) for direction in range(len(connection.path))]
    of_row = zip(*columns, _stops(correlation, rows), _segments(passages, segments), strict=True)
    for stream, direction, seen, (segment, mark) in of_row:
        yield stream, direction, [seen[point] for point in ways[direction] if point in seen], segment, mark


def _stops(correlation: "Correlation", rows: I64) -> Iterator[dict[int, Stop]]:
    """For every segment where it was seen, by the number of the point."""
    passages = correlation.passages
    seen = passages.row[rows]
    columns = (
        np.where(seen != NOWHERE, passages.sightings.frame[seen], NOWHERE),
        reference_times(correlation, rows),
        passages.partly[rows],
    )
    for frames, times, partly in zip(*(column.tolist() for column in columns), strict=True):
        yield {
            point: Stop(point, Sight.PARTLY if partly[point] else Sight.SEEN, frame, times[point])
            for point, frame in enumerate(frames)
            if frame != NOWHERE
        }


def _segments(passages: Passages, segments: InOrder) -> Iterator[tuple[Segment, Piece]]:
    """For every segment what is said of it, and why it was sent again: as the point nearest to the sender tells."""
    columns: tuple[npt.NDArray[Any], ...] = (
        *(column[segments.rows] for column in (passages.flags, passages.start, passages.ack, passages.len)),
        passages.sightings.window[segments.first],
        passages.sightings.repeat[segments.first],
    )
    for flags, start, ack, length, window, repeat in zip(*(column.tolist() for column in columns), strict=True):
        closed = window == 0 and not flags & (SYN | RST)
        segment = UNSAID._replace(flags=flags, seq=start, ack=ack, len=length, window=0 if closed else UNKNOWN)
        yield segment, Piece("") if repeat == NO_REPEAT else verdict(repeat, 0, 0)
