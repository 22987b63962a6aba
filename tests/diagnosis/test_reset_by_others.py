"""Resets that neither end may have made, or that nobody obeyed."""

import pytest

from tests.diagnosis.diagnosed import ANSWERED, ASKED, OPEN, TAKEN, diagnosed, of_rule


class TestResetInjected:
    def test_another_ttl(self) -> None:
        (finding,) = diagnosed(ANSWERED + "130 S R 201 ttl=255 ip_id=4660").values()
        assert (finding.rule, finding.severity, finding.confidence) == ("reset-injected", "error", 0.85)
        assert finding.frames == (8,)
        assert "10.0.0.1:1000 got a RST in the name of 10.0.0.2:80" in finding.summary
        assert "bare RST, TTL 255, IP ID 4660" in finding.evidence
        assert "10.0.0.2:80 sent all else with TTL 64 (frame 6)" in finding.evidence

    @pytest.mark.parametrize(
        ("rst", "confidence"),
        [
            ("130 S R 201 ttl=63 ip_id=0", 0.7),
            ("130 S R 201 ttl=60 ip_id=0", 0.7),
            ("130 S R 201 ttl=59 ip_id=0", 0.85),
            ("130 S R. 201 81 ttl=63 ip_id=40000", 0.95),
            ("130 S R 201 ttl=63 ip_id=0\n 140 S P. 201:301 81", 0.95),
            ("130 S R. 201 81 ip_id=40000", 0.65),
        ],
        ids=["one hop", "four hops", "five hops", "IP ID too", "sender goes on", "IP ID only"],
    )
    def test_how_sure(self, rst: str, confidence: float) -> None:
        (finding,) = of_rule("reset-injected", ANSWERED + rst)
        assert finding.confidence == confidence

    def test_both_ends_got_one(self) -> None:
        (finding,) = of_rule("reset-injected", ANSWERED + "130 S R 201 ttl=200\n 130.1 C R 81 ttl=200")
        assert finding.frames == (8, 9)

    def test_the_answer_to_a_syn_may_be_a_third_partys_too(self) -> None:
        opened = "0 C S 0\n 10 S S. 0 1 ttl=50\n 10.1 C . 1 1\n"
        (finding,) = of_rule("reset-injected", opened + ANSWERED.removeprefix(OPEN) + "130 S R 201 ttl=50 ip_id=0")
        assert "10.0.0.2:80 sent all else with TTL 64 (frame 6)" in finding.evidence

    def test_it_explains_what_it_looks_like(self) -> None:
        found = diagnosed(ASKED + "30 S R 1 ttl=200 ip_id=0")
        assert list(found) == ["reset-injected"]
        assert found["reset-injected"].symptoms == ("first-data-reset",)

    @pytest.mark.parametrize(
        "rst",
        [
            "130 S R 201 ip_id=0",
            "130 S R 201 ip_id=40000",
            "130 S R. 201 81 ip_id=503",
            "130 S R. 201 81 ip_id=0",
            "130 S . 201 81 ttl=200\n 140 S P. 201:301 81 ttl=200\n 141 C . 81 301\n 150 S R. 301 81 ttl=128",
            "130 S R. 201 81 ip_id=503\n 140 S R 201 ttl=255",
            "130 S F. 201 81\n 140 C F. 81 202\n 150 S R 202 ttl=255",
        ],
        ids=["no socket", "older kernel", "socket", "socket, no ID", "between two routes", "second", "all over"],
    )
    def test_genuine_resets(self, rst: str) -> None:
        assert of_rule("reset-injected", ANSWERED + rst) == []

    def test_the_way_of_a_syn_to_a_translated_address_is_no_measure(self) -> None:
        assert of_rule("reset-injected", "0 C S 0 ttl=63\n 0.1 S S. 0 1\n 1 C R 1 ttl=64") == []

    def test_the_least_difference_can_be_set(self) -> None:
        assert of_rule("reset-injected", ANSWERED + "130 S R 201 ttl=63 ip_id=0", ttl_hops=2) == []


class TestIdleTimeout:
    @pytest.mark.parametrize(("request_ms", "found"), [(2030.2, 1), (2030.1, 0)])
    def test_two_seconds_of_silence(self, request_ms: float, found: int) -> None:
        later = f"{request_ms} C P. 81:161 201\n {request_ms + 10} S R 201 ip_id=0"
        assert len(of_rule("idle-timeout", ANSWERED + later)) == found

    def test_what_it_tells(self) -> None:
        (finding,) = diagnosed(ANSWERED + "5030.2 C P. 81:161 201\n 5040.2 S R 201 ip_id=0").values()
        assert (finding.rule, finding.severity, finding.confidence) == ("idle-timeout", "error", 0.8)
        assert finding.frames == (8, 9)
        assert "after 5 s without a segment" in finding.summary
        assert "80 bytes from 10.0.0.1:1000 (frame 8), got a RST 10 ms later (frame 9)" in finding.summary
        assert "or 10.0.0.2:80 restarted" in finding.cause

    @pytest.mark.parametrize(
        ("rst", "symptoms"),
        [
            ("5040 S R 201 ip_id=0 ttl=60", ("reset-injected", "first-data-reset")),
            ("5040 S R 201 ip_id=0\n 5100 S P. 201:301 81", ()),
        ],
        ids=["another TTL", "the server goes on"],
    )
    def test_a_machine_in_between(self, rst: str, symptoms: tuple[str, ...]) -> None:
        finding = diagnosed(ANSWERED + "5030 C P. 81:161 201\n" + rst)["idle-timeout"]
        assert finding.confidence == 0.9
        assert finding.cause.startswith("a machine in between forgot")
        assert finding.symptoms == symptoms

    @pytest.mark.parametrize(
        ("fate", "said"),
        [
            ("940040 S R 201 ip_id=0", "got a RST 40 ms later"),
            ("".join(f"{940300 + 2**n * 300} C P. 1281:1361 201\n" for n in range(9)), "9 times in 77.1 s"),
            ("940040 S . 201 1361", None),
        ],
    )
    def test_the_longest_of_many_pauses(self, fate: str, said: str | None) -> None:
        polls = "".join(
            f"{at} C P. {seq}:{seq + 80} 201\n {at + 250} C P. {seq}:{seq + 80} 201\n {at + 260} S . 201 {seq + 80}\n"
            for at, seq in zip(range(3000, 48000, 3000), range(81, 1281, 80), strict=True)
        )
        found = of_rule("idle-timeout", ANSWERED + polls + "940000 C P. 1281:1361 201\n" + fate)
        assert len(found) == (said is not None)
        assert all(said in finding.summary for finding in found if said)

    @pytest.mark.parametrize(
        ("fate", "said"),
        [
            ("60040 S R 201 ip_id=0", "got a RST 40 ms later"),
            ("60300 C P. 1281:1361 201\n 60900 C P. 1281:1361 201\n", "was repeated twice in 900 ms"),
            ("60040 S . 201 1361", None),
        ],
        ids=["RST", "silence", "answered"],
    )
    def test_the_latest_of_many_pauses_of_one_length(self, fate: str, said: str | None) -> None:
        beats = "".join(
            f"{at} C P. {seq}:{seq + 80} 201\n {at + 10} S . 201 {seq + 80}\n"
            for at, seq in zip(range(3000, 60000, 3800), range(81, 1281, 80), strict=True)
        )
        found = of_rule("idle-timeout", ANSWERED + beats + "60000 C P. 1281:1361 201\n" + fate)
        assert len(found) == (said is not None)
        assert all(said in finding.summary for finding in found if said)

    def test_two_repeats_without_an_answer(self) -> None:
        lost = ANSWERED + "5030 C P. 81:161 201\n 5240 C P. 81:161 201\n"
        assert of_rule("idle-timeout", lost) == []
        (finding,) = of_rule("idle-timeout", lost + "5660 C P. 81:161 201")
        assert finding.confidence == 0.7
        assert finding.frames == (8, 9, 10)
        assert "was repeated twice in 630 ms without an answer" in finding.summary
        assert of_rule("idle-timeout", lost, repeats=1) != []

    @pytest.mark.parametrize(
        ("last_words", "severity"),
        [("5030 C F. 81 201", "info"), ("5030 C P. 81:112 201\n 5030.1 C F. 112 201", "info")],
        ids=["FIN", "close_notify and FIN"],
    )
    def test_who_was_closing_loses_nothing(self, last_words: str, severity: str) -> None:
        (finding,) = of_rule("idle-timeout", ANSWERED + last_words + "\n 5040 S R 201")
        assert finding.severity == severity

    @pytest.mark.parametrize(
        "later",
        [
            "5030 C P. 81:161 201\n 5040 S P. 201:301 161",
            "5030 C P. 81:161 201\n 5040 S R. 201 161",
            "5030 C P. 81:161 201\n 5040 S R 230",
            "100 S F. 201 81\n 140 C . 81 202\n 5030 C P. 81:161 202\n 5040 S R 202",
            "5030 C P. 81:161 201\n 5240 C P. 81:161 201\n 5660 C P. 81:161 201\n 5670 S . 201 161",
            "5030 C . 80 201\n 6030 C . 80 201\n 7030 C . 80 201",
            "5030 S R. 201 81",
        ],
        ids=["answered", "taken", "no answer", "closed before", "late answer", "keep-alives", "reset itself"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("idle-timeout", ANSWERED + later) == []

    @pytest.mark.parametrize(("idle_s", "rule"), [(179.9, "abortive-close"), (180, "idle-timeout")])
    def test_a_rst_after_minutes(self, idle_s: float, rule: str) -> None:
        (finding,) = diagnosed(ANSWERED + f"{30.2 + idle_s * 1000} S R. 201 81 ip_id=503").values()
        assert (finding.rule, finding.severity, finding.frames[-1]) == (rule, "warning", 8)

    def test_who_drops_what_was_idle(self) -> None:
        (own,) = of_rule("idle-timeout", ANSWERED + "400000 S R. 201 81 ip_id=503")
        (other,) = of_rule("idle-timeout", ANSWERED + "400000 S R. 201 81 ttl=60")
        assert (own.confidence, other.confidence) == (0.5, 0.8)
        assert own.cause.startswith("10.0.0.2:80 drops idle connections")
        assert other.cause.startswith("a machine in between")
        assert "the next one, a RST from 10.0.0.2:80 (frame 8), ended the connection" in own.summary

    def test_a_program_that_sets_its_ttl_after_the_handshake(self) -> None:
        own = ANSWERED.replace("ip_id=502", "ip_id=502 ttl=5") + "130 S F. 201 81 ttl=5\n 140 C P. 81:161 202\n"
        assert "reset-injected" not in diagnosed(own + "140.1 S R 202 ip_id=0")

    @pytest.mark.parametrize(
        "rst", ["S R. 150 81", "S R. 201 81\n 400100 S P. 201:301 81"], ids=["stale", "the sender goes on"]
    )
    def test_a_late_rst_that_ends_nothing(self, rst: str) -> None:
        assert of_rule("idle-timeout", ANSWERED + f"400000 {rst}") == []

    def test_nothing_is_known_of_a_side_that_was_never_heard(self) -> None:
        alone = "0 C P. 1:81 1\n 5000 C P. 81:161 1\n 5210 C P. 81:161 1\n 5630 C P. 81:161 1"
        assert of_rule("idle-timeout", alone) == []


class TestTheKernelsOwnTtl:
    """A program may set a TTL (BGP: 255 or 1); its kernel answers with the default."""

    @pytest.mark.parametrize(
        ("ttl", "rst", "strange"),
        [
            (255, "S R 201 ttl=64 ip_id=0", False),
            (252, "S R 201 ttl=61 ip_id=0", False),
            (1, "S R 201 ttl=64 ip_id=0", False),
            (255, "S R 201 ttl=61 ip_id=0", True),
            (255, "S R 201 ttl=64 ip_id=77", True),
            (255, "S R. 201 161 ttl=64 ip_id=0", True),
            (128, "S R 201 ttl=64 ip_id=0", True),
        ],
    )
    def test_it_is_no_other_machines(self, ttl: int, rst: str, strange: bool) -> None:
        lines = [f"{line} ttl={ttl}" if " S " in line else line for line in ANSWERED.splitlines()]
        text = "\n".join([*lines, f"90 S F. 201 81 ttl={ttl}", "91 C . 81 202", "140 C P. 81:161 202", f"141 {rst}"])
        text = text.replace(" R 201", " R 202").replace(" R. 201", " R. 202")
        assert ("reset-injected" in diagnosed(text)) == strange
        assert ("write-after-close" in diagnosed(text)) != strange


class TestIgnoredResets:
    """A RST that its receiver ignores neither is the end nor hides it."""

    MANY = "\n".join(f"{15 + n / 10} S R {9000000 + n}" for n in range(12))

    @pytest.mark.parametrize("ignored", ["20 S R 9000000", "20 C R 9000000", "5 S R. 0 0", MANY])
    @pytest.mark.parametrize(
        ("story", "rule"),
        [
            (TAKEN + "40 S R. 1 81 ip_id=502", "sidecar-reset"),
            (ASKED + "30 S R 1 ip_id=0", "first-data-reset"),
            (ANSWERED + "130 S R. 201 81 ip_id=503", "abortive-close"),
            (ANSWERED + "130 S R. 201 81 ttl=33", "reset-injected"),
        ],
    )
    def test_it_does_not_hide_the_one_that_ends(self, story: str, rule: str, ignored: str) -> None:
        lines = [*story.strip().splitlines(), *ignored.splitlines()]
        finding = diagnosed("\n".join(sorted(lines, key=lambda line: float(line.split()[0]))))[rule]
        assert finding.frames[-1] == len(lines)

    @pytest.mark.parametrize("rule", ["sidecar-reset", "first-data-reset", "abortive-close"])
    def test_it_is_no_end(self, rule: str) -> None:
        assert of_rule(rule, TAKEN + "40 S R. 9000001 81 ip_id=502") == []
        assert of_rule(rule, ANSWERED + "130 S R. 9000201 81 ip_id=503") == []


class TestChallengeAck:
    def test_a_rst_beyond_what_was_expected(self) -> None:
        (finding,) = of_rule("challenge-ack", ANSWERED + "130 S R 701\n 130.03 C . 81 201")
        assert (finding.severity, finding.confidence) == ("info", 0.8)
        assert finding.frames == (8, 9)
        assert "500 bytes beyond what it expected, and answered after 30 µs" in finding.summary

    def test_the_conversation_goes_on(self) -> None:
        (finding,) = of_rule("challenge-ack", ANSWERED + "130 S R 701\n 130.03 C . 81 201\n 140 S P. 201:1401 81")
        assert finding.confidence == 0.9

    @pytest.mark.parametrize(
        "later",
        [
            "130 S R 201\n 131 C . 81 201",
            "130 S R 200000\n 130.03 C . 81 201",
            "130 S R 701\n 230 C P. 81:161 201",
            "130 S R 150\n 130.03 C . 81 201",
        ],
        ids=["exact", "outside the window", "no answer", "below it"],
    )
    def test_silence(self, later: str) -> None:
        assert of_rule("challenge-ack", ANSWERED + later) == []
