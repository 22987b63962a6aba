"""Wireshark's labels: a conversation in, names out; against a naive twin; however it is cut."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.report.label_names import label_names
from tcptrace.schema import Packets
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OPEN = "0 C S 0\n 10 S S. 0 1\n 20 C . 1 1\n"


def labels_of(*chunks: Packets, with_kernels: Kernels | None = None) -> list[tuple[str, ...]]:
    tracker = Tracker()
    taken = [tracker.take(Chunk.of(chunk, with_kernels or kernels.plain())).labels.copy() for chunk in chunks]
    return [label_names(bits) for bits in np.concatenate(taken).tolist()]


def last(text: str) -> str:
    """The labels of the last segment; all before it but those of probes have none."""
    return " ".join(labels_of(packets(OPEN + text))[-1])


REPEATED = "retransmission"
CASES = [
    ("C . 1:101 1\n 500 C . 1:101 1", REPEATED),
    ("C . 1:101 1\n C . 101:201 1", ""),
    ("C . 1:101 1\n 40 C . 201:301 1\n 41 C . 101:201 1", "out_of_order"),
    ("C . 1:101 1\n 40 C . 201:301 1\n 61 C . 101:201 1", REPEATED),
    ("C . 1:101 1\n S . 1 101\n C . 1:101 1", f"{REPEATED} spurious_retransmission"),
    ("C . 1:101 1\n S . 1 101\n C . 1:102 1", REPEATED),
    (
        "S . 1:101 1\n 50 S . 201:301 1\n 51 C . 1 1\n 52 C . 1 1\n 53 C . 1 1\n 54 S . 1:101 1",
        f"{REPEATED} fast_retransmission",
    ),
    ("S . 1:101 1\n 50 S . 201:301 1\n 51 C . 1 1\n 95 S . 1:101 1", REPEATED),
    ("S . 1 1\n S . 1 1", "duplicate_ack"),
    ("S . 1 1\n S . 1 1 window=0", "zero_window"),
    ("C . 101:201 1", "lost_segment"),
    ("C R 101", ""),
    ("S . 1 101", "ack_lost_segment"),
    ("S . 1 101\n S . 1 101 window=999", "window_update"),
    ("S . 1 1 window=0\n C . 1:2 1", "zero_window_probe"),
    ("S . 1 1 window=0\n C . 1:2 1\n S . 1 1 window=0", "zero_window zero_window_probe_ack"),
    ("S . 1 1 window=1\n C . 1:129 1", "window_full"),
    ("S . 1 1 window=1\n C . 1:128 1", ""),
    ("C . 0 1", "keep_alive"),
    ("C . 0:1 1", "keep_alive"),
    ("S . 1 1\n C . 0:1 1\n S . 1 1", "keep_alive_ack"),
    ("500 S S. 0 1", REPEATED),
    ("C F. 1 1\n 500 C F. 1 1", REPEATED),
    ("C . 1:101 1\n 500 C S 0\n 999 C . 1:101 1", REPEATED),
    ("C F. 1:101 1\n 500 C S 0\n 999 C . 1:101 1", ""),
    ("S S. 77 1", "lost_segment reused_ports"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_labels_of_the_last_segment(text: str, expected: str) -> None:
    assert last(text) == expected


def test_every_label_has_a_case() -> None:
    from tcptrace.schema import LABELS

    assert {name for _, expected in CASES for name in expected.split()} == set(LABELS)


def test_a_new_isn_on_a_used_tuple() -> None:
    chunk = packets("C S 0\n S S. 0 1\n C . 1 1\n C S 5000")
    assert labels_of(chunk)[-1] == ("reused_ports",)
    assert labels_of(part(chunk, 0, 3), part(chunk, 3, 4))[-1] == ("reused_ports",)


def test_what_was_never_scaled_is_full_at_its_edge() -> None:
    text = "0 C S 0 window_scale=-1\n 10 S S. 0 1 window_scale=-1\n 20 C . 1 1\n S . 1 1 window=100\n C . 1:101 1"
    assert labels_of(packets(text))[-1] == ("window_full",)


def test_a_window_scale_beyond_14_counts_as_14() -> None:
    text = "0 C S 0 window_scale=1\n 10 S S. 0 1 window_scale=20\n 20 C . 1 1\n S . 1 1 window=1\n C . 1:16385 1"
    assert labels_of(packets(text))[-1] == ("window_full",)


def test_no_window_verdict_midstream() -> None:
    assert labels_of(packets("S . 1 1 window=1\n C . 1:129 1"))[-1] == ()


def part(chunk: Packets, start: int, stop: int) -> Packets:
    from tcptrace.rows import part as rows

    return rows(chunk, start, stop)


# A naive twin: an object a direction, told of a segment at a time; numbers are compared as offsets.


@dataclass
class Side:
    next: int | None = None
    next_ns: int = 0
    ack: int = 0
    seen_ns: int = 0
    window: int = -1
    duplicates: int = 0
    acked_to: int | None = None
    labels: set[str] = field(default_factory=set)
    scale: int | None = None
    syn_window: bool = False
    base: int | None = None
    closed: bool = False


class Twin:
    """One flow. Sequence numbers stay far from 0 and from the end of their space, so they are plain ints here."""

    def __init__(self) -> None:
        self.sides = {1000: Side(), 80: Side()}
        self.syn_ns: int | None = None
        self.first_rtt = 0

    def tell(self, row: Any) -> set[str]:
        x, y = self.sides[row.sport], self.sides[row.dport]
        syn, fin, rst, ack_bit = (bool(row.flags & bit) for bit in (2, 1, 4, 16))
        found: set[str] = set()
        if syn and ack_bit and x.base is not None and x.base != row.seq:
            found.add("reused_ports")
            x.base = row.seq
        if x.base is None:
            x.base = row.seq if syn else row.seq - 1
        if y.base is None and ack_bit:
            y.base = row.ack - 1
        found |= self.judge(x, y, row, syn, fin, rst, ack_bit)
        end = row.seq + row.len + (syn or fin)
        if "zero_window_probe" not in found:
            if x.next is None or end > x.next or (syn and not ack_bit and x.closed):
                x.next, x.next_ns = end, row.time_ns
            if x.acked_to is None or x.acked_to == row.seq:
                x.acked_to = x.next
        x.window, x.ack, x.seen_ns, x.labels = row.window, row.ack, row.time_ns, found
        x.closed |= fin or rst
        self.handshake(x, y, row, syn, ack_bit)
        return found

    def judge(self, x: Side, y: Side, row: Any, syn: bool, fin: bool, rst: bool, ack_bit: bool) -> set[str]:
        found = set()
        quiet = not (syn or fin or rst)
        if row.len == 1 and x.next == row.seq and y.window == 0:
            found.add("zero_window_probe")
        else:
            found |= self.judge_window(x, y, row, quiet, rst)
        return found | self.judge_more(x, y, row, found, syn or fin, ack_bit)

    def judge_window(self, x: Side, y: Side, row: Any, quiet: bool, rst: bool) -> set[str]:
        found = set()
        if quiet and row.window == 0:
            found.add("zero_window")
        if x.next is not None and row.seq > x.next and not rst:
            found.add("lost_segment")
        if quiet and row.len <= 1 and x.next is not None and row.seq == x.next - 1:
            found.add("keep_alive")
        scale = 0 if y.syn_window or not y.scale or y.scale < 0 else y.scale
        if quiet and row.len and y.scale is not None and row.seq + row.len == y.ack + (max(y.window, 0) << scale):
            found.add("window_full")
        if quiet and not row.len and x.next == row.seq and row.ack == x.ack:
            if row.window and row.window != x.window:
                found.add("window_update")
            elif row.window:
                found.add("keep_alive_ack" if "keep_alive" in y.labels else "duplicate_ack")
            elif x.window == 0 and "zero_window_probe" in y.labels:
                found.add("zero_window_probe_ack")
        return found

    def judge_more(self, x: Side, y: Side, row: Any, found: set[str], counts: bool, ack_bit: bool) -> set[str]:
        if "duplicate_ack" in found:
            x.duplicates = max(x.duplicates, 0) + 1
        if row.ack != x.ack:
            x.duplicates = 0
        if ack_bit and y.acked_to is not None and row.ack > y.acked_to:
            if y.next is not None and y.acked_to < y.next:
                y.acked_to = y.next
                found.add("ack_lost_segment")
            else:
                if y.duplicates == 0:
                    found.add("ack_lost_segment")
                y.duplicates = -1
        if (row.len or counts) and "keep_alive" not in found:
            found |= self.repeat(x, y, row, counts)
        return found

    def repeat(self, x: Side, y: Side, row: Any, counts: bool) -> set[str]:
        back = x.next is not None and row.seq < x.next and not (row.len > 1 and row.seq == x.next - 1)
        if row.len and y.ack and row.seq + row.len <= y.ack:
            return {"spurious_retransmission", "retransmission"}
        if not back or x.next is None:
            return set()
        if (y.duplicates >= 2 or y.duplicates < 0) and y.ack == row.seq and 0 <= row.time_ns - y.seen_ns < 20_000_000:
            return {"fast_retransmission", "retransmission"}
        late_ns = row.time_ns - x.next_ns
        soon = late_ns >= 0 and (self.first_rtt < 0 or late_ns < (self.first_rtt or 3_000_000))
        if soon and x.next != row.seq + row.len + counts:
            return {"out_of_order"}
        return {"retransmission"}

    def handshake(self, x: Side, y: Side, row: Any, syn: bool, ack_bit: bool) -> None:
        if syn:
            if not ack_bit:
                self.syn_ns = row.time_ns
            x.syn_window = True
            if row.window_scale >= 0:
                x.scale = -1 if ack_bit and y.scale == -1 else row.window_scale
            elif x.scale is None or x.scale < 0:
                x.scale = y.scale = -1
        elif ack_bit:
            if self.syn_ns is not None and not self.first_rtt:
                self.first_rtt = row.time_ns - self.syn_ns
            x.syn_window = False


LINE = st.builds(
    lambda ms, side, flags, seq, length, ack, window, scale: (
        f"{ms} {side} {flags} {seq}:{seq + length} {ack} window={window} window_scale={scale if 'S' in flags else -1}"
    ),
    st.integers(0, 60),
    st.sampled_from("CS"),
    st.sampled_from([".", ".", ".", ".", "S.", "F.", "R.", "P.", "S"]),
    st.sampled_from([0, 1, 1, 2, 51, 101, 151]),
    st.sampled_from([0, 0, 1, 50, 50, 100]),
    st.sampled_from([0, 1, 1, 2, 51, 101, 151]),
    st.sampled_from([0, 1, 50, 100]),
    st.sampled_from([-1, 0, 2]),
)
ISN = {"C": 1_000_000, "S": 2_000_000}


@given(st.lists(LINE, max_size=14), st.integers(0, 17), st.booleans())
def test_labels_are_those_of_the_twin(lines: list[str], cut: int, opened: bool) -> None:
    chunk = packets((OPEN if opened else "") + "\n".join(lines), ISN)
    twin = Twin()
    flows = Tracker().take(Chunk.of(chunk, kernels.plain())).flow.tolist()
    rows = [row for row, flow in zip(_rows(chunk), flows, strict=True) if flow == 0]
    expected = [tuple(sorted(twin.tell(row))) for row in rows]
    for chosen in (kernels.plain(), kernels.compiled()):
        found = labels_of(part(chunk, 0, cut), part(chunk, cut, len(flows)), with_kernels=chosen)
        assert [tuple(sorted(names)) for names, flow in zip(found, flows, strict=True) if flow == 0] == expected


def _rows(chunk: Packets) -> list[Any]:
    from types import SimpleNamespace

    names = "sport dport flags seq ack len window window_scale time_ns".split()
    values = zip(*(getattr(chunk, name).tolist() for name in names), strict=True)
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in values]
