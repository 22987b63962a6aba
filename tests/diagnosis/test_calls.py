"""What becomes of a client's SYN: nothing, a drop at the server, a drop by its age, or a RST."""

import pytest

from tests.diagnosis.diagnosed import OPEN, diagnosed, evidence, of_rule
from tests.diagnosis.several import by_port, by_third, to_port, together

ASKED = "0 C S 0\n 1000 C S 0\n 3000 C S 0\n 7000 C S 0"
AT_CLIENT = OPEN
AT_SERVER = "0 C S 0\n 0.1 S S. 0 1\n 10 C . 1 1"
REFUSED = "0 C S 0\n 10 S R. 0 1 ip_id=0"


class TestSynUnanswered:
    def test_it_tells_how_often_and_when_the_client_asked(self) -> None:
        (finding,) = of_rule("syn-unanswered", together(ASKED, by_port(OPEN, 1001, 8000)))
        assert finding.frames == (1, 2, 3, 4)
        assert finding.flow == 0
        assert finding.severity == "error"
        assert finding.summary == (
            "10.0.0.1:1000 called 10.0.0.2:80 by 4 SYNs (frames 1 to 4) in 7 s and heard nothing."
        )
        assert "repeated after 1 s, 3 s, 7 s" in finding.evidence

    def test_it_tells_whether_the_listener_answers_others(self) -> None:
        causes = {
            "": "the host is down or unreachable",
            by_port(OPEN, 1001): "this client was answered before or after",
            by_third(by_port(OPEN, 1001)): "others are answered",
            to_port(by_port(OPEN, 1001), 443): "a filter drops what goes to this port",
        }
        for others, cause in causes.items():
            (finding,) = of_rule("syn-unanswered", together(ASKED, others))
            assert cause in finding.cause

    def test_repeats_prove_it_where_no_answer_can_be_seen_and_count_for_less(self) -> None:
        (unseen,) = of_rule("syn-unanswered", ASKED)
        (seen,) = of_rule("syn-unanswered", together(ASKED, by_port(OPEN, 1001)))
        assert unseen.confidence == 0.8
        assert seen.confidence == 0.95

    def test_one_repeat_is_less_sure_than_two(self) -> None:
        confidences = [
            of_rule("syn-unanswered", together(text, by_port(OPEN, 1001)), until_ms=9000)[0].confidence
            for text in ("0 C S 0", "0 C S 0\n 1000 C S 0", "0 C S 0\n 1000 C S 0\n 3000 C S 0")
        ]
        assert confidences == [0.5, 0.8, 0.95]

    @pytest.mark.parametrize(
        ("text", "severity"), [("0 C S 0", "warning"), ("0 C S 0\n 1000 C S 0", "error")], ids=["single", "repeated"]
    )
    def test_a_syn_that_was_not_repeated_may_be_a_call_given_up(self, text: str, severity: str) -> None:
        (finding,) = of_rule("syn-unanswered", together(text, by_port(OPEN, 1001)), until_ms=9000)
        assert finding.severity == severity
        assert finding.cause.startswith("the caller gave the call up") == (severity == "warning")
        assert "this client was answered before or after" in finding.cause

    @pytest.mark.parametrize(("until_ms", "found"), [(2999, 0), (3000, 1)])
    def test_a_single_syn_must_be_three_seconds_old(self, until_ms: float, found: int) -> None:
        text = together("0 C S 0", to_port(by_port(OPEN, 1001), 81))
        assert len(of_rule("syn-unanswered", text, until_ms=until_ms)) == found

    def test_the_age_can_be_set(self) -> None:
        text = together("0 C S 0", to_port(by_port(OPEN, 1001), 81))
        assert len(of_rule("syn-unanswered", text, until_ms=2000, wait_s=1.5)) == 1

    def test_a_single_syn_is_nothing_where_no_answer_can_be_seen(self) -> None:
        assert of_rule("syn-unanswered", together("0 C S 0", by_port("100 C S 0", 1001)), until_ms=9000) == []

    def test_a_frame_that_the_capture_holds_twice_is_no_repeat(self) -> None:
        assert of_rule("syn-unanswered", "0 C S 0 ip_id=7\n 0.01 C S 0 ip_id=7", until_ms=9000) == []

    @pytest.mark.parametrize("answer", ["7100 S S. 0 1", "7100 S R. 0 1", "7100 S . 5 5"])
    def test_any_answer_is_one(self, answer: str) -> None:
        assert of_rule("syn-unanswered", f"{ASKED}\n {answer}") == []

    @pytest.mark.parametrize(("at_ms", "found"), [(2999, 0), (3000, 1)])
    def test_a_single_syn_that_another_replaces_is_no_call(self, at_ms: float, found: int) -> None:
        text = together("0 C S 0", f"{at_ms} C S 5000\n {at_ms + 1} S S. 0 5001")
        assert len(of_rule("syn-unanswered", text, until_ms=9000)) == found

    def test_a_client_that_goes_on_was_answered_unseen(self) -> None:
        assert of_rule("syn-unanswered", "0 C S 0\n 1000 C S 0\n 1010 C . 1 1\n 5000 C P. 1:9 1") == []

    @pytest.mark.parametrize(("listeners", "found"), [(9, 9), (10, 1)])
    def test_a_client_that_calls_ten_listeners_is_told_as_one(self, listeners: int, found: int) -> None:
        calls = [to_port(by_port(ASKED, 2000 + n), 8000 + n) for n in range(listeners)]
        findings = of_rule("syn-unanswered", together(*calls))
        assert len(findings) == found
        if found == 1:
            assert findings[0].severity == "error"
            assert len(findings[0].flows) == listeners
            assert f"to {listeners} listeners" in findings[0].summary
            assert "scan" in findings[0].cause

    def test_a_scan_by_single_syns_is_a_warning(self) -> None:
        calls = [to_port(by_port("0 C S 0", 2000 + n, n), 8000 + n) for n in range(30)]
        (finding,) = of_rule("syn-unanswered", together(*calls, by_port(OPEN, 1001, 100)), until_ms=9000)
        assert finding.severity == "warning"
        assert len(finding.flows) == 30
        assert len(finding.frames) == 5

    def test_many_calls_to_one_listener_are_one_finding(self) -> None:
        (finding,) = of_rule("syn-unanswered", together(*(by_port(ASKED, 2000 + n, n) for n in range(30))))
        assert len(finding.flows) == 30
        assert finding.severity == "error"
        assert finding.summary == "30 calls of 10.0.0.1 to 10.0.0.2:80 got no answer."

    def test_listeners_without_number_are_one_finding_more(self) -> None:
        from tcptrace.diagnosis.rules.syn_unanswered import LISTENERS_MAX

        calls = [to_port(by_port(ASKED, 2000 + n, n), 8000 + n) for n in range(LISTENERS_MAX + 5)]
        findings = of_rule("syn-unanswered", together(*calls), scan_targets=1000)
        assert len(findings) == LISTENERS_MAX + 1
        assert len(findings[-1].flows) == 5

    def test_flows_that_another_rule_explains_are_left_out(self) -> None:
        import numpy as np

        from tcptrace.diagnosis import calls

        known = evidence(together(ASKED, by_port(ASKED, 1001)))
        assert len(calls.unanswered(known, 0).row) == 2
        assert calls.unanswered(known.without(np.array([0])), 0).row.tolist() == [1]


class TestSynDroppedByServer:
    def test_it_explains_the_unanswered_syn_where_the_server_is_near(self) -> None:
        found = diagnosed(together(by_port(AT_SERVER, 1001), ASKED, by_port(AT_SERVER, 1002, 5000)))
        finding = found["syn-dropped-by-server"]
        assert "syn-unanswered" in finding.symptoms
        assert "syn-unanswered" not in found
        assert finding.flow == 1
        assert finding.confidence == 0.9
        assert finding.frames == (2, 5, 6, 10)
        assert "1 of the calls it answered came after the first that it dropped" in finding.evidence

    def test_at_the_client_it_is_silent(self) -> None:
        found = diagnosed(together(by_port(AT_CLIENT, 1001), ASKED, by_port(AT_CLIENT, 1002, 5000)))
        assert "syn-dropped-by-server" not in found
        assert "syn-unanswered" in found

    def test_a_listener_that_answers_nobody_is_none_that_drops(self) -> None:
        assert of_rule("syn-dropped-by-server", together(to_port(by_port(AT_SERVER, 1001), 81), ASKED)) == []

    def test_it_is_less_sure_of_a_server_that_never_answers_again(self) -> None:
        (before,) = of_rule("syn-dropped-by-server", together(by_port(AT_SERVER, 1001), by_port(ASKED, 1000, 1000)))
        assert before.confidence == 0.75

    def test_a_client_of_which_nothing_is_answered_may_be_filtered(self) -> None:
        (dropped,) = of_rule("syn-dropped-by-server", together(by_port(AT_SERVER, 1001), ASKED))
        (filtered,) = of_rule("syn-dropped-by-server", together(by_third(AT_SERVER), ASKED))
        assert "accept queue is full" in dropped.cause
        assert "a filter on the server" in filtered.cause

    def test_several_calls_are_one_finding(self) -> None:
        calls = [by_port(ASKED, 2000 + n, n) for n in range(3)]
        (finding,) = of_rule("syn-dropped-by-server", together(by_port(AT_SERVER, 1001), *calls))
        assert sorted(finding.flows) == [0, 2, 3] or len(finding.flows) == 3


def stamped(port: int, at_ms: float, clock: int, *, answered: bool) -> str:
    """A call of a host whose clock shows `clock` when the capture begins, in milliseconds."""
    if answered:
        text = f"0 C S 0 tsval={clock}\n 0.1 S S. 0 1\n 10 C . 1 1 tsval={clock + 10}"
    else:
        text = "\n".join(f"{ms} C S 0 tsval={clock + ms}" for ms in (0, 1000, 2000))
    shifted = by_port(text, port, at_ms)
    return "\n".join(
        " ".join(f"tsval={int(word[6:]) + int(at_ms)}" if word.startswith("tsval=") else word for word in line.split())
        for line in shifted.splitlines()
    )


SLOW, FAST = 1_000_000, 900_000_000


class TestPawsNatDrop:
    def calls(self, *hosts: tuple[int, bool]) -> str:
        return together(*(stamped(2000 + n, 4000 * n, clock, answered=taken) for n, (clock, taken) in enumerate(hosts)))

    def test_the_host_whose_clock_is_behind_is_dropped(self) -> None:
        text = self.calls((SLOW, True), (FAST, True), (SLOW, False), (FAST, True), (SLOW, False))
        found = diagnosed(text)
        finding = found["paws-nat-drop"]
        assert list(finding.flows) == [2, 4]
        assert finding.confidence == 0.9
        assert "syn-unanswered" not in found
        assert "syn-dropped-by-server" not in found
        assert "its clock ticks 1,000 times a second, and goes on through other calls" in finding.evidence

    def test_one_drop_is_less_sure(self) -> None:
        (finding,) = of_rule("paws-nat-drop", self.calls((SLOW, True), (FAST, True), (SLOW, False)))
        assert finding.confidence == 0.75

    @pytest.mark.parametrize(
        "hosts",
        [
            ((SLOW, True), (FAST, True), (SLOW, True), (SLOW, False)),
            ((FAST, True), (SLOW, True), (FAST, False)),
            ((SLOW, True), (FAST, True), (SLOW, True), (FAST, True)),
            ((SLOW, False), (SLOW, False)),
        ],
        ids=["an older one was answered", "the newer is dropped", "all are answered", "none is answered"],
    )
    def test_it_is_silent_where_age_does_not_tell_them_apart(self, hosts: tuple[tuple[int, bool], ...]) -> None:
        assert of_rule("paws-nat-drop", self.calls(*hosts)) == []

    def test_a_clock_that_is_seen_once_is_no_host(self) -> None:
        assert of_rule("paws-nat-drop", self.calls((SLOW, True), (FAST, True), (SLOW + 7_000_000, False))) == []

    def test_a_clock_that_stands_still_tells_nothing(self) -> None:
        text = self.calls((SLOW, True), (FAST, True), (SLOW, False), (SLOW, False))
        standing = "\n".join(
            f"{line.partition('tsval')[0]} tsval=1000000" if "port=2002" in line else line for line in text.splitlines()
        )
        assert of_rule("paws-nat-drop", standing) == []

    def test_a_server_forgets_after_a_minute(self) -> None:
        text = together(
            stamped(2000, 0, SLOW, answered=True),
            stamped(2001, 1000, FAST, answered=True),
            stamped(2002, 70_000, SLOW, answered=False),
        )
        assert of_rule("paws-nat-drop", text) == []
        assert len(of_rule("paws-nat-drop", text, window_s=100)) == 1


class TestConnectionRefused:
    def test_it_names_the_rst_and_how_long_it_took(self) -> None:
        (finding,) = of_rule("connection-refused", REFUSED)
        assert finding.frames == (1, 2)
        assert finding.confidence == 0.95
        assert finding.summary == "10.0.0.2:80 was called by 10.0.0.1:1000 and refused (frame 2), 10 ms after the SYN."
        assert "nothing listens" in finding.cause

    def test_a_client_that_asks_again_is_told_once(self) -> None:
        (finding,) = of_rule("connection-refused", f"{REFUSED}\n 500 C S 0\n 510 S R. 0 1\n 1000 C S 0\n 1010 S R. 0 1")
        assert "twice more" in finding.summary
        assert finding.frames == (1, 2, 3, 5)

    @pytest.mark.parametrize(
        ("rst", "others", "foreign"),
        [(57, 57, False), (58, 57, True), (56, 57, False), (250, 57, True), (248, 57, False), (64, 1, False)],
        ids=["same", "nearer", "farther", "nearer, begun with 255", "same, begun with 255", "others sent with TTL 1"],
    )
    def test_a_rst_from_nearer_than_the_server_is_a_firewalls(self, rst: int, others: int, foreign: bool) -> None:
        served = to_port(by_port(f"0 C S 0\n 10 S S. 0 1 ttl={others}\n 10.1 C . 1 1", 1001, 100), 443)
        (finding,) = of_rule("connection-refused", together(f"0 C S 0\n 10 S R. 0 1 ttl={rst}", served))
        assert ("firewall on the way" in finding.cause) is foreign
        assert f"TTL {rst}" in finding.evidence[0]
        assert finding.evidence[0].endswith(f"other segments: {others}")

    def test_a_listener_that_answers_others_was_down_for_a_while(self) -> None:
        (finding,) = of_rule("connection-refused", together(REFUSED, by_port(OPEN, 1001, 5000)))
        assert "was down for a while" in finding.cause
        assert "it answered 1 other call in this capture" in finding.evidence

    @pytest.mark.parametrize(
        "text",
        [
            "0 C S 0\n 10 S S. 0 1\n 20 S R. 1 1",
            "0 C S 0\n 10 C R 1",
            "0 C S 0\n 10 S R 5",
            "0 C S 0\n 10 S R. 0 99",
            "0 C S 0\n 5 S . 7 7\n 10 S R. 0 1",
        ],
        ids=["after a SYN-ACK", "the client's own", "without ACK", "of another SYN", "after an answer"],
    )
    def test_other_resets_refuse_nothing(self, text: str) -> None:
        assert of_rule("connection-refused", text) == []

    @pytest.mark.parametrize(("listeners", "found"), [(9, 9), (10, 1)])
    def test_a_scan_is_one_warning(self, listeners: int, found: int) -> None:
        calls = [to_port(by_port(REFUSED, 2000 + n, n * 20), 8000 + n) for n in range(listeners)]
        findings = of_rule("connection-refused", together(*calls))
        assert len(findings) == found
        assert {finding.severity for finding in findings} == {"warning" if found == 1 else "error"}

    def test_many_refusals_of_one_listener_are_one_finding(self) -> None:
        calls = [by_port(REFUSED, 2000 + n, n * 20) for n in range(30)]
        (finding,) = of_rule("connection-refused", together(*calls))
        assert len(finding.flows) == 30
        assert finding.severity == "error"

    def test_a_few_alike_are_told_as_one_by_diagnosis(self) -> None:
        calls = [by_port(REFUSED, 2000 + n, n * 20) for n in range(4)]
        assert list(diagnosed(together(*calls))["connection-refused"].flows) == [0, 1, 2, 3]
