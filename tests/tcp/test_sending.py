"""Round trips, repeats, bytes in flight: a conversation in, columns out; against a naive twin; however it is cut."""

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
from tcptrace.schema import LIMITS, REPEATS, Packets, Segments
from tcptrace.tcp import round_trips
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OPEN = "0 C S 0\n 10 S S. 0 1\n 20 C . 1 1\n"
MS = 1_000_000


def told(*chunks: Packets, with_kernels: Kernels | None = None) -> tuple[Tracker, Segments]:
    tracker = Tracker()
    taken = [Segments._make(c.copy() for c in tracker.take(c, with_kernels or kernels.plain())) for c in chunks]
    return tracker, Segments._make(np.concatenate(columns) for columns in zip(*taken, strict=True))


def last(text: str) -> Any:
    """The columns of the last segment of a conversation, and those of the flow."""
    tracker, segments = told(packets(OPEN + text))
    flow = Measured(tracker, np.zeros(1, np.int8)).of(np.zeros(1, np.int64))
    values = {name: column[-1] for name, column in segments._asdict().items()}
    return SimpleNamespace(**values, measures=flow, kind=REPEATS[values["repeat"]])


def test_an_acknowledgement_gives_a_round_trip() -> None:
    found = last("100 C . 1:101 1\n 130 S . 1 101")
    assert found.rtt_ns == 30 * MS


def test_only_the_range_that_ends_at_the_acknowledgement_gives_one() -> None:
    assert last("100 C . 1:101 1\n 110 C . 101:201 1\n 130 S . 1 201").rtt_ns == 20 * MS
    assert last("100 C . 1:101 1\n 130 S . 1 51").rtt_ns == -1
    assert last("100 C . 1:101 1\n 130 S . 1 51\n 140 S . 1 101").rtt_ns == -1


def test_what_was_sent_twice_gives_none_but_by_timestamp() -> None:
    twice = "100 C . 1:101 1 tsval=7\n 400 C . 1:101 1 tsval=8\n"
    assert last(twice + "430 S . 1 101").rtt_ns == -1
    assert last(twice + "430 S . 1 101 tsecr=7").timestamp_rtt_ns == 330 * MS
    assert last(twice + "430 S . 1 101 tsecr=7").measures.client_spurious[0] == 1
    assert last(twice + "430 S . 1 101 tsecr=8").measures.client_spurious[0] == 0


def test_what_lies_below_a_repeat_is_no_measure_of_what_lies_above() -> None:
    found = last("100 C . 1:101 1\n 110 C . 101:201 1\n 400 C . 1:101 1\n 430 S . 1 201")
    assert found.rtt_ns == -1


KINDS = [
    ("100 C . 1:101 1\n 900 C . 1:101 1", "timeout"),
    ("100 C . 1:101 1\n 110 S . 1 101\n 120 C . 1:101 1", "spurious"),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1\n 111 C . 1:101 1", "fast"),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1 sack_count=1\n 111 C . 1:101 1", "fast"),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "go_back_n"),
    ("100 C . 1:101 1\n 130 C . 1:101 1", "tail_loss_probe"),
    ("100 C . 1:101 1 ip_id=5\n 101 C . 1:101 1 ip_id=5", "copy"),
    ("100 C . 1:101 1 ip_id=5\n 101 C . 1:101 1 ip_id=6", "tail_loss_probe"),
    ("100 C . 1:101 1\n 101 C . 201:301 1\n 102 C . 101:201 1", "reordered"),
    ("100 C . 1:101 1 tsval=1\n 101 C . 201:301 1 tsval=3\n 190 C . 101:201 1 tsval=2", "reordered"),
    ("100 C . 1:101 1 tsval=1\n 101 C . 201:301 1 tsval=3\n 102 C . 101:201 1 tsval=4", "timeout"),
    ("100 C . 1:101 1 ip_id=1\n 101 C . 201:301 1 ip_id=3\n 190 C . 101:201 1 ip_id=2", "reordered"),
    ("100 C . 1:101 1\n 130 C . 0:1 1", "timeout"),
    ("100 C . 1:101 1\n 130 S . 1 101\n 200 C . 100:101 1", "none"),
    ("100 C . 1:101 1\n 130 C . 101:201 1", "none"),
]


@pytest.mark.parametrize(("text", "kind"), [case for case in KINDS if "0:1 1" not in case[0]])
def test_why_a_segment_is_sent_again(text: str, kind: str) -> None:
    assert last(text).kind == kind


def test_every_kind_has_a_case() -> None:
    assert {kind for _, kind in KINDS} == set(REPEATS)


def test_a_repeat_names_its_original() -> None:
    found = last("100 C . 1:101 1\n 900 C . 1:101 1\n 2500 C . 1:101 1")
    assert (found.original, found.since_original_ns, found.backoff) == (4, 2400 * MS, 2)
    assert found.measures.client_retransmissions[0] == 2
    assert found.measures.client_timeouts[0] == 2


def test_how_far_a_segment_was_overtaken() -> None:
    found = last("100 C . 1:101 1\n 101 C . 201:301 1\n 102 C . 301:401 1\n 104 C . 101:201 1")
    assert (found.reordered_by, found.since_original_ns) == (2, 2 * MS)
    assert found.measures.client_reordered[0] == 1


def test_bytes_in_flight_without_what_was_acknowledged_or_sacked() -> None:
    assert last("100 C . 1:101 1\n 101 C . 101:201 1").bytes_in_flight == 200
    assert last("100 C . 1:101 1\n 110 S . 1 101\n 120 C . 101:201 1").bytes_in_flight == 100
    assert last("100 C . 1:101 1").measures.client_in_flight_max_bytes[0] == 100


def test_sack_and_dsack() -> None:
    chunk = packets(OPEN + "100 C . 1:101 1\n 101 C . 201:301 1\n 110 S . 1 101\n 111 C . 1:101 1\n 120 S . 1 101")
    chunk.sack_count[[5, 7]] = 1
    chunk.sack[5 * 8 : 5 * 8 + 2] = 1_000_201, 1_000_301
    chunk.sack[7 * 8 : 7 * 8 + 2] = 1_000_001, 1_000_101
    _, segments = told(chunk)
    assert segments.sacked_bytes.tolist()[5:] == [100, 0, 0]
    assert segments.dsack.tolist()[5:] == [0, 0, 1]


def test_recovery_lasts_until_all_that_was_out_is_acknowledged() -> None:
    found = last("100 C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 920 S . 1 101\n 950 S . 1 201")
    assert found.measures.client_recoveries[0] == 1
    assert found.measures.client_recovery_ns[0] == 50 * MS


def test_slow_start_ends_where_flights_stop_growing() -> None:
    growing = "100 C . 1:101 1\n 130 S . 1 101\n 131 C . 101:201 1\n 132 C . 201:301 1\n 160 S . 1 301\n"
    still = last(growing + "161 C . 301:701 1").measures
    assert (still.client_slow_start_bytes[0], still.client_slow_start_ns[0]) == (0, -1)
    ended = last(growing + "161 C . 301:501 1\n 190 S . 1 501").measures
    assert (ended.client_slow_start_bytes[0], ended.client_slow_start_ns[0]) == (200, 90 * MS)
    lost = last(growing + "161 C . 301:701 1\n 900 C . 301:401 1").measures
    assert (lost.client_slow_start_bytes[0], lost.client_slow_start_ns[0]) == (400, 800 * MS)


def limits(text: str) -> dict[str, int]:
    measures = last(text).measures
    return {name: int(getattr(measures, f"{name}_ns")[0]) // MS for name in LIMITS}


def test_time_goes_to_what_held_the_flow_back() -> None:
    text = "120 C . 1:101 1\n 150 S . 1 101\n 650 S . 1:3 101\n 651 C . 101 3"
    assert limits(text) == {"handshake": 20, "loss": 0, "receiver_window": 0, "path": 31, "application": 600}


def test_a_full_window_and_a_loss_are_told_apart_from_the_path() -> None:
    full = "100 S . 1 1 window=1\n 101 C . 1:101 1\n 181 S . 1 101"
    assert limits(full)["receiver_window"] == 80
    assert limits("100 C . 1:101 1\n 900 C . 1:101 1\n 950 S . 1 101")["loss"] == 50


def test_smoothing_is_that_of_rfc_6298() -> None:
    rows = np.zeros(round_trips.WIDTH, np.int64)
    for sample in (100, 200):
        round_trips.add_up(rows, 0, sample)
    assert rows[round_trips.SRTT_NS] == 100 + (200 - 100) // 8
    assert rows[round_trips.RTTVAR_NS] == 50 + (100 - 50) // 4


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=200))
def test_quantiles_are_within_a_bucket_of_the_samples(samples: list[int]) -> None:
    rows, used = np.zeros(round_trips.WIDTH, np.int64), np.zeros(2, np.int64)
    histograms = np.zeros(round_trips.WORDS, np.int64)
    for sample in samples:
        round_trips.add_sample(rows, 0, histograms, used, sample)
    from tcptrace.tcp.measures import _round_trips

    found = _round_trips(rows[None, :], histograms)
    assert (found.samples[0], found.min_ns[0], found.max_ns[0]) == (len(samples), min(samples), max(samples))
    assert found.mean_ns[0] == sum(samples) // len(samples)
    for q, value in ((0.5, found.p50_ns[0]), (0.99, found.p99_ns[0])):
        low, high = np.quantile(samples, q, method="lower"), np.quantile(samples, q, method="higher")
        if len(samples) <= round_trips.EXACT:
            assert abs(value - np.quantile(samples, q)) <= 1 + 1e-6 * value
        else:
            assert min(low * 0.79, low - 10_240) <= value <= max(high * 1.25, high + 10_240)


# A naive twin of the ranges: every byte has its own memory of when and how often it was sent.


@dataclass
class Sent:
    """What a direction sent: byte → (when last, how often, end of the range it belongs to)."""

    ranges: list[list[int]] = field(default_factory=list)  # start, end, last sent, how often
    next: int = -1
    acked: int = -1
    below_ns: int = -1

    def send(self, start: int, end: int, now: int) -> None:
        if 0 <= start < self.next:
            low, high = max(start, self.acked), min(end, self.next)
            if high > self.acked:
                touched = [r for r in self.ranges if r[0] < high and r[1] > low]
                for one in touched:
                    one[2], one[3] = now, one[3] + 1
                if not touched:
                    self.ranges.append([low, high, now, 1])
            else:
                self.below_ns = max(self.below_ns, now)
        if end > self.next:
            self.ranges.append([max(start, self.next), end, now, 1])
            self.next = end

    def acknowledge(self, ack: int, now: int) -> int:
        if ack <= self.acked:
            return -1
        sample = -1
        for one in sorted(r for r in self.ranges if r[0] < ack):
            self.below_ns = max(self.below_ns, one[2])
            if one[1] > ack:
                one[3] += 1
                break
            if one[1] == ack and one[3] == 1 and one[2] >= self.below_ns:
                sample = now - one[2]
            self.ranges.remove(one)
        self.acked = ack
        return sample


def naive_round_trips(rows: list[tuple[int, int, int, int, int]]) -> list[int]:
    sides = {0: Sent(), 1: Sent()}
    found = []
    for side, start, end, ack, now in rows:
        if end > start:
            sides[side].send(start, end, now)
        found.append(sides[1 - side].acknowledge(ack, now))
    return found


ROW = st.tuples(st.integers(0, 1), st.integers(0, 9), st.integers(0, 4), st.integers(0, 12), st.integers(0, 3))


@settings(max_examples=300)
@given(st.lists(ROW, min_size=1, max_size=25), st.integers(0, 25))
def test_round_trips_are_those_of_the_twin(rows: list[tuple[int, int, int, int, int]], cut: int) -> None:
    now, told_rows, lines = 0, [], []
    for side, start, length, ack, step in rows:
        now += step
        first, end, acked = 1 + start * 10, 1 + start * 10 + length * 10, 1 + ack * 10
        told_rows.append((side, first, end, acked, now * MS))
        lines.append(f"{now} {'CS'[side]} . {first}:{end} {acked}")
    chunk = packets("\n".join(lines), {"C": 10**6, "S": 2 * 10**6})
    expected = naive_round_trips(told_rows)
    for chosen in (kernels.plain(), kernels.compiled()):
        _, segments = told(part(chunk, 0, cut), part(chunk, cut, len(lines)), with_kernels=chosen)
        assert segments.rtt_ns.tolist() == expected
