"""A SYN-ACK from another end than was called is found over both flows, and only where it did harm."""

import pytest

from tcptrace.diagnosis.rule import Finding
from tests.conversation import ISN
from tests.diagnosis.diagnosed import diagnosed, of_rule

RULE = "synack-source-mismatch"
ELSEWHERE = "src=2"
CALL, ANSWER, RESET = "C S 0", f"S S. 0 1 {ELSEWHERE}", "C R 1 dst=2"


def only(text: str) -> Finding:
    [finding] = of_rule(RULE, text)
    return finding


def test_it_is_told_over_both_flows_with_who_did_what() -> None:
    found = only(f"0 {CALL}\n1 {ANSWER}\n2 {RESET}\n1042 {CALL}\n1043 {ANSWER}\n1044 {RESET}")
    assert found.flows == (0, 1)
    assert found.frames == (1, 2, 3, 4, 5, 6)
    assert found.summary == (
        "10.0.0.2:80 was called by 10.0.0.1:1000, 10.0.0.3:80 answered (frames 2, 5). The client's kernel knows no such"
        " connection and reset it (3, 6), then called again after 1.04 s (4). It never left SYN_SENT."
    )
    assert f"tcp.ack_raw == {ISN['C'] + 1}" in found.confirm
    assert "conntrack -L -d 10.0.0.2 " in found.confirm
    assert found.confidence == 0.95


def test_one_syn_is_enough_where_the_client_resets_its_answer() -> None:
    assert only(f"{CALL}\n{ANSWER}\n{RESET}").confidence == 0.95


def test_without_a_reset_the_repeated_syn_shows_it_less_surely() -> None:
    found = only(f"0 {CALL}\n1 {ANSWER}\n1000 {CALL}")
    assert found.confidence == 0.6
    assert "and dropped it, then called again after 1 s (3)" in found.summary


def test_another_port_of_the_called_address_is_a_mismatch_too() -> None:
    assert "10.0.0.2:8080 answered" in only(f"{CALL}\nS S. 0 1 sport=8080\nC R 1 dport=8080").summary


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("nothing shows that the answer was of no use", f"{CALL}\n{ANSWER}"),
        ("the client goes on: it is translated back further on", f"{CALL}\n{ANSWER}\nC . 1 1\nC P. 1:9 1"),
        ("only ports and numbers agree", f"{CALL}\nS S. 0 1 src=2 dst=3\nC R 1 src=3 dst=2"),
        ("the called end answers", f"{CALL}\nS S. 0 1\nC . 1 1"),
        ("the called end refuses", f"{CALL}\nS R. 0 1"),
        ("it answers another call", f"{CALL}\nS S. 0 500 {ELSEWHERE}\nC R 500 dst=2"),
    ],
)
def test_it_stays_silent_when(what: str, text: str) -> None:
    assert of_rule(RULE, text) == []


def test_its_symptoms_are_not_told_beside_it() -> None:
    text = "\n".join(f"{ms} {CALL}\n{ms + 1} {ANSWER}\n{ms + 2} {RESET}" for ms in (0, 1000, 3000, 7000))
    assert list(diagnosed(text)) == [RULE]


def test_many_alike_are_told_as_one() -> None:
    def call(port: int) -> str:
        return f"C S 0 sport={port}\nS S. 0 1 {ELSEWHERE} dport={port}\nC R 1 dst=2 sport={port}"

    found = diagnosed("\n".join(map(call, range(2000, 2010))))
    assert list(found) == [RULE]
    assert len(found[RULE].flows) == 20
