"""A flood of SYNs is one finding; clients that mean to connect are none."""

from collections.abc import Iterable

import pytest

from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.diagnosed import OPEN, diagnosed, of_rule

RULE = "syn-flood"


def syns(count: int, apart_ms: float = 10, more: str = "") -> str:
    """SYNs of as many addresses; `more`: what else each client and the server say, `%` the client's columns."""
    return "\n".join(syn(number, number * apart_ms, more) for number in range(count))


def syn(number: int, ms: float, more: str = "") -> str:
    client = f"src={2 + number} sport={3000 + number}"
    lines = [f"{ms} C S 0 {client}", *more.replace("%", client).replace("@", _as_peer(client)).split(" / ")]
    return "\n".join(filter(None, lines))


def _as_peer(client: str) -> str:
    return client.replace("src=", "dst=").replace("sport=", "dport=")


def only(text: str, **facts: float) -> Finding:
    [finding] = of_rule(RULE, text, **facts)
    return finding


def test_it_is_one_finding_with_its_count() -> None:
    found = only(syns(60), until_ms=5000)
    assert len(found.flows) == 60
    assert found.summary.startswith("60 SYNs of 60 addresses for 10.0.0.2:80 came to nothing, 60 of them within one")
    assert found.frames == (1, 2, 3, 4, 5)
    assert "ip.dst == 10.0.0.2 && tcp.dstport == 80" in found.confirm


@pytest.mark.parametrize(("count", "found"), [(19, 0), (20, 1)])
def test_it_takes_twenty_syns_within_a_second(count: int, found: int) -> None:
    assert len(of_rule(RULE, syns(count), until_ms=5000)) == found


def test_twenty_in_more_than_a_second_are_none() -> None:
    assert of_rule(RULE, syns(20, apart_ms=60), until_ms=9000) == []
    assert of_rule(RULE, syns(20, apart_ms=60), until_ms=9000, syns=15)


def test_syns_that_have_had_no_time_do_not_count() -> None:
    assert of_rule(RULE, syns(20), until_ms=190 + 99) == []
    assert only(syns(20), until_ms=190 + 100).confidence == 0.6
    assert only(syns(20), until_ms=190 + 1100).confidence == 0.7


def test_syns_of_one_address_have_as_long_as_a_client_takes_to_repeat_one() -> None:
    text = "\n".join(f"{10 * number} C S 0 sport={3000 + number}" for number in range(20))
    assert of_rule(RULE, text, until_ms=190 + 1099) == []
    assert only(text, until_ms=190 + 1100).confidence == 0.5


@pytest.mark.parametrize(("rtt_ms", "wait_ms"), [(10, 100), (200, 400), (700, 1100)])
def test_answered_ones_have_as_long_as_the_slowest_handshake_takes(rtt_ms: int, wait_ms: int) -> None:
    text = f"0 C S 0\n 0 S S. 0 1\n {rtt_ms} C . 1 1\n{syns(20, 5, 'S S. 0 1 @')}"
    assert of_rule(RULE, text, until_ms=95 + wait_ms - 1) == []
    assert of_rule(RULE, text, until_ms=95 + wait_ms)


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("they acknowledge", "S S. 0 1 @ / C . 1 1 %"),
        ("they repeat their SYN", "C S 0 %"),
        ("the server refuses", "S R. 0 1 @"),
    ],
)
def test_clients_are_honest_when(what: str, more: str) -> None:
    assert of_rule(RULE, syns(30, apart_ms=1, more=more), until_ms=9000) == []


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("answered", "S S. 0 1 @"),
        ("answered again", "S S. 0 1 @ / S S. 0 1 @"),
        ("reset by the forged sender, who never asked", "S S. 0 1 @ / C R 1 %"),
    ],
)
def test_answers_do_not_make_it_honest(what: str, more: str) -> None:
    found = only(syns(30, apart_ms=1, more=more), until_ms=9000)
    assert len(found.flows) == 30
    assert found.evidence == ("30 of them were answered, 0 were not",)


def test_it_is_surer_where_the_capture_shows_more_than_syns() -> None:
    assert only(syns(30), until_ms=5000).confidence == 0.7
    assert only(f"{OPEN}{syns(30)}", until_ms=5000).confidence == 0.9
    assert only(syns(30, more="S S. 0 1 @ / S S. 0 1 @"), until_ms=5000).confidence == 0.9


def test_one_sender_may_be_a_client_that_gives_up_soon() -> None:
    text = "\n".join(f"{ms} C S 0 sport={3000 + ms}" for ms in range(30))
    found = only(text, until_ms=5000)
    assert found.confidence == 0.5
    assert "30 SYNs of 1 address " in found.summary
    assert "a client that gives up" in found.cause


def test_each_listener_is_told_apart() -> None:
    def other(lines: Iterable[str]) -> str:
        return "\n".join(f"{line} dport=443" for line in lines)

    text = f"{syns(20, 1)}\n{other(syns(25, 1).splitlines())}"
    found = of_rule(RULE, text, until_ms=5000)
    assert sorted(len(finding.flows) for finding in found) == [20, 25]


def test_its_symptoms_are_not_told_beside_it() -> None:
    text = syns(60, 5, "S S. 0 1 @ / S S. 0 1 @")
    assert [rule for rule in diagnosed(text, until_ms=60_000) if rule in ("half-open", "syn-unanswered")] == []


@pytest.mark.parametrize(("rst", "found"), [("R. 1 1", 0), ("R 1", 1)], ids=["a health check", "a forged address"])
def test_a_rst_that_acknowledges_the_answer_is_no_silence(rst: str, found: int) -> None:
    answered = f"S S. 0 1 @ / C {rst} %"
    assert len(of_rule(RULE, syns(30, apart_ms=25, more=answered), until_ms=5000)) == found


def test_a_capture_without_times_tells_of_no_flood() -> None:
    asked_again = syns(30, apart_ms=30, more="S S. 0 1 @ / S S. 0 1 @")
    assert of_rule(RULE, asked_again, until_ms=9000)
    assert of_rule(RULE, asked_again, until_ms=9000, summary={"start_ns": None, "end_ns": None}) == []
