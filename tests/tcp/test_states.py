"""Both endpoints' states for every way a connection opens, closes and breaks."""

import pytest

from tests.conversation import outcome, packets, track

OPEN = """
    C S 0
    S S. 0 1
    C . 1 1
"""
TALK = """
    C P. 1:101 1
    S . 1 101
    S P. 1:201 101
    C . 101 201
"""


def test_normal_open_and_close_by_client():
    got = outcome(
        OPEN
        + TALK
        + """
        C F. 101 201
        S . 201 102
        S F. 201 102
        C . 102 202
    """
    )
    assert got.path("client") == ["CLOSED", "SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2?", "TIME_WAIT?"]
    assert got.path("server") == [
        "LISTEN", "SYN_RCVD", "ESTABLISHED?", "CLOSE_WAIT?", "LAST_ACK", "CLOSED?",
    ]  # fmt: skip
    assert got.flows.client_payload_bytes[0] == 100
    assert got.flows.server_payload_bytes[0] == 200
    assert got.flows.handshake_total_ns[0] == 20_000_000
    assert (got.flows.closed_by[0], got.flows.close[0]) == (1, 1)
    assert got.unexpected() == []


def test_close_by_server():
    got = outcome(OPEN + TALK + "S F. 201 101\n C . 101 202\n C F. 101 202\n S . 202 102")
    assert got.states() == ("CLOSED", "TIME_WAIT")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (2, 1)


def test_three_segment_close():
    got = outcome(OPEN + TALK + "C F. 101 201\n S F. 201 102\n C . 102 202")
    assert got.path("client")[-2:] == ["FIN_WAIT_1", "TIME_WAIT?"]
    assert got.path("server")[-3:] == ["CLOSE_WAIT?", "LAST_ACK", "CLOSED?"]


def test_simultaneous_close():
    got = outcome(OPEN + TALK + "C F. 101 201\n S F. 201 101\n C . 102 202\n S . 202 102")
    assert got.path("client")[-3:] == ["FIN_WAIT_1", "CLOSING?", "TIME_WAIT?"]
    assert got.path("server")[-4:] == ["CLOSE_WAIT?", "FIN_WAIT_1", "CLOSING?", "TIME_WAIT?"]
    assert got.flows.closed_by[0] == 3


def test_simultaneous_open():
    got = outcome("C S 0\n S S 0\n C S. 0 1\n S S. 0 1\n C . 1 1\n S . 1 1")
    assert got.path("client") == ["CLOSED", "SYN_SENT", "SYN_RCVD", "ESTABLISHED?"]
    assert got.path("server") == ["LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED?"]


def test_half_close_lets_the_other_side_send_on():
    got = outcome(OPEN + TALK + "C F. 101 201\n S . 201 102\n S P. 201:301 102\n C . 102 301")
    assert got.states() == ("FIN_WAIT_2", "CLOSE_WAIT")


def test_refused():
    got = outcome("C S 0\n S R. 0 1")
    assert got.states() == ("CLOSED", "CLOSED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (2, 2)


def test_reset_of_an_established_connection():
    got = outcome(OPEN + TALK + "C R. 101 201")
    assert got.path("client")[-1] == "CLOSED"
    assert got.path("server")[-1] == "CLOSED?"
    assert (got.flows.closed_by[0], got.flows.close[0]) == (1, 2)


def test_client_resets_in_syn_rcvd():
    got = outcome("C S 0\n S S. 0 1\n C R 1")
    assert got.path("client") == ["CLOSED", "SYN_SENT", "CLOSED"]
    assert got.path("server") == ["LISTEN", "SYN_RCVD", "CLOSED?"]


def test_reset_outside_the_window_changes_nothing():
    got = outcome(OPEN + TALK + "C R 90000000\n C P. 101:111 201\n S . 201 111")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")


def test_old_duplicate_reset_changes_nothing():
    got = outcome(OPEN + TALK + "C R 1\n")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")


def test_reset_answering_a_foreign_syn_ack_leaves_the_client_waiting():
    got = outcome("C S 0\n S S. 0 5000\n C R 5000\n")
    assert got.states()[0] == "SYN_SENT"


def test_reset_that_does_not_acknowledge_the_syn_changes_nothing():
    got = outcome("C S 0\n S R. 0 77")
    assert got.states() == ("SYN_SENT", "LISTEN")


def test_forged_reset_is_withdrawn_when_both_go_on():
    got = outcome(OPEN + TALK + "C R 101\n 500 C P. 101:201 201\n S . 201 201\n 600 S P. 201:211 201\n C . 201 211")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert got.flows.close[0] == 0


def test_data_in_flight_does_not_undo_a_reset():
    got = outcome(OPEN + TALK + "C R. 101 201\n S P. 201:301 101\n C R 101")
    assert got.states() == ("CLOSED", "CLOSED")


def test_syn_retransmitted_and_unanswered():
    got = outcome("0 C S 0\n 1000 C S 0\n 3000 C S 0")
    assert got.path("client") == ["CLOSED", "SYN_SENT"]
    assert got.states() == ("SYN_SENT", "LISTEN")


def test_syn_ack_repeated_after_the_ack_takes_the_server_back():
    got = outcome(OPEN + "1000 S S. 0 1\n C . 1 1\n 3000 S S. 0 1")
    assert got.path("server") == ["LISTEN", "SYN_RCVD", "ESTABLISHED?", "SYN_RCVD", "ESTABLISHED?", "SYN_RCVD"]


def test_syn_ack_repeated_after_data_of_the_server_is_an_old_copy():
    got = outcome(OPEN + TALK + "S S. 0 1")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")


def test_fin_repeated_takes_the_sender_back():
    got = outcome(OPEN + TALK + "C F. 101 201\n S . 201 102\n 400 C F. 101 201\n S . 201 102")
    assert got.path("client")[-4:] == ["FIN_WAIT_1", "FIN_WAIT_2?", "FIN_WAIT_1", "FIN_WAIT_2?"]


def test_last_ack_lost():
    got = outcome(OPEN + TALK + "C F. 101 201\n S F. 201 102\n C . 102 202\n 500 S F. 201 102\n C . 102 202")
    assert got.path("server")[-4:] == ["LAST_ACK", "CLOSED?", "LAST_ACK", "CLOSED?"]
    assert got.states()[0] == "TIME_WAIT"


def test_time_wait_ends_after_2msl():
    close = "C F. 101 201\n S F. 201 102\n 1000 C . 102 202\n"
    assert outcome(OPEN + TALK + close + "60999 S . 202 102").states()[0] == "TIME_WAIT"
    got = outcome(OPEN + TALK + close + "61000 S . 202 102")
    assert got.path("client")[-2:] == ["TIME_WAIT?", "CLOSED?"]
    assert 0 in got.transitions.frame


def test_midstream_close():
    got = outcome("C F. 101 201\n S . 201 102\n S F. 201 102\n C . 102 202")
    assert got.path("client") == ["UNKNOWN", "FIN_WAIT_1", "FIN_WAIT_2?", "TIME_WAIT?"]
    assert got.path("server") == ["UNKNOWN", "CLOSE_WAIT?", "LAST_ACK", "CLOSED?"]
    assert got.flows.midstream[0] == 1


def test_midstream_data():
    got = outcome("S P. 1:100 1\n C . 1 100")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert got.flows.client_port[0] == 1000


def test_the_server_side_alone_tells_both():
    got = outcome("S S. 0 1\n S . 1 78\n S P. 1:637 78\n S F. 637 79")
    assert got.path("server") == ["LISTEN", "SYN_RCVD", "ESTABLISHED", "LAST_ACK"]
    assert got.path("client") == ["UNKNOWN", "ESTABLISHED?", "FIN_WAIT_1?", "TIME_WAIT?"]


def test_the_client_side_alone_tells_both():
    got = outcome("C S 0\n C . 1 1\n C P. 1:78 1\n C . 78 637\n C F. 78 637\n C . 79 638")
    assert got.states() == ("TIME_WAIT", "CLOSED")


def test_port_reuse_out_of_time_wait():
    text = (
        OPEN
        + TALK
        + "S F. 201 101\n C F. 101 202\n S . 202 102\n 900 C S 500000\n S S. 700000 500001\n C . 500001 700001"
    )
    got = outcome(text)
    assert len(got.flows.flow) == 2
    assert got.path("server", 0)[-2:] == ["TIME_WAIT?", "CLOSED"]
    assert got.states(1) == ("ESTABLISHED", "ESTABLISHED")


def test_unique_bytes_with_loss_and_reordering():
    got = outcome(OPEN + "C . 1:101 1\n C . 201:301 1\n C . 101:201 1\n C . 1:101 1\n C . 150:350 1\n C . 400:401 1")
    assert got.flows.client_payload_bytes[0] == 350


def test_a_second_interface_shows_the_same_segments_again():
    text = OPEN + TALK + "C F. 101 201\n S F. 201 102\n C . 102 202"
    first, second = packets(text), packets(text)
    second.interface[:] = 1
    alone, both = track(first), track(first, second)
    assert both.path("client") == alone.path("client")
    assert both.path("server") == alone.path("server")
    assert both.flows.client_payload_bytes[0] == 100
    assert both.unexpected() == []


def test_a_flow_that_moves_to_another_interface_goes_on():
    moved = packets(OPEN + TALK + "C F. 101 201\n S F. 201 102\n C . 102 202")
    moved.interface[5:] = 1
    assert track(moved).states() == ("TIME_WAIT", "CLOSED")


def test_once_the_forged_senders_life_shows_so_does_the_victims():
    got = outcome(OPEN + TALK + "S R 201\n S P. 201:301 101\n C . 101 301")
    assert got.path("server")[-2:] == ["CLOSED", "ESTABLISHED"]
    assert got.path("client")[-2:] == ["CLOSED?", "ESTABLISHED"]


def test_reset_that_overtakes_its_own_data():
    got = outcome(OPEN + TALK + "C R. 201 201\n C P. 101:201 201")
    assert got.states() == ("CLOSED", "CLOSED")
    assert got.flows.client_payload_bytes[0] == 200


def test_stragglers_at_a_servers_capture_are_no_sign_of_life():
    got = outcome(
        "0 C S 0\n 0.02 S S. 0 1\n 50 C . 1 1\n 51 C P. 1:101 1\n 52 S . 1 101\n 100 S R. 1 101\n 130 C P. 101:201 1"
    )
    assert got.states() == ("CLOSED", "CLOSED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (2, 2)


def test_stale_connection_answers_a_syn_by_an_old_ack():
    got = outcome("C S 0\n S . 90000 555555\n C R 555555\n 1000 C S 0\n S S. 200000 1\n C . 1 200001\n C R. 1 200001")
    assert got.states() == ("CLOSED", "CLOSED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (1, 2)


def test_a_refused_connection_that_is_opened_at_the_second_try():
    got = outcome("C S 0\n S R. 0 1\n 500 C S 0\n S S. 0 1\n C . 1 1")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (0, 0)


def test_a_handshake_from_the_same_number_after_a_close_begins_anew():
    close = "S F. 201 101\n C F. 101 202\n S . 202 102\n"
    again = OPEN + TALK + close + "400000 C S 0\n S S. 90000 1\n C . 1 90001\n"
    got = outcome(again)
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (0, 0)
    assert outcome(again + "C F. 1 90001\n S F. 90001 2").flows.closed_by[0] == 1


def test_a_late_syn_ack_of_another_number_changes_nothing():
    late = "S S. 900000 1\n"
    got = outcome(OPEN + TALK + late + "C . 101 201")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert got.path("server") == outcome(OPEN + TALK).path("server")
    reset = outcome(OPEN + TALK + late + "C R. 101 201\n" + late)
    assert reset.states() == ("CLOSED", "CLOSED")
    assert (reset.flows.closed_by[0], reset.flows.close[0]) == (1, 2)
    again = outcome(OPEN + TALK + "C R. 101 201\n C S 0\n" + late + "C . 1 900001")
    assert again.states() == ("ESTABLISHED", "ESTABLISHED")


def test_what_the_server_acknowledges_shows_that_the_client_has_opened():
    got = outcome("C S 0\n S S. 0 1\n S . 1 1349")
    assert got.path("client") == ["CLOSED", "SYN_SENT", "ESTABLISHED?"]
    filtered = outcome("C S 0\n S S. 0 1\n S F. 20293 845\n C F. 845 20294")
    assert filtered.path("client") == ["CLOSED", "SYN_SENT", "ESTABLISHED?", "CLOSE_WAIT?", "LAST_ACK"]
    assert filtered.unexpected() == []
    assert outcome("C S 0\n S . 1 1349\n S . 1 5000").states()[0] == "SYN_SENT"


@pytest.mark.parametrize(
    ("rst", "by"), [("S R. 9000 5001", 2), ("S R 9000", 2), ("C R 5001", 1), ("C R. 5001 9000", 1)]
)
def test_a_reset_after_data_that_the_capture_lacks_ends_both(rst: str, by: int) -> None:
    got = outcome("C S 0\n S S. 0 1\n" + rst)
    assert got.states() == ("CLOSED", "CLOSED")
    assert (got.flows.closed_by[0], got.flows.close[0]) == (by, 2)
    assert outcome("C S 0\n S S. 0 5000\n C R 5000").states()[0] == "SYN_SENT"


def test_file_order_is_not_time_order():
    got = outcome("1 C S 0\n 3 C . 1 1\n 2 S S. 0 1")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")
    assert got.flows.handshake_total_ns[0] == 2_000_000
    assert outcome("1 C S 0\n 2 S S. 0 1\n 3 C . 1 1\n 2 S S. 0 1").states() == ("ESTABLISHED", "ESTABLISHED")


def test_2msl_ends_before_the_tuple_is_used_again():
    got = outcome(OPEN + "100 C F. 1 1\n S F. 1 2\n C . 2 2\n 600000 C S 500000")
    assert got.path("client")[-1] == "CLOSED?"
    assert got.transitions.time_ns[got.transitions.frame == 0].tolist() == [60_120_000_000]


def test_timelines_chain():
    for text in ("S R 5\n C S 777\n S S. 0 778", "S R. 0 1\n C S 0", "C R 1\n S R 1\n C S 5"):
        got = outcome(text)
        for side in ("client", "server"):
            path = got.path(side)
            assert not path or path[-1].rstrip("?") == got.states()[side == "server"]


def test_one_side_of_a_four_segment_close():
    server_only = outcome("S S. 0 1\n S . 1 78\n S P. 1:637 78\n S . 637 79\n S F. 637 79")
    assert server_only.states() == ("TIME_WAIT", "LAST_ACK")
    assert server_only.flows.closed_by[0] == 1
    client_only = outcome("C S 0\n C . 1 1\n C P. 1:78 1\n C . 78 637\n C . 78 638\n C F. 78 638")
    assert client_only.states() == ("LAST_ACK", "TIME_WAIT")
    assert client_only.flows.closed_by[0] == 2


def test_initial_round_trip_without_the_syn_ack():
    assert outcome("0 C S 0\n 20 C . 1 1").flows.handshake_total_ns[0] == 20_000_000


def test_fin_outside_what_the_peer_can_take_closes_nothing():
    got = outcome(OPEN + TALK + "C F. 50 201\n C F. 90000000 201\n S . 201 101\n C P. 101:111 201")
    assert got.states() == ("ESTABLISHED", "ESTABLISHED")


def test_halves_of_a_handshake():
    def halves(text):
        flows = outcome(text).flows
        return [int(flows.syn_to_synack_ns[0]), int(flows.synack_to_ack_ns[0]), int(flows.handshake_total_ns[0])]

    ms = 1_000_000
    assert halves("0 C S 0\n 10 S S. 0 1\n 30 C . 1 1") == [10 * ms, 20 * ms, 30 * ms]
    assert halves("0 C S 0\n 10 S S. 0 1\n 1010 S S. 0 1\n 1030 C . 1 1") == [10 * ms, 1020 * ms, 1030 * ms]
    assert halves("0 C S 0\n 10 S S. 0 1\n 1000 C S 0\n 1010 S S. 0 1\n 1030 C . 1 1") == [10 * ms, 20 * ms, 30 * ms]
    assert halves("0 C S 0\n 10 S S. 7000 1\n 20 S S. 0 1\n 30 C . 1 1") == [20 * ms, 10 * ms, 30 * ms]
    assert halves("0 C S 0\n 990 S S. 0 1\n 1000 C S 0\n 1040 C . 1 1") == [-1, -1, 40 * ms]
    assert halves("0 C S 0\n 10 S S 0\n 30 C S. 0 1\n 31 S S. 0 1\n 40 C . 1 1") == [-1, -1, 40 * ms]
