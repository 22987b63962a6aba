"""Zeek's conn_state and history: a conversation in, words out; against a naive twin; however it is cut."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.rows import part
from tcptrace.schema import SIDES, Packets
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.zeek import CONN_STATES, ZeekView, zeek_views
from tcptrace.tcp.zeek_rows import LETTERS_MAX
from tests.conversation import packets
from tests.tcp.zeek_twin import Twin

OPEN = "C S 0\n S S. 0 1\n C . 1 1\n"


def views_of(*chunks: Packets, with_kernels: Kernels | None = None) -> list[ZeekView]:
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, with_kernels or kernels.plain()))
    return zeek_views(tracker, np.arange(tracker.flow_count), client_sides(tracker)[0])


def view(text: str) -> ZeekView:
    return views_of(packets(text))[0]


STATES = [
    ("C S 0", "S0", "S"),
    ("C S 0\n C S 0", "S0", "S"),
    (OPEN, "S1", "ShA"),
    (OPEN + "C P. 1:9 1\n S P. 1:5 9\n C F. 9 5\n S . 5 10\n S F. 5 10\n C . 10 6", "SF", "ShADdFaf"),
    ("C S 0\n S R. 0 1", "REJ", "Sr"),
    ("C S 0\n S S. 0 1\n C R 1\n S R. 1 1", "REJ", "ShRr"),
    (OPEN + "C F. 1 1\n S . 1 2", "S2", "ShAFa"),
    (OPEN + "S F. 1 1\n C . 1 2", "S3", "ShAf"),
    (OPEN + "C P. 1:9 1\n C R. 9 1", "RSTO", "ShADR"),
    (OPEN + "C P. 1:9 1\n S R. 1 9", "RSTR", "ShADr"),
    ("C S 0\n C R 1", "RSTOS0", "SR"),
    ("S S. 0 1\n S R 1", "RSTRH", "^hr"),
    ("C S 0\n C F. 1 1", "SH", "SF"),
    ("S S. 0 1\n S F. 1 1", "SHR", "^hf"),
    ("C . 1:9 1\n S . 1 9", "OTH", "Da"),
    ("C S 0\n C . 1 1\n C R 1", "OTH", "SAR"),
]


@pytest.mark.parametrize(("text", "conn_state", "history"), STATES)
def test_conn_state_and_history(text: str, conn_state: str, history: str) -> None:
    assert view(text) == (conn_state, history, "client")


def test_every_conn_state_has_a_case() -> None:
    assert {conn_state for _, conn_state, _ in STATES} == set(CONN_STATES)


def repeated(segment: str, times: int) -> str:
    return "\n".join([segment] * times)


HISTORIES = [
    ("C S 0\n S S. 0 1\n S S. 0 1", "Sh", "a SYN-ACK again is told once"),
    ("C S 0\n S S. 0 1\n S S. 7 1", "Sh", "nor is another one, which begins the stream anew"),
    (OPEN + "S F. 1 1\n S S. 7 1", "ShAfh", "unless the stream has ended"),
    (OPEN + "C F. 1 1\n C F. 1 1", "ShAF", "so are FINs"),
    (OPEN + "C F. 1 1\n C F. 2 1", "ShAFF", ""),
    (OPEN + "S R. 1 1\n S R. 1 1\n S R. 9 1", "ShArr", "and RSTs"),
    (OPEN + repeated("C P. 1:9 1", 2), "ShADT", "payload again"),
    (OPEN + repeated("C P. 1:9 1", 10), "ShADT", ""),
    (OPEN + repeated("C P. 1:9 1", 11), "ShADTT", "the tenth time"),
    (OPEN + repeated("S P. 1:9 1", 101), "ShAdttt", "the hundredth"),
    (OPEN + "S . 1 1 window=0", "ShAaw", "a zero window"),
    (OPEN + repeated("S . 1 1 window=0", 10), "ShAaww", ""),
    (OPEN + "C F. 1 1\n S . 1 2 window=0", "ShAFa", "not where there is nothing to be received"),
    (OPEN + "C R. 1 1 window=0", "ShAR", ""),
    ("C S 0 window=0", "SW", ""),
    (OPEN + "C . 1:9 1\n C . 17:25 1\n S . 1 25", "ShADaG", "what is acknowledged and was not seen"),
    (OPEN + "C . 1:9 1\n C . 17:25 1\n C . 9:17 1\n S . 1 25", "ShADTa", "out of order is no gap"),
    (OPEN + "S . 1 100\n S . 1 100", "ShAaG", "a gap is told once"),
    (OPEN + "\n".join(f"C . {n}:{n + 8} 1" for n in range(9, 177, 16)) + "\n S . 1 177", "ShADaGG", "ten gaps"),
    (OPEN + "C F. 9 1\n S . 1 10", "ShAFaG", "data before a FIN"),
    (OPEN + "C . 1:9 1\n S . 1 100\n S R. 1 100", "ShADaGr", ""),
    (OPEN + "C R. 100 1\n S . 1 100", "ShARa", "a RST's number proves nothing"),
    (OPEN + "C . 1:9 1 len_cut=8\n S . 1 9", "ShADaG", "payload that the capture cut is missing"),
    ("C . 1:9 1\n S . 1:9 9\n C . 9 50", "DdA", "midstream no gap is told"),
    (
        OPEN + "S . 9:5000 1\n S . 5000:20000 1\n C . 1 20000",
        "ShAd",
        "too much beyond a hole",
    ),
    (OPEN + "S FR 1 1", "ShAi", "FIN and RST"),
    ("C SF 0", "Q", "SYN and FIN"),
    ("C SR 0", "Q", "SYN and RST"),
    (OPEN + "C U 1", "ShA", "no flags, no payload: nothing"),
]


@pytest.mark.parametrize(("text", "history", "why"), HISTORIES)
def test_letters(text: str, history: str, why: str) -> None:
    assert view(text).history == history, why


def test_every_letter_has_a_case() -> None:
    told = set("".join(history for _, _, history in STATES) + "".join(history for _, history, _ in HISTORIES))
    assert {letter.upper() for letter in told} == set("SHADFRGTWIQ^")


def between(text: str, server_port: int, client_port: int = 1000) -> ZeekView:
    chunk = packets(text)
    for ports in (chunk.sport, chunk.dport):
        ports[:] = np.where(ports == 80, server_port, client_port)
    return views_of(chunk)[0]


def test_a_connection_that_a_server_port_seems_to_begin_is_flipped() -> None:
    assert between("S S. 0 1\n C . 1 1", 80).history == "^hA"
    assert between("S . 1:9 1", 443).history == "^d"
    assert between("S . 1:9 1", 80, 443) == ("OTH", "^d", "client")
    assert between("S . 1:9 1", 443, 80) == ("OTH", "D", "client")
    assert between("S S. 0 1", 80, 443) == ("OTH", "H", "server")


def test_a_syn_ack_from_any_other_port_is_flipped_by_what_follows() -> None:
    assert between("S S. 0 1", 4000) == ("OTH", "H", "server")
    assert between("S S. 0 1\n C . 1 1", 4000) == ("OTH", "^hA", "client")
    assert between("S S. 0 1\n C R 1", 4000) == ("REJ", "Hr", "server")
    assert between("S S. 0 1\n C S 0\n C . 1 1", 4000) == ("S1", "Hs^A", "client")


def test_numbers_may_pass_their_end() -> None:
    lines = [f"S . {n}:{n + 100} 1\n C . 1 {n + 100}" for n in range(1, 901, 100)]
    assert view(OPEN + "\n".join(lines) + "\n S . 201:301 1\n C . 1 1201").history == "ShAdtg"
    assert view(OPEN + "\n".join(lines) + "\n S F. 901 1\n C F. 1 902\n S . 902 2") == ("SF", "ShAdfFa", "client")


def test_a_history_ends_somewhere() -> None:
    text = OPEN + "\n".join(f"S R. {n} 1" for n in range(1, 100))
    assert view(text).history == "ShA" + "r" * (LETTERS_MAX - 3)


def test_what_has_no_flags_has_no_history() -> None:
    chunk = packets(OPEN)
    chunk.flags[:] = -1
    assert views_of(chunk) == [("OTH", "", "client")]
    chunk = packets("C . 1:9 1")
    chunk.len[:] = -1
    assert views_of(chunk)[0].history == ""


NUMBERS = [-1, 0, 0, 1, 1, 1, 2, 9, 9, 17, 25, 400, 17000]
LINE = st.builds(
    lambda side, flags, seq, length, ack, window, cut: (
        f"{side} {flags} {seq}:{seq + length} {ack} window={window} len_cut={cut}"
    ),
    st.sampled_from("CS"),
    st.sampled_from([".", ".", ".", ".", ".", "S.", "S", "F.", "R.", "R", "P", "U", "SF", "SR", "FR.", "SFR."]),
    st.sampled_from([*NUMBERS, 2_000_000]),
    st.sampled_from([0, 0, 8, 8, 16, 17000]),
    st.sampled_from(NUMBERS),
    st.sampled_from([0, 9, 9]),
    st.sampled_from([0, 0, 0, 0, 4]),
)
ISNS = [{"C": 1_000_000, "S": 2_000_000}, {"C": 2**32 - 1, "S": 2**32 - 20}, {"C": 0, "S": 2**32 - 10_000}]


def rows_of(chunk: Packets) -> list[Any]:
    names = "sport dport flags seq ack len window len_cut".split()
    values = zip(*(getattr(chunk, name).tolist() for name in names), strict=True)
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in values]


@given(
    st.lists(LINE, max_size=14),
    st.integers(0, 17),
    st.sampled_from(["", "C S 0\n", OPEN, "S S. 0 1\n"]),
    st.sampled_from(ISNS),
    st.sampled_from([80, 4000]),
)
def test_views_are_those_of_the_twin(
    lines: list[str], cut: int, opening: str, isn: dict[str, int], server_port: int
) -> None:
    chunk = packets(opening + "\n".join(lines), isn)
    for ports in (chunk.sport, chunk.dport):
        ports[ports == 80] = server_port
    tracker = Tracker()
    flows = tracker.take(Chunk.of(chunk, kernels.plain())).flow.tolist()
    twins: dict[int, Twin] = {}
    for row, flow in zip(rows_of(chunk), flows, strict=True):
        twins.setdefault(flow, Twin(row)).tell(row)
    expected = [(twins[flow].conn_state(), twins[flow].history, twins[flow].orig.port) for flow in range(len(twins))]
    for chosen in (kernels.plain(), kernels.compiled()):
        for cuts in ([0, cut], [0, *range(1, len(flows))]):
            chunks = [part(chunk, a, b) for a, b in zip(cuts, [*cuts[1:], len(flows)], strict=True)]
            assert ports_of(chunks, chosen) == expected


def ports_of(chunks: list[Packets], chosen: Kernels) -> list[tuple[str, str, int]]:
    """conn_state, history, and the originator's port."""
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, chosen))
    client = client_sides(tracker)[0]
    keys = tracker.flows.rows[: tracker.flow_count * 12].reshape(-1, 12)[:, :2] & 0xFFFF
    views = zeek_views(tracker, np.arange(tracker.flow_count), client)
    sides = [SIDES.index(seen.originator) ^ int(client[flow]) for flow, seen in enumerate(views)]
    return [(seen.conn_state, seen.history, int(keys[flow, sides[flow]])) for flow, seen in enumerate(views)]
