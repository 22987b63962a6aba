"""A connection that an ICMP error ends, and those that live on."""

import pytest

from tcptrace.capture.context import Context, IcmpError
from tcptrace.diagnosis.diagnose import diagnose
from tcptrace.diagnosis.rule import Finding
from tests.conversation import ISN
from tests.diagnosis.diagnosed import OPEN, evidence
from tests.diagnosis.several import by_port, together

REPEATED = "0 C S 0\n 1000 C S 0\n 3000 C S 0"
REQUEST = f"{OPEN} 20 C P. 1:101 1\n"
IGNORED = f"{REQUEST} 250 C P. 1:101 1\n 700 C P. 1:101 1"


def error(frame: int, seq: int = 0, code: int = 13, sport: int = 1000, by: str = "10.0.0.254") -> IcmpError:
    """About a segment of the client's, 1 ms after frame 1; without a port as tcpdump prints it."""
    raw = -1 if sport < 0 else ISN["C"] + seq
    return IcmpError(frame, 1_000_000, 4, 3, code, -1, by, 0, sport, 1, 80 if sport >= 0 else -1, 2 * (seq == 0), raw)


def of_server(frame: int, seq: int = 0) -> IcmpError:
    return error(frame)._replace(src=1, sport=80, dst=0, dport=1000, seq=(ISN["S"] + seq) % 2**32)


def found(text: str, *errors: IcmpError, until_ms: float = 9000) -> list[Finding]:
    """What of all findings is of this rule, or rests on the same silence."""
    told = diagnose(evidence(text, until_ms=until_ms, summary={"context": Context(icmp=list(errors))}), {})
    return [finding for finding in told if finding.severity == "error"]


@pytest.mark.parametrize("text", ["0 C S 0", REPEATED])
def test_a_syn_that_is_rejected(text: str) -> None:
    (finding,) = found(text, error(2))
    assert finding.rule == "icmp-rejected"
    assert finding.summary.startswith("10.0.0.1:1000 sent 10.0.0.2:80 a SYN; 10.0.0.254 said by ICMP: prohibited")
    assert (finding.flow, finding.confidence, finding.cause) == (0, 0.95, "a firewall rejects it")
    assert finding.frames[:2] == (1, 2)
    assert "it quotes the SYN" in finding.evidence


def test_a_stall_that_a_router_explains() -> None:
    told = "0 C S 0\n 1 S S. 0 1\n 1.1 C . 1 1\n 2 C P. 1:1401 1\n 302 C P. 1:1401 1\n 303 S . 1 1401"
    too_big = error(4, seq=1, code=4)._replace(time_ns=3_000_000, mtu=1400)
    summary = {"context": Context(icmp=[too_big])}
    (stall,) = (one for one in diagnose(evidence(told, summary=summary), {}) if one.rule == "rto-stall")
    assert stall.cause.startswith("a router had refused a segment as too big (ICMP, frame 4)")


def test_the_silence_is_its_symptom() -> None:
    (finding,) = found(REPEATED, error(2))
    assert finding.symptoms == ("syn-unanswered",)


@pytest.mark.parametrize(
    ("code", "cause"),
    [(0, "no route"), (1, "no answer from the host"), (3, "a kernel without a listener sends a RST"), (13, "firewall")],
)
def test_the_code_tells_the_cause(code: int, cause: str) -> None:
    assert cause in found("0 C S 0", error(2, code=code))[0].cause


def test_the_addressed_host_may_say_so_itself() -> None:
    assert "; it said by ICMP: port unreachable" in found("0 C S 0", error(2, code=3, by="10.0.0.2"))[0].summary


def test_a_syn_ack_that_is_rejected_on_its_way_back() -> None:
    (finding,) = found("0 C S 0\n 1 S S. 0 1\n 1000 S S. 0 1\n 3000 S S. 0 1", of_server(3))
    assert finding.rule == "icmp-rejected"
    assert "10.0.0.2:80 sent 10.0.0.1:1000 a SYN-ACK" in finding.summary


def test_an_established_connection_that_is_cut_is_less_sure() -> None:
    (finding,) = [finding for finding in found(IGNORED, error(5, seq=1)) if finding.rule == "icmp-rejected"]
    assert finding.confidence == 0.85
    assert "its segments" in finding.summary


@pytest.mark.parametrize(
    "text",
    [
        "0 C S 0\n 1000 C S 0\n 1001 S S. 0 1\n 1002 C . 1 1",
        f"{IGNORED}\n 720 S . 1 101",
        f"{OPEN} 20 C P. 1:101 1\n 30 S . 1 101",
    ],
)
def test_what_is_acknowledged_later_lives_on(text: str) -> None:
    seq = 0 if text.startswith("0 C S 0\n 1000") else 1
    assert found(text, error(2 if seq == 0 else 5, seq=seq)) == []


def test_too_big_and_an_expired_ttl_are_other_things() -> None:
    too_big, expired = error(2, code=4), error(2, code=0)._replace(type=11)
    assert [finding.rule for finding in found("0 C S 0", too_big, expired) if finding.rule == "icmp-rejected"] == []


def test_a_rejected_bare_acknowledgement_or_rst_stops_nothing() -> None:
    closed = f"{OPEN} 20 C R 1"
    assert found(closed, error(5, seq=1)._replace(flags=4)) == []
    assert found(OPEN, error(4, seq=1)) == []


def test_from_text_without_ports_the_flow_is_a_guess() -> None:
    assert found("0 C S 0", error(2, sport=-1))[0].confidence == 0.7


def test_an_error_about_another_flow_says_nothing_of_this_one() -> None:
    assert found(OPEN, error(9, sport=4444)) == []


@pytest.mark.parametrize("code", [0, 13])
def test_many_alike_are_one(code: int) -> None:
    calls = [by_port(REPEATED, 2000 + n, n) for n in range(25)]
    errors = [error(100 + n, code=code, sport=2000 + n) for n in range(25)]
    told = found(together(*calls), *errors)
    assert [(finding.rule, len(finding.flows)) for finding in told] == [("icmp-rejected", 25)]
    assert told[0].symptoms == ("syn-unanswered",)
