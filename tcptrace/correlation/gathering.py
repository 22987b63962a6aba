"""Sightings of all recordings, gathered in one table that grows in place."""

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.numbering import distinct, numbered, ranked
from tcptrace.flows import FIN, RST, SYN
from tcptrace.rows import part
from tcptrace.schema import I64, REPEATS, UNKNOWN, Packets, Segments, Sightings, allocate, columns

IN_SEGMENTS = {"flow": "flow", "side": "side", "start": "position", "ack": "ack_position", "repeat": "repeat"}
"""Columns of sightings that are told of segments, and their names there."""
IN_PACKETS = {"toa": "toa_port"}
"""Columns that are read and have another name there."""
TOLD_LATER = ("point", "end")
COPY = REPEATS.index("copy")
GROWTH = 1.25
LOOP_TTLS = 2


class Gathering:
    """The table while it grows; its columns are remapped, not copied, so that no view may outlive an `add`."""

    def __init__(self) -> None:
        self._table = allocate(Sightings, 0)
        self.count = 0

    def add(self, packets: Packets, segments: Segments) -> I64:
        """Take a chunk's segments, but for copies made by the capture; returns the rows that were taken.

        `point` is 0, and `side` still that of the flow's first frame.
        """
        told = (segments.flow >= 0) & (segments.position >= 0) & (packets.quoted == 0)
        is_copy = told & (segments.repeat == COPY) & (segments.copy == 0)
        told &= ~is_copy
        told[_rounds(packets, segments, np.flatnonzero(is_copy))] = True
        rows = np.flatnonzero(told)
        first, self.count = self.count, self.count + len(rows)
        self._grow()
        added = self.rows(first)
        for name in columns(Sightings).keys() - TOLD_LATER:
            table = segments if name in IN_SEGMENTS else packets
            source = getattr(table, IN_SEGMENTS.get(name, IN_PACKETS.get(name, name)))
            getattr(added, name)[:] = source if len(rows) == len(source) else source[rows]
        added.option_kinds[packets.options_cut[rows] == 1] = UNKNOWN
        added.point[:] = 0
        added.end[:] = added.start + np.maximum(added.len, 0) + numbers_taken(added.flags)
        return rows

    def rows(self, first: int) -> Sightings:
        """The rows from `first` on, as they are now."""
        return part(self._table, first, self.count)

    def arrange(self, first: int, order: I64) -> None:
        """Keep of the rows from `first` on these, in this order."""
        table = self.rows(first)
        for column in table:
            column[: len(order)] = column[order]
        self.count = first + len(order)

    def finish(self) -> Sightings:
        """All rows."""
        for column in self._table:
            column.resize(self.count, refcheck=False)
        return self._table

    def _grow(self) -> None:
        if len(self._table.point) < self.count:
            for column in self._table:
                column.resize(int(self.count * GROWTH), refcheck=False)


def _rounds(packets: Packets, segments: Segments, copies: I64) -> I64:
    """Of rows that look like copies those that are none: a segment in a routing loop comes by again, its TTL lower.

    Two TTLs below its first tell a loop; one may be a port that mirrors both sides of a router.
    """
    marks = (segments.flow, segments.position, packets.flags.astype(np.int64), packets.ip_id.astype(np.int64))
    segment, ttl = numbered(*(mark[copies] for mark in marks)), packets.ttl[copies].astype(np.int64)
    kept = (distinct(segment, ttl) >= LOOP_TTLS) & (ranked(numbered(segment, ttl)) == 0)
    found: I64 = copies[kept]
    return found


def numbers_taken(flags: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """How many sequence numbers SYN and FIN take up (RFC 9293 section 3.4): none in a RST."""
    taken: npt.NDArray[np.int16] = ((flags & SYN) // SYN + (flags & FIN) // FIN) * (flags & RST == 0)
    return taken
