"""How a handshake goes on after its SYN was answered: full queues, silence, slowness, two SYNs that cross."""

from collections.abc import Callable

import pytest

from tests.diagnosis.diagnosed import OPEN, diagnosed, of_rule
from tests.diagnosis.several import by_port, by_third, together

AT_SERVER = "0 C S 0\n 0.1 S S. 0 1\n 10 C . 1 1"
REPEATED = "1010 S S. 0 1\n 1010.1 C . 1 1\n 3010 S S. 0 1\n 3010.1 C . 1 1"
REQUEST = "11 C P. 1:81 1\n 220 C P. 1:81 1\n 640 C P. 1:81 1"
SERVED = "4000 S . 1 81\n 4001 S P. 1:201 81"


class TestAcceptQueueOverflow:
    def test_a_request_that_is_ignored_with_the_ack_shows_it_best(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", together(OPEN, REQUEST, "1010 S S. 0 1\n 1010.1 C . 81 1"))
        assert finding.confidence == 0.6
        assert finding.severity == "error"
        assert finding.frames == (3, 4, 7)
        assert "as if the ACK of 10.0.0.1:1000 (frame 3) and its 80 bytes of request (frame 4) had not come" in (
            finding.summary
        )
        assert "no TCP_DEFER_ACCEPT: that takes payload" in finding.evidence

    def test_stamps_may_swap_the_syn_ack_and_the_ack_it_drew(self) -> None:
        swapped = (
            "0 C S 0\n 1 C . 1 1\n 1.1 C P. 1:81 1\n 1.5 S S. 0 1\n 210 C P. 1:81 1\n 1010 S S. 0 1\n 1010.1 C . 81 1"
        )
        (finding,) = of_rule("accept-queue-overflow", swapped)
        assert (finding.confidence, finding.frames) == (0.6, (2, 3, 6))

    def test_of_a_silent_client_two_repeats_show_it(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", together(OPEN, REPEATED))
        assert finding.confidence == 0.5
        assert "lost beyond this point" in finding.cause
        assert "ignored" not in finding.summary

    @pytest.mark.parametrize(("others", "confidence"), [(by_third, 0.8), (str, 0.6)], ids=["another", "the same"])
    def test_several_clients_make_a_loss_on_the_way_less_likely(
        self, others: Callable[[str], str], confidence: float
    ) -> None:
        ignored = together(OPEN, REQUEST, "1010 S S. 0 1\n 1010.1 C . 81 1")
        found = of_rule("accept-queue-overflow", together(by_port(ignored, 1000), others(by_port(ignored, 1001, 5))))
        assert [finding.confidence for finding in found] == [confidence, confidence]
        assert all("lost beyond this point" in finding.cause for finding in found)
        assert ("2 clients of this listener fared so" in found[0].evidence) == (confidence > 0.6)

    def test_at_the_server_it_is_surer_and_has_one_cause(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", together(AT_SERVER, REPEATED))
        assert finding.confidence == 0.85
        assert "lost beyond this point" not in finding.cause
        assert finding.summary.startswith("10.0.0.2:80 ignored the ACK of 10.0.0.1:1000 (frame 3) and repeated its")

    def test_it_tells_how_late_the_connection_opened(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", together(OPEN, REQUEST, REPEATED, SERVED))
        assert finding.summary.endswith("It opened 3.99 s late.")

    @pytest.mark.parametrize(
        "later",
        ["", "4000 C P. 1:81 1\n 4010 S . 1 81\n 4011 S P. 1:201 81"],
        ids=["nothing more", "served once it speaks"],
    )
    def test_one_repeat_to_a_silent_client_may_be_a_deferred_accept(self, later: str) -> None:
        assert of_rule("accept-queue-overflow", together(OPEN, "1010 S S. 0 1\n 1010.1 C . 1 1", later)) == []

    def test_how_many_repeats_it_takes_can_be_set(self) -> None:
        text = together(OPEN, "1010 S S. 0 1\n 1010.1 C . 1 1")
        assert len(of_rule("accept-queue-overflow", text, repeats=1)) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "0 C S 0\n 1000 C S 0\n 1300 S S. 0 1\n 1300.1 C . 1 1\n 1301 C P. 1:81 1\n 2300 S S. 0 1",
            "0 C S 0\n 0.1 S S. 0 1\n 1000 S S. 0 1\n 1300 C . 1 1\n 1301 C P. 1:81 1\n 1301.1 S . 1 81",
            f"{OPEN}\n 500 S S. 9000 1\n 1010 S S. 9000 1\n 3010 S S. 9000 1",
        ],
        ids=["answers to two SYNs under way", "repeats before the ACK", "another server answers too"],
    )
    def test_other_repeats_are_none(self, text: str) -> None:
        assert of_rule("accept-queue-overflow", text) == []

    def test_it_explains_what_else_comes_of_it(self) -> None:
        found = diagnosed(together(OPEN, REQUEST, REPEATED, "7000 C P. 1:81 1\n 15000 C P. 1:81 1"))
        assert "accept-queue-overflow" in found
        assert {"half-open", "rto-stall", "idle-timeout", "first-data-reset"} & set(found) == set()


class TestAbortOnOverflow:
    def test_a_bare_rst_answers_the_ack(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", f"{OPEN} 20 S R 1 ip_id=0")
        assert finding.confidence == 0.7
        assert finding.frames == (3, 4)
        assert "tcp_abort_on_overflow" in finding.cause
        assert "or the listener closed" in finding.cause

    def test_an_ip_id_makes_it_less_sure(self) -> None:
        (finding,) = of_rule("accept-queue-overflow", f"{OPEN} 20 S R 1 ip_id=99")
        assert finding.confidence == 0.5

    def test_a_request_right_behind_the_ack_is_reset_as_well(self) -> None:
        text = f"{OPEN} 10.2 C P. 1:81 1\n 20 S R 1 ip_id=0"
        assert of_rule("accept-queue-overflow", text) == []
        assert len(of_rule("accept-queue-overflow", f"{text}\n 20.1 S R 1 ip_id=0")) == 1

    @pytest.mark.parametrize(
        "reset",
        ["20 S R. 1 1", "20 S R 1 ttl=99", "20 S R 500", "500 S R 1", "15 S . 1 1\n 20 S R 1", "20 C R 1"],
        ids=["a program's", "of another TTL", "of another number", "late", "after an answer", "the client's"],
    )
    def test_other_resets_are_none(self, reset: str) -> None:
        assert of_rule("accept-queue-overflow", f"{OPEN} {reset}") == []


HALF = "0 C S 0\n 0.1 S S. 0 1\n 1000 S S. 0 1\n 3000 S S. 0 1"


class TestHalfOpen:
    def test_it_tells_when_the_server_asked_again(self) -> None:
        (finding,) = of_rule("half-open", HALF, until_ms=4000)
        assert finding.frames == (1, 2, 3, 4)
        assert finding.confidence == 0.9
        assert finding.severity == "warning"
        assert "SYN-ACK repeated after 1 s, 3 s" in finding.evidence
        assert "the client is silent" in finding.summary

    @pytest.mark.parametrize(("until_ms", "found"), [(3000, 0), (3001, 1)])
    def test_the_silence_must_last_three_seconds(self, until_ms: float, found: int) -> None:
        assert len(of_rule("half-open", "0 C S 0\n 1 S S. 0 1\n 1001 S S. 0 1", until_ms=until_ms)) == found

    def test_one_repeat_is_less_sure(self) -> None:
        (finding,) = of_rule("half-open", "0 C S 0\n 1 S S. 0 1\n 1001 S S. 0 1", until_ms=5000)
        assert finding.confidence == 0.75

    def test_a_client_that_asks_again_does_not_get_the_answer(self) -> None:
        (finding,) = of_rule("half-open", together(HALF, "1010 C S 0\n 1010.1 S S. 0 1"), until_ms=5000)
        assert "the client asked again (frame 4)" in finding.summary
        assert "does not reach the client" in finding.cause

    def test_of_an_unseen_client_confidence_is_half(self) -> None:
        (finding,) = of_rule("half-open", HALF.partition("\n")[2], until_ms=5000)
        assert finding.confidence == 0.5
        assert "nothing of the client was seen" in finding.summary

    @pytest.mark.parametrize(
        "text",
        [
            "0 C S 0\n 0.1 S S. 0 1",
            f"{HALF}\n 3100 C . 1 1",
            f"{HALF}\n 3100 C R 1",
            "0 C S 0\n 0.1 S S. 0 1 ip_id=7\n 0.11 S S. 0 1 ip_id=7",
        ],
        ids=["never repeated", "acknowledged", "reset", "held twice"],
    )
    def test_other_answers_are_not_half_open(self, text: str) -> None:
        assert of_rule("half-open", text, until_ms=9000) == []


class TestHandshakeSlow:
    @pytest.mark.parametrize(("synack_ms", "found"), [(999.9, 0), (1000, 1)])
    def test_a_second_is_the_limit(self, synack_ms: float, found: int) -> None:
        assert len(of_rule("handshake-slow", f"0 C S 0\n {synack_ms} S S. 0 1\n {synack_ms + 0.1} C . 1 1")) == found

    def test_it_can_be_set(self) -> None:
        text = "0 C S 0\n 300 S S. 0 1\n 300.1 C . 1 1"
        assert len(of_rule("handshake-slow", text, slow_s=0.25)) == 1

    @pytest.mark.parametrize(
        ("text", "waited", "cause"),
        [
            ("0 C S 0\n 1200 S S. 0 1\n 1200.1 C . 1 1", "the SYN-ACK took 1.2 s", "was slow: one SYN"),
            ("0 C S 0\n 1200 S S. 0 1\n 1210 C P. 1:9 1", "the SYN-ACK took 1.2 s", "was slow: one SYN"),
            (
                "0 C S 0\n 1000 C S 0\n 1020 S S. 0 1\n 1020.1 C . 1 1",
                "the SYN-ACK took 1.02 s",
                "answered after 20 ms",
            ),
            (
                "0 C S 0\n 1000 C S 0\n 1001 C S 0\n 2000 S S. 0 1\n 2000.1 C . 1 1",
                "the SYN-ACK took 2 s",
                "asked 3 times",
            ),
            ("0 C S 0\n 1000 C S 0\n 1900 S S. 0 1\n 1900.1 C . 1 1", "the SYN-ACK took 1.9 s", "asked twice"),
            ("0 C S 0\n 1 S S. 0 1\n 1301 C . 1 1", "the client's ACK took 1.3 s", "slow to acknowledge"),
            ("0 C S 0\n 1 S S. 0 1\n 1001 S S. 0 1\n 1301 C . 1 1", "the client's ACK took 1.3 s", "was lost, or"),
            (
                "0 C S 0\n 1 S S. 0 1\n 1000 C S 0\n 1001 S S. 0 1\n 1301 C . 1 1",
                "the client's ACK took 1.3 s",
                "lost beyond this point: the client asked again",
            ),
            (
                f"{by_port(AT_SERVER, 1001)}\n {by_port(AT_SERVER, 1002, 50)}\n"
                "100 C S 0\n 1100 C S 0\n 1100.1 S S. 0 1\n 1110 C . 1 1",
                "the SYN-ACK took 1 s",
                "the server dropped the first SYN",
            ),
        ],
        ids="server payload-first lost-SYN late-answer slow-path client lost-ACK lost-answer dropped-SYN".split(),
    )
    def test_it_tells_who_waited_and_why(self, text: str, waited: str, cause: str) -> None:
        (finding,) = of_rule("handshake-slow", together(text))
        assert waited in finding.summary
        assert cause in finding.cause
        assert finding.confidence == 0.9

    @pytest.mark.parametrize(
        ("answered_ms", "cause"),
        [(2401, "the path is slow: a round trip takes 1.2 s"), (2200, "the first SYN or its answer was lost")],
    )
    def test_a_long_path_is_no_loss(self, answered_ms: int, cause: str) -> None:
        text = f"0 C S 0\n 1000 C S 0\n 1200 S S. 0 1\n 1200.1 C . 1 1\n 1201 C P. 1:81 1\n {answered_ms} S . 1 81"
        assert of_rule("handshake-slow", text)[0].cause.startswith(cause)

    def test_a_path_that_would_have_answered_sooner_is_not_all(self) -> None:
        later = "3010 S S. 0 1\n 3010.1 C . 1 1\n 3011 C P. 1:81 1\n 4141 S . 1 81"
        (finding,) = of_rule("handshake-slow", f"0 C S 0\n 1000 C S 0\n 3000 C S 0\n {later}")
        assert finding.cause.startswith("the first SYN or its answer was lost")

    @pytest.mark.parametrize(
        "text",
        [
            "0 C S 0\n 1 S S. 0 1\n 5000 S F. 900 1\n 5001 C F. 1 901",
            "0 C S 0\n 1 S S. 0 1\n 10 C R 1\n 5001 C . 1 1",
            "0 S S. 0 1\n 5001 C . 1 1",
            "0 C S 0\n 1 S S. 0 1\n 1300 C P. 1:9 1",
            "0 C S 0\n 1 S S. 0 1\n 1300 C F. 1 1",
            "0 C S 0\n 1 S S. 0 1\n 4000 C . 1 1",
        ],
        ids=["ACK unseen", "reset before", "SYN unseen", "payload first", "FIN first", "no SYN-ACK repeated meanwhile"],
    )
    def test_it_is_silent_where_the_handshake_is_not_whole(self, text: str) -> None:
        assert of_rule("handshake-slow", text) == []


class TestSimultaneousOpen:
    def test_two_syns_and_two_syn_acks(self) -> None:
        (finding,) = of_rule(
            "simultaneous-open", "0 C S 0\n 1 S S 0\n 2 C S. 0 1\n 20 S S. 0 1\n 21 C . 1 1\n 40 S . 1 1"
        )
        assert finding.severity == "info"
        assert finding.confidence == 0.95
        assert finding.frames == (1, 2, 3, 4)

    def test_it_may_be_a_split_handshake_where_one_end_sends_no_syn_ack(self) -> None:
        (finding,) = of_rule("simultaneous-open", "0 C S 0\n 10 S S 0\n 10.1 C S. 0 1\n 20 S . 1 1")
        assert finding.confidence == 0.6
        assert "split handshake" in finding.evidence[0]

    @pytest.mark.parametrize("text", [OPEN, "0 C S 0\n 10 S S 0"], ids=["one SYN", "nothing came of it"])
    def test_other_handshakes_are_none(self, text: str) -> None:
        assert of_rule("simultaneous-open", text) == []
