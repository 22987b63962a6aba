"""What halted a transfer: closed windows, Nagle's algorithm, full segments that vanish, a peer that is gone."""

from dataclasses import replace

import pytest

from tcptrace.capture.context import IcmpError
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.settings import thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER
from tests.diagnosis.diagnosed import OPEN, diagnosed, evidence, of_rule

REQUEST = OPEN + "20 C P. 1:81 1\n 30 S . 1 81\n"


class TestZeroWindow:
    FULL = REQUEST + "100 S . 1:1001 81\n 110 C . 81 1001 window=0\n"

    @pytest.mark.parametrize(("open_ms", "severity"), [(209.9, "info"), (210, "warning")])
    def test_how_long(self, open_ms: float, severity: str) -> None:
        (finding,) = of_rule("zero-window", self.FULL + f"{open_ms} C . 81 1001 window=900")
        assert (finding.severity, finding.frames) == (severity, (7, 8))

    def test_what_it_tells(self) -> None:
        text = self.FULL + "400 S . 1000 81\n 400.1 C . 81 1001 window=0\n 1110 C . 81 1001 window=900"
        (finding,) = of_rule("zero-window", text)
        assert "10.0.0.1:1000 closed its window once, for 1 s (first at frame 7" in finding.summary
        assert finding.frames == (7, 8, 10)
        assert finding.evidence[0] == "1 probe by 10.0.0.2:80 meanwhile"

    def test_probed_it_is_a_warning_however_short(self) -> None:
        (finding,) = of_rule("zero-window", self.FULL + "120 S . 1001:1002 81\n 130 C . 81 1001 window=900")
        assert finding.severity == "warning"

    def test_it_never_opens(self) -> None:
        text = self.FULL + "400 S . 1000 81\n 1000 S . 1000 81\n 3000 S . 1000 81"
        (finding,) = of_rule("zero-window", text)
        assert "once, for 2.89 s and left it closed" in finding.summary

    def test_who_answers_no_probe_is_gone(self) -> None:
        answered = self.FULL + "400 S . 1000 81\n 400.1 C . 81 1001 window=0\n"
        (finding,) = of_rule("zero-window", answered + "1000 S . 1000 81\n 2000 S . 1000 81\n 4000 S . 1000 81")
        assert "once, for 3.89 s and left it closed" in finding.summary
        assert finding.cause.startswith(
            "nothing came from 10.0.0.1:1000 after frame 9, 400 ms after the flow's start, no answer to probes either"
        )
        assert (finding.evidence[0], finding.confidence) == ("3 probes without an answer", 0.8)
        (finding,) = of_rule("zero-window", answered + "1000 S . 1000 81\n 2000 S . 1000 81")
        assert "once, for 1.89 s and left it closed" in finding.summary
        assert finding.cause.startswith("the application at 10.0.0.1:1000 does not read")

    def test_of_many_the_longest_and_true_counts(self) -> None:
        shut = "".join(f"{200 * n} C . 81 1001 window=0\n {200 * n + 5} C . 81 1001 window=900\n" for n in range(1, 21))
        (finding,) = of_rule("zero-window", REQUEST + shut + "9000 C . 81 1001 window=0\n 9004 S . 1 81")
        assert "closed its window 21 times, for 5 ms at most and left it closed" in finding.summary
        assert (finding.severity, finding.evidence) == (
            "info",
            ("0 probes by 10.0.0.2:80 meanwhile", "20 openings seen"),
        )

    @pytest.mark.parametrize(("probes", "severity"), [("9900 S . 1000 81\n", "warning"), ("", "info")])
    def test_a_keep_alive_while_the_window_is_open_is_no_probe(self, probes: str, severity: str) -> None:
        shut = "".join(f"{200 * n} C . 81 1 window=0\n {200 * n + 5} C . 81 1 window=900\n" for n in range(1, 7))
        asked = "".join(f"{2000 + 1000 * n} S . 0 81\n {2000 + 1000 * n + 5} C . 81 1 window=900\n" for n in range(7))
        last = f"9800 S . 1:1001 81\n 9800.1 C . 81 1001 window=0\n {probes} 9900.1 C . 81 1001 window=900"
        (finding,) = of_rule("zero-window", REQUEST + shut + asked + last, closed_ms=200)
        assert (finding.severity, finding.evidence[0][:8]) == (severity, "1 probe " if probes else "0 probes")

    @pytest.mark.parametrize(
        ("meanwhile", "severity"),
        [("", "info"), ("400 S . 1000 81\n", "warning"), ("400 S P. 1:1001 81\n", "warning")],
        ids=["nothing", "a probe", "a repeat"],
    )
    def test_who_does_not_probe_has_nothing_to_send(self, meanwhile: str, severity: str) -> None:
        (finding,) = of_rule("zero-window", self.FULL + meanwhile + "5000 C . 81 1001 window=900")
        assert finding.severity == severity
        assert ("it had nothing to send" in finding.summary) == (severity == "info")

    def test_midstream_a_window_of_0_is_closed_too(self) -> None:
        text = "100 S . 1:1001 81\n 110 C . 81 1001 window=0\n 310 C . 81 1001 window=900"
        assert [finding.severity for finding in of_rule("zero-window", text)] == ["warning"]

    @pytest.mark.parametrize(
        "text",
        [
            "0 C S 0\n 10 S S. 0 1 window=0\n 10.1 C . 1 1\n 400 S . 1 1 window=900",
            REQUEST + "100 C F. 81 1 window=0\n 400 S . 1 82",
            REQUEST + "100 S F. 1 81\n 110 C . 81 2 window=0\n 900 C . 81 2 window=0",
            REQUEST + "100 C R. 81 1 window=0",
            REQUEST + "100 S . 1:101 81\n 110 C . 81 101 window=1\n 900 C . 81 101 window=900",
        ],
        ids=["a SYN-ACK", "a FIN", "after the peer's FIN", "a RST", "small, not closed"],
    )
    def test_silence(self, text: str) -> None:
        assert of_rule("zero-window", text) == []


def requests(count: int, delay_ms: float, *, prompt_ms: float = 0.1, rtt_ms: float = 10) -> str:
    """Requests in two small writes; the second leaves `prompt_ms` after the acknowledgement of the first."""
    lines, now, sent, answered = [OPEN], 100.0, 1, 1
    for _ in range(count):
        lines.append(f"{now} C P. {sent}:{sent + 40} {answered}")
        now += rtt_ms + delay_ms
        lines.append(f"{now} S . {answered} {sent + 40}")
        now += prompt_ms
        lines.append(f"{now} C P. {sent + 40}:{sent + 80} {answered}")
        now += rtt_ms
        lines.append(f"{now} S P. {answered}:{answered + 200} {sent + 80}")
        sent, answered, now = sent + 80, answered + 200, now + 5
    return "\n".join(lines)


class TestNagleDelayedAck:
    def test_what_it_tells(self) -> None:
        (finding,) = of_rule("nagle-delayed-ack", requests(6, 40))
        assert (finding.severity, finding.confidence) == ("warning", 0.9)
        assert "10.0.0.1:1000 held 6 small writes back, 50 ms each" in finding.summary
        assert "300 ms lost in all" in finding.summary
        assert finding.frames[0] == 6

    @pytest.mark.parametrize(("count", "found"), [(4, 0), (5, 1)])
    def test_how_often(self, count: int, found: int) -> None:
        assert len(of_rule("nagle-delayed-ack", requests(count, 40))) == found

    @pytest.mark.parametrize(("delay_ms", "found"), [(24, 0), (26, 1), (200, 1)])
    def test_how_much_later(self, delay_ms: float, found: int) -> None:
        assert len(of_rule("nagle-delayed-ack", requests(6, delay_ms))) == found

    @pytest.mark.parametrize(("prompt_ms", "found"), [(2.9, 1), (4, 0)])
    def test_the_write_follows_the_acknowledgement_at_once(self, prompt_ms: float, found: int) -> None:
        assert len(of_rule("nagle-delayed-ack", requests(6, 40, prompt_ms=prompt_ms))) == found

    def test_a_long_path_delays_all_acknowledgements(self) -> None:
        assert of_rule("nagle-delayed-ack", requests(6, 0, rtt_ms=80)) == []

    def test_without_nagle_both_parts_leave_at_once(self) -> None:
        assert of_rule("nagle-delayed-ack", requests(6, 40).replace(" S . ", " S P. ")) != []
        at_once = "".join(
            f"{100 + 60 * n} C P. {1 + 80 * n}:{41 + 80 * n} {1 + n}\n"
            f"{100.1 + 60 * n} C P. {41 + 80 * n}:{81 + 80 * n} {1 + n}\n"
            f"{150 + 60 * n} S . {1 + n} {81 + 80 * n}\n{151 + 60 * n} S P. {1 + n}:{2 + n} {81 + 80 * n}\n"
            for n in range(6)
        )
        assert of_rule("nagle-delayed-ack", OPEN + at_once) == []

    def test_a_server_that_thinks_is_no_delayed_ack(self) -> None:
        thinking = "".join(
            f"{100 + 60 * n} C P. {1 + 80 * n}:{81 + 80 * n} {1 + n}\n"
            f"{150 + 60 * n} S P. {1 + n}:{2 + n} {81 + 80 * n}\n"
            for n in range(6)
        )
        assert of_rule("nagle-delayed-ack", OPEN + thinking) == []

    def test_midstream_confidence_falls(self) -> None:
        (finding,) = of_rule("nagle-delayed-ack", requests(6, 40).removeprefix(OPEN))
        assert finding.confidence == 0.7


MSS = "0 C S 0 mss=1460\n 10 S S. 0 1 mss=1460\n 10.1 C . 1 1\n 20 C P. 1:81 1\n 30 S . 1 81\n"
FULL = "31 S . 1:1461 81\n 32 S . 1461:2921 81\n"
AGAIN = "300 S . 1:1461 81\n 900 S . 1:1461 81\n 2100 S . 1:1461 81\n"


class TestPmtuBlackHole:
    def test_what_it_tells(self) -> None:
        (finding,) = of_rule("pmtu-black-hole", MSS + FULL + AGAIN)
        assert (finding.severity, finding.confidence, finding.frames) == ("warning", 0.4, (8, 9, 10))
        assert "10.0.0.2:80 sent a full segment of 1,460 bytes 3 times again to 10.0.0.1:1000" in finding.summary
        assert "or the receiver or the path was gone" in finding.cause

    def test_a_receiver_that_is_there_makes_it_surer(self) -> None:
        (finding,) = of_rule("pmtu-black-hole", MSS + FULL + "290 C P. 1:81 1\n" + AGAIN)
        assert (finding.severity, finding.confidence) == ("error", 0.9)
        assert "gone" not in finding.cause

    def test_smaller_segments_pass(self) -> None:
        healed = AGAIN + "4500 S . 1:1025 81\n 4510 C . 81 1025\n"
        (finding,) = of_rule("pmtu-black-hole", MSS + FULL + healed)
        assert finding.confidence == 0.9
        assert "in smaller segments it passed (frame 11)" in finding.summary

    @pytest.mark.parametrize(
        ("last", "found"),
        [
            ("33 S P. 2921:3021 81\n", None),
            ("33 S P. 2921:3021 81\n 33.1 S F. 3021 81\n", None),
            ("33 S P. 2921:3021 81\n 43 C . 81 1\n", ("warning", 0.4)),
            ("33 S P. 2921:3021 81\n 33.1 S F. 3021 81\n 43.1 C . 81 1\n", ("warning", 0.4)),
            ("33 S P. 2921:3021 81\n 60 C . 81 1\n", ("error", 0.9)),
            ("33 S P. 2921:4121 81\n", ("warning", 0.4)),
        ],
        ids=["lost", "lost with the FIN", "answered", "FIN answered", "heard later", "not so small"],
    )
    def test_small_ones_that_are_lost_too_are_no_matter_of_size(
        self, last: str, found: tuple[str, float] | None
    ) -> None:
        findings = of_rule("pmtu-black-hole", MSS + FULL + last + AGAIN)
        assert [(finding.severity, finding.confidence) for finding in findings] == ([found] if found else [])

    @pytest.mark.parametrize(
        ("after", "found"),
        [("", 0), ("2500 C P. 81:161 1\n", 0), ("4500 S . 1:301 81\n 4510 C . 81 301\n", 1)],
        ids=["silent", "the receiver talks", "smaller ones pass"],
    )
    def test_full_ones_that_pass_every_tunnel_need_proof(self, after: str, found: int) -> None:
        text = (MSS + FULL + AGAIN).replace("=1460", "=536").replace("1461:2921", "537:637").replace("1:1461", "1:537")
        assert len(of_rule("pmtu-black-hole", text + after)) == found

    def test_small_answers_were_acknowledged_before(self) -> None:
        small = "".join(f"{31 + n} S . {1 + 1000 * n}:{1001 + 1000 * n} 81\n" for n in range(3)) + "42 C . 81 3001\n"
        full = "43 S . 3001:4461 81\n 300 S . 3001:4461 81\n 900 S . 3001:4461 81\n 2100 S . 3001:4461 81\n"
        (finding,) = of_rule("pmtu-black-hole", MSS + small + full)
        assert finding.evidence[0] == "3,000 bytes before were acknowledged, none of them in so large a segment"

    @pytest.mark.parametrize(("repeats", "found"), [(3, 1), (4, 0)])
    def test_how_often(self, repeats: int, found: int) -> None:
        assert len(of_rule("pmtu-black-hole", MSS + FULL + AGAIN, repeats=repeats)) == found

    @pytest.mark.parametrize(
        "text",
        [
            MSS + "31 S . 1:1461 81\n 41 C . 81 1461\n 42 S . 1461:2921 81\n" + AGAIN.replace("1:1461", "1461:2921"),
            MSS + "31 S . 1:201 81\n" + AGAIN.replace("1:1461", "1:201"),
            MSS + FULL + "33 C . 81 1 window=0\n" + AGAIN,
            MSS + "1100 S . 1:1461 81\n 1400 S . 1:1461 81\n 2000 S . 1:1461 81\n 3200 S . 1:1461 81\n",
            MSS + FULL + "300 S . 1:1025 81\n 301 S . 1025:2049 81\n 310 C . 81 2049\n",
            MSS + FULL + "33 S P. 2921:2971 81\n 60 S P. 2921:2971 81\n" + AGAIN,
            MSS + FULL + "33 S P. 2921:3921 81\n 60 S P. 2921:3921 81\n" + AGAIN,
            "31 S . 1:1461 81\n" + AGAIN,
        ],
        ids=[
            "a full one was acknowledged",
            "small ones are lost too",
            "the window is closed",
            "the receiver was silent before",
            "heeded at once",
            "a small one beyond drew no answer",
            "one that passes every tunnel drew no answer",
            "nothing seen of the receiver",
        ],
    )
    def test_silence(self, text: str) -> None:
        assert of_rule("pmtu-black-hole", text) == []

    def test_midstream_confidence_falls(self) -> None:
        (finding,) = of_rule("pmtu-black-hole", "20 C P. 1:81 1\n 30 S . 1 81\n" + FULL + AGAIN)
        assert finding.confidence == pytest.approx(0.2)

    @pytest.mark.parametrize(("frame", "side", "found"), [(8, SERVER, 1), (9, SERVER, 0), (8, CLIENT, 0)])
    def test_one_repeat_is_enough_against_what_a_router_says(self, frame: int, side: int, found: int) -> None:
        seen = evidence(MSS + FULL + "40 C . 81 1 ip_id=9\n 300 S . 1:1461 81\n")
        error = IcmpError(frame, 33_000_000, 4, 3, 4, 1300, "10.0.0.254", 1, 80, 0, 1000, 0x10, 1, 0, side)
        findings = list(
            BY_NAME["pmtu-black-hole"].check(replace(seen, icmp=(error,)), thresholds("pmtu-black-hole", {}))
        )
        assert [finding.confidence for finding in findings] == [0.95] * found
        if found:
            assert findings[0].frames == (8, 9)
            assert "10.0.0.254 says by ICMP" in findings[0].evidence[0]
            assert "its next link takes 1,300 bytes" in findings[0].evidence[0]

    def test_its_stalls_are_symptoms(self) -> None:
        found = diagnosed(MSS + FULL + AGAIN)
        assert found["pmtu-black-hole"].symptoms == ("rto-stall",)
        assert "rto-stall" not in found


IDLE = REQUEST + "31 S P. 1:201 81\n 31.1 C . 81 201\n"
PROBES = "1031 C . 80 201\n 2031 C . 80 201\n 3031 C . 80 201\n"


class TestKeepaliveTimeout:
    def test_what_it_tells(self) -> None:
        (finding,) = of_rule("keepalive-timeout", IDLE + PROBES + "4031 C R. 81 201")
        assert (finding.severity, finding.confidence, finding.frames) == ("warning", 0.95, (8, 9, 10, 11))
        assert "10.0.0.1:1000 asked 3 times whether 10.0.0.2:80 is still there" in finding.summary
        assert "then gave up with a RST (frame 11)" in finding.summary

    def test_without_a_rst_it_is_less_sure(self) -> None:
        (finding,) = of_rule("keepalive-timeout", IDLE + PROBES)
        assert finding.confidence == 0.6
        assert "(last at frame 10)" in finding.summary

    @pytest.mark.parametrize(("probes", "rst", "found"), [(1, True, 0), (2, True, 1), (2, False, 0), (3, False, 1)])
    def test_how_many(self, probes: int, rst: bool, found: int) -> None:
        asked = "".join(PROBES.splitlines(keepends=True)[:probes])
        assert len(of_rule("keepalive-timeout", IDLE + asked + "4031 C R. 81 201" * rst)) == found

    def test_after_many_that_were_answered_it_shows_the_last_answer_and_probe(self) -> None:
        answered = "".join(f"{2000 * n} C . 80 201\n {2000 * n + 5} S . 201 81\n" for n in range(1, 10))
        asked = "20000 C . 80 201\n 22000 C . 80 201\n 24000 C . 80 201\n"
        (finding,) = of_rule("keepalive-timeout", IDLE + answered + asked + "26000 C R. 81 201")
        assert finding.frames == (25, 27, 28, 29)

    def test_a_server_asks_too(self) -> None:
        probes = "".join(f"{1000 * n} S . 200 81\n" for n in range(2, 5))
        (finding,) = of_rule("keepalive-timeout", IDLE + probes + "5000 S R. 201 81")
        assert finding.summary.startswith("10.0.0.2:80 asked 3 times whether 10.0.0.1:1000")

    @pytest.mark.parametrize(
        "later",
        [
            PROBES + "3041 S . 201 81\n 4031 C R. 81 201",
            "1000 C P. 81:82 201\n 1300 C P. 81:82 201\n 1900 C P. 81:82 201\n 3100 C P. 81:82 201\n 5000 C R. 82 201",
            "900 S . 201 81 window=0\n" + PROBES + "4031 C R. 81 201",
            "4031 C R. 81 201",
        ],
        ids=["answered in the end", "a byte is sent again", "the window is closed", "no keep-alive"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("keepalive-timeout", IDLE + later) == []

    def test_a_capture_of_one_direction_needs_the_rst(self) -> None:
        one_sided = "20 C P. 1:81 1\n" + PROBES.replace(" 201", " 1")
        assert evidence(one_sided).sees == (True, False)
        assert of_rule("keepalive-timeout", one_sided) == []
