"""What the capture lacks, holds twice or tells wrongly."""

from typing import Any

import pytest

from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.settings import thresholds
from tests.diagnosis.diagnosed import OPEN, diagnosed, evidence, of_rule
from tests.diagnosis.several import by_port, to_port, together

PART = f"{OPEN} 20 C P. 1:101 1\n 30 S . 1:1001 101\n"
"""The server has sent 1000 bytes."""
LATER = "40 S . 3001:4001 101\n"
ALL_ACKED = "50 C . 101 4001\n"


def about(rule: str, text: str, **facts: Any) -> list[Finding]:
    """What one rule finds in a capture of which these facts are known."""
    return list(BY_NAME[rule].check(evidence(text, summary=facts), thresholds(rule, {})))


class TestCaptureLoss:
    def test_bytes_that_are_acknowledged_and_not_there(self) -> None:
        (finding,) = of_rule("capture-loss", PART + LATER + ALL_ACKED)
        assert finding.summary.startswith(
            "10.0.0.1:1000 acknowledged 2,000 bytes of 10.0.0.2:80 that the capture lacks; it holds 2,000 bytes"
        )
        assert (finding.severity, finding.confidence, finding.flow, finding.frames) == ("warning", 0.9, 0, (7, 6))

    @pytest.mark.parametrize(
        ("later", "missing"),
        [
            ("60 S . 4001:5001 101", "2,000"),
            ("60 S . 4001:5001 101\n 61 S F. 5001 101", "2,000"),
            ("60 S . 6001:7001 101", "1,000"),
        ],
        ids=["data", "data and FIN", "beyond a second gap"],
    )
    def test_what_is_not_acknowledged_does_not_make_up_for_it(self, later: str, missing: str) -> None:
        (finding,) = of_rule("capture-loss", PART + LATER + ALL_ACKED + later)
        assert f"acknowledged {missing} bytes of 10.0.0.2:80 that the capture lacks" in finding.summary

    def test_a_gap_that_is_not_acknowledged_is_none(self) -> None:
        assert of_rule("capture-loss", PART + LATER + "50 C . 101 1001\n") == []

    def test_an_acknowledgement_beyond_all_that_was_seen(self) -> None:
        (finding,) = of_rule("capture-loss", PART + "50 C . 101 4001")
        assert "3,000 bytes" in finding.summary
        assert "acknowledgements beyond all that was seen: 1" in finding.evidence
        assert finding.evidence[0] == (
            "frame 6: 10.0.0.1:1000 acknowledges 4,001, and not all below that was seen;"
            " in all it lacks 3,000 bytes of 10.0.0.2:80"
        )
        assert finding.frames[0] == 6

    def test_the_acknowledgement_that_proves_each_direction(self) -> None:
        (finding,) = of_rule("capture-loss", PART + LATER + ALL_ACKED + "\n 60 S . 4001 301")
        of_client, of_server = finding.evidence[:2]
        assert of_client.startswith("frame 8: 10.0.0.2:80 acknowledges 301, and not all")
        assert of_server.startswith("frame 7: 10.0.0.1:1000 acknowledges 4,001, and not all")
        assert of_server.endswith("in all it lacks 2,000 bytes of 10.0.0.2:80")
        assert finding.frames == (7, 8, 6)

    @pytest.mark.parametrize(
        "rest",
        [
            LATER + "45 S . 1001:3001 101\n" + ALL_ACKED,
            "40 S . 1001:3001 101\n" + LATER + ALL_ACKED,
            ALL_ACKED + "50.1 S . 1001:4001 101\n",
            LATER + "50 C . 101 1001",
            "50 C R. 101 4001",
        ],
    )
    def test_what_comes_later_or_was_not_acknowledged_is_not_missed(self, rest: str) -> None:
        assert of_rule("capture-loss", PART + rest) == []

    def test_a_fin_alone_is_less_sure(self) -> None:
        (finding,) = of_rule("capture-loss", PART + "50 C . 101 1002")
        assert finding.confidence == 0.6
        assert "a FIN or a byte" in finding.summary
        assert of_rule("capture-loss", PART + "45 S F. 1001 101\n 50 C . 101 1002") == []

    def test_of_a_connection_that_began_before_the_capture(self) -> None:
        first = "0 S P. 1:101 1\n 1 C . 1 101\n"
        (finding,) = of_rule("capture-loss", first + "2000 C . 1 301")
        assert finding.confidence == 0.7
        assert of_rule("capture-loss", first + "2 C . 1 301") == [], "it may have been sent before"
        late = "3 S P. 301:401 1\n 4 C . 1 401\n"
        assert of_rule("capture-loss", first + "2 C . 1 301\n" + late) == [], "it too"
        assert of_rule("capture-loss", first + "2 C . 1 301\n" + late + "2000 C . 1 801") != []
        assert of_rule("capture-loss", "0 C . 1 101\n 1 S P. 301:401 1\n 2 C . 1 401") == [], "it was on its way"
        assert of_rule("capture-loss", "0 C . 0:1 1\n 0.1 S . 1 2\n 1 C P. 2:9 1\n 2 S . 1 9") == [], "a keep-alive"

    def test_one_direction_tells_nothing_of_the_other(self) -> None:
        assert of_rule("capture-loss", "0 C S 0\n 10 C . 1 1\n 20 C P. 1:101 1\n 50 C . 101 4001") == []

    def test_fragments_may_hold_it(self) -> None:
        text = PART + LATER + ALL_ACKED
        assert about("capture-loss", text, other_frames={"later fragment": 1}) == []
        assert len(about("capture-loss", text, other_frames={"UDP": 1})) == 1

    @pytest.mark.parametrize(("least", "found"), [(2000, 1), (2001, 0)])
    def test_the_least_can_be_set(self, least: float, found: int) -> None:
        assert len(of_rule("capture-loss", PART + LATER + ALL_ACKED, missing_bytes=least)) == found

    def test_several_flows_are_one_finding(self) -> None:
        text = PART + LATER + ALL_ACKED
        (finding,) = of_rule("capture-loss", together(text, by_port(text, 1001, 100)))
        assert list(finding.flows) == [0, 1]
        assert "In 2 flows 4,000 bytes are missing" in finding.summary

    def test_what_seems_an_empty_reply_is_its_symptom(self) -> None:
        found = diagnosed(f"{OPEN} 20 C P. 1:101 1\n 30 S . 1 101\n 40 C . 101 501\n 50 S F. 501 101\n 51 C F. 101 502")
        assert "empty-reply" not in found


TWICE = "0 C S 0 ip_id=1\n 0.01 C S 0 ip_id=1\n 1 S S. 0 1 ip_id=2\n 1.01 S S. 0 1 ip_id=2\n"


class TestDuplicateFrames:
    def test_every_frame_twice(self) -> None:
        (finding,) = of_rule("duplicate-frames", TWICE)
        assert (finding.severity, finding.frames, finding.flow) == ("info", (2, 4), 0)
        assert "2 of 4 segments are copies of the one before (every frame is there twice)" in finding.summary

    @pytest.mark.parametrize(("copies", "found"), [(2, 1), (3, 0)])
    def test_the_fewest_can_be_set(self, copies: float, found: int) -> None:
        assert len(of_rule("duplicate-frames", TWICE, copies=copies)) == found

    def test_a_copy_with_another_ttl_passed_a_router(self) -> None:
        routed = TWICE.replace("0.01 C S 0 ip_id=1", "0.01 C S 0 ip_id=1 ttl=63")
        assert of_rule("duplicate-frames", routed) == []

    @pytest.mark.parametrize(("at_ms", "found"), [(20, 1), (21, 0)])
    def test_a_copy_comes_at_once(self, at_ms: float, found: int) -> None:
        late = f"0 C S 0 ip_id=1\n {at_ms} C S 0 ip_id=1\n {at_ms} C S 0 ip_id=1"
        assert len(of_rule("duplicate-frames", late)) == found

    def test_a_segment_that_was_sent_again_is_none(self) -> None:
        assert of_rule("duplicate-frames", "0 C S 0 ip_id=1\n 1000 C S 0 ip_id=2\n 3000 C S 0 ip_id=3") == []


CLIENT_ONLY = "0 C S 0\n 10 C . 1 1\n 20 C P. 1:101 1\n 30 C . 101 501\n"
SERVER_ONLY = "0 S S. 0 1\n 10 S . 1 101\n 20 S P. 1:501 101\n"
ASKED = "0 C S 0\n 1000 C S 0\n 3000 C S 0\n"


class TestOneSidedCapture:
    @pytest.mark.parametrize(("text", "heard"), [(CLIENT_ONLY, "clients sent"), (SERVER_ONLY, "servers sent")])
    def test_one_side_answers_what_is_not_there(self, text: str, heard: str) -> None:
        (finding,) = of_rule("one-sided-capture", text)
        assert (finding.severity, finding.flow, finding.frames) == ("info", 0, (1,))
        assert heard in finding.summary

    def test_of_a_connection_that_began_before_its_acknowledgements_must_grow(self) -> None:
        assert len(of_rule("one-sided-capture", "0 C P. 1:9 1\n 10 C . 9 101\n 20 C P. 9:20 101\n 30 C F. 20 301")) == 1
        assert of_rule("one-sided-capture", "0 C P. 1:9 1\n 10 C P. 9:20 1") == []

    @pytest.mark.parametrize("text", [OPEN, ASKED, "0 C S 0", "0 C S 0\n 1 C R 1"])
    def test_a_call_that_nobody_answers_is_not_half_seen(self, text: str) -> None:
        assert of_rule("one-sided-capture", text, until_ms=9000) == []

    @pytest.mark.parametrize(("isn", "found"), [(1, 0), (2, 1)])
    def test_the_other_direction_may_be_here_under_another_address(self, isn: int, found: int) -> None:
        answers = f"5 S S. 0 {isn} src=3\n 12 S . 1 101 src=3\n 25 S P. 1:501 101 src=3\n"
        assert len(of_rule("one-sided-capture", together(CLIENT_ONLY, answers))) == found

    @pytest.mark.parametrize(("whole", "found"), [(1, 1), (2, 0)])
    def test_half_of_the_flows_must_be_so(self, whole: int, found: int) -> None:
        others = [by_port(OPEN, 2000 + n, 100) for n in range(whole)]
        assert len(of_rule("one-sided-capture", together(CLIENT_ONLY, *others))) == found

    @pytest.mark.parametrize(("syns", "found"), [(3, 1), (2, 0)])
    def test_syns_that_are_never_repeated_were_answered(self, syns: int, found: int) -> None:
        calls = [by_port("0 C S 0", 2000 + n, 300.0 * n) for n in range(syns)]
        findings = of_rule("one-sided-capture", together(*calls), until_ms=300 * syns + 1200)
        assert len(findings) == found
        assert all(finding.confidence == 0.6 for finding in findings)

    def test_who_calls_anew_on_the_same_port_was_not_answered(self) -> None:
        calls = [by_port(f"0 C S {n * 1000}", 2000, 900.0 * n) for n in range(6)]
        assert of_rule("one-sided-capture", together(*calls), until_ms=9000) == []

    def test_syns_that_are_too_young_to_be_repeated_tell_nothing(self) -> None:
        calls = [by_port("0 C S 0", 2000 + n, 10.0 * n) for n in range(5)]
        assert of_rule("one-sided-capture", together(*calls), until_ms=1100) == []

    def test_a_scan_and_a_flood_are_something_else(self) -> None:
        scan = [to_port(by_port("0 C S 0", 2000 + n, 300.0 * n), 80 + n) for n in range(9)]
        flood = [by_port("0 C S 0", 2000 + n, 10.0 * n) for n in range(30)]
        for calls in (scan, flood):
            assert of_rule("one-sided-capture", together(*calls), until_ms=9000) == []


def test_a_file_that_breaks_off() -> None:
    (finding,) = about("truncated-file", OPEN, truncated=True, problems=["cut short at byte 9"])
    assert (finding.severity, finding.frames, finding.evidence) == ("warning", (3,), ("cut short at byte 9",))
    assert finding.summary.startswith("words breaks off after frame 3")
    assert about("truncated-file", OPEN, problems=["something else"]) == []


@pytest.mark.parametrize(("kept", "options"), [(73, True), (74, False)])
def test_frames_that_were_cut(kept: int, options: bool) -> None:
    (finding,) = about("truncated-frames", OPEN, cut_frames=2, cut_examples=[1, 3], cut_to_bytes=kept)
    assert (finding.severity, finding.frames) == ("info", (1, 3))
    assert finding.summary.startswith(f"2 of 3 segments were cut when they were recorded, to {kept} bytes or less")
    assert ("options of SYNs" in finding.summary) is options
    assert about("truncated-frames", OPEN, truncated=True) == []


MSS = "0 C S 0 mss=1000\n 1 S S. 0 1 mss=1460\n 2 C . 1 1\n"


class TestOffloadedSegments:
    def test_a_segment_larger_than_its_receiver_takes(self) -> None:
        (finding,) = of_rule("offloaded-segments", f"{MSS} 3 S P. 1:1002 1")
        assert (finding.severity, finding.flow, finding.frames) == ("info", 0, (4,))
        assert "10.0.0.2:80 sent segments of up to 1,001 bytes to 10.0.0.1:1000, which takes 1,000" in finding.summary

    @pytest.mark.parametrize("line", ["3 S P. 1:1001 1", "3 C P. 1:1461 1"])
    def test_a_full_segment_is_none(self, line: str) -> None:
        assert of_rule("offloaded-segments", MSS + line) == []

    def test_where_the_mss_is_not_known_nothing_is_said(self) -> None:
        assert of_rule("offloaded-segments", f"{OPEN} 30 S P. 1:9001 1") == []
        assert of_rule("offloaded-segments", "0 S P. 1:9001 1\n 1 C . 1 9001") == []


def ticking(steps: list[tuple[float, float]], rates: tuple[float, float] = (1, 1), held_ms: float = 0) -> str:
    """Requests and answers every 100 ms whose timestamps go on evenly, while the capture's clock is set.

    `steps`: at which ms of true time, by how many ms. `held_ms`: so long the server's third answer is held up.
    """

    def seen(true_ms: float) -> float:
        return 5000 + true_ms + sum(by for at, by in steps if true_ms >= at)

    lines = []
    for side, sign, at in (("C", "S", 0.0), ("S", "S.", 1.0)):
        ticks = 7000 + int(at * rates[side == "S"])
        lines.append((at, f"{seen(at):.3f} {side} {sign} 0 {'1' if side == 'S' else ''} tsval={ticks}"))
    for n in range(12):
        at = 100.0 + 100 * n
        held = held_ms if n == 3 else 0
        for side, moment, sent in (("C", at, at), ("S", at + 1 + held, at + 1)):
            ticks = 7000 + int(sent * rates[side == "S"])
            mark = "F." if n == 11 else "P."
            number, ack = 1 + 10 * n, min(1 + 10 * (n + (side == "S")), 112)
            again = "" if n == 11 else f":{number + 10}"
            lines.append((moment, f"{seen(moment):.3f} {side} {mark} {number}{again} {ack} tsval={ticks}"))
    return "\n".join(line for _, line in sorted(lines))


class TestClockStep:
    @pytest.mark.parametrize("by_ms", [2000, 60, -60, -2000])
    def test_timestamps_of_both_hosts_go_on_evenly(self, by_ms: float) -> None:
        (finding,) = of_rule("clock-step", ticking([(550, by_ms)]))
        assert (finding.severity, finding.confidence, finding.flow) == ("warning", 0.85, 0)
        way = "forward" if by_ms > 0 else "back"
        size = {2000: "2 s", 60: "60 ms"}[abs(by_ms)]
        assert f"set {way} by about {size} between frame" in finding.summary
        assert finding.frames[0] < 13 <= finding.frames[1], "the step lies between frames 12 and 13"

    @pytest.mark.parametrize("by_ms", [45, -45, 0])
    def test_less_than_50_ms_is_none(self, by_ms: float) -> None:
        assert of_rule("clock-step", ticking([(550, by_ms)])) == []

    @pytest.mark.parametrize(("step_ms", "found"), [(500, 1), (700, 0)])
    def test_the_shortest_can_be_set(self, step_ms: float, found: int) -> None:
        assert len(of_rule("clock-step", ticking([(550, 600)]), step_ms=step_ms)) == found

    @pytest.mark.parametrize("rates", [(1, 0.25), (0.1, 1), (0.25, 0.25)])
    def test_hosts_whose_clocks_tick_at_other_rates(self, rates: tuple[float, float]) -> None:
        (finding,) = of_rule("clock-step", ticking([(550, 3000)], rates))
        assert "set forward by about 3" in finding.summary

    def test_a_segment_that_was_held_up_is_no_step(self) -> None:
        assert of_rule("clock-step", ticking([], held_ms=900)) == []

    def test_a_host_whose_own_clock_stands_still_is_no_step(self) -> None:
        lines = ticking([(550, 2000)]).splitlines()
        alone = "\n".join(line.split(" tsval")[0] if " S " in line else line for line in lines)
        assert of_rule("clock-step", alone) == []

    def test_silence_without_timestamps_is_no_step(self) -> None:
        bare = "\n".join(line.split(" tsval")[0] for line in ticking([(550, 2000)]).splitlines())
        assert of_rule("clock-step", bare) == []

    def test_time_that_goes_back_needs_no_timestamps_and_is_less_sure(self) -> None:
        bare = "\n".join(line.split(" tsval")[0] for line in ticking([(550, -2000)]).splitlines())
        (finding,) = of_rule("clock-step", bare)
        assert finding.confidence == 0.6
        assert "set back by at least 1 s" in finding.summary

    def test_two_steps_are_two_findings(self) -> None:
        found = of_rule("clock-step", ticking([(350, 2000), (850, -3000)]))
        assert ["forward" in finding.summary for finding in found] == [True, False]

    def test_what_seems_a_stall_is_its_symptom(self) -> None:
        assert "rto-stall" not in diagnosed(ticking([(550, 2000)]))
