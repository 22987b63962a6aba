"""How a connection ended: a side that never closes, FINs that come again, answers that never came."""

import pytest

from tests.diagnosis.diagnosed import OPEN, diagnosed, of_rule

ASKED = OPEN + "20 C P. 1:81 1\n 30 S . 1 81\n"
ANSWERED = ASKED + "30.1 S P. 1:201 81\n 30.2 C . 81 201\n"
CLOSING = ANSWERED + "130 C F. 81 201\n 140 S . 201 82\n"


class TestCloseWaitStuck:
    @pytest.mark.parametrize(
        ("until_ms", "confidence"), [(10_139.9, None), (10_140, 0.65), (60_139, 0.65), (60_140, 0.85)]
    )
    def test_the_longer_the_silence_the_surer(self, until_ms: float, confidence: float | None) -> None:
        found = of_rule("close-wait-stuck", CLOSING, until_ms=until_ms)
        assert [finding.confidence for finding in found] == ([confidence] if confidence else [])

    def test_what_it_tells(self) -> None:
        (finding,) = of_rule("close-wait-stuck", CLOSING, until_ms=20_140)
        assert (finding.severity, finding.frames) == ("warning", (8, 9))
        assert "10.0.0.1:1000 closed (frame 8), the kernel of 10.0.0.2:80 acknowledged it" in finding.summary
        assert "20 s until the capture ended" in finding.summary

    def test_silence_ends_with_the_recording_though_another_one_of_years_later_is_joined(self) -> None:
        joined = {"recordings": [(0, 20_140_000_000), (10**18, 10**18)], "end_ns": 10**18}
        (finding,) = of_rule("close-wait-stuck", CLOSING, until_ms=20_140, summary=joined)
        assert "20 s until the capture ended" in finding.summary
        joined["recordings"] = [(10**18, 10**18), (0, 140_000_000)]
        assert of_rule("close-wait-stuck", CLOSING, until_ms=140, summary=joined) == []

    @pytest.mark.parametrize(("answer", "may_work"), [("", True), ("120 S P. 1:201 81\n 121 C . 81 201\n", False)])
    def test_whether_it_may_still_work_on_what_it_was_asked(self, answer: str, may_work: bool) -> None:
        text = OPEN + f"100 C P. 1:81 1\n 101 S . 1 81\n {answer} 130 C F. 81 1\n 131 S . 201 82"
        (finding,) = of_rule("close-wait-stuck", text, until_ms=20_140)
        assert ("still works on what it was asked" in finding.cause) == may_work

    def test_a_client_that_never_closes(self) -> None:
        (finding,) = of_rule("close-wait-stuck", ANSWERED + "130 S F. 201 81\n 140 C . 81 202", until_ms=20_140)
        assert finding.cause.startswith("the program on 10.0.0.1:1000")

    def test_midstream_confidence_falls(self) -> None:
        (finding,) = of_rule("close-wait-stuck", "0 S . 1 1\n 1 C F. 1 1\n 10 S . 1 2", until_ms=20_000)
        assert finding.confidence == pytest.approx(0.55)

    def test_a_close_that_began_before_the_capture(self) -> None:
        assert of_rule("close-wait-stuck", "0 C F. 1 1\n 10 S . 1 2", until_ms=90_000) == []

    @pytest.mark.parametrize(
        "later",
        [
            "9000 S F. 201 82\n 9000.1 C . 82 202",
            "15000 S P. 201:301 82\n 15000.1 C . 82 301",
            "200 S R. 201 82",
        ],
        ids=["closed late", "still sending", "reset"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("close-wait-stuck", CLOSING + later, until_ms=20_000) == []

    def test_a_fin_that_nobody_acknowledged_is_no_sign(self) -> None:
        assert of_rule("close-wait-stuck", ANSWERED + "130 C F. 81 201", until_ms=20_000) == []


class TestFinRetransmission:
    def test_the_fin_was_lost(self) -> None:
        (finding,) = of_rule("fin-retransmission", ANSWERED + "130 C F. 81 201\n 340 C F. 81 201\n 350 S . 201 82")
        assert (finding.severity, finding.confidence) == ("warning", 0.9)
        assert finding.frames == (8, 9, 10)
        assert "once, the first time 210 ms after it (frames 8, 9)" in finding.summary
        assert finding.cause.startswith("it was lost beyond this point")

    def test_payload_that_is_lost_with_it_is_told(self) -> None:
        (finding,) = of_rule(
            "fin-retransmission", ANSWERED + "130 C F. 81:181 201\n 340 C F. 81:181 201\n 350 S . 201 182"
        )
        assert "10.0.0.1:1000 repeated its FIN with the last 100 bytes to 10.0.0.2:80 once" in finding.summary

    def test_the_last_ack_was_lost(self) -> None:
        closed = CLOSING + "150 S F. 201 82\n 150.1 C . 82 202\n"
        (finding,) = of_rule("fin-retransmission", closed + "360 S F. 201 82\n 360.1 C . 82 202")
        assert finding.cause.startswith("its acknowledgement passed here and was lost beyond")
        assert finding.frames == (10, 11, 12)

    def test_the_other_side_is_gone(self) -> None:
        (finding,) = of_rule("fin-retransmission", ANSWERED + "130 C F. 81 201\n 340 C F. 81 201\n 760 C F. 81 201")
        assert finding.confidence == 0.8
        assert "twice" in finding.summary
        assert finding.cause.startswith("10.0.0.2:80 is gone")
        assert "never acknowledged in this capture" in finding.evidence

    @pytest.mark.parametrize(
        ("ack", "cause"), [(82, "10.0.0.2:80 has it and answered by RST (frame 9)"), (81, "it does not reach")]
    )
    def test_a_reset_that_acknowledges_it_shows_that_it_came(self, ack: int, cause: str) -> None:
        text = f"130 C F. 81 201\n 140 S R. 201 {ack}\n 340 C F. 81 201\n 350 S R {201}"
        (finding,) = of_rule("fin-retransmission", ANSWERED + text)
        assert finding.cause.startswith(cause)
        assert (
            (finding.frames == (8, 9, 10)) == ("acknowledged by the RST in frame 9" in finding.evidence) == (ack == 82)
        )

    def test_a_reset_after_the_last_repeat_ends_it(self) -> None:
        text = "130 C F. 81 201\n 340 C F. 81 201\n 350 S R. 201 82"
        (finding,) = of_rule("fin-retransmission", ANSWERED + text)
        assert finding.cause == (
            "it was lost beyond this point, or its acknowledgement before it; 10.0.0.2:80 ended it by RST"
        )

    def test_a_fin_after_payload_that_came_at_last_is_its_own_story(self) -> None:
        late = "130 C P. 81:181 201\n 340 C P. 81:181 201\n 350 S . 201 181\n 360 C F. 181 201\n 570 C F. 181 201"
        assert list(diagnosed(ANSWERED + late)) == ["rto-stall", "fin-retransmission"]

    def test_a_fin_that_waits_with_payload_is_part_of_the_stall(self) -> None:
        dead = "130 C P. 81:181 201\n 340 C P. 81:181 201\n 350 C F. 181 201\n 760 C P. 81:181 201\n 1600 C F. 181 201"
        assert list(diagnosed(ANSWERED + dead)) == ["rto-stall"]

    def test_the_other_side_is_there(self) -> None:
        fins = "130 C F. 81 201\n 340 C F. 81 201\n 350 S P. 201:301 81\n 351 C . 82 301\n 760 C F. 81 301"
        (finding,) = of_rule("fin-retransmission", ANSWERED + fins)
        assert finding.cause.startswith("it does not reach 10.0.0.2:80, which is still there")

    def test_nothing_is_known_of_a_side_that_was_never_heard(self) -> None:
        (finding,) = of_rule("fin-retransmission", "0 C S 0\n 10 C . 1 1\n 130 C F. 1 1\n 340 C F. 1 1")
        assert finding.confidence == 0.6

    @pytest.mark.parametrize(("again_ms", "found"), [(229.9, 0), (230, 1)])
    def test_a_timer_takes_its_time(self, again_ms: float, found: int) -> None:
        text = ANSWERED + f"130 C F. 81 201\n {again_ms} C F. 81 201\n 240 S . 201 82"
        assert len(of_rule("fin-retransmission", text)) == found

    @pytest.mark.parametrize(
        "later",
        [
            "130 C F. 81 201\n 140 S . 201 82\n 450 S F. 201 82\n 450.1 C . 82 202",
            "130 C F. 81 201\n 450 S F. 201 81\n 450.1 C F. 81 202\n 460 S . 202 82",
            "130 C F. 81 201\n 9000 C S 0\n 9010 S S. 0 1\n 9011 C F. 81 201",
            "130 C P. 81:181 201\n 340 C P. 81:181 201\n 350 C F. 181 201\n 760 C P. 81:181 201\n 1600 C F. 181 201",
            "130 C F. 81 201 ip_id=7\n 130.002 C F. 81 201 ip_id=7\n 140 S F. 201 82",
        ],
        ids=["one each", "carried on an ACK", "played again", "a passenger of lost payload", "a copy by the capture"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("fin-retransmission", ANSWERED + later) == []


class TestEmptyReply:
    def test_the_fin_is_the_servers_first_word(self) -> None:
        (finding,) = diagnosed(ASKED + "30.1 S F. 1 81\n 30.2 C F. 81 2\n 40 S . 2 82").values()
        assert (finding.rule, finding.severity, finding.confidence) == ("empty-reply", "warning", 0.9)
        assert finding.frames == (4, 6)
        assert "took 80 bytes of request from 10.0.0.1:1000 (frame 4) and closed 10.1 ms later" in finding.summary

    def test_who_goes_on_writing_may_expect_no_answer(self) -> None:
        logs = "".join(
            f"{20 + 3000 * n} C P. {1 + 40 * n}:{41 + 40 * n} 1\n {30 + 3000 * n} S . 1 {41 + 40 * n}\n"
            for n in range(4)
        )
        (finding,) = of_rule("empty-reply", OPEN + logs + "20000 S F. 1 161")
        assert finding.confidence == 0.5
        assert "the client went on writing for 9 s without an answer" in finding.evidence

    @pytest.mark.parametrize(("closed_ms", "confidence"), [(1029, 0.9), (1030, 0.65)])
    def test_who_was_silent_for_long_may_have_timed_out(self, closed_ms: float, confidence: float) -> None:
        (finding,) = of_rule("empty-reply", ASKED + f"{closed_ms} S F. 1 81")
        assert finding.confidence == confidence
        assert ("1 s without a segment before it" in finding.evidence) == (confidence == 0.65)
        assert ("a time-out" in finding.cause) == (confidence == 0.65)

    def test_the_fin_may_acknowledge_the_request_itself(self) -> None:
        assert len(of_rule("empty-reply", OPEN + "20 C P. 1:81 1\n 30 S F. 1 81")) == 1

    @pytest.mark.parametrize(
        "conversation",
        [
            ANSWERED + "40 S F. 201 81",
            ASKED + "40 C F. 81 1\n 50 S F. 1 82",
            OPEN + "20 S F. 1 1\n 30 C . 1 2",
            OPEN + "20 C P. 1:81 1\n 21 S F. 1 1",
            ASKED + "40 S F. 101 81",
            ASKED + "40 S R. 1 81",
            ASKED + "40 C R. 81 1\n 41 S F. 1 81",
            "20 C P. 1:81 1\n 30 S F. 1 81",
        ],
        ids=["answered", "client first", "no request", "crossed", "not seen", "reset", "gave up", "midstream"],
    )
    def test_silence(self, conversation: str) -> None:
        assert of_rule("empty-reply", conversation) == []


class TestSimultaneousClose:
    CROSSED = ANSWERED + "130 C F. 81 201\n 135 S F. 201 81\n"

    def test_neither_fin_knows_the_other(self) -> None:
        (finding,) = diagnosed(self.CROSSED + "135.1 C . 82 202\n 140 S . 202 82").values()
        assert (finding.rule, finding.severity, finding.frames) == ("simultaneous-close", "info", (8, 9))
        assert "closed within 5 ms" in finding.summary

    @pytest.mark.parametrize(
        "later",
        ["130 C F. 81 201\n 140 S F. 201 82\n 140.1 C . 82 202", "130 C F. 81 201"],
        ids=["three segments", "one FIN"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("simultaneous-close", ANSWERED + later) == []


class TestHalfClose:
    def test_what_came_after_the_fin_was_read(self) -> None:
        more = "240 S P. 201:701 82\n 240.1 C . 82 701\n 340 S P. 701:1201 82\n 341 S F. 1201 82\n 341.1 C . 82 1202"
        (finding,) = diagnosed(CLOSING + more).values()
        assert (finding.rule, finding.severity) == ("half-close", "info")
        assert finding.frames == (8, 10, 12)
        assert "10.0.0.2:80 sent 1000 bytes more, the first 110 ms later (frame 10)" in finding.summary

    @pytest.mark.parametrize(
        "later",
        [
            "130 C F. 81 201\n 131 S P. 201:701 81\n 131.1 C . 82 701",
            "130 C F. 81 201\n 140 S . 201 82\n 240 S P. 201:701 82\n 240.1 C R 82",
            "130 C F. 81 201\n 140 S . 201 82\n 240 S P. 201:701 82",
            "130 C F. 81 201\n 140 S . 201 82\n 2140 S F. 201 82\n 2140.1 C . 82 202",
        ],
        ids=["under way", "refused", "not taken", "only late"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("half-close", ANSWERED + later) == []
