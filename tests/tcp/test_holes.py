"""Unique bytes, against a set of byte positions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.schema import Endpoints
from tcptrace.tcp import endpoint_rows, holes, segment_pass
from tcptrace.tcp.endpoint import next_states

SEGMENTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=40)


def one_flow() -> Endpoints:
    table = Endpoints(
        np.zeros(2 * endpoint_rows.WIDE, np.int64),
        np.zeros(2 * endpoint_rows.NARROW, np.int32),
        np.zeros(2, np.int64),
        np.zeros(0, np.int64),
        next_states(),
    )
    view = kernels.plain().view(table)
    endpoint_rows.begin(view, 1)
    return view


@given(SEGMENTS)
def test_unique_bytes_are_those_of_a_set(segments):
    endpoints, nodes, sent = one_flow(), memoryview(np.zeros(300, np.int64)), set()
    first = 1000 + segments[0][0]
    for offset, length in segments:
        position = 1000 + offset
        segment_pass.note_sent(endpoints, 0, nodes, 0, position, length)
        sent |= {at for at in range(position, position + length) if at >= first}
        assert endpoints.wide[endpoint_rows.PAYLOAD] == len(sent)


@given(SEGMENTS)
def test_nodes_are_used_again(segments):
    endpoints, nodes = one_flow(), memoryview(np.zeros(300, np.int64))
    for offset, length in segments:
        segment_pass.note_sent(endpoints, 0, nodes, 0, 1000 + offset, length)
    segment_pass.note_sent(endpoints, 0, nodes, 0, 1000, 100)
    assert endpoints.narrow[endpoint_rows.HOLES] == 0 or segments[0][0] > 0
    assert holes.used(nodes) <= 2 * len(segments)
