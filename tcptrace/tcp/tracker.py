"""Drives the kernels over a capture's chunks and keeps the tables they fill."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace import flows as flow_fields
from tcptrace.kernels import Kernels
from tcptrace.schema import (
    I64,
    EndpointRows,
    FlowRows,
    Log,
    Packets,
    Segments,
    Transitions,
    allocate,
)
from tcptrace.tcp import endpoint_rows
from tcptrace.tcp.endpoint import next_states

FIRST_ROOM = 1024
GROWTH = 1.25
LOG_ROWS_PER_SEGMENT = 12
"""No segment tells more: two timers, a reused tuple, three steps and a return each way."""
FINISH_BATCH = 1 << 16


class Tracker:
    """Flows and both endpoints' states of one capture.

    `take` is called with every chunk in order, `finish` once after the last.
    """

    def __init__(self) -> None:
        self.flows = FlowRows(np.empty(0, np.int64), np.zeros(0, np.int32), np.zeros(1, np.int64))
        self.endpoints = EndpointRows(np.empty(0, np.int64), np.empty(0, np.int32), np.zeros(1, np.int64))
        self._nodes = np.zeros(3 * FIRST_ROOM, np.int64)
        self._segments = allocate(Segments, 0)
        self._log_columns: list[npt.NDArray[Any]] = []
        self._next_states = next_states()
        self._log_parts: list[Transitions] = []

    @property
    def flow_count(self) -> int:
        """How many flow numbers are used, those of quoted headers included."""
        return int(self.flows.used[0])

    def take(self, packets: Packets, kernels: Kernels) -> Segments:
        """Segments for the rows of one chunk; valid until the next call."""
        count = len(packets.frame)
        self._reserve(count, kernels)
        rows, flows, segments = kernels.view(packets), kernels.view(self.flows), kernels.view(self._segments)
        kernels["flows"].assign(rows, count, flows, segments.flow, segments.side)
        log = self._new_log(count * LOG_ROWS_PER_SEGMENT)
        nodes = kernels.view(self._nodes)
        kernels["tcp.segment_pass"].advance(rows, count, segments, flows, nodes, kernels.view(log))
        self._keep(log)
        return Segments(*(column[:count] for column in self._segments))

    def finish(self, end_ns: int, kernels: Kernels) -> None:
        """Let timers run out up to the end of the capture."""
        for first in range(0, self.flow_count, FINISH_BATCH):
            last = min(first + FINISH_BATCH, self.flow_count)
            log = self._new_log(2 * (last - first))
            kernels["tcp.segment_pass"].finish(kernels.view(self.flows), kernels.view(log), first, last, end_ns)
            self._keep(log)

    def transitions(self) -> Transitions:
        """All transitions so far in order of flow; sides are 0 for the flow's first sender."""
        parts = self._log_parts or [allocate(Transitions, 0)]
        joined = Transitions(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
        order = np.argsort(joined.flow, kind="stable")
        return Transitions(*(column[order] for column in joined))

    def _reserve(self, count: int, kernels: Kernels) -> None:
        """Room for `count` further segments, each of which may begin a flow and leave two holes."""
        flows = self.flow_count + count
        grow(self.flows.rows, flows * flow_fields.WIDTH)
        grow(self.endpoints.wide, flows * 2 * endpoint_rows.WIDE)
        grow(self.endpoints.narrow, flows * 2 * endpoint_rows.NARROW)
        grow(self._nodes, (int(self._nodes[0]) + 2 * count + 1) * 3)
        if len(self._segments.flow) < count:
            self._segments = allocate(Segments, count)
        if len(self.flows.slots) < 2 * flows:
            slots = np.zeros(1 << (2 * flows - 1).bit_length(), np.int32)
            self.flows = self.flows._replace(slots=slots)
            kernels["flows"].rehash(kernels.view(self.flows))

    def _new_log(self, rows: int) -> Log:
        if not self._log_columns or len(self._log_columns[0]) < rows:
            types = (np.int64, np.int64, np.int64, np.int8, np.int8, np.int8, np.int8, np.int8, np.int8)
            self._log_columns = [np.empty(rows, dtype) for dtype in types]
        return Log(*self._log_columns, np.zeros(1, np.int64), self._next_states, self.endpoints)

    def _keep(self, log: Log) -> None:
        used = int(log.used[0])
        if used:
            names = [name for name in Transitions._fields if name != "capture"]
            kept = {name: getattr(log, name)[:used].copy() for name in names}
            self._log_parts.append(Transitions(capture=np.zeros(used, np.int32), **kept))


def grow(array: I64 | npt.NDArray[np.int32], size: int) -> None:
    """Make an array at least `size` long, in place: a large one is remapped, not copied."""
    if len(array) < size:
        array.resize(max(size, int(len(array) * GROWTH)), refcheck=False)
