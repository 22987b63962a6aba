"""Flow numbers, against a dictionary of tuples; compiled kernels against plain ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace import flows as f
from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.schema import UNKNOWN, Packets, allocate
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table
from tests.conversation import outcome, packets, track

SYN, ACK = 2, 16
ROW = st.tuples(
    st.integers(0, 2),  # source address
    st.integers(0, 2),
    st.integers(1, 2),  # source port
    st.integers(1, 2),
    st.sampled_from([SYN, SYN | ACK, ACK, ACK | 1, 4, 0, SYN | 1, SYN | 4]),
    st.integers(0, 3),  # seq
    st.booleans(),  # quoted in ICMP
)


def table(rows) -> Packets:
    made = allocate(Packets, len(rows))
    for column in made:
        column[:] = UNKNOWN
    made.rfb[:], made.window[:] = 0, 100
    for i, (src, dst, sport, dport, flags, seq, quoted) in enumerate(rows):
        made.src[i], made.dst[i], made.sport[i], made.dport[i] = src, dst, sport, dport
        made.flags[i], made.seq[i], made.ack[i], made.len[i], made.quoted[i] = flags, seq, 7, 0, quoted
        made.frame[i], made.time_ns[i] = i + 1, i
    return made


def naive_numbers(rows) -> list[int]:
    """A dictionary from tuple to its newest flow, and the number each side of a flow began with."""
    newest: dict[frozenset, int] = {}
    base: list[dict] = []
    numbers = []
    for src, dst, sport, dport, flags, seq, quoted in rows:
        ends = ((src, sport), (dst, dport))
        key = frozenset(ends)
        reused = key in newest and flags & (SYN | ACK) == SYN
        if key not in newest or (reused and base[newest[key]].get(ends[0], seq) != seq):
            newest[key] = len(base)
            base.append({})
        flow = newest[key]
        if not quoted:
            if flags & (SYN | ACK) == SYN | ACK:
                base[flow][ends[0]] = seq
            base[flow].setdefault(ends[0], seq if flags & SYN else (seq - 1) % 2**32)
            if flags & ACK and ends[0] != ends[1]:
                base[flow].setdefault(ends[1], 6)
        numbers.append(flow)
    return numbers


@given(st.lists(ROW, max_size=60))
def test_numbers_are_those_of_a_dictionary(rows):
    assert Tracker().take(Chunk.of(table(rows), kernels.plain())).flow.tolist() == naive_numbers(rows)


@pytest.fixture(scope="module")
def compiled():
    return kernels.compiled()


@settings(max_examples=200, deadline=None)
@given(st.lists(ROW, max_size=60), st.integers(0, 60))
def test_compiled_kernels_agree_with_plain_ones(compiled, rows, cut):
    outcomes = []
    for chosen in (kernels.plain(), compiled):
        tracker = Tracker()
        parts = [Chunk.of(table(part), chosen) for part in (rows[:cut], rows[cut:])]
        seen = [column.tolist() for part in parts for column in tracker.take(part)]
        tracker.finish(10**12)
        outcomes.append((seen, [column.tolist() for column in transition_table(tracker, client_sides(tracker)[0])]))
    assert outcomes[0] == outcomes[1]


ENDS = [(address, port) for address in range(3) for port in (20, 21, 5000)]
SEGMENT = st.tuples(st.sampled_from(ENDS), st.sampled_from(ENDS), st.none() | st.sampled_from(ENDS))


def naive_announced(rows) -> list[bool]:
    """Of every flow whether it was announced, by a list of who may still connect to whom."""
    waiting, known, found = [], set(), []
    for source, target, named in rows:
        ends = frozenset((source, target))
        if ends not in known:
            known.add(ends)
            matching = [
                (end, peer) for end, peer in waiting if (end, peer) in ((target, source[0]), (source, target[0]))
            ]
            found.append(bool(matching))
            if matching:
                waiting.remove(matching[-1])
        if named and target[1] == 21:
            waiting.append(((target[0], 20), named[0]))
        elif named:
            waiting.append((named, target[0]))
    return found


def announced_flows(rows, chosen) -> list[bool]:
    made = table([(source[0], target[0], source[1], target[1], ACK, 1, False) for source, target, _ in rows])
    made.announced[:] = [UNKNOWN if named is None else named[0] << 16 | named[1] for _, _, named in rows]
    tracker = Tracker()
    tracker.take(Chunk.of(made, chosen))
    return [bool(seen & f.ANNOUNCED) for seen in tracker.flows.rows[f.SEEN : tracker.flow_count * f.WIDTH : f.WIDTH]]


@given(st.lists(SEGMENT, max_size=60))
def test_announced_flows_are_those_of_a_list(rows):
    assert announced_flows(rows, kernels.plain()) == naive_announced(rows)


@settings(deadline=None)
@given(st.lists(SEGMENT, max_size=60))
def test_compiled_kernels_agree_on_announced_flows(compiled, rows):
    assert announced_flows(rows, compiled) == announced_flows(rows, kernels.plain())


def test_of_more_announcements_the_last_ones_are_kept():
    replies = [((1, 21), (0, 1000), (1, 5000 + i)) for i in range(f.ANNOUNCED_MAX + 1)]
    connections = [((0, 2000), (1, 5000 + i), None) for i in range(f.ANNOUNCED_MAX + 1)]
    assert announced_flows(replies + connections, kernels.plain()) == [False, False] + [True] * f.ANNOUNCED_MAX


def test_many_flows_and_growth():
    made = table([(0, 1, 1, 2, SYN, 5, False)] * 5000)
    made.sport[:] = np.arange(5000)
    tracker = Tracker()
    parts = [Chunk.of(Packets._make(c[i::5] for c in made), kernels.plain()) for i in range(5)]
    numbers = [tracker.take(part).flow.tolist() for part in parts]
    assert sorted(n for part in numbers for n in part) == list(range(5000))
    again = tracker.take(parts[0]).flow.tolist()
    assert again == numbers[0]


def test_syn_with_a_new_number_begins_a_new_flow():
    got = outcome("C S 0\n S R. 0 1\n C S 0\n S R. 0 1\n C S 9\n S R. 0 10")
    assert got.flows.flow.tolist() == [0, 1]
    assert got.flows.client_frames.tolist() == [2, 1]


def test_a_quoted_header_uses_up_a_number_and_makes_no_flow():
    made = packets("C S 0\n C S 0\n S S. 0 1")
    made.quoted[0], made.sport[0] = 1, 9
    tracker = Tracker()
    assert tracker.take(Chunk.of(made, kernels.plain())).flow.tolist() == [0, 1, 1]


def test_the_end_with_more_flows_is_the_server_of_midstream_ones():
    made = table([(0, 1, 50000 + i, 60000, ACK, 5, False) for i in range(3)])
    from tcptrace.tcp.flow_table import client_sides, flow_table

    tracker = Tracker()
    tracker.take(Chunk.of(made, kernels.plain()))
    assert flow_table(tracker, *client_sides(tracker)).server_port.tolist() == [60000] * 3


def test_a_vnc_version_message_begins_a_new_number_that_goes_on():
    made = packets("C S 0\n S S. 0 1\n C . 1 1\n S P. 1:13 1\n C P. 1:13 13\n S . 13 13\n C R. 13 13")
    made.rfb[3:5] = 1
    tracker = Tracker()
    assert tracker.take(Chunk.of(made, kernels.plain())).flow.tolist() == [0, 0, 0, 0, 1, 1, 1]
    got = track(made)
    assert got.states(0) == ("ESTABLISHED", "ESTABLISHED")
    assert got.path("client", 1) == ["ESTABLISHED", "CLOSED"]
    assert got.flows.midstream.tolist() == [0, 0]
    made.dport[made.dport == 80], made.sport[made.sport == 80] = 5900, 5900
    assert len(track(made).flows.flow) == 1


def test_a_syn_after_a_vnc_version_message_begins_a_connection():
    made = packets("C S 0\n S S. 0 1\n C . 1 1\n S P. 1:13 1\n C S 5000\n S S. 7000 5001\n C . 5001 7001")
    made.rfb[3] = 1
    got = track(made)
    assert got.flows.client_frames.tolist() == [2, 2]
    assert got.states(1) == ("ESTABLISHED", "ESTABLISHED")
    assert got.flows.midstream.tolist() == [0, 0]


def test_a_segment_of_unknown_length_does_not_tell_where_numbers_begin() -> None:
    for first in ("C S 0 len=-1\n", "C P. 5000 1 len=-1\n", "C S 5000 len=-1\n"):
        assert len(outcome(first + "C S 0\n S S. 0 1\n C . 1 1").flows.flow) == 1
    assert len(outcome("C S 5000\n C S 0\n S S. 0 1\n C . 1 1").flows.flow) == 2


def test_a_header_that_an_error_quoted_is_not_the_first_of_a_connection() -> None:
    """It uses up the number; who began, and when, the first segment of its own tells."""
    opened = "30000 C S 0\n 30010 S S. 0 1\n 30020 C . 1 1"
    told = [outcome(text).flows for text in (f"0 S . 1 1 quoted=1\n {opened}", opened)]
    for column in ("flow", "client", "client_port", "start_ns", "end_ns", "client_state", "server_state", "midstream"):
        quoted, plain = (getattr(flows, column).tolist() for flows in told)
        assert quoted == plain, column
