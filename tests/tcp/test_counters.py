"""What a direction's segments add up to: a conversation in, sums out; against a naive twin; however it is cut."""

from collections import namedtuple
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt
from statistics import variance
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.rows import part, records
from tcptrace.schema import SACK_BLOCKS_MAX, Packets
from tcptrace.tcp.direction_table import direction_table, stalls
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OPEN = "0 C S 0 mss=1460\n 10 S S. 0 1\n 20 C . 1 1\n"


def directions(*chunks: Packets, with_kernels: Kernels | None = None) -> list[Any]:
    """The rows of all flows, client before server."""
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, with_kernels or kernels.plain()))
    client, guessed = client_sides(tracker)
    return list(records(direction_table(tracker, client, flow_table(tracker, client, guessed).flow)))


def client_of(text: str) -> Any:
    return directions(packets(OPEN + text))[0]


def server_of(text: str) -> Any:
    return directions(packets(OPEN + text))[1]


CASES: list[tuple[str, dict[str, int]]] = [
    ("", {"packets": 2, "syns": 1, "acks": 1, "pure_acks": 1, "fins": 0, "mss": 1460, "window_scale": 7}),
    ("C P. 1:101 1\n C . 101:301 1", {"data_packets": 2, "data_bytes": 300, "pushed_packets": 1, "pure_acks": 1}),
    ("C P. 1:101 1\n C . 101:302 1", {"segment_max_bytes": 201, "segment_min_bytes": 100, "segment_mean_bytes": 150}),
    ("C U. 1:101 1 urgent=7\n C U. 101 1 urgent=7", {"urgent_packets": 1, "urgent_bytes": 7}),
    ("C . 1:101 1 len_cut=60\n C . 101:201 1 len_cut=1", {"truncated_packets": 2, "truncated_bytes": 61}),
    ("C R. 1 1", {"resets": 1, "acks": 2, "pure_acks": 1}),
    # what is sent again
    ("C . 1:101 1\n C . 1:101 1", {"retransmitted_packets": 1, "retransmitted_bytes": 100, "unique_bytes": 100}),
    ("C . 1:101 1\n C . 51:151 1", {"retransmitted_packets": 1, "retransmitted_bytes": 50, "unique_bytes": 150}),
    ("C S 0\n C . 1 1", {"syns": 2, "retransmitted_packets": 1, "retransmitted_bytes": 1, "unique_bytes": 0}),
    ("C F. 1 1\n C F. 1 1", {"fins": 2, "retransmitted_packets": 1, "retransmitted_bytes": 1}),
    ("C . 1:101 1\n S . 1 101\n C . 100:101 1", {"retransmitted_packets": 1}),
    ("C . 1:101 1", {"segment_repeats_max": 0, "repeat_wait_max_ns": -1, "recovery_max_ns": 0}),
    (
        "100 C . 1:101 1\n 101 C . 101:201 1\n 400 C . 1:101 1\n 1000 C . 1:101 1\n 1020 S . 1 201",
        {"segment_repeats_max": 2, "repeat_wait_max_ns": 600_000_000, "recovery_max_ns": 620_000_000},
    ),
    (
        "100 C . 1:101 1\n 400 C . 1:101 1\n 420 S . 1 101\n 500 C . 101:201 1\n 900 C . 101:201 1\n 910 S . 1 201",
        {"segment_repeats_max": 1, "repeat_wait_max_ns": 400_000_000, "recovery_max_ns": 20_000_000},
    ),
    # what comes late
    ("C . 101:201 1\n C . 1:101 1", {"out_of_order_packets": 1, "retransmitted_packets": 0, "unique_bytes": 200}),
    ("C . 101:201 1\n C . 1:101 1\n C . 1:101 1", {"out_of_order_packets": 1, "retransmitted_packets": 1}),
    # windows: those of SYNs are left out where windows are scaled
    ("C . 1 1 window=10", {"window_max_bytes": 128_000, "window_min_bytes": 1280, "window_mean_bytes": 64_640}),
    ("C . 1 1 window=0\n C . 1 1 window=0", {"zero_windows": 2, "window_min_bytes": 128_000}),
    ("S . 1 1 window=0\n C . 1:2 1", {"zero_window_probes": 1, "zero_window_probe_bytes": 1}),
    ("S . 1 1 window=0\n C . 1:2 1\n S . 1 1\n C . 1:101 1", {"retransmitted_packets": 0, "unique_bytes": 100}),
    # what was sent before the peer acknowledged any
    (
        "C . 1:101 1\n C . 1:101 1\n S . 1 51\n C . 101:201 1",
        {"initial_window_packets": 1, "initial_window_bytes": 100},
    ),
    # from SYN to FIN
    ("C F. 101 1", {"stream_bytes": 100, "missed_bytes": 100}),
    ("C . 1:101 1\n C F. 101 1", {"stream_bytes": 100, "missed_bytes": 0}),
    ("C . 1:101 1", {"stream_bytes": -1, "missed_bytes": -1}),
    # times
    ("50 C . 1:101 1\n 80 C . 101:201 1\n 100 C . 201 1", {"data_time_ns": 30_000_000, "idle_max_ns": 30_000_000}),
    ("1000 C . 1:101 1", {"throughput": 100, "idle_max_ns": 980_000_000, "data_time_ns": 0}),
    # outstanding
    ("C . 1:101 1\n C . 101:201 1", {"outstanding_max_bytes": 200, "outstanding_min_bytes": 100}),
    ("C . 1:101 1\n S . 1 101\n C . 101:201 1", {"outstanding_max_bytes": 100, "outstanding_mean_bytes": 66}),
    ("C . 1:101 1\n C . 1:101 1\n S . 1 101\n C . 101 1", {"outstanding_mean_bytes": 33}),
    # the peer repeats what it acknowledges
    ("C . 1:101 1\n" + "S . 1 1\n" * 3, {"triple_duplicate_acks": 0, "duplicate_acks": 2}),
    ("C . 1:101 1\n" + "S . 1 1\n" * 4, {"triple_duplicate_acks": 1}),
    ("C . 1:101 1\n" + "S . 1 1\n" * 9, {"triple_duplicate_acks": 1}),
    ("C . 1:101 1\n" + "S . 1 1\n" * 3 + "S . 1 1 window=9\n S . 1 1 window=9", {"triple_duplicate_acks": 0}),
    ("C . 1:101 1\n S . 1 101\n S F. 1 101", {"duplicate_acks": 0}),
    # round trips: 10 ms of the SYN, then others
    ("", {"rtt_stdev_ns": -1}),
    ("C . 1:101 1\n 50 S . 1 101", {"rtt_stdev_ns": 7_071_067}),
    ("C . 1:101 1\n 50 S . 1 101\n C . 101:201 1\n 90 S . 1 201", {"rtt_stdev_ns": 10_000_000}),
    ("C . 1:101 1\n 1000040 S . 1 101", {"rtt_stdev_ns": 707_106_781_186}),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_the_client_sent(text: str, expected: dict[str, int]) -> None:
    row = client_of(text)
    assert {name: getattr(row, name) for name in expected} == expected


def with_sack(text: str, *edges: int) -> Packets:
    """The conversation, its last segment with SACK blocks of the numbers that C sends."""
    chunk = packets(OPEN + text)
    at = (len(chunk.frame) - 1) * 2 * SACK_BLOCKS_MAX
    chunk.sack_count[-1] = len(edges) // 2
    chunk.sack[at : at + len(edges)] = [1_000_000 + edge for edge in edges]
    return chunk


@pytest.mark.parametrize(
    ("edges", "dsacks"),
    [((201, 301), 0), ((1, 51), 1), ((201, 251, 201, 301), 1), ((201, 301, 401, 501), 0), ((201, 301, 251, 351), 1)],
)
def test_sack_blocks(edges: tuple[int, ...], dsacks: int) -> None:
    server = directions(with_sack("C . 1:101 1\n C . 201:501 1\n S . 1 101", *edges))[1]
    assert (server.sacks, server.sack_blocks_max, server.dsacks) == (1, len(edges) // 2, dsacks)


def test_options_of_a_syn() -> None:
    chunk = packets(OPEN)
    chunk.sack_permitted[0], chunk.tsval[0], chunk.window_scale[1] = 1, 5, -1
    client, server = directions(chunk)
    assert (client.sack_permitted, client.timestamps, client.window_scale) == (1, 1, 7)
    assert (server.sack_permitted, server.timestamps, server.window_scale, server.mss) == (0, 0, -1, -1)


def test_a_copy_at_another_interface_adds_nothing() -> None:
    chunk = packets(OPEN + "C . 1:101 1\n C . 1:101 1")
    chunk.interface[-1] = 5
    assert directions(chunk)[0].packets == 3
    assert directions(chunk)[0].retransmitted_packets == 0


def test_a_lone_syn() -> None:
    client, server = directions(packets("C S 0 mss=1460"))
    assert (client.packets, client.syns, client.window_max_bytes, client.mss) == (1, 1, 1000, 1460)
    assert (server.packets, server.window_max_bytes, server.idle_max_ns) == (0, -1, -1)


def test_the_client_comes_first_though_the_server_spoke_first() -> None:
    client, server = directions(packets("S S. 0 1\n C . 1 1\n C . 1:11 1"))
    assert (client.side, client.packets, client.unique_bytes) == (0, 2, 10)
    assert (server.side, server.packets, server.syns) == (1, 1, 1)


def waits_of(text: str) -> tuple[int, int]:
    tracker = Tracker()
    tracker.take(Chunk.of(packets(OPEN + text), kernels.plain()))
    stalled = stalls(tracker, np.array([0]))
    return int(stalled.stalled_ns[0]) // 1_000_000, int(stalled.stall_max_ns[0]) // 1_000_000


SLOW = "20 C . 1:101 1\n 400 S . 1 101\n"
"""A round trip of 380 ms after one of 10: 56 ms smoothed."""


@pytest.mark.parametrize(
    ("text", "total_ms", "longest_ms"),
    [
        ("C . 1:101 1\n 229 C . 101:201 1", 0, 0),
        ("C . 1:101 1\n 230 C . 101:201 1", 200, 200),
        ("C . 1:101 1\n 330 C . 1:101 1\n 830 C . 1:101 1\n 840 S . 1 101", 800, 500),
        ("C . 1:101 1\n S . 1 101\n 5000 C . 101:201 1", 0, 0),
        ("C . 1:101 1\n S . 1 101\n S . 1:9 101\n 900 S . 1:9 101", 850, 850),
        (SLOW + "C . 101:201 1\n 620 S . 1 201", 590, 380),
        (SLOW + "".join(f"C . {i}01:{i + 1}01 1\n {400 + 800 * i} S . 1 {i + 1}01\n" for i in range(1, 20)), 4330, 790),
    ],
    ids=["short", "long enough", "twice", "nothing out", "the server's", "above 200 ms", "as long as its round trips"],
)
def test_silences_while_something_is_unacknowledged(text: str, total_ms: int, longest_ms: int) -> None:
    assert waits_of(text) == (total_ms, longest_ms)


# A naive twin: an object a direction, a set of the numbers it sent.


@dataclass
class Side:
    packets: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))
    sent: set[int] = field(default_factory=set)
    probed: int = 0
    syn: int | None = None
    fin: int | None = None
    highest: int | None = None
    ack: int | None = None
    window: int = 0
    repeats: int = 0
    past_initial: bool = False
    windows: list[int] = field(default_factory=list)
    scaled: bool = False
    scale: bool = False
    flights: list[int] = field(default_factory=list)
    round_trips: list[int] = field(default_factory=list)

    def smoothed(self) -> int:
        value = 0
        for sample in self.round_trips:
            value = value + (sample - value) // 8 if value else sample
        return value

    def stdev(self) -> int:
        return isqrt(int(variance(map(Fraction, self.round_trips)))) if len(self.round_trips) > 1 else -1


SUMS = (
    "retransmitted_packets retransmitted_bytes out_of_order_packets zero_window_probes zero_window_probe_bytes "
    "initial_window_packets initial_window_bytes zero_windows triple_duplicate_acks duplicate_acks acks pure_acks"
).split()


class Twin:
    """One flow, whose numbers stay far from both ends of their space."""

    def __init__(self) -> None:
        self.sides = {1000: Side(), 80: Side()}
        self.waits = [0]

    def wait(self, row: Any, rtt_ns: int, idle_ns: int, stalled: int) -> None:
        if stalled and idle_ns >= max(200_000_000, *(2 * side.smoothed() for side in self.sides.values())):
            self.waits.append(idle_ns)
        if rtt_ns >= 0:
            self.sides[row.dport].round_trips.append(rtt_ns)

    def tell(self, row: Any, new: int, window_bytes: int) -> None:
        x, y = self.sides[row.sport], self.sides[row.dport]
        syn, fin, rst, ack = (bool(row.flags & bit) for bit in (2, 1, 4, 16))
        repeated, late = 0, False
        if not rst and (syn or fin or row.len):
            probe = not syn and y.packets > 0 and y.window == 0
            if probe:
                x.sums["zero_window_probes"] += 1
                x.sums["zero_window_probe_bytes"] += row.len
                x.probed += new
            else:
                repeated, late = self.numbers(x, row, new, syn, fin)
        x.packets += 1
        if syn and not rst:
            x.syn, y.ack = row.seq, row.seq
            x.scale = x.scale or row.window_scale >= 0
        window = 0 if not (ack or syn) else window_bytes if window_bytes >= 0 else row.window
        if ack:
            self.acknowledge(x, y, row, syn or fin or rst, rst, window)
        if rst:
            return
        if ack or syn:
            self.offer(x, y, syn, ack, window)
        x.window = window
        if row.len and not x.past_initial and not repeated:
            x.sums["initial_window_packets"] += 1
            x.sums["initial_window_bytes"] += row.len
        if not syn and not repeated and not late:
            x.flights.append(max(0, row.seq + row.len - y.ack) if y.ack is not None else row.len)

    def numbers(self, x: Side, row: Any, new: int, syn: bool, fin: bool) -> tuple[int, bool]:
        first = row.seq + syn
        known = min(row.len - new, x.probed)
        x.probed -= known
        repeated = row.len - new - known + (syn and x.syn == row.seq)
        if fin:
            repeated += x.fin == first + row.len
            x.fin = first + row.len
        end = first + row.len + fin
        late = x.highest is not None and end <= x.highest and new > 0
        x.highest = end if x.highest is None else max(end, x.highest)
        x.sums["out_of_order_packets"] += late
        x.sums["retransmitted_packets"] += repeated > 0
        x.sums["retransmitted_bytes"] += repeated
        return repeated, late

    def acknowledge(self, x: Side, y: Side, row: Any, special: bool, rst: bool, window: int) -> None:
        x.sums["acks"] += 1
        pure = not row.len and not special
        x.sums["pure_acks"] += pure
        x.repeats = x.repeats + 1 if pure and x.ack == row.ack and x.window == window and y.flights else 0
        y.sums["duplicate_acks"] += x.repeats > 0
        y.sums["triple_duplicate_acks"] += x.repeats == 3
        if not rst:
            x.ack = row.ack
            y.past_initial = y.past_initial or y.syn is None or row.ack != y.syn + 1

    def offer(self, x: Side, y: Side, syn: bool, ack: bool, window: int) -> None:
        if x.scale and y.scale and not syn and not x.scaled and window:
            x.scaled = True
            x.windows.clear()
        x.windows.append(window)
        x.sums["zero_windows"] += ack and not window

    def rows(self) -> dict[int, dict[str, int]]:
        return {
            port: {
                **side.sums,
                "packets": side.packets,
                "rtt_stdev_ns": side.stdev(),
                "stalled_ns": sum(self.waits),
                "stall_max_ns": max(self.waits),
                "window_max_bytes": max(side.windows, default=-1),
                "window_min_bytes": min(filter(None, side.windows), default=-1),
                "window_mean_bytes": sum(side.windows) // len(side.windows) if side.windows else -1,
                "outstanding_max_bytes": max(side.flights, default=-1),
                "outstanding_min_bytes": min(filter(None, side.flights), default=-1),
                "outstanding_mean_bytes": sum(side.flights) // len(side.flights) if side.flights else -1,
            }
            for port, side in self.sides.items()
        }


LINE = st.builds(
    lambda ms, side, flags, seq, length, ack, window, scale: (
        f"{ms} {side} {flags} {seq}:{seq + length} {ack} window={window} window_scale={scale if 'S' in flags else -1}"
    ),
    st.one_of(st.integers(0, 60), st.sampled_from([300, 700, 1500, 4000])),
    st.sampled_from("CS"),
    st.sampled_from([".", ".", ".", ".", "S.", "F.", "R.", "P.", "S"]),
    st.sampled_from([0, 1, 1, 2, 51, 101, 151]),
    st.sampled_from([0, 0, 1, 50, 50, 100]),
    st.sampled_from([0, 1, 1, 2, 51, 101, 151]),
    st.sampled_from([0, 1, 50, 100]),
    st.sampled_from([-1, 0, 2]),
)
ISN = {"C": 1_000_000, "S": 2_000_000}


TOLD = ("flow", "new_bytes", "window_bytes", "rtt_ns", "idle_ns", "stalled")
Row = namedtuple("Row", "sport dport flags seq ack len window window_scale")


def of_first_flow(*chunks: Packets, with_kernels: Kernels) -> dict[int, dict[str, int]]:
    """Both directions of flow 0, by the sender's port, each with what is known of the flow."""
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, with_kernels))
    client, guessed = client_sides(tracker)
    flows = flow_table(tracker, client, guessed)
    both = records(direction_table(tracker, client, flows.flow[:1]))
    ports = int(flows.client_port[0]), int(flows.server_port[0])
    (of_flow,) = records(stalls(tracker, flows.flow[:1]))
    return {port: row._asdict() | of_flow._asdict() for port, row in zip(ports, both, strict=True)}


@given(st.lists(LINE, min_size=1, max_size=14), st.integers(0, 17), st.booleans())
def test_sums_are_those_of_the_twin(lines: list[str], cut: int, opened: bool) -> None:
    chunk = packets((OPEN if opened else "") + "\n".join(lines), ISN)
    segments = Tracker().take(Chunk.of(chunk, kernels.plain()))
    rows = map(Row, *(getattr(chunk, name).tolist() for name in Row._fields))
    twin = Twin()
    for row, flow, new_bytes, window_bytes, *waits in zip(
        rows, *(getattr(segments, name).tolist() for name in TOLD), strict=True
    ):
        if flow == 0:
            twin.wait(row, *waits)
            twin.tell(row, new_bytes, window_bytes)
    cuts = part(chunk, 0, cut), part(chunk, cut, len(chunk.frame))
    found = of_first_flow(*cuts, with_kernels=kernels.plain())
    assert {port: found[port] | sums for port, sums in twin.rows().items()} == found
    assert of_first_flow(*cuts, with_kernels=kernels.compiled()) == found
