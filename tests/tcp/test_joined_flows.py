"""Flows of one capture that are one conversation are found by what their handshake's halves share."""

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.joined_flows import ONLY_NUMBERS, SAME_CLIENT, Joined, joined_flows
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OTHER_SERVER = "src=2"
OTHER_ADDRESSES = "src=2 dst=3"
FAR = "src=4 dst=5"
SYN, ANSWER = "C S 0", "S S. 0 1"


def joined(text: str) -> Joined:
    tracker = Tracker()
    tracker.take(Chunk.of(packets(text), kernels.plain()))
    return joined_flows(tracker, client_sides(tracker)[0])


def pairs(text: str) -> list[tuple[int, int, float]]:
    """Flow, its other half and the confidence, of every joined flow."""
    return list(zip(*(column.tolist() for column in joined(text)[:3]), strict=True))


def test_a_syn_ack_from_another_address_is_joined_to_the_syn_it_acknowledges() -> None:
    assert pairs(f"{SYN}\n{ANSWER} {OTHER_SERVER}\nC R 1 dst=2\n{SYN}") == [(0, 1, SAME_CLIENT), (1, 0, SAME_CLIENT)]


def test_a_syn_ack_from_another_port_is_too() -> None:
    assert pairs(f"{SYN}\n{ANSWER} sport=8080") == [(0, 1, SAME_CLIENT), (1, 0, SAME_CLIENT)]


def test_where_only_ports_and_numbers_agree_confidence_is_at_most_half() -> None:
    text = f"{SYN}\n{ANSWER} {OTHER_ADDRESSES}\nC . 1 1\nC P. 1:81 1\nS . 1 81 {OTHER_ADDRESSES}"
    assert pairs(text) == [(0, 1, ONLY_NUMBERS), (1, 0, ONLY_NUMBERS)]
    assert ONLY_NUMBERS <= 0.5


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("one flow holds both", f"{SYN}\n{ANSWER}\nC . 1 1"),
        ("another number is acknowledged", f"{SYN}\nS S. 0 2 {OTHER_SERVER}"),
        ("another port is called", f"{SYN}\n{ANSWER} {OTHER_ADDRESSES} dport=1001"),
        ("another port answers, other addresses", f"{SYN}\n{ANSWER} {OTHER_ADDRESSES} sport=81"),
        ("the answer came before the call", f"{ANSWER} {OTHER_SERVER}\n{SYN}"),
        ("two answer", f"{SYN}\n{ANSWER} {OTHER_SERVER}\n{ANSWER} src=3"),
        ("two answer in other addresses", f"{SYN}\n{ANSWER} {OTHER_ADDRESSES}\n{ANSWER} {FAR}"),
        ("two called", f"{SYN}\n{SYN} dst=3\n{ANSWER} {OTHER_SERVER}"),
        ("the call was answered", f"{SYN}\n{ANSWER}\n{ANSWER} {OTHER_SERVER}"),
        ("no answer at all", SYN),
    ],
)
def test_nothing_is_joined_when(what: str, text: str) -> None:
    assert pairs(text) == []


def test_surer_evidence_goes_first() -> None:
    """The same client's answer is taken, the one from strange addresses is not."""
    assert pairs(f"{SYN}\n{ANSWER} {OTHER_ADDRESSES}\n{ANSWER} {OTHER_SERVER}") == [
        (0, 2, SAME_CLIENT),
        (2, 0, SAME_CLIENT),
    ]


def test_numbers_that_wrap_are_joined_too() -> None:
    rows = packets(f"{SYN}\n{ANSWER} {OTHER_SERVER}", {"C": 2**32 - 1, "S": 7})
    tracker = Tracker()
    tracker.take(Chunk.of(rows, kernels.plain()))
    assert joined_flows(tracker, client_sides(tracker)[0]).flow.tolist() == [0, 1]


def test_flows_without_another_half_have_none() -> None:
    found = joined(f"C S 0 sport=7\n{SYN}\n{ANSWER} {OTHER_SERVER}\nC S 0 sport=8")
    other, confidence = found.of(np.arange(4))
    assert (other.tolist(), confidence.tolist()) == ([-1, 2, 1, -1], [-1, SAME_CLIENT, SAME_CLIENT, -1])
    assert joined(SYN).of(np.array([0]))[0].tolist() == [-1]
