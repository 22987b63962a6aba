"""Rows of Packets from segments that tcpdump printed, collected a chunk at a time."""

from typing import NamedTuple

import numpy as np

from tcptrace.capture.tcpdump_line import IpHeader
from tcptrace.capture.tcpdump_names import Endpoint
from tcptrace.capture.tcpdump_numbers import Blocks, FlowNumbers
from tcptrace.capture.tcpdump_segment import Segment
from tcptrace.schema import I64, SACK_BLOCKS_MAX, UNKNOWN, Packets, columns

_SACK_WIDTH = 2 * SACK_BLOCKS_MAX
_NO_SACK = (0,) * _SACK_WIDTH


class Origin(NamedTuple):
    """Where a packet was seen."""

    frame: int
    place: int
    """Its number among the frames of the chunk, from 0."""
    interface: int
    direction: int


class Rows:
    """The rows of one chunk, and what the flows of the whole text have said of their numbers."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, ...]] = []
        self._flows: dict[tuple[int, int], FlowNumbers] = {}

    def add(self, origin: Origin, source: Endpoint, target: Endpoint, ip: IpHeader, segment: Segment) -> None:
        """Append the row of one segment."""
        _, _, _, flags, seq, ack, window, length, options, _ = segment
        blocks: Blocks = options.blocks
        inferred = 0
        if flags >= 0:
            side = int(source.key > target.key)
            ends = (target.key, source.key) if side else (source.key, target.key)
            flow = self._flows.get(ends)
            if flow is None:
                flow = self._flows[ends] = FlowNumbers()
            seq, ack, inferred = flow.raw(side, flags, length, seq, ack)
            if inferred and length < 0:  # may have data, whose number the text lacks
                seq, inferred = UNKNOWN, 0
            if blocks:
                blocks = flow.raw_blocks(side, ack, blocks)
        sack = (*(edge for block in blocks for edge in block), *_NO_SACK)[:_SACK_WIDTH] if blocks else _NO_SACK
        self._rows.append(
            (
                origin.frame,
                origin.place,
                origin.interface,
                UNKNOWN,
                origin.direction,
                0,
                source.address,
                target.address,
                source.port,
                target.port,
                ip.ttl,
                ip.ip_id,
                ip.at,
                UNKNOWN,
                flags,
                seq,
                ack,
                window,
                UNKNOWN if ip.fragment else length,
                0,
                UNKNOWN,
                0,
                0,
                UNKNOWN,
                inferred,
                options.mss,
                options.window_scale,
                options.sack_permitted,
                options.tsval,
                options.tsecr,
                options.toa_port,
                UNKNOWN,
                options.kinds,
                options.cut,
                len(blocks),
                *sack,
            )
        )

    def take(self, times: I64) -> Packets:
        """The rows so far as a table, and begin anew; `times` by the frames' places."""
        fields = columns(Packets)
        width = len(fields) - 1 + _SACK_WIDTH
        rows = np.array(self._rows, np.int64).reshape(len(self._rows), width)
        self._rows = []
        rows[:, 1] = times[rows[:, 1]]
        values = [*rows[:, :-_SACK_WIDTH].T, rows[:, -_SACK_WIDTH:].ravel()]
        return Packets(*(part.astype(dtype) for part, (dtype, _) in zip(values, fields.values(), strict=True)))
