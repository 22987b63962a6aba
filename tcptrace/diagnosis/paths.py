"""All that path rules may look at: connections over several points, and what each point's capture tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.schema import I64, NO_TIME, SIDES

if TYPE_CHECKING:
    from tcptrace.correlation.clocks import Alignment
    from tcptrace.correlation.connections import Told
    from tcptrace.correlation.fates import Fates
    from tcptrace.correlation.order import Route
    from tcptrace.correlation.passages import Passages
    from tcptrace.correlation.result import Connection, Hop, Leg, Points, Stream

FRAMES_MAX = 20
"""Frames that a finding names at a point."""

AtPoints = tuple[tuple[str, tuple[int, ...]], ...]
"""Points by name, and frames there: what a finding calls `evidence_frames`."""


@dataclass(frozen=True)
class PathEvidence:
    """What correlation tells, and the tables of each capture; rules change nothing here."""

    captures: Sequence[Evidence]
    """By number of recording."""
    told: Told

    @property
    def points(self) -> Points:
        """In the order given; one that segments pass twice stands there twice."""
        return self.told.passages.points

    @property
    def connections(self) -> Sequence[Connection]:
        """By number."""
        return self.told.connections

    @property
    def passages(self) -> Passages:
        """The segments of all streams, and where each was seen."""
        return self.told.passages

    @property
    def became(self) -> Fates:
        """What became of each of them."""
        return self.told.became

    @property
    def alignment(self) -> Alignment:
        """The clocks."""
        return self.told.alignment

    def name(self, point: int) -> str:
        """`lvs:eth0`."""
        return self.points[point].name

    def names(self, points: Sequence[int]) -> str:
        """`client, lvs:eth0`."""
        return ", ".join(map(self.name, points))

    def host(self, point: int) -> str:
        """`lvs`."""
        return self.points[point].host

    def route(self, stream: int) -> Route:
        """The points that a stream's segments pass."""
        return self.told.routes[stream]

    def rows(self, stream: int, direction: int | None = None) -> I64:
        """A stream's rows in the passages, of one direction or both, in order of first sight."""
        passages = self.passages
        rows = passages.rows(stream)
        return rows if direction is None else rows[passages.direction[rows] == direction]

    def seen(self, rows: I64, point: int) -> I64:
        """Those of some rows that a point saw."""
        found: I64 = rows[self.passages.row[rows, point] >= 0]
        return found

    def frames(self, rows: I64, point: int) -> tuple[int, ...]:
        """The frames of some passages at a point that has them, the first ones, ascending."""
        found: list[int] = sorted(self.passages.frame[self.seen(rows, point), point].tolist())
        return tuple(found[:FRAMES_MAX])

    def at(self, *places: tuple[int, Sequence[int]]) -> AtPoints:
        """Points with frames there as findings name them; a point without any is left out."""
        return tuple((self.name(point), tuple(frames)[:FRAMES_MAX]) for point, frames in places if len(frames))

    def hops(self) -> Iterator[tuple[Connection, Hop]]:
        """Every hop of every connection."""
        return ((connection, hop) for connection in self.connections for hop in connection.hops)

    def is_one_host(self, hop: Hop) -> bool:
        """Whether a hop leads through a host, from one interface to another."""
        return self.host(hop.source) == self.host(hop.target)

    @cached_property
    def reference_ns(self) -> I64:
        """(N, points) times of the passages by the reference clock; NO_TIME where not seen."""
        return self.alignment.reference_ns(self.passages)

    @cached_property
    def last_ns(self) -> I64:
        """(points,) when each point saw its last segment, by the reference clock; NO_TIME where it saw none."""
        found: I64 = self.reference_ns.max(axis=0, initial=NO_TIME)
        return found


def leg_at(stream: Stream, point: int) -> Leg | None:
    """The first leg of a stream at a point."""
    return next((leg for leg in stream.legs if leg.point == point), None)


def in_frames(frames: Sequence[int]) -> str:
    """`frame 5`, `frames 2, 3`."""
    return f"frame{'' if len(frames) == 1 else 's'} {', '.join(map(str, frames))}"


def direction_words(direction: int) -> tuple[str, str]:
    """Who sends in a direction, and what that is called: `("client", "request")`."""
    return SIDES[direction], DIRECTIONS[direction]
