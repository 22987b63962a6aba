"""ICMP errors find the flow that they are about."""

from tcptrace import kernels
from tcptrace.capture.context import IcmpError
from tcptrace.capture.decoding import Chunk
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.icmp_errors import about_flows
from tcptrace.tcp.tracker import Tracker
from tests.conversation import ISN, packets

CLIENT, SERVER = (0, 1000), (1, 80)
TWICE = "C S 0\n S S. 0 1\n C . 1 1\n C S 5000\n S S. 0 5001\n C P. 5001:5100 1"
"""A tuple of two lifetimes, which begin at frames 1 and 4."""


def error(frame: int, src: tuple[int, int] = CLIENT, dst: tuple[int, int] = SERVER, seq: int = -1) -> IcmpError:
    return IcmpError(frame, 0, 4, 3, 1, -1, "10.0.0.254", *src, *dst, -1, seq)


def joined(text: str, *errors: IcmpError) -> list[tuple[int, int, int]]:
    """Flow, side and sequence number of each."""
    tracker = Tracker()
    tracker.take(Chunk.of(packets(text), kernels.plain()))
    client, _ = client_sides(tracker)
    return [(found.flow, found.side, found.seq) for found in about_flows(errors, tracker, client)]


def test_the_newest_flow_that_began_before_it() -> None:
    assert joined(TWICE, error(1), error(2), error(4), error(5), error(99)) == [
        (-1, -1, -1),
        (0, 0, -1),
        (0, 0, -1),
        (1, 0, -1),
        (1, 0, -1),
    ]


def test_the_side_is_who_sent_what_is_quoted_and_its_number_counts_from_its_isn() -> None:
    assert joined(TWICE, error(3, seq=ISN["C"]), error(3, SERVER, CLIENT, seq=(ISN["S"] + 1) % 2**32)) == [
        (0, 0, 0),
        (0, 1, 1),
    ]


def test_a_flow_whose_client_spoke_second() -> None:
    assert joined("S S. 0 1\n C . 1 1", error(3), error(3, SERVER, CLIENT)) == [(0, 0, -1), (0, 1, -1)]


def test_of_another_tuple_nothing_is_known() -> None:
    assert joined(TWICE, error(9, (0, 1001)), error(9, SERVER, SERVER)) == [(-1, -1, -1)] * 2
    assert joined("", error(9)) == [(-1, -1, -1)]


def test_without_ports_it_is_the_newest_flow_between_the_hosts() -> None:
    beside = "C S 0 sport=2000\n S S. 0 1 dport=2000\n C S 9 sport=3000 dport=443"
    some_port, that_port = error(9, (0, -1), (1, -1)), error(9, (0, -1), SERVER)
    assert joined(beside, some_port, that_port, error(2, (0, -1), (1, -1))) == [(1, 0, -1), (0, 0, -1), (0, 0, -1)]
    assert joined(beside, error(9, (1, -1), (0, -1)), error(9, (5, -1), (0, -1))) == [(1, 1, -1), (-1, -1, -1)]
