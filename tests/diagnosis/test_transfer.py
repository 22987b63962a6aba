"""What slowed a transfer: losses, timeouts, needless repeats, segments that overtake each other."""

import pytest

from tests.diagnosis.diagnosed import OPEN, diagnosed, of_rule

TALK = [(1000 + at, 1 + at // 5) for at in range(10, 1000, 100)]
"""When a side writes twenty bytes each, and from where: ten times a second."""
REQUEST = OPEN + "20 C P. 1:81 1\n 30 S . 1 81\n"


def bulk(segments: int, lost: int) -> str:
    """Data from the server every 20 ms; at first in pairs of which the first segment is lost and asked for again."""
    lines, sent = [REQUEST], 1
    for number in range(segments - lost):
        now, length = 100 + 20 * number, 100
        lines.append(f"{now} S . {sent}:{sent + 100} 81 tsval={20 * number}")
        if number < lost:
            length = 200
            lines.append(f"{now + 1} S . {sent + 100}:{sent + 200} 81 tsval={20 * number + 1}")
            lines.append(f"{now + 2} C . 81 {sent}")
            lines.append(f"{now + 3} S . {sent}:{sent + 100} 81 tsval={20 * number + 3}")
        sent += length
        lines.append(f"{now + 13} C . 81 {sent}")
    return "\n".join(lines)


class TestHighRetransmission:
    @pytest.mark.parametrize(("lost", "found"), [(9, 0), (10, 1)])
    def test_ten_copies(self, lost: int, found: int) -> None:
        assert len(of_rule("high-retransmission", bulk(100, lost))) == found

    @pytest.mark.parametrize(("segments", "found"), [(988, 0), (987, 1)])
    def test_their_share_must_be_exceeded(self, segments: int, found: int) -> None:
        """10 of 1000: the SYN-ACK, an ACK, 988 segments and 10 of them again."""
        assert len(of_rule("high-retransmission", bulk(segments, 10))) == found

    def test_what_it_tells(self) -> None:
        (finding,) = of_rule("high-retransmission", bulk(50, 12))
        assert (finding.severity, finding.confidence, finding.flow) == ("warning", 0.95, 0)
        assert finding.frames[0] == 9
        assert "10.0.0.2:80 sent 12 of" in finding.summary
        assert "behind the place of this capture" in finding.cause

    @pytest.mark.parametrize(
        ("answer", "where"), [("", "nothing of it came after frame 5"), ("S . 1 161", "a full queue")]
    )
    def test_who_is_never_heard_again_is_gone(self, answer: str, where: str) -> None:
        again = "".join(f"{100 + 300 * n * n} C P. 81:161 1\n" for n in range(12))
        (finding,) = of_rule("high-retransmission", REQUEST + again + answer)
        assert where in finding.cause

    def test_lost_before_the_capture(self) -> None:
        lines, now = [REQUEST], 100.0
        for number in range(12):
            start, now = 1 + number * 200, now + 20
            lines.append(f"{now} S . {start + 100}:{start + 200} 81 tsval={number * 100}")
            lines.append(f"{now + 1} C . 81 {start}")
            lines.append(f"{now + 12} S . {start}:{start + 100} 81 tsval={number * 100 + 12}")
            lines.append(f"{now + 13} C . 81 {start + 200}")
        (finding,) = of_rule("high-retransmission", "\n".join(lines))
        assert "before the place of this capture" in finding.cause

    def test_what_caused_a_repeat_is_said_only_where_it_is_seen(self) -> None:
        unclear = "".join(
            f"{at} S . {1 + 100 * n}:{101 + 100 * n} 81\n {at + 20} S . {1 + 100 * n}:{101 + 100 * n} 81\n"
            for n, at in enumerate(range(100, 700, 50))
        )
        (finding,) = of_rule("high-retransmission", REQUEST + unclear)
        assert finding.evidence[0] == "0 of them only after a timeout; what caused the others cannot be seen"
        (finding,) = of_rule("high-retransmission", bulk(50, 12))
        assert finding.evidence[0].endswith(", others on duplicate or selective acknowledgements or in their wake")

    def test_needless_repeats_do_not_count(self) -> None:
        needless = "".join(f"{100 + 10 * n} C . 1:81 1 tsval={n}\n" for n in range(20))
        assert of_rule("high-retransmission", REQUEST + needless) == []

    def test_neither_do_fins(self) -> None:
        fins = "".join(f"{100 + 1000 * n} C F. 81 1\n" for n in range(20))
        assert of_rule("high-retransmission", REQUEST + fins) == []

    def test_a_capture_that_holds_frames_twice_proves_nothing(self) -> None:
        twice = "".join(f"{3000 + n} C . 81 1 ip_id={n + 1}\n{3000 + n} C . 81 1 ip_id={n + 1}\n" for n in range(30))
        assert of_rule("high-retransmission", bulk(50, 12) + "\n" + twice) == []

    @pytest.mark.parametrize(
        ("ttls", "severity"), [((64, 63), "info"), ((64, 64), "warning"), ((63, 64), "warning"), ((-1, -1), "warning")]
    )
    def test_what_a_router_sent_on_is_no_repeat(self, ttls: tuple[int, int], severity: str) -> None:
        """Each segment comes in whole and goes out in two (GSO), without an IP identification."""
        came, went = (f"tsval=7 ttl={ttl}" for ttl in ttls)
        lines, end = [REQUEST.replace("\n", f" ttl={ttls[0]}\n")], 1
        for number in range(12):
            now, start, end = 100 + 20 * number, end, end + 200
            lines.append(f"{now} S . {start}:{end} 81 {came}")
            lines.append(f"{now + 2} S . {start}:{end - 100} 81 {went}")
            lines.append(f"{now + 2.001} S . {end - 100}:{end} 81 {went}")
            lines.append(f"{now + 10} C . 81 {end} ttl={ttls[0]}")
        lines.append(f"900 S F. {end} 81 ttl={ttls[0]}")
        (finding,) = of_rule("high-retransmission", "\n".join(lines))
        assert finding.severity == severity
        assert ("the capture holds them twice" in finding.summary) == (severity == "info")
        assert ("tcpdump -i any" in finding.cause) == (severity == "info")

    def test_confidence_falls_midstream_and_where_one_side_is_unseen(self) -> None:
        (midstream,) = of_rule("high-retransmission", bulk(50, 12).removeprefix(OPEN))
        (one_sided,) = of_rule(
            "high-retransmission",
            "\n".join(f"{100 + 500 * n} S . 1:101 1 tsval={n}" for n in range(12)),
        )
        assert (midstream.confidence, one_sided.confidence) == (0.9, 0.7)

    def test_the_stalls_are_its_symptom(self) -> None:
        found = diagnosed(bulk(50, 12) + "\n 4000 S P. 5001:5011 81\n 4300 S P. 5001:5011 81")
        assert found["high-retransmission"].symptoms == ("rto-stall",)
        assert "rto-stall" not in found

    def test_the_stalls_of_the_other_side_are_not(self) -> None:
        found = diagnosed(bulk(50, 12) + "\n 4000 C P. 81:91 5001\n 4300 C P. 81:91 5001")
        assert found["high-retransmission"].symptoms == ()
        assert "10.0.0.1:1000 stood still once" in found["rto-stall"].summary


class TestRtoStall:
    @pytest.mark.parametrize(("wait_ms", "found"), [(299, 0), (300, 1)])
    def test_how_long(self, wait_ms: int, found: int) -> None:
        text = OPEN + f"1000 S P. 1:101 1\n {1000 + wait_ms} S P. 1:101 1\n 2000 C . 1 101"
        assert len(of_rule("rto-stall", text, silence_ms=300)) == found

    def test_the_sender_stood_still_although_the_other_side_went_on(self) -> None:
        talk = "".join(f"{at} S P. {seq}:{seq + 20} 1\n {at + 1} C . 1 {seq + 20}\n" for at, seq in TALK)
        (finding,) = of_rule("rto-stall", OPEN + "1000 C P. 1:401 1\n" + talk + "2000 C P. 1:401 1\n 2001 S . 201 401")
        assert finding.evidence[0] == "waited 1 s"

    def test_what_was_acknowledged_meanwhile_ends_a_wait(self) -> None:
        text = "1000 C P. 1:101 1\n 1000 C P. 101:201 1\n 1150 S . 1 101\n 1400 C P. 101:201 1\n 1401 S . 1 201"
        assert len(of_rule("rto-stall", OPEN + text, silence_ms=250)) == 1
        assert of_rule("rto-stall", OPEN + text, silence_ms=251) == []

    def test_what_carries_the_fin_is_told_by_the_rule_of_that(self) -> None:
        text = REQUEST + "100 S F. 1:101 81\n 400 S F. 1:101 81\n 410 C . 81 102"
        assert of_rule("rto-stall", text) == []
        assert len(of_rule("fin-retransmission", text)) == 1

    def test_of_many_it_tells_that_there_are_more(self) -> None:
        lines = "".join(
            f"{at} C P. {seq}:{seq + 80} 1\n {at + 300} C P. {seq}:{seq + 80} 1\n {at + 310} S . 1 {seq + 80}\n"
            for at, seq in zip(range(100, 20100, 1000), range(1, 1601, 80), strict=True)
        )
        (finding,) = of_rule("rto-stall", OPEN + lines)
        assert "stood still at least 8 times, 2.4 s or more in all" in finding.summary
        assert "20 timeouts in all" in finding.evidence

    def test_what_it_tells(self) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 400 S P. 1:101 81\n 1000 S P. 1:101 81\n 1010 C . 81 101"
        (finding,) = of_rule("rto-stall", text)
        assert (finding.severity, finding.confidence, finding.frames) == ("warning", 0.9, (7, 8))
        assert "10.0.0.2:80 stood still twice, 900 ms in all" in finding.summary
        assert finding.evidence[0] == "waited 300 ms, 600 ms"
        assert finding.cause.startswith("the repeat was lost")
        assert finding.cause.endswith("the waits doubled each time")

    @pytest.mark.parametrize(
        ("times_ms", "grows"),
        [
            ((400, 1000, 2200, 4600), "the waits doubled each time"),
            ((400, 1000, 1600, 2200), "the waits did not double each time"),
            ((321, 544, 1006, 1907), "the waits doubled each time"),
        ],
        ids=["doubled", "at a steady pace", "after a probe"],
    )
    def test_waits_double_only_if_they_do(self, times_ms: tuple[int, ...], grows: str) -> None:
        again = "".join(f"{now} S P. 1:101 81\n" for now in times_ms)
        (finding,) = of_rule("rto-stall", REQUEST + "100 S P. 1:101 81\n" + again)
        assert finding.cause.endswith(grows)
        assert any("may be a tail loss probe" in line for line in finding.evidence) == (times_ms[0] == 321)

    def test_a_duplicate_that_the_receiver_reports_shows_that_acknowledgements_were_lost(self) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 400 S P. 1:101 81\n 1000 S P. 1:101 81\n 1010 C . 81 101 sack=1:101"
        (finding,) = of_rule("rto-stall", text)
        assert finding.cause.startswith("a loss, or acknowledgements that were lost or late")
        assert finding.cause.endswith("some of what it sent again had arrived (1 DSACK in all)")

    def test_a_peer_that_answers_by_rst_in_vain(self) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 400 S P. 1:101 81\n 400.1 C R 81\n 1000 S P. 1:101 81\n 1000.1 C R 81"
        (finding,) = of_rule("rto-stall", text)
        assert finding.cause == "10.0.0.1:1000 answers by RST (frame 8), which does not get to the sender"

    @pytest.mark.parametrize(
        ("end", "cause"),
        [
            (
                "3010 C R 81",
                "the repeat was lost as well as what it repeats, or its acknowledgement, or the receiver is",
            ),
            ("3010 C . 81 101", "the repeat was lost as well as what it repeats, or its acknowledgement; the waits"),
            ("3010 C . 81 101\n 9000 C R. 81 101", "the repeat was lost as well as what it repeats, or its ackn"),
        ],
        ids=["it came back and reset", "taken in the end", "closed much later"],
    )
    def test_what_comes_after_the_last_repeat_is_no_answer_in_vain(self, end: str, cause: str) -> None:
        repeats = "".join(f"{at} S P. 1:101 81\n" for at in (100, 400, 1000, 2200))
        (finding,) = of_rule("rto-stall", REQUEST + repeats + end)
        assert finding.cause.startswith(cause)

    def test_an_old_duplicate_does_not_hide_that_the_receiver_is_gone(self) -> None:
        probed = "60 S P. 1:101 81\n 80 S P. 1:101 81\n 90 C . 81 101 sack=1:101\n"
        repeats = "".join(f"{at} S P. 101:201 81\n" for at in (100, 400, 1000, 2200))
        (finding,) = of_rule("rto-stall", REQUEST + probed + repeats)
        assert "or the receiver is gone; the waits doubled each time" in finding.cause

    def test_the_probe_before_it_is_part_of_the_story(self) -> None:
        probed = "100 S P. 1:101 81\n 100.1 S P. 101:201 81\n 121 S P. 101:201 81\n 400 S P. 1:101 81\n"
        (finding,) = of_rule("rto-stall", REQUEST + probed + "1000 S P. 101:201 81\n 1010 C . 81 201")
        assert finding.evidence[-1] == "before frame 9 a tail loss probe after 20 ms (frame 8), in vain"

    def test_a_probe_that_was_answered_is_not(self) -> None:
        probed = "100 S P. 1:101 81\n 100.1 S P. 101:201 81\n 121 S P. 101:201 81\n 131 C . 81 201\n"
        (finding,) = of_rule(
            "rto-stall", REQUEST + probed + "200 S P. 201:301 81\n 600 S P. 201:301 81\n 610 C . 81 301"
        )
        assert not any("probe" in line for line in finding.evidence)

    def test_a_loss_that_nothing_revealed(self) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 400 S P. 1:101 81\n 410 C . 81 101"
        assert of_rule("rto-stall", text)[0].cause.startswith("a loss that no duplicate ACK revealed")

    @pytest.mark.parametrize(
        "later",
        [
            "100 S . 1:101 81\n 101 S . 101:201 81\n 111 C . 81 1\n 400 C . 81 1\n 401 S . 1:101 81",
            "100 S P. 1:101 81\n 125 S P. 1:101 81",
            "100 S F. 1 81\n 400 S F. 1 81",
            "100 S P. 1:101 81\n 200000 S P. 1:101 81",
            "100 S P. 1:101 81\n 110 C . 81 101\n 400 S . 100:101 81",
        ],
        ids=["asked for", "a probe", "a FIN", "longer than any timer", "a keep-alive"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("rto-stall", REQUEST + later) == []

    def test_confidence_falls_where_the_first_sending_is_unseen(self) -> None:
        (finding,) = of_rule("rto-stall", REQUEST + "100 S P. 101:201 81 ip_id=1\n 400 S P. 1:101 81 ip_id=2")
        assert finding.confidence == 0.7

    def test_confidence_falls_midstream_and_where_one_side_is_unseen(self) -> None:
        text = "100 S P. 1:101 81\n 400 S P. 1:101 81\n"
        (one_sided,) = of_rule("rto-stall", text)
        (midstream,) = of_rule("rto-stall", text + "410 C . 81 101")
        assert (one_sided.confidence, midstream.confidence) == (0.6, 0.85)
        assert one_sided.cause.endswith("the capture holds nothing of the other side")


class TestSpuriousRetransmission:
    def test_what_was_acknowledged_before(self) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 110 C . 81 101\n 120 S P. 1:101 81"
        (finding,) = of_rule("spurious-retransmission", text)
        assert (finding.severity, finding.frames) == ("info", (8,))
        assert "10.0.0.2:80 sent 1 segment again that 10.0.0.1:1000 had already" in finding.summary

    def test_the_timestamp_of_the_first_was_echoed(self) -> None:
        text = REQUEST + "100 S P. 1:101 81 tsval=1\n 400 S P. 1:101 81 tsval=301\n 410 C . 81 101 tsecr=1"
        (finding,) = of_rule("spurious-retransmission", text)
        assert (finding.frames, finding.confidence) == ((7,), 0.7)

    @pytest.mark.parametrize(("copies", "found"), [(2, 1), (3, 0)])
    def test_how_many(self, copies: int, found: int) -> None:
        text = REQUEST + "100 S P. 1:101 81\n 110 C . 81 101\n 120 S P. 1:101 81\n 130 S P. 1:101 81"
        assert len(of_rule("spurious-retransmission", text, copies=copies)) == found

    @pytest.mark.parametrize(
        "later",
        [
            "100 S P. 1:101 81\n 400 S P. 1:101 81\n 410 C . 81 101",
            "100 S P. 1:101 81\n 110 C . 81 101\n 1200 S . 100:101 81\n 1210 C . 81 101",
            "100 S P. 1:101 81 ip_id=7\n 100 S P. 1:101 81 ip_id=7\n 110 C . 81 101",
        ],
        ids=["needed", "a keep-alive", "the capture's copy"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("spurious-retransmission", REQUEST + later) == []


class TestReordering:
    LATE = "100 S . 1:101 81 {0}=1\n 101 S . 201:301 81 {0}=3\n 101.1 S . 101:201 81 {0}=2\n 111 C . 81 301"

    @pytest.mark.parametrize("column", ["tsval", "ip_id"])
    def test_the_sender_tells_the_order(self, column: str) -> None:
        (finding,) = of_rule("reordering", REQUEST + self.LATE.format(column))
        assert (finding.severity, finding.confidence, finding.frames) == ("info", 0.9, (8,))
        assert "1 of 5 segments from 10.0.0.2:80 to 10.0.0.1:1000 came behind later ones" in finding.summary

    def test_the_clock_alone_tells_less_surely(self) -> None:
        (finding,) = of_rule("reordering", REQUEST.removeprefix(OPEN) + self.LATE.format("ttl"))
        assert finding.confidence == 0.6

    def test_how_many(self) -> None:
        assert of_rule("reordering", REQUEST + self.LATE.format("tsval"), segments=2) == []

    @pytest.mark.parametrize(
        "later",
        [
            "100 S . 1:101 81 tsval=1\n 101 S . 201:301 81 tsval=3\n 130 S . 101:201 81 tsval=9",
            "100 S . 1:101 81 ip_id=1\n 101 S . 201:301 81 ip_id=3\n 130 S . 101:201 81 ip_id=4",
        ],
    )
    def test_a_gap_that_is_filled_later_is_a_loss(self, later: str) -> None:
        assert of_rule("reordering", REQUEST + later) == []


class TestRoutingLoop:
    """The same segment with a falling TTL: a loop, or a capture of several routers."""

    SYNS = "".join(f"{0.1 * hop} C S 0 ttl={64 - 2 * hop} ip_id=77\n" for hop in range(6))

    @pytest.mark.parametrize("later", ["900 C S 0 ttl=64 ip_id=78", "900 C S 0 ttl=64 ip_id=78\n 920 S S. 0 1 ttl=60"])
    def test_it_holds_what_never_arrives(self, later: str) -> None:
        (finding,) = of_rule("routing-loop", self.SYNS + later)
        assert (finding.severity, finding.frames) == ("error", (1, 2, 3, 4, 5, 6))

    def test_a_capture_of_every_router_on_the_way(self) -> None:
        lines = [*OPEN.strip().splitlines(), "20 C P. 1:81 1", "40 S P. 1:201 81", "41 C . 81 201"]
        hops = (
            f"{line.partition(' ip_id')[0]} ip_id={n} ttl={64 - hop}"
            for n, line in enumerate(lines)
            for hop in range(5)
        )
        assert of_rule("routing-loop", "\n".join(hops)) == []
