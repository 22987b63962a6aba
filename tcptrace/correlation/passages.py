"""The segments of every stream, each once, and where each was seen.

What is the same segment at two points is told by its place in the stream, its length and flags; among segments that
are alike in these (sent again, or acknowledgements repeated), by IP identification and timestamp, else by their
order and time. Segmentation offload cuts and joins segments: what one point saw in other sizes is found by its bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.bases import bases_of, signed
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.legs import Legs
from tcptrace.correlation.numbering import packed
from tcptrace.correlation.pieces import Spans, find_pieces
from tcptrace.correlation.result import Points
from tcptrace.correlation.twins import tell_apart
from tcptrace.flows import RST, SYN
from tcptrace.schema import I8, I32, I64, NO_TIME, UNKNOWN, Bools, Sightings

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

    def rows(self, stream: int) -> I64:
        """The rows of a stream."""
        return np.arange(*np.searchsorted(self.stream, (stream, stream + 1)))


def passages_of(legs: Legs, stream_of_leg: Sequence[int], points: Points) -> Passages:
    """What passed, of all streams."""
    seen = legs.sightings
    places = _places(legs, np.asarray(stream_of_leg, np.int64))
    passage = tell_apart(_alike(places, seen, len(legs.point))[legs.order], legs)
    count = int(passage.max(initial=-1)) + 1
    backwards = np.arange(len(passage), dtype=np.int32)[::-1].copy()  # what is written last stays
    row = np.full((count, len(points)), NOWHERE, np.int32)
    row[passage[backwards], seen.point[backwards]] = backwards  # of two legs at a point, the first
    first = np.empty(count, np.int32)
    first[passage[backwards]] = backwards
    rows = first[np.lexsort((seen.time_ns[first], places.channel[first] >> 1))]
    channel, length = places.channel[rows], seen.len[rows].astype(np.int64)
    row, partly = row[passage[rows]], np.zeros(row.shape, np.bool_)
    start, end = places.start[rows], places.end[rows]
    find_pieces(Spans(channel, start, end, row, partly), length)
    return Passages(
        points,
        seen,
        stream=channel >> 1,
        direction=seen.side[rows],
        start=start,
        end=end,
        ack=places.ack[rows],
        flags=seen.flags[rows].astype(np.int64),
        len=length,
        row=row,
        partly=partly,
    )


class _Places(NamedTuple):
    """Row for row beside the sightings: where each lies in its stream, counted alike at all points."""

    channel: I64
    """Stream * 2 + side."""
    start: I64
    end: I64
    ack: I64


def _places(legs: Legs, stream_of_leg: I64) -> _Places:
    seen = legs.sightings
    base = bases_of(legs, stream_of_leg).ravel()
    own = legs.leg.astype(np.int64) * 2 + seen.side
    start = seen.start - base[own]
    is_syn = seen.flags & (SYN | RST) == SYN  # may begin anew, so far off that positions do not tell which way
    start[is_syn] = signed(start[is_syn])
    peer = base[own ^ 1]
    ack = np.where((seen.ack >= 0) & (peer >= 0), seen.ack - peer, UNKNOWN)
    channel = stream_of_leg[legs.leg] * 2 + seen.side if len(own) else own
    return _Places(channel, start, start + (seen.end - seen.start), ack)


def _alike(places: _Places, seen: Sightings, legs: int) -> I64:
    """A number for every sighting, the same for all of one place in a stream, length and flags.

    One that takes up no sequence numbers is told by what it acknowledges.
    """
    size = places.end - places.start
    flags = seen.flags & NUMBERED
    second = np.where(size > 0, size << 3 | flags, (places.ack + 1) << 3 | flags)
    return packed(_laid_out(places.channel, places.start, legs * 2), second << 1 | (size > 0))


def _laid_out(channel: I64, place: I64, channels: int) -> I64:
    """Places of all channels in one row, one channel after the other."""
    low, high = np.full(channels, np.iinfo(np.int64).max), np.full(channels, np.iinfo(np.int64).min)
    np.minimum.at(low, channel, place)
    np.maximum.at(high, channel, place)
    extent = np.where(high >= low, high - low + 1, 0)
    found: I64 = place + (np.cumsum(extent) - extent - low)[channel]
    return found
