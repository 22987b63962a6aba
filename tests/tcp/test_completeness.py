"""What was seen of a connection's life, as `tshark -2` shows it in tcp.completeness."""

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.rows import part
from tcptrace.schema import NO_TIME, Packets
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

SYN, SYN_ACK, ACK, DATA, FIN, RST = (1 << bit for bit in range(6))


def completeness(*chunks: Packets) -> list[int]:
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, kernels.plain()))
    tracker.finish(NO_TIME)
    client = np.zeros(tracker.flow_count, np.int8)
    return [int(bits) for bits in Measured(tracker, client).of(np.arange(tracker.flow_count)).completeness]


CASES = [
    ("C S 0", SYN),
    ("C S 0\n S S. 0 1", SYN | SYN_ACK),
    ("C S 0\n S S. 0 1\n C . 1 1\n C P. 1:9 1\n S F. 1 9", SYN | SYN_ACK | ACK | DATA | FIN),
    ("C S 0\n S R. 0 1", SYN | ACK | RST),
    ("C . 1 1", 0),
    ("C . 1 1\n S P. 1:9 1", ACK | DATA),
    ("C . 1 1 len=-1\n C . 1 1 len=-1", ACK),
]


@pytest.mark.parametrize(("text", "bits"), CASES)
def test_of_a_connection(text: str, bits: int) -> None:
    assert completeness(packets(text)) == [bits]


def test_what_a_syn_carries_counts_where_it_begins_the_first_lifetime_of_its_tuple() -> None:
    text = "C S 0:9\n S S. 0 10\n C S 7000:7009\n S S. 9000 7010"
    assert completeness(packets(text)) == [SYN | SYN_ACK | DATA, SYN | SYN_ACK]


ANNOUNCED = f"S P. 0:50 1 sport=21 announced={1 << 16 | 80}\n"
CONTROL = 0  # one segment that is no SYN


@pytest.mark.parametrize(("text", "bits"), [(text, bits & ~SYN) for text, bits in CASES[:4]])
def test_no_syn_of_a_data_connection_that_ftp_announced(text: str, bits: int) -> None:
    chunk = packets(ANNOUNCED + text)
    assert completeness(chunk) == [CONTROL, bits]
    assert completeness(part(chunk, 0, 2), part(chunk, 2, len(chunk.frame))) == [CONTROL, bits]


def test_an_announced_data_connection_that_begins_midstream_counts_its_first_segment() -> None:
    assert completeness(packets(ANNOUNCED + "C . 1 1")) == [CONTROL, ACK]


def test_an_announcement_holds_for_one_connection() -> None:
    again = "C S 0 sport=2001\n C S 0 sport=2002\n C S 700 sport=2001"
    assert completeness(packets(ANNOUNCED + again)) == [CONTROL, 0, SYN, SYN]


def test_a_server_connects_from_port_20_to_the_end_that_its_client_named() -> None:
    command = f"C P. 0:50 1 dport=21 announced={5000}\n"
    assert completeness(packets(command + "S S 0 sport=20 dport=5000")) == [CONTROL, 0]
    assert completeness(packets(command + "S S 0 sport=3333 dport=5000")) == [CONTROL, SYN]


def test_an_announcement_holds_for_who_asked() -> None:
    assert completeness(packets(ANNOUNCED + "C S 0 src=7")) == [CONTROL, SYN]
