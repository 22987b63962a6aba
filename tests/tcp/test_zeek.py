"""Zeek's conn_state and history: a conversation in, words out; against a naive twin; however it is cut."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.kernels import Kernels
from tcptrace.rows import part
from tcptrace.schema import SIDES, Packets
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.zeek import CONN_STATES, ZeekView, zeek_views
from tcptrace.tcp.zeek_history import LETTERS_MAX, SERVER_PORTS
from tests.conversation import packets

OPEN = "C S 0\n S S. 0 1\n C . 1 1\n"


def views_of(*chunks: Packets, with_kernels: Kernels | None = None) -> list[ZeekView]:
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(chunk, with_kernels or kernels.plain())
    return zeek_views(tracker, range(tracker.flow_count), client_sides(tracker)[0])


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


# A naive twin: an object an endpoint, all ranges beyond a hole as they came, history as text.


@dataclass
class End:
    port: int
    state: str = "INACTIVE"
    before: str = "INACTIVE"
    start: int = 0
    last: int = 0
    acked: int = 0
    fin_end: int | None = None
    told: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    delivered: int = 1
    beyond: list[tuple[int, int]] = field(default_factory=list)
    gave_up: bool = False

    def enter(self, state: str) -> None:
        if state != self.state:
            self.before, self.state = self.state, state

    def position(self, near: int, raw: int) -> int:
        full = near + half(raw - near)
        return full - self.start if full >= 1 << 32 else half(raw - self.start)

    def clean(self) -> bool:
        return self.state == "ESTABLISHED" or (self.state, self.before) == ("CLOSED", "ESTABLISHED")

    def size(self) -> int:
        size = max(self.last, self.acked) - self.start
        for one in (True, self.fin_end is not None):
            size -= one and size != 0
        return size


def half(number: int) -> int:
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def beyond(near: int, raw: int) -> int:
    return (near // 2**32 + (raw < near % 2**32)) * 2**32 + raw


def based(near: int, raw: int) -> int:
    return near // 2**32 * 2**32 + raw % 2**32


class Twin:
    """One connection."""

    def __init__(self, row: Any) -> None:
        self.orig, self.resp = End(row.sport), End(row.dport)
        self.history = ""
        self.told: set[tuple[bool, str]] = set()
        self.partial = False
        self.seen: set[bool] = set()
        likely = row.sport in SERVER_PORTS
        if row.flags & 18 != 2 and likely and (row.dport not in SERVER_PORTS or (not row.flags & 2 and row.sport < 80)):
            self.flip()

    def flip(self) -> None:
        self.orig, self.resp = self.resp, self.orig
        self.seen = {not is_orig for is_orig in self.seen}
        self.partial = False
        self.history += "^"

    def add(self, end: End, letter: str) -> None:
        self.history += letter if end is self.orig else letter.lower()

    def once(self, end: End, kind: str, letter: str) -> bool:
        key = (end is self.orig, kind)
        if key in self.told:
            return True
        self.told.add(key)
        self.add(end, letter)
        return False

    def anew(self, end: End, kind: str, letter: str, position: int) -> None:
        if self.once(end, kind, letter) and end.told.get(kind, 0) != position:
            self.add(end, letter)
        end.told[kind] = position

    def counted(self, end: End, letter: str) -> None:
        end.counts[letter] = end.counts.get(letter, 0) + 1
        if str(end.counts[letter]).strip("0") == "1":
            self.add(end, letter)

    def tell(self, row: Any) -> None:
        x, y = (self.orig, self.resp) if row.sport == self.orig.port else (self.resp, self.orig)
        as_orig = x is self.orig
        fin, syn, rst, ack = (bool(row.flags & bit) for bit in (1, 2, 4, 16))
        if as_orig not in self.seen:
            self.partial = not syn or ack if as_orig else self.partial or not syn
        size = row.len * (not rst) + syn + fin
        self.start(x, row, syn, (row.seq + size) % 2**32)
        position = x.position(x.last, row.seq)
        self.letters(x, row, position, "".join("FSR"[i] for i in range(3) if row.flags & 1 << i), ack)
        if row.window == 0 and not rst and y.state != "CLOSED" and x.state != "RESET":
            self.counted(x, "W")
        if fin:
            x.fin_end = position + size
        acked = self.acked(y, row.ack, rst) if ack else 0
        self.sent(x, (row.seq + size) % 2**32, row.len, syn or rst, fin)
        self.advance(x, y, as_orig, fin, syn, rst, ack, row.len)
        self.seen.add(as_orig)
        if ack:
            self.gaps(y, x, acked)
        if row.len and not rst and position >= 0:
            self.payload(x, position + syn, row.len)

    def start(self, x: End, row: Any, syn: bool, end: int) -> None:
        renewed = x.state in ("INACTIVE", "ESTABLISHED", "PARTIAL") or (x.state, x.before) == ("RESET", "INACTIVE")
        if syn and (renewed or (x.state in ("SYN_SENT", "SYN_ACK_SENT") and row.seq != x.start)):
            x.start, x.acked, x.last = row.seq, based(x.acked, row.seq), based(x.last, end)
        elif not syn and x.state == "INACTIVE":
            x.start, x.acked, x.last = (row.seq - 1) % 2**32, based(x.acked, row.seq - 1), based(x.last, row.seq)

    def letters(self, x: End, row: Any, position: int, kinds: str, ack: bool) -> None:
        if kinds == "" and (row.len or ack):
            if self.history == "H":
                self.flip()
                self.history = "^h"
                self.seen.add(True)
            self.once(x, "DATA" if row.len else "ACK", "D" if row.len else "A")
        elif kinds == "S":
            self.anew(x, "S", "H" if ack else "S", position)
        elif kinds == "F":
            self.anew(x, "F", "F", position + row.len)
        elif kinds == "R":
            self.anew(x, "R", "R", position)
        elif kinds:
            self.once(x, "I" if {*"FR"} <= {*kinds} else "Q", "I" if {*"FR"} <= {*kinds} else "Q")

    def acked(self, y: End, ack: int, rst: bool) -> int:
        if y.state == "INACTIVE":
            y.start = (ack - 1) % 2**32
            y.last, y.acked = based(y.last, ack - 1), based(y.acked, ack - 1)
            return 1
        position = y.position(y.acked, ack)
        ahead = half(ack - y.acked)
        if position >= 0 and not rst and ahead > 0 and (ack or ahead <= 1 << 20):
            y.acked = beyond(y.acked, ack)
        return max(0, position)

    def sent(self, x: End, end: int, length: int, leaps: bool, fin: bool) -> None:
        ahead = half(end - x.last)
        if leaps and abs(ahead) > 1 << 20:
            return
        only_syn = (x.last - x.start - 1) % 2**32 == 0
        if (fin and only_syn) or (x.state != "RESET" and ahead > 0):
            x.last = beyond(x.last, end)
        elif x.state != "RESET" and length:
            self.counted(x, "T")

    def advance(self, x: End, y: End, as_orig: bool, fin: bool, syn: bool, rst: bool, ack: bool, length: int) -> None:
        if x.state == "INACTIVE":
            self.first(x, y, as_orig, fin, syn, rst, ack, length)
        elif x.state in ("SYN_SENT", "SYN_ACK_SENT"):
            for state in ["CLOSED"] * fin + ["RESET"] * rst:
                x.enter(state)
        elif x.state in ("PARTIAL", "ESTABLISHED"):
            if syn and not ack and (x.state, y.state) == ("PARTIAL", "INACTIVE"):
                x.enter("SYN_SENT")
            if rst:
                x.enter("RESET")
            elif fin:
                x.enter("CLOSED")
                if (y.state, y.before) == ("RESET", "CLOSED"):
                    y.enter("CLOSED")
        elif x.state == "CLOSED" and rst and y.state != "CLOSED":
            x.enter("RESET")

    def first(self, x: End, y: End, as_orig: bool, fin: bool, syn: bool, rst: bool, ack: bool, length: int) -> None:
        if syn and as_orig:
            x.enter("SYN_ACK_SENT" if ack else "SYN_SENT")
        elif syn:
            if not ack and y.state == "SYN_ACK_SENT":
                self.flip()
                y.enter("ESTABLISHED")
                self.seen.add(True)
            if y.state == "SYN_SENT":
                y.enter("ESTABLISHED")
            x.enter("ESTABLISHED")
        if fin:
            x.enter("CLOSED")
        if rst:
            x.enter("RESET")
        if x.state == "INACTIVE" and not (not as_orig and not length and self.orig.state == "SYN_SENT"):
            if ack and y.state == "ESTABLISHED":
                x.enter("ESTABLISHED")
                self.partial = False
                self.seen.add(as_orig)
            else:
                x.enter("PARTIAL")

    def gaps(self, y: End, x: End, acked: int) -> None:
        if y.fin_end is not None and 0 <= y.fin_end <= acked:
            acked = y.fin_end - 1
        if acked <= y.delivered or (acked <= 2 and self.partial):
            return
        holes = 0
        for left, right in [*sorted(block for block in y.beyond if block[0] < acked), (acked, acked)]:
            holes += left > y.delivered
            y.delivered = max(y.delivered, right)
        for _ in range(holes if x.clean() and y.clean() and not y.gave_up else 0):
            self.counted(y, "G")
        self.deliver(y)

    def deliver(self, y: End) -> None:
        for left, right in sorted(y.beyond):
            y.delivered = max(y.delivered, right) if left <= y.delivered else y.delivered
        y.beyond = [(left, right) for left, right in y.beyond if left > y.delivered]

    def payload(self, x: End, position: int, length: int) -> None:
        acked = x.acked - x.start
        if x.gave_up or position + length <= acked:
            return
        x.beyond.append((max(position, acked), position + length))
        self.deliver(x)
        if acked in (0, 1) and x.beyond and max(right for _, right in x.beyond) - x.delivered > 16384:
            x.gave_up, x.beyond = True, []

    def conn_state(self) -> str:
        o, r = self.orig.state, self.resp.state
        silent = {"INACTIVE", "PARTIAL"}
        if r == "RESET":
            if o in ("SYN_SENT", "SYN_ACK_SENT") or (o == "RESET" and self.orig.size() == self.resp.size() == 0):
                return "REJ"
            return "RSTRH" if o in silent else "RSTR"
        if o == "RESET":
            if r not in silent:
                return "RSTO"
            history = self.history.removeprefix("^")
            until, reset, _ = history.partition("R")
            return "RSTOS0" if history[:1] == "S" and reset and not {*until} & {*"HAFGIQ"} else "OTH"
        if o == "CLOSED":
            return "SF" if r == "CLOSED" else "SH" if r in silent else "S2"
        if r == "CLOSED":
            return "SHR" if o in silent else "S3"
        return {("SYN_SENT", "INACTIVE"): "S0", ("ESTABLISHED", "ESTABLISHED"): "S1"}.get((o, r), "OTH")


NUMBERS = [-1, 0, 0, 1, 1, 1, 2, 9, 9, 17, 25, 400, 17000]
LINE = st.builds(
    lambda side, flags, seq, length, ack, window: f"{side} {flags} {seq}:{seq + length} {ack} window={window}",
    st.sampled_from("CS"),
    st.sampled_from([".", ".", ".", ".", ".", "S.", "S", "F.", "R.", "R", "P", "U", "SF", "SR", "FR.", "SFR."]),
    st.sampled_from([*NUMBERS, 2_000_000]),
    st.sampled_from([0, 0, 8, 8, 16, 17000]),
    st.sampled_from(NUMBERS),
    st.sampled_from([0, 9, 9]),
)
ISNS = [{"C": 1_000_000, "S": 2_000_000}, {"C": 2**32 - 1, "S": 2**32 - 20}, {"C": 0, "S": 2**32 - 10_000}]


def rows_of(chunk: Packets) -> list[Any]:
    names = "sport dport flags seq ack len window".split()
    values = zip(*(getattr(chunk, name).tolist() for name in names), strict=True)
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in values]


@settings(max_examples=400)
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
    flows = tracker.take(chunk, kernels.plain()).flow.tolist()
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
        tracker.take(chunk, chosen)
    client = client_sides(tracker)[0]
    keys = tracker.flows.rows[: tracker.flow_count * 12].reshape(-1, 12)[:, :2] & 0xFFFF
    views = zeek_views(tracker, range(tracker.flow_count), client)
    sides = [SIDES.index(seen.originator) ^ int(client[flow]) for flow, seen in enumerate(views)]
    return [(seen.conn_state, seen.history, int(keys[flow, sides[flow]])) for flow, seen in enumerate(views)]
