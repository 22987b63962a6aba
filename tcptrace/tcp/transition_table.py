"""The table of transitions, once a capture has been read."""

from tcptrace.rows import stable_order
from tcptrace.schema import I8, Transitions, allocate
from tcptrace.tcp import transition_log as log
from tcptrace.tcp.tracker import Tracker


def transition_table(tracker: Tracker, client: I8) -> Transitions:
    """All transitions by flow and in order, sides named by client and server."""
    kernels, steps = tracker.kernels, tracker.take_steps()
    order = stable_order(steps[log.ENDPOINT :: log.STEP] >> 1)
    table = allocate(Transitions, len(order))
    kernels["tcp.transition_log"].tell(*map(kernels.view, (steps, order, client, table)))
    return table
