"""One flow in order: its segments, and what became of both ends' states with them or between them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tcptrace.rows import records
from tcptrace.schema import SIDES

if TYPE_CHECKING:
    from tcptrace.analysis import Timeline


class Step(NamedTuple):
    """A segment, or a change of state that no segment of the flow made (a timer)."""

    row: int | None
    """Row of the timeline's packets; None between two segments."""
    time_ns: int
    changes: list[Any]
    """Transitions that happened here, records of Transitions, in order."""
    states: tuple[int, int]
    """The client's and the server's state afterwards, index into STATES."""


def steps(timeline: "Timeline") -> Iterator[Step]:
    """Every segment of the flow in file order; what happened between two stands between them."""
    frames, times = timeline.packets.frame.tolist(), timeline.packets.time_ns.tolist()
    latest = np.maximum.accumulate(timeline.packets.time_ns)
    with_row: dict[int, list[Any]] = defaultdict(list)
    after_row: dict[int, list[Any]] = defaultdict(list)
    for transition in records(timeline.analysis.transition_table):
        if transition.frame:
            row = bisect_right(frames, transition.frame) - 1
        else:
            row = int(np.searchsorted(latest, transition.time_ns, "right")) - 1
        with_segment = row >= 0 and transition.frame == frames[row]
        (with_row if with_segment else after_row)[row].append(transition)
    states = first_states(timeline)
    for row in range(-1, len(frames)):
        if row >= 0:
            changes = with_row.get(row, [])
            states = _after(states, changes)
            yield Step(row, times[row], changes, states)
        for transition in after_row.get(row, []):
            states = _after(states, [transition])
            yield Step(None, transition.time_ns, [transition], states)


def first_states(timeline: "Timeline") -> tuple[int, int]:
    """Both states before the first segment: where each side's first transition began, else its last state."""
    flow = flow_of(timeline)
    first = {0: flow.client_state, 1: flow.server_state}
    for transition in reversed(list(records(timeline.analysis.transition_table))):
        first[transition.side] = transition.from_state
    return first[0], first[1]


def flow_of(timeline: "Timeline") -> Any:
    """The timeline's flow, a record of Flows."""
    return next(records(timeline.analysis.flow_table))


def senders(timeline: "Timeline") -> list[str]:
    """For every segment `client` or `server`."""
    packets, side = timeline.packets, timeline.segments.side
    if len(side) == 0:
        return []
    flow = flow_of(timeline)
    client_began = packets.src[0] == flow.client and packets.sport[0] == flow.client_port
    client_side = side[0] if client_began else 1 - side[0]
    return [SIDES[number] for number in np.where(side == client_side, 0, 1).tolist()]


def _after(states: tuple[int, int], changes: list[Any]) -> tuple[int, int]:
    client, server = states
    for change in changes:
        client, server = (change.to_state, server) if change.side == 0 else (client, change.to_state)
    return client, server
