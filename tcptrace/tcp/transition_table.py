"""The table of transitions, once a capture has been read."""

import numpy as np

from tcptrace.rows import BATCH_ROWS, part, stable_order
from tcptrace.schema import I8, I64, Transitions, allocate
from tcptrace.tcp import transition_log as log
from tcptrace.tcp.tracker import Tracker


def transition_table(tracker: Tracker, client: I8) -> Transitions:
    """All transitions by flow and in order, sides named by client and server.

    Batch by batch, since those of a flow lie anywhere.
    """
    steps = tracker.take_steps()
    order = stable_order(steps[:, log.ENDPOINT] >> 1)
    table = allocate(Transitions, len(order))
    for start in range(0, len(order), BATCH_ROWS):
        batch = np.take(steps, order[start : start + BATCH_ROWS], axis=0)
        _fill(part(table, start, start + len(batch)), batch, client)
    return table


def _fill(rows: Transitions, steps: I64, client: I8) -> None:
    """The columns of some transitions."""
    endpoint, packed = steps[:, log.ENDPOINT], steps[:, log.PACKED]
    rows.capture[:] = 0
    rows.flow[:] = endpoint >> 1
    rows.side[:] = (endpoint & 1) ^ client[rows.flow]
    rows.frame[:] = steps[:, log.FRAME]
    rows.time_ns[:] = steps[:, log.TIME_NS]
    rows.from_state[:] = packed >> log.FROM_SHIFT & log.BYTE
    rows.to_state[:] = packed & log.BYTE
    rows.event[:] = packed >> log.EVENT_SHIFT & log.BYTE
    rows.inferred[:] = packed >> log.INFERRED_SHIFT
    rows.unexpected[:] = rows.from_state == rows.to_state
