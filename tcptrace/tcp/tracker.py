"""Drives the kernels over a capture's chunks and keeps the tables they fill."""

from random import SystemRandom
from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace import flows as flow_fields
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import plain
from tcptrace.schema import I64, Bools, Directions, Endpoints, FlowRows, Packets, Segments, allocate
from tcptrace.tcp import (
    counters,
    endpoint_rows,
    holes,
    labels,
    lone_syns,
    notable,
    notes,
    round_trips,
    sending,
    transition_log,
    unacked,
    zeek_rows,
)
from tcptrace.tcp.endpoint import next_states

GROWTH = 1.03
STEPS_PER_SEGMENT = 12
"""No segment tells more: two timers, a reused tuple, three steps and a return each way."""
FINISH_BATCH = 1 << 16


class Tracker:
    """Flows and both endpoints' states of one capture.

    `take` is called with every chunk in order, `finish` once after the last. Without `statistics` there
    is nothing for direction_table, without `zeek` no history.
    """

    def __init__(self, *, statistics: bool = True, zeek: bool = True) -> None:
        self._statistics, self._zeek = statistics, zeek
        self.flows = FlowRows(
            rows=np.empty(0, np.int64),
            slots=np.zeros(0, np.int32),
            used=np.array([0, SystemRandom().getrandbits(31)]),
            announced=np.zeros(1 + 2 * flow_fields.ANNOUNCED_MAX, np.int64),
        )
        self.endpoints = Endpoints(
            wide=np.empty(0, np.int64),
            narrow=np.empty(0, np.int32),
            used=np.zeros(2, np.int64),
            steps=np.empty(0, np.int64),
            next_states=next_states(),
        )
        self.directions = Directions(
            of_flow=np.zeros(0, np.int32),
            used=np.zeros(4, np.int64),
            lone=np.zeros(0, np.int64),
            recalled=np.zeros(0, np.int32),
            labels=np.zeros(0, np.int64),
            sending=np.zeros(0, np.int64),
            counters=np.zeros(0, np.int64),
            notable=np.zeros(0, np.int64),
            history=np.zeros(0, np.int64),
            blocks=np.zeros(0, np.int64),
        )
        self.completeness = np.zeros(0, np.int8)
        """What was seen of the life of each pair of directions (tcp.completeness), once all is read."""
        self._holes = np.zeros(0, np.int64)
        self._unacked = np.zeros(0, np.int64)
        self.histograms = np.zeros(0, np.int64)
        self.kernels = plain()
        """Those of the latest chunk."""
        self._set_segments(0)
        self._steps = np.empty(0, np.int64)
        self._step_count = 0
        self._notes = np.empty(0, np.int64)

    @property
    def flow_count(self) -> int:
        """How many flow numbers are used, those of quoted headers included."""
        return int(self.flows.used[0])

    def take(self, chunk: Chunk) -> Segments:
        """Segments for its rows; valid until the next call."""
        packets, kernels, rows = chunk
        count = len(packets.frame)
        if kernels is not self.kernels:
            self.kernels = kernels
            self._set_segments(len(self._segments.flow))
        self._reserve_flows(count)
        segments, flows = self._segments_view, kernels.view(self.flows)
        kernels.in_turn(
            (
                (kernels["flows"].assign, rows, count, segments, flows),
                (kernels["tcp.directions"].begin, rows, count, segments, flows, kernels.view(self.directions)),
            )
        )
        recalled = int(self.directions.used[3])
        self._reserve(count + recalled)
        endpoints, held = kernels.view(self.endpoints), kernels.view(self._holes)
        passes = [(kernels["tcp.segment_pass"].advance, rows, count, segments, flows, held, endpoints)]
        if recalled:
            passes += self._passes(*self._recall(recalled), flows, endpoints)
        passes += self._passes(rows, count, segments, flows, endpoints)
        kernels.in_turn(passes)
        self._keep_steps()
        return Segments._make(column[:count] for column in self._segments)

    def _recall(self, count: int) -> tuple[Any, int, Any]:
        """The lone SYNs of flows that now are more: Packets as kernels take them, how many, Segments."""
        packets, segments = map(self.kernels.view, (allocate(Packets, count), allocate(Segments, count)))
        self.kernels["tcp.lone_syns"].recall(self.kernels.view(self.directions), packets, segments)
        return packets, count, segments

    def _passes(self, rows: Any, count: int, segments: Any, flows: Any, endpoints: Any) -> list[tuple[Any, ...]]:
        """What tells `count` rows, all as kernels take them, to the directions of their flows."""
        kernels, pairs = self.kernels, self.kernels.view(self.directions)
        unacked, histograms, kept = map(kernels.view, (self._unacked, self.histograms, self._notes))
        passes: list[tuple[Any, ...]] = [
            (kernels["tcp.labels"].label, rows, count, segments, flows, pairs),
            (kernels["tcp.sending"].measure, rows, count, segments, pairs, unacked, histograms),
            (kernels["tcp.notable"].note, rows, count, segments, pairs, endpoints, kept),
        ]
        if self._statistics:
            passes.append((kernels["tcp.counters"].count, rows, count, segments, pairs))
        if self._zeek:
            passes.append((kernels["tcp.zeek_history"].note, rows, count, segments, pairs))
        return passes

    def finish(self, end_ns: int) -> None:
        """Let timers run out up to the end of the capture, and release what only reading needs."""
        for first in range(0, self.flow_count, FINISH_BATCH):
            last = min(first + FINISH_BATCH, self.flow_count)
            self._reserve_steps(2 * (last - first))
            self.kernels["tcp.segment_pass"].finish(self.kernels.view(self.endpoints), first, last, end_ns)
            self._keep_steps()
        self._release()

    def take_steps(self) -> I64:
        """All transitions in order of time, as transition_log writes them; they are kept no longer."""
        steps = self._steps[: self._step_count * transition_log.STEP]
        self._steps, self._step_count = np.empty(0, np.int64), 0
        return steps

    def take_notes(self) -> I64:
        """The notable segments as tcptrace.tcp.notes writes them; they are kept no longer."""
        written = self._notes[: int(self.directions.used[2]) * notes.NOTE]
        self._notes = np.empty(0, np.int64)
        return written

    def take_notable(self) -> I64:
        """What tcptrace.tcp.notable keeps of directions; it is kept no longer."""
        kept = self.directions.notable
        self.directions = self.directions._replace(notable=np.empty(0, np.int64))
        return kept

    def has_syn(self, numbers: I64) -> Bools:
        """Whether a SYN of these flows was seen; a flow without needs not even have flags."""
        seen = self.flows.rows[numbers * flow_fields.WIDTH + flow_fields.SEEN]
        had: Bools = seen & (flow_fields.SEEN_SYN | flow_fields.SEEN_SYN << flow_fields.SIDE_SHIFT) > 0
        return had

    def _reserve_flows(self, count: int) -> None:
        """Room for `count` further segments, each of which may begin a flow."""
        flows = self.flow_count + count
        grow(self.flows.rows, flows * flow_fields.WIDTH)
        grow(self.directions.of_flow, flows)
        grow(self.directions.lone, flows * lone_syns.LONE)
        grow(self.directions.recalled, count)
        if len(self._segments.flow) < count:
            self._set_segments(count)
        if len(self.flows.slots) < 2 * flows:
            slots = np.zeros(1 << (2 * flows - 1).bit_length(), np.int32)
            self.flows = self.flows._replace(slots=slots)
            self.kernels["flows"].rehash(self.kernels.view(self.flows))

    def _set_segments(self, count: int) -> None:
        """Columns for that many segments, as the kernels take them."""
        self._segments = allocate(Segments, count)
        self._segments_view: Any = self.kernels.view(self._segments)

    def _reserve(self, count: int) -> None:
        """Room for what `count` segments may tell, whose flows are known; each may leave two holes."""
        flows, pairs = self.flow_count, int(self.directions.used[0])
        grow(self.endpoints.wide, flows * 2 * endpoint_rows.WIDE)
        grow(self.endpoints.narrow, flows * 2 * endpoint_rows.NARROW)
        self._reserve_steps(count * STEPS_PER_SEGMENT)
        grow(self._holes, (holes.used(self._holes) + 2 * count + 1) * holes.NODE)
        grow(self.directions.labels, pairs * 2 * labels.WIDTH)
        grow(self.directions.sending, pairs * 2 * sending.WIDTH)
        grow(self._unacked, (unacked.used(self._unacked) + 2 * count) * unacked.NODE)
        grow(self.histograms, min(int(self.directions.used[1]) + count, 2 * pairs) * round_trips.WORDS)
        grow(self.directions.notable, pairs * 2 * notable.WIDTH)
        grow(self._notes, (int(self.directions.used[2]) + 2 * count) * notes.NOTE)
        if self._statistics:
            grow(self.directions.counters, pairs * 2 * counters.WIDTH)
        if self._zeek:
            grow(self.directions.history, pairs * 2 * zeek_rows.WIDTH)
            grow(self.directions.blocks, (holes.used(self.directions.blocks) + count + 1) * holes.NODE)

    def _reserve_steps(self, count: int) -> None:
        """Room for `count` transitions, which take memory only where they happen."""
        if len(self.endpoints.steps) < count * transition_log.STEP:
            self.endpoints = self.endpoints._replace(steps=np.empty(count * transition_log.STEP, np.int64))

    def _keep_steps(self) -> None:
        written = int(self.endpoints.used[1]) * transition_log.STEP
        kept = self._step_count * transition_log.STEP
        grow(self._steps, kept + written)
        self._steps[kept : kept + written] = self.endpoints.steps[:written]
        self._step_count += int(self.endpoints.used[1])
        self.endpoints.used[1] = 0

    def _release(self) -> None:
        """Give back what only reading needs, and the room that was kept for more."""
        self.flows = self.flows._replace(slots=np.zeros(0, np.int32))
        self.endpoints = self.endpoints._replace(steps=np.empty(0, np.int64))
        self._segments, self._segments_view = allocate(Segments, 0), None
        self._holes, self._unacked = np.zeros(0, np.int64), np.zeros(0, np.int64)
        flows, pairs = self.flow_count, int(self.directions.used[0])
        shrink(self.histograms, int(self.directions.used[1]) * round_trips.WORDS)
        shrink(self._notes, int(self.directions.used[2]) * notes.NOTE)
        shrink(self.flows.rows, flows * flow_fields.WIDTH)
        shrink(self.endpoints.wide, flows * 2 * endpoint_rows.WIDE)
        shrink(self.endpoints.narrow, flows * 2 * endpoint_rows.NARROW)
        shrink(self.directions.of_flow, flows)
        of_life = self.directions.labels[: pairs * 2 * labels.WIDTH][labels.COMPLETENESS :: 2 * labels.WIDTH]
        self.completeness = (of_life & labels.SEEN_BITS).astype(np.int8)
        self.directions = self.directions._replace(lone=np.zeros(0, np.int64), labels=np.zeros(0, np.int64))
        for array, width in (
            (self.directions.sending, sending.WIDTH),
            (self.directions.notable, notable.WIDTH),
            (self.directions.counters, counters.WIDTH),
            (self.directions.history, zeek_rows.WIDTH),
        ):
            shrink(array, pairs * 2 * width)


def grow(array: I64 | npt.NDArray[np.int32], size: int) -> None:
    """Make an array at least `size` long, in place: a large one is remapped, not copied."""
    if len(array) < size:
        array.resize(max(size, int(len(array) * GROWTH)), refcheck=False)


def shrink(array: I64 | npt.NDArray[np.int32], size: int) -> None:
    """Make an array no longer than `size`, in place."""
    if len(array) > size:
        array.resize(size, refcheck=False)
