"""The segments of every stream, each once, and where each was seen.

What is the same segment at two points is told by its place in the stream, its length and flags; among segments that
are alike in these (sent again, or acknowledgements repeated), by IP identification and timestamp, else by their
order and time. Segmentation offload cuts and joins segments: what one point saw in other sizes is found by its bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.bases import bases_of
from tcptrace.correlation.legs import Legs
from tcptrace.correlation.numbering import numbered
from tcptrace.correlation.pieces import find_pieces
from tcptrace.correlation.result import NOWHERE, Points
from tcptrace.correlation.twins import tell_apart
from tcptrace.schema import I8, I32, I64, NO_TIME, UNKNOWN, Sightings

Bools = npt.NDArray[np.bool_]

NUMBERED = 0x07
"""FIN, SYN and RST: flags that are the same wherever a segment is seen."""


@dataclass(frozen=True)
class Passages:
    """Transmissions of the streams, N rows in order of stream, then of first sight.

    A segment sent again is a row of its own. Positions count from the sender's ISN, at all points alike, also where
    the sequence numbers were shifted on the way.
    """

    points: Points
    sightings: Sightings
    stream: I64
    """(N,) number of the stream."""
    direction: I8
    """(N,) REQUEST or REPLY."""
    start: I64
    """(N,) position of its first number."""
    end: I64
    """(N,) position after payload, SYN and FIN."""
    ack: I64
    """(N,) its acknowledgement, a position of the other direction; -1 without."""
    flags: I64
    """(N,) TCP flags."""
    len: I64
    """(N,) payload in bytes; -1 unknown."""
    row: I32
    """(N, points) row in the sightings; NOWHERE where that point lacks it."""
    partly: Bools
    """(N, points) whether the point saw its bytes in segments of other sizes (segmentation offload): `row` is then
    the one that holds its last byte."""

    @cached_property
    def time_ns(self) -> I64:
        """(N, points) times by the points' own clocks; NO_TIME where it was not seen."""
        return self._seen(self.sightings.time_ns, NO_TIME)

    @cached_property
    def frame(self) -> I64:
        """(N, points) frames; NOWHERE where it was not seen."""
        return self._seen(self.sightings.frame, NOWHERE)

    def _seen(self, column: I64, missing: int) -> I64:
        if not len(column):
            return np.full(self.row.shape, missing, np.int64)
        found: I64 = np.where(self.row >= 0, column[self.row], missing)
        return found

    def of_streams(self, streams: Sequence[int]) -> "Passages":
        """Those of some streams."""
        parts = [np.arange(*np.searchsorted(self.stream, (stream, stream + 1))) for stream in sorted(streams)]
        rows = np.concatenate([np.empty(0, np.int64), *parts])
        columns = {field.name: getattr(self, field.name)[rows] for field in fields(self)[2:]}
        return replace(self, **columns)


def passages_of(legs: Legs, stream_of_leg: Sequence[int], points: Points) -> Passages:
    """What passed, of all streams."""
    seen, leg = legs.sightings, legs.leg
    stream = np.asarray(stream_of_leg, np.int64)[leg] if len(leg) else np.empty(0, np.int64)
    base = bases_of(legs, np.asarray(stream_of_leg, np.int64))
    side = seen.side.astype(np.int64)
    start = seen.start - base[leg, side]
    end = np.where(seen.end >= 0, seen.end - base[leg, side], start)
    known = (seen.ack >= 0) & (base[leg, side ^ 1] >= 0)
    ack = np.where(known, seen.ack - base[leg, side ^ 1], UNKNOWN)
    flags = seen.flags.astype(np.int64) & NUMBERED
    bare = np.where(start == end, ack, UNKNOWN)
    group = numbered(stream * 2 + side, start, end, flags, bare)
    passage = tell_apart(group, legs)
    count = int(passage.max(initial=-1)) + 1
    row = np.full((count, len(points)), NOWHERE, np.int32)
    at = np.arange(len(passage))[::-1].copy()  # of two legs at a point, the first: what is written last stays
    row[passage[at], seen.point[at]] = at
    first = np.full(count, len(passage), np.int64)
    np.minimum.at(first, passage, np.arange(len(passage)))
    rows = first[np.lexsort((seen.time_ns[first], stream[first]))]
    found = Passages(
        points,
        seen,
        stream=stream[rows],
        direction=seen.side[rows],
        start=start[rows],
        end=end[rows],
        ack=ack[rows],
        flags=seen.flags[rows].astype(np.int64),
        len=seen.len[rows].astype(np.int64),
        row=row[passage[rows]],
        partly=np.zeros(row.shape, np.bool_),
    )
    find_pieces(found.stream * 2 + found.direction, found.start, found.end, found.len, found.row, found.partly)
    return found
