"""Round trips, bytes in flight, what limited a flow: a conversation in, columns out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tcptrace
from tcptrace.schema import LIMITS, REPEATS, UNKNOWN
from tcptrace.tcp import round_trips
from tcptrace.tcp.measures import _round_trips
from tests.conversation import packets
from tests.tcp.measured import MS, OPEN, last, last_of, limits, limits_of, told

CAPTURES = Path(__file__).parents[2] / "captures"


def test_an_acknowledgement_gives_a_round_trip() -> None:
    found = last("100 C . 1:101 1\n 130 S . 1 101")
    assert found.rtt_ns == 30 * MS


def test_only_the_range_that_ends_at_the_acknowledgement_gives_one() -> None:
    assert last("100 C . 1:101 1\n 110 C . 101:201 1\n 130 S . 1 201").rtt_ns == 20 * MS
    assert last("100 C . 1:101 1\n 130 S . 1 51").rtt_ns == -1
    assert last("100 C . 1:101 1\n 130 S . 1 51\n 140 S . 1 101").rtt_ns == -1


def test_what_was_sent_twice_gives_none() -> None:
    assert last("100 C . 1:101 1\n 400 C . 1:101 1\n 430 S . 1 101").rtt_ns == -1


def test_without_time_or_with_a_clock_that_goes_back_there_is_no_sample() -> None:
    back = last("100 C . 1:101 1 tsval=7\n 50 S . 1 101 tsecr=7")
    assert (back.rtt_ns, back.timestamp_rtt_ns) == (UNKNOWN, UNKNOWN)
    chunk = packets(OPEN + "100 C . 1:101 1\n 130 S . 1 101")
    chunk.time_ns[3] = -(2**63)
    assert last_of(chunk).rtt_ns == UNKNOWN
    assert last("100 C . 1:101 1\n 100 S . 1 101").rtt_ns == 0


def test_what_lies_below_a_repeat_is_no_measure_of_what_lies_above() -> None:
    found = last("100 C . 1:101 1\n 110 C . 101:201 1\n 400 C . 1:101 1\n 430 S . 1 201")
    assert found.rtt_ns == -1


def test_bytes_in_flight_without_what_was_acknowledged_or_sacked() -> None:
    assert last("100 C . 1:101 1\n 101 C . 101:201 1").bytes_in_flight == 200
    assert last("100 C . 1:101 1\n 110 S . 1 101\n 120 C . 101:201 1").bytes_in_flight == 100
    assert last("100 C . 1:101 1").measures.client_in_flight_max_bytes[0] == 100
    assert last_of(packets("0 C P. 1:101 1\n 1 C P. 101:201 1")).measures.client_in_flight_max_bytes[0] == UNKNOWN


def test_what_was_sacked_once_is_not_in_flight_though_later_segments_have_no_room_to_say_so() -> None:
    sent = "".join(f"100 C . {at}:{at + 100} 1\n" for at in range(1, 2001, 100))
    blocks = [f"{at}:{at + 100}" for at in range(101, 2001, 200)]
    acks = "".join(f"110 S . 1 1 sack={','.join(blocks[n::-1][:4])}\n" for n in range(len(blocks)))
    assert last(sent + acks + "120 C . 2001:2101 1").bytes_in_flight == 1100
    assert last(sent + acks + "119 S . 1 401\n 120 C . 2001:2101 1").bytes_in_flight == 900


def test_sacked_parts_of_a_joined_segment_are_not_in_flight() -> None:
    sent = "100 C . 1:1001 1\n 110 S . 1 1 sack=301:401,701:1001\n"
    assert last(sent + "120 C . 1001:1101 1").bytes_in_flight == 700
    assert last(sent + "111 S . 1 601 sack=701:1001\n 120 C . 1001:1101 1").bytes_in_flight == 200


def test_sack_and_dsack() -> None:
    text = (
        "100 C . 1:101 1\n 101 C . 201:301 1\n 110 S . 1 101 sack=201:301\n 111 C . 1:101 1\n 120 S . 1 101 sack=1:101"
    )
    segments = last(text).segments
    assert segments.sacked_bytes.tolist()[5:] == [100, 0, 0]
    assert segments.dsack.tolist()[5:] == [0, 0, 1]


def test_recovery_lasts_until_all_that_was_out_is_acknowledged() -> None:
    found = last("100 C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 920 S . 1 101\n 950 S . 1 201")
    assert found.measures.client_recoveries[0] == 1
    assert found.measures.client_recovery_ns[0] == 50 * MS


def test_time_goes_to_what_held_the_flow_back() -> None:
    text = "120 C . 1:101 1\n 150 S . 1 101\n 650 S . 1:3 101\n 651 C . 101 3"
    assert limits(text) == {"handshake": 20, "path": 31, "application": 600}


LIMITED = [
    # the window has no room for one more segment; SACKed bytes take up room
    ("100 S . 1 1 window=1\n 101 C . 1:101 1\n 181 S . 1 101", {"receiver_window": 80}),
    (
        "100 S . 1 1 window=3\n 101 C . 1:101 1\n 101 C . 101:201 1\n 101 C . 201:351 1\n"
        "111 S . 1 1 sack=101:351 window=3\n 151 S . 1 351 window=3",
        {"receiver_window": 50},
    ),
    # full segments are those of the SYN's MSS, here 536, however many an offload joined
    ("100 S . 1 1 window=20\n 101 C . 1:2001 1\n 151 S . 1 2001", {"path": 61}),
    ("100 S . 1 1 window=20\n 101 C . 1:2101 1\n 151 S . 1 2101", {"receiver_window": 50}),
    ("100 C . 1:2001 1\n 110 S . 1 2001 window=5\n 900 C . 2001:2101 1", {"application": 860}),
    # it is closed, and nothing can be sent: RFC 9293 section 3.8.6.1
    ("100 C . 1:101 1\n 110 S . 1 101 window=0\n 900 C . 100 1\n 910 S . 1 101 window=0", {"receiver_window": 800}),
    ("100 C . 1:501 1\n 110 S . 1 501 window=2\n 900 S . 1 501 window=9", {"receiver_window": 790}),
    # it has room for what was sent last: the sender has nothing to say, or has said that it has not
    ("100 C . 1:101 1\n 110 S . 1 101 window=2\n 900 C . 101:201 1", {"application": 860}),
    ("100 S . 1 1 window=0\n 900 S . 1 1", {"application": 870}),
    ("100 C . 1:101 1\n 101 C F. 101 1\n 110 S . 1 102 window=0\n 900 S F. 1 102", {"application": 870}),
    # a timer ran: from the last transmission, or the last news by an ACK
    ("100 C . 1:101 1\n 900 C . 1:101 1\n 950 S . 1 101", {"loss": 850}),
    (
        "100 C . 1:101 1\n 120 C . 101:201 1\n 130 S . 1 101\n 900 C . 101:201 1\n 950 S . 1 201",
        {"loss": 820, "path": 30},
    ),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 141 C . 101:201 1\n 151 S . 1 201", {"loss": 50, "path": 1}),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 111 S . 1 1\n 111 C . 1:101 1\n 141 S . 1 201", {"loss": 30, "path": 11}),
]


@pytest.mark.parametrize(("text", "expected"), LIMITED)
def test_what_held_the_flow_back(text: str, expected: dict[str, int]) -> None:
    found = limits(text)
    assert {name: found.get(name) for name in expected} == expected
    assert sum(found.values()) == int(packets(OPEN + text).time_ns[-1]) // MS


def test_near_the_receiver_acknowledgements_and_what_they_release_are_on_their_way() -> None:
    opened = "0 C S 0\n 1 S S. 0 1\n 31 C . 1 1\n"
    flights = "".join(f"{at} C . {at}:{at + 1} 1\n {at} S . 1 {at + 1}\n" for at in (31, 61, 91, 500))
    assert limits_of(packets(opened + flights)) == {"handshake": 31, "path": 90, "application": 379}


def test_near_the_receiver_a_loss_lasts_from_the_hole_to_what_fills_it() -> None:
    text = "0 C S 0\n 1 S S. 0 1\n 51 C . 1 1\n"
    text += "100 C . 1:101 1\n 101 S . 1 101\n 102 C . 201:301 1\n 103 S . 1 101 sack=201:301\n"
    text += "104 C . 301:401 1\n 105 S . 1 101 sack=201:401\n 152 C . 101:201 1\n 153 S . 1 401\n 400 C . 401:501 1"
    assert limits_of(packets(text))["loss"] == 50 + 1


def test_a_closed_window_needs_no_scale_to_be_known() -> None:
    text = "0 C . 1:101 1\n 10 S . 1 101 window=0\n 800 C . 100 1\n 810 S . 1 101 window=0"
    assert limits_of(packets(text))["receiver_window"] == 800


@pytest.mark.parametrize("side", ["C", "S"])
def test_of_one_direction_alone_it_cannot_be_told(side: str) -> None:
    lines = (OPEN + "100 C . 1:101 1\n 110 S . 1:101 101\n 120 C . 101 101\n 900 S . 101:201 101").splitlines()
    assert list(limits_of(packets("\n".join(line for line in lines if line.split()[1] == side)))) == ["unknown"]


def test_calls_without_an_answer_are_held_back_by_the_handshake() -> None:
    assert limits_of(packets("0 C S 0\n 1000 C S 0\n 3000 C S 0")) == {"handshake": 3000}
    assert limits_of(packets("0 C S 0\n 10 S S. 0 1\n 1010 S S. 0 1")) == {"handshake": 1010}
    assert limits_of(packets("0 C S 0\n 10 S R. 0 1")) == {"handshake": 10}
    assert limits_of(packets("0 C S 0\n 10 S R. 0 1\n 1000 C S 0\n 1010 S R. 0 1")) == {"handshake": 1010}
    assert limits_of(packets("0 C S 0\n 10 S S. 0 1\n 20 C R 1\n 1000 S S. 0 1\n 1010 C R 1")) == {"handshake": 1010}


def test_smoothing_is_that_of_rfc_6298() -> None:
    rows = np.zeros(round_trips.WIDTH, np.int64)
    for sample in (100, 200):
        round_trips.add_sample(rows, 0, np.zeros(0, np.int64), np.zeros(2, np.int64), sample)
    assert rows[round_trips.SRTT_NS] == 100 + (200 - 100) // 8
    assert rows[round_trips.RTTVAR_NS] == 50 + (100 - 50) // 4


@given(st.lists(st.integers(0, 10**11) | st.integers(0, 10**6), min_size=1, max_size=200))
def test_quantiles_are_as_near_as_is_said(samples: list[int]) -> None:
    rows, used = np.zeros(round_trips.WIDTH, np.int64), np.zeros(2, np.int64)
    histograms = np.zeros(round_trips.WORDS, np.int64)
    for sample in samples:
        round_trips.add_sample(rows, 0, histograms, used, sample)
    found = _round_trips(rows[None, :], histograms)
    assert (found.samples[0], found.min_ns[0], found.max_ns[0]) == (len(samples), min(samples), max(samples))
    assert found.mean_ns[0] == sum(samples) // len(samples)
    for q, value in ((0.5, found.p50_ns[0]), (0.99, found.p99_ns[0])):
        exact = np.quantile(samples, q)
        if len(samples) <= round_trips.EXACT:
            assert abs(value - exact) <= 1 + 1e-6 * value
        else:
            assert abs(value - exact) <= max(exact / 10, 5_000)


def test_what_another_interface_saw_too_takes_no_time_of_its_own() -> None:
    [flow] = tcptrace.analyze(CAPTURES / "two-interfaces" / "router.pcapng").flows.to_dict("records")
    assert flow["client_copies"] > 0
    told_ns = sum(flow[f"limited_by_{limit}_ns"] for limit in LIMITS)
    assert told_ns == pytest.approx((flow["end"] - flow["start"]).value, abs=10_000)


@pytest.mark.parametrize("stale", ["S . 90000 555555", "S . 90000 4000000000", "S R. 0 555555"])
def test_an_acknowledgement_of_what_was_never_sent_is_not_taken(stale: str) -> None:
    """A SYN that meets an old connection is answered by an ACK of that one (RFC 9293 figure 9)."""
    text = f"0 C S 0\n 10 {stale}\n 10 C R 555555\n 1000 C S 0\n 1010 S S. 0 1\n 1011 C . 1 1\n 1020 C P. 1:101 1"
    assert last_of(packets(text + "\n 1030 S . 1 101")).rtt_ns == 10 * MS
    assert sum(limits_of(packets(text)).values()) == limits_of(packets(text))["handshake"] + 9


def test_nor_is_what_a_reset_acknowledges_of_what_was_never_sent() -> None:
    text = "100 C . 1:101 1\n 105 S R. 1 500000\n 110 S . 1 101\n 120 C . 101:201 1"
    assert last(text).bytes_in_flight == 100
    assert last(text + "\n 135 S . 1 201").rtt_ns == 15 * MS


def test_the_answer_in_a_simultaneous_open_repeats_nothing() -> None:
    text = "0 C S 0\n 10 S S 0\n 30 C S. 0 1\n 31 S S. 0 1\n 40 C . 1 1\n 41 S . 1 1"
    found = told(packets(text))[1]
    assert [REPEATS[kind] for kind in found.repeat] == ["none"] * 6
    again = told(packets(text.replace("40 C . 1 1", "1040 C S. 0 1")))[1]
    assert [REPEATS[kind] for kind in again.repeat][4] != "none"


def test_data_before_the_clients_first_acknowledgement_is_part_of_the_handshake() -> None:
    """RFC 7413 section 4.2: a Fast Open server may answer the data of a SYN at once."""
    text = "0 C S 0:101\n 1 S S. 0 101\n 2 S . 1:1001 101\n 101 C . 101 1\n 102 C . 101 1001"
    assert limits_of(packets(text)) == {"handshake": 101, "path": 1}
