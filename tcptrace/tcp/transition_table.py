"""The table of transitions, once a capture has been read."""

from functools import partial

from tcptrace.rows import ordered, stable_order
from tcptrace.schema import I8, I64, Transitions
from tcptrace.tcp import transition_log as log
from tcptrace.tcp.tracker import Tracker


def transition_table(tracker: Tracker, client: I8) -> Transitions:
    """All transitions by flow and in order, sides named by client and server."""
    steps = tracker.take_steps()
    order = stable_order(steps[:, log.ENDPOINT] >> 1)
    return ordered(Transitions, steps, order, partial(_fill, client))


def _fill(client: I8, rows: Transitions, steps: I64) -> None:
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
