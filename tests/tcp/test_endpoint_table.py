"""The state table: every cell, through the kernel, says what the text says."""

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.schema import STATES, Endpoints
from tcptrace.tcp import endpoint, endpoint_rows, transition_log
from tcptrace.tcp.endpoint import EVENTS, Cell


@pytest.mark.parametrize("cell", endpoint.cells(), ids=lambda cell: f"{cell.state}-{cell.event}".replace(" ", "_"))
def test_cell(cell: Cell):
    endpoints = kernels.plain().view(
        Endpoints(
            np.zeros(2 * endpoint_rows.WIDE, np.int64),
            np.zeros(2 * endpoint_rows.NARROW, np.int32),
            np.zeros(2, np.int64),
            np.zeros(8, np.int64),
            endpoint.next_states(),
        )
    )
    endpoint_rows.begin(endpoints, 1)
    endpoints.narrow[endpoint_rows.STATE] = STATES.index(cell.state)
    for _ in range(2):
        transition_log.step(endpoints, 0, EVENTS.index(cell.event), 1, 7, 99)
    assert STATES[endpoints.narrow[endpoint_rows.STATE]] == after_twice(cell)
    if cell.next_state is None:
        assert endpoints.used[1] == 1, "an unexpected event is written down once"
    elif cell.next_state == cell.state:
        assert endpoints.used[1] == 0
    else:
        assert endpoints.used[1] >= 1
        assert endpoints.steps[transition_log.FRAME] == 7


def after_twice(cell: Cell) -> str:
    """The state after the same event has come twice."""
    by_cell = {(c.state, c.event): c.next_state for c in endpoint.cells()}
    once = cell.next_state or cell.state
    return by_cell[once, cell.event] or once


def test_every_reason_belongs_to_a_cell_that_needs_one():
    told = {(c.event, c.state) for c in endpoint.cells() if c.reason and c.next_state not in (None, c.state)}
    assert told == set(endpoint.REASONS)


def test_table_has_a_row_for_every_event():
    assert len(endpoint.cells()) == (len(EVENTS) - 1) * len(STATES)
    assert EVENTS[endpoint.TUPLE_REUSED] == "tuple reused"
