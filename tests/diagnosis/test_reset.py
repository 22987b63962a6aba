"""Who reset a connection, in whose name, and why: what the form of a RST and what came before it tell."""

import pytest

from tests.diagnosis.diagnosed import ANSWERED, ASKED, CLOSED, OPEN, TAKEN, diagnosed, of_rule


class TestSidecarReset:
    @pytest.mark.parametrize(("rst_ms", "confidence"), [(70, 0.85), (70.1, 0.65), (30_020, 0.65)])
    def test_the_later_the_reset_the_less_it_is_a_refusal(self, rst_ms: float, confidence: float) -> None:
        (finding,) = of_rule("sidecar-reset", TAKEN + f"{rst_ms} S R. 1 81 ip_id=502")
        assert finding.confidence == confidence
        assert finding.frames == (4, 5, 6)

    def test_it_goes_before_the_close_by_which_it_is_done(self) -> None:
        found = diagnosed(TAKEN + "30.1 S R. 1 81 ip_id=502")
        assert list(found) == ["sidecar-reset"]
        assert found["sidecar-reset"].symptoms == ("abortive-close",)
        assert (
            "took the connection of 10.0.0.1:1000 and 80 bytes of request (frames 4, 5)"
            in found["sidecar-reset"].summary
        )

    @pytest.mark.parametrize(
        "conversation",
        [
            TAKEN + "30_021 S R. 1 81",
            TAKEN + "31 S R 1",
            ANSWERED + "40 S R. 201 81",
            TAKEN + "40 C F. 81 1\n 50 S R. 1 82",
            TAKEN + "40 C R. 81 1\n 50 S R. 1 81",
            "20 C P. 1:81 1\n 30 S . 1 81\n 31 S R. 1 81",
        ],
        ids=["too late", "bare", "an answer", "the client closed", "the client reset", "no handshake"],
    )
    def test_silence(self, conversation: str) -> None:
        assert of_rule("sidecar-reset", conversation) == []


class TestSidecarResetOfTwoFlows:
    CALL, ASK = "0 C S 0\n", "2 C . 1 1\n 3 C P. 1:81 1\n"
    ELSEWHERE = "src=2 dst=3"

    def text(self, end: str, ask: str = ASK) -> str:
        answer = f"1 S S. 0 1 {self.ELSEWHERE}\n"
        return f"{self.CALL}{answer}{ask}4 S . 1 81 {self.ELSEWHERE}\n{end} {self.ELSEWHERE}"

    def test_it_is_no_surer_than_that_they_are_one(self) -> None:
        found = diagnosed(self.text("5 S R. 1 81"))
        assert "abortive-close" not in found
        finding = found["sidecar-reset"]
        assert (finding.flows, finding.confidence, finding.frames) == ((0, 1), 0.5, (4, 5, 6))
        assert finding.evidence[0] == "flows 0 and 1 are one conversation, by ports and numbers, with confidence 0.5"
        assert "80 bytes of request" in finding.summary

    @pytest.mark.parametrize(
        "end",
        ["5 S R. 1 1", "5 S R 1", "31000 S R. 1 81", "5 S F. 1 81", "5 S P. 1:9 81 src=2 dst=3\n6 S R. 9 81"],
        ids=["not acknowledged", "bare", "too late", "closed", "answered"],
    )
    def test_silence(self, end: str) -> None:
        assert of_rule("sidecar-reset", self.text(end)) == []

    def test_nothing_was_asked(self) -> None:
        assert of_rule("sidecar-reset", self.text("5 S R. 1 81", ask="2 C . 1 1\n")) == []


class TestFirstDataReset:
    def test_a_bare_rst_in_answer_to_later_data(self) -> None:
        (finding,) = diagnosed(ANSWERED + "130 C P. 81:161 201\n 140 S R 201 ip_id=0").values()
        assert (finding.rule, finding.confidence, finding.frames) == ("first-data-reset", 0.8, (6, 8, 9))
        assert "answered its next data (frame 8) after 10 ms by a RST (frame 9)" in finding.summary

    @pytest.mark.parametrize(
        "later",
        [
            "130 C P. 81:161 201\n 140 S R. 201 81",
            "130 C P. 81:161 201\n 140 S . 201 161\n 150 S R 201",
            "130 C P. 81:161 201\n 131 S R 201",
            "130 S F. 201 81\n 140 C P. 81:161 201\n 150 S R 201",
            "130 C P. 81:161 201\n 140 S R 150",
            "130 S P. 201:301 81\n 140 C R 81",
        ],
        ids=["a socket's own", "taken", "no answer", "closed", "another number", "the client"],
    )
    def test_silence_later(self, later: str) -> None:
        assert of_rule("first-data-reset", ANSWERED + later) == []

    def test_a_bare_rst_in_answer_to_the_first_data(self) -> None:
        (finding,) = diagnosed(ASKED + "30 S R 1 ip_id=0").values()
        assert (finding.rule, finding.severity, finding.confidence) == ("first-data-reset", "error", 0.9)
        assert finding.frames == (1, 2, 4, 5)
        assert "first data (80 bytes, frame 4) after 10 ms by a RST (frame 5)" in finding.summary

    def test_another_ip_id_than_linux_gives_lets_confidence_fall(self) -> None:
        (finding,) = of_rule("first-data-reset", ASKED + "30 S R 1 ip_id=7")
        assert finding.confidence == 0.75

    @pytest.mark.parametrize(
        "conversation",
        [
            TAKEN + "31 S R 1",
            ASKED + "30 S R. 1 1",
            ASKED + "24.9 S R 1",
            ASKED + "30 S R 2",
            OPEN + "15 S S. 0 1\n 20 C P. 1:81 1\n 30 S R 1",
            "20 C P. 1:81 1\n 30 S R 1",
        ],
        ids=["acknowledged", "a socket's", "too soon", "not exact", "SYN-ACK again", "midstream"],
    )
    def test_silence(self, conversation: str) -> None:
        assert of_rule("first-data-reset", conversation) == []


class TestAbortiveClose:
    def test_without_payload_of_the_other_side_nothing_was_unread(self) -> None:
        (finding,) = of_rule("abortive-close", OPEN + "20 S P. 1:201 1\n 20.1 C . 1 201\n 30 S R. 201 1")
        assert finding.confidence == 0.85
        assert finding.cause.startswith("SO_LINGER")
        assert " or " not in finding.cause

    def test_what_a_rst_does_not_acknowledge_was_not_unread(self) -> None:
        (finding,) = of_rule("abortive-close", OPEN + "10.1 S P. 1:41 1\n 10.2 C R. 1 1")
        assert (finding.severity, finding.confidence) == ("info", 0.85)
        assert finding.cause.startswith("SO_LINGER")
        assert " or " not in finding.cause
        assert "none of the 40 bytes that 10.0.0.2:80 sent had come: it acknowledges none" in finding.evidence

    @pytest.mark.parametrize(
        "end",
        ["10.1 S P. 1:41 1\n 10.2 C R. 1 41", "10.1 S P. 1:41 1\n 10.2 C . 1 41\n 1020 C R 1"],
        ids=["acknowledged", "a bare RST"],
    )
    def test_what_may_have_come_may_have_been_unread(self, end: str) -> None:
        (finding,) = of_rule("abortive-close", OPEN + end)
        assert finding.severity == "warning"
        assert "lay unread" in finding.cause

    def test_a_closed_window_was_full_of_unread_data(self) -> None:
        full = OPEN + "20 C P. 1:1001 1\n 30 S . 1 1001 window=0\n 400 S R. 1 1001"
        (finding,) = of_rule("abortive-close", full)
        assert finding.confidence == 0.85
        assert "unread" in finding.cause
        assert "SO_LINGER" not in finding.cause

    def test_else_both_are_named_the_likelier_first(self) -> None:
        (after_answer,) = of_rule("abortive-close", ANSWERED + "130 S R. 201 81 ip_id=503")
        (after_question,) = of_rule(
            "abortive-close", ANSWERED + "130 C P. 81:161 201\n 180 S . 201 161\n 330 S R. 201 161"
        )
        assert after_answer.confidence == after_question.confidence == 0.6
        assert after_answer.cause.startswith("SO_LINGER")
        assert after_question.cause.startswith("close() while data")
        assert after_answer.severity == after_question.severity == "warning"
        assert after_answer.frames == (4, 8), "the last that the other side said, and the RST"
        assert "after 200 bytes sent and 80 received" in after_answer.summary

    def test_what_it_did_not_acknowledge_was_not_received(self) -> None:
        (finding,) = of_rule("abortive-close", ANSWERED + "130 C P. 81:161 201\n 131 S R. 201 81 ip_id=503")
        assert "after 200 bytes sent and 80 received" in finding.summary

    @pytest.mark.parametrize(
        ("conversation", "severity"),
        [
            (CLOSED + "200 C R. 81 202", "info"),
            (CLOSED + "199 C P. 81:181 202\n 200 C R. 181 202", "info"),
            (CLOSED + "199 C P. 81:182 202\n 200 C R. 182 202", "warning"),
            (ANSWERED + "130 S P. 201:301 81\n 131 S F. 301 81\n 140 C R. 81 201", "warning"),
            (OPEN + "20 C R. 1 1", "info"),
            (OPEN + "20 S R. 1 1", "warning"),
        ],
        ids=["closed", "farewell lost", "more than that", "data lost", "only looked", "turned away"],
    )
    def test_where_nothing_is_lost_it_is_info(self, conversation: str, severity: str) -> None:
        (finding,) = of_rule("abortive-close", conversation)
        assert finding.severity == severity

    @pytest.mark.parametrize(("quiet_ms", "first"), [(999, "close() while data"), (1000, "SO_LINGER")])
    def test_who_had_time_to_read_left_nothing_unread(self, quiet_ms: int, first: str) -> None:
        asked = ANSWERED + "130 C P. 81:161 201\n 180 S . 201 161\n"
        (finding,) = of_rule("abortive-close", asked + f"{180 + quiet_ms} S R. 201 161")
        assert finding.cause.startswith(first)
        assert any("without a segment before it" in line for line in finding.evidence) == (quiet_ms == 1000)

    def test_no_kernel_puts_payload_into_a_rst(self) -> None:
        (finding,) = of_rule("abortive-close", ANSWERED + "130 S R. 201:211 81 ip_id=503")
        assert finding.confidence == 0.4
        assert "is said, by a RST with payload, to have reset the connection" in finding.summary
        assert finding.cause.startswith("something in between")
        assert finding.evidence[0] == "RST+ACK, TTL 64, IP ID 503, 10 bytes of payload, at byte 201 of 10.0.0.2:80"

    @pytest.mark.parametrize(
        ("conversation", "severity"),
        [
            (ANSWERED + "130 S P. 201:232 81 alert=1\n 140 C R. 81 232", "info"),
            (ANSWERED + "130 S P. 201:232 81 alert=1\n 131 S P. 232:300 81\n 140 C R. 81 300", "warning"),
            (ANSWERED + "130 C P. 81:112 201 alert=1\n 140 C R. 112 201", "warning"),
        ],
        ids=["closed by it", "only warned", "its own"],
    )
    def test_a_tls_alert_of_the_other_side_is_a_close(self, conversation: str, severity: str) -> None:
        (finding,) = of_rule("abortive-close", conversation)
        assert finding.severity == severity
        said = "10.0.0.2:80 had closed, or refused, by a TLS alert (frame 8)"
        assert (said in finding.evidence) == (severity == "info")

    def test_a_bare_rst_counts_where_nothing_asked_for_it(self) -> None:
        (finding,) = of_rule("abortive-close", ANSWERED + "13000 C R 81")
        assert finding.confidence == 0.5
        assert of_rule("abortive-close", ANSWERED + "900 C R 81") == []

    @pytest.mark.parametrize(
        "conversation",
        ["20 C P. 1:81 1\n 30 S . 1 81\n 31 C R. 81 1", "0 S S. 0 1\n 20 S P. 1:201 81\n 50 S R. 201 81"],
        ids=["midstream", "one side only"],
    )
    def test_confidence_falls_where_something_is_missing(self, conversation: str) -> None:
        (finding,) = of_rule("abortive-close", conversation)
        assert finding.confidence == 0.5

    @pytest.mark.parametrize(
        "conversation",
        [
            "0 C S 0\n 10 S R. 0 1",
            "0 C S 0\n 10 S S. 0 1\n 11 C R. 1 1",
            "0 S R. 5 1",
            CLOSED + "200 S R. 202 81",
            ANSWERED + "40 C R. 1 201",
            "0 S S. 0 1\n 20 S P. 1:201 81\n 5000 S R 201",
            ANSWERED + "40 C R. 81 201\n 50 C P. 81:161 201",
            ANSWERED + "1030 C . 80 201\n 2030 C . 80 201\n 3030 C . 80 201\n 4030 C R. 81 201",
        ],
        ids=[
            "refused",
            "no handshake",
            "alone",
            "after its FIN",
            "stale",
            "one side only",
            "goes on",
            "keep-alives in vain",
        ],
    )
    def test_silence(self, conversation: str) -> None:
        assert of_rule("abortive-close", conversation) == []


class TestWriteAfterClose:
    def test_the_writer_knew(self) -> None:
        (finding,) = diagnosed(CLOSED + "430 C P. 81:161 202 ip_id=106\n 440 S R 202 ip_id=0").values()
        assert (finding.rule, finding.severity, finding.confidence) == ("write-after-close", "warning", 0.9)
        assert finding.frames == (8, 10, 11)
        assert "10.0.0.1:1000 sent 80 bytes 300 ms later (frame 10)" in finding.summary
        assert "had acknowledged" in finding.evidence[0]

    def test_an_answer_to_who_asked_and_closed(self) -> None:
        late = ANSWERED + "31 C F. 81 201\n 31.1 S . 201 82\n 32 S P. 201:281 82\n 32.1 C R 82"
        (finding,) = of_rule("write-after-close", late)
        assert finding.cause.startswith("10.0.0.2:80 was still answering what 10.0.0.1:1000 had asked")
        assert (finding.severity, finding.confidence) == ("warning", 0.9)

    def test_who_has_asked_nothing_gets_no_answer(self) -> None:
        (finding,) = of_rule("write-after-close", OPEN + "20 S F. 1 1\n 20.1 C . 1 2\n 21 C P. 1:81 2\n 22 S R 2")
        assert finding.cause.startswith("the program on 10.0.0.1:1000 had not noticed")

    @pytest.mark.parametrize(
        ("write", "told"),
        [
            ("32 S P. 201:270 82 alert=1", ("info", 0.9)),
            ("900 S P. 201:225 82 alert=1", ("info", 0.9)),
            ("32 S P. 201:218 82", ("info", 0.6)),
            ("141 S P. 201:218 82", ("info", 0.6)),
            ("32 S P. 201:242 82", ("warning", 0.9)),
            ("142 S P. 201:218 82", ("warning", 0.9)),
            ("32 S P. 201:240 82\n 32.1 S P. 240:264 82", ("info", 0.6)),
            ("32 S P. 201:240 82\n 142 S P. 240:264 82", ("warning", 0.9)),
            ("32 S P. 201:240 82\n 32.1 S P. 240:264 82\n 32.2 S P. 264:302 82", ("warning", 0.9)),
            ("32 S P. 201:401 82\n 32.1 S P. 401:425 82 alert=1", ("warning", 0.9)),
        ],
        ids="TLS alert|hidden alert, late|short|a round trip later|not short|short but late|two|the second late|three,"
        " too long together|data before the alert".split("|"),
    )
    def test_last_words_after_the_other_s_fin(self, write: str, told: tuple[str, float]) -> None:
        (finding,) = of_rule("write-after-close", ANSWERED + f"31 C F. 81 201\n 31.1 S . 201 82\n {write}\n 999 C R 82")
        assert (finding.severity, finding.confidence) == told
        assert ("closing too" in finding.cause) == (told == ("info", 0.9))
        assert ("goodbye" in finding.cause and "answer that nobody reads" in finding.cause) == (told[1] == 0.6)

    @pytest.mark.parametrize("write", ["32 S P. 1:31 82", "32 S P. 1:31 81", "5000 S P. 1:31 82\n 5000.1 S F. 31 82"])
    def test_who_had_said_nothing_before_says_no_goodbye(self, write: str) -> None:
        (finding,) = of_rule("write-after-close", TAKEN + f"31 C F. 81 1\n {write}\n 5001 C R {write.split()[4]}")
        assert (finding.severity, finding.confidence) == ("warning", 0.9)
        assert finding.cause.startswith("10.0.0.1:1000 did not wait for the answer of 10.0.0.2:80 (nc -q0, close()")

    def test_a_greeting_that_nobody_asked_for_is_no_lost_answer(self) -> None:
        (finding,) = of_rule("write-after-close", OPEN + "20 C F. 1 1\n 21 S P. 1:31 2\n 21.1 C R 2")
        assert (finding.severity, finding.confidence) == ("info", 0.6)

    def test_a_short_request_after_the_server_s_fin_may_be_lost(self) -> None:
        (finding,) = of_rule("write-after-close", CLOSED + "180 C P. 81:87 202 ip_id=106\n 181 S R 202 ip_id=0")
        assert (finding.severity, finding.confidence) == ("warning", 0.6)
        assert finding.cause.startswith("a goodbye of 10.0.0.1:1000 (QUIT, +OK, GOAWAY), or a short request")

    def test_what_was_under_way_when_the_other_closed(self) -> None:
        download = ANSWERED + "31 C F. 81 201\n 32 S . 201:1201 81\n 32.1 C R 81"
        (finding,) = of_rule("write-after-close", download)
        assert "while data was still coming" in finding.cause
        assert "had not yet" in finding.evidence[0]

    @pytest.mark.parametrize(("length", "severity"), [(31, "info"), (100, "info"), (101, "warning")])
    def test_a_farewell_is_no_harm(self, length: int, severity: str) -> None:
        end = 201 + length
        text = ANSWERED + f"40 C F. 81 201\n 50 S P. 201:{end} 81\n 50.1 S F. {end} 81\n 50.2 C R 81\n 50.3 C R 81"
        (finding,) = of_rule("write-after-close", text)
        assert finding.severity == severity

    def test_a_half_close_that_ends_so_is_its_symptom(self) -> None:
        found = diagnosed(CLOSED + "430 C P. 81:161 202\n 440 S . 202 161\n 500 C P. 161:241 202\n 510 S R 202")
        assert list(found) == ["write-after-close"]

    @pytest.mark.parametrize(
        "conversation",
        [
            CLOSED + "430 C P. 81:161 202\n 440 S . 202 161",
            CLOSED + "430 C F. 81 202\n 440 S R 202",
            CLOSED + "430 C P. 81:161 202\n 440 S R 150",
            ANSWERED + "430 C P. 81:161 201\n 440 S R 201",
        ],
        ids=["acknowledged", "nothing written", "another place", "never closed"],
    )
    def test_silence(self, conversation: str) -> None:
        assert of_rule("write-after-close", conversation) == []
