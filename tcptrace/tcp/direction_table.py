"""The table of directions, once a capture has been read: what each side of a flow sent, in sums."""

from math import isqrt

import numpy as np

from tcptrace import flows as f
from tcptrace.schema import I8, I64, UNKNOWN, Bools, DirectionStatistics, Stalls
from tcptrace.tcp import counters as c
from tcptrace.tcp import endpoint_rows as e
from tcptrace.tcp import round_trips as trips
from tcptrace.tcp import sending, sending_rows
from tcptrace.tcp.sequence import CYCLE
from tcptrace.tcp.tracker import Tracker

SUMS = {
    "packets": c.PACKETS,
    "resets": c.RESETS,
    "syns": c.SYNS,
    "fins": c.FINS,
    "acks": c.ACKS,
    "pure_acks": c.PURE_ACKS,
    "sacks": c.SACKS,
    "dsacks": c.DSACKS,
    "sack_blocks_max": c.BLOCKS_MAX,
    "data_packets": c.DATA_PACKETS,
    "data_bytes": c.DATA_BYTES,
    "retransmitted_packets": c.REPEATED_PACKETS,
    "retransmitted_bytes": c.REPEATED_BYTES,
    "zero_window_probes": c.PROBES,
    "zero_window_probe_bytes": c.PROBE_BYTES,
    "out_of_order_packets": c.OUT_OF_ORDER,
    "pushed_packets": c.PUSHED,
    "urgent_packets": c.URGENT,
    "urgent_bytes": c.URGENT_BYTES,
    "truncated_packets": c.CUT_PACKETS,
    "truncated_bytes": c.CUT_BYTES,
    "zero_windows": c.ZERO_WINDOWS,
    "initial_window_packets": c.INITIAL_PACKETS,
    "initial_window_bytes": c.INITIAL_BYTES,
    "duplicate_acks": c.DUPLICATE_ACKS,
    "triple_duplicate_acks": c.TRIPLES,
}
"""Columns that are a counter as it stands."""

EXTREMES = {
    "segment_max_bytes": (c.SEGMENT_MAX, c.DATA_PACKETS),
    "segment_min_bytes": (c.SEGMENT_MIN, c.SEGMENT_MIN),
    "window_max_bytes": (c.WINDOW_MAX, c.WINDOWS),
    "window_min_bytes": (c.WINDOW_MIN, c.WINDOW_MIN),
    "outstanding_max_bytes": (c.FLIGHT_MAX, c.FLIGHTS),
    "outstanding_min_bytes": (c.FLIGHT_MIN, c.FLIGHT_MIN),
    "idle_max_ns": (c.IDLE_MAX_NS, c.IDLE_MAX_NS),
}
"""Columns that are a counter, unknown where another one is 0."""

MEANS = {
    "segment_mean_bytes": (c.DATA_BYTES, c.DATA_PACKETS),
    "window_mean_bytes": (c.WINDOW_SUM, c.WINDOWS),
    "outstanding_mean_bytes": (c.FLIGHT_SUM, c.FLIGHTS),
}
"""Columns that are a sum by a count."""

REPEATS = {
    "segment_repeats_max": sending_rows.REPEATED_MOST,
    "repeat_wait_max_ns": sending_rows.REPEAT_WAIT_MAX_NS,
    "recovery_max_ns": sending_rows.RECOVERED_MAX_NS,
}
"""Columns that are a field of `sending`."""


def direction_table(tracker: Tracker, client: I8, flows: I64) -> DirectionStatistics:
    """Two rows for each of the given flow numbers, the client's first; `client` is that of `client_sides`.

    What it needs meanwhile is some three times the table's own size: to be called in batches of flows.
    """
    flow = np.repeat(flows, 2)
    side = np.tile(np.array([0, 1], np.int8), len(flows))
    sender = side ^ client[flow]
    counted = _counted(tracker, flow, sender)
    ends = flow * 2 + sender
    wide = tracker.endpoints.wide[: tracker.flow_count * 2 * e.WIDE].reshape(-1, e.WIDE)[ends]
    narrow = tracker.endpoints.narrow[: tracker.flow_count * 2 * e.NARROW].reshape(-1, e.NARROW)[ends]
    rows = _flow_rows(tracker)[flow]
    unique_bytes, notes = wide[:, e.PAYLOAD].copy(), narrow[:, e.NOTES]
    stream_bytes = _stream_bytes(counted, wide)
    columns: dict[str, I64] = {name: counted[:, field].copy() for name, field in SUMS.items()}
    for name, (field, present) in EXTREMES.items():
        columns[name] = _where(counted[:, present] != 0, counted[:, field])
    for name, (total, count) in MEANS.items():
        columns[name] = _where(counted[:, count] != 0, counted[:, total] // np.maximum(counted[:, count], 1))
    columns |= _repeats(tracker, flow, sender)
    return DirectionStatistics(
        capture=np.zeros(len(flow), np.int16),
        flow=flow,
        side=side,
        unique_bytes=unique_bytes,
        stream_bytes=stream_bytes,
        missed_bytes=_where(stream_bytes >= 0, np.maximum(stream_bytes - unique_bytes, 0)),
        data_time_ns=_elapsed(counted[:, c.DATA_START_NS], counted[:, c.DATA_END_NS]),
        throughput=_per_second(unique_bytes, rows[:, f.END_NS] - rows[:, f.START_NS]),
        window_scale=np.maximum(narrow[:, e.SCALE], UNKNOWN).astype(np.int8),
        timestamps=(notes & e.NOTE_TIMESTAMPS > 0).astype(np.int8),
        sack_permitted=(notes & e.NOTE_SACK_PERMITTED > 0).astype(np.int8),
        mss=narrow[:, e.MSS].copy(),
        rtt_stdev_ns=_round_trip_stdev(tracker, flow, sender, counted),
        **columns,
    )


def stalls(tracker: Tracker, flows: I64) -> Stalls:
    """One row for each of these flow numbers."""
    counted = _counted(tracker, flows, np.zeros(len(flows), np.int8))
    return Stalls(counted[:, c.STALLED_NS].copy(), counted[:, c.STALL_MAX_NS].copy())


def _flow_rows(tracker: Tracker) -> I64:
    return tracker.flows.rows[: tracker.flow_count * f.WIDTH].reshape(-1, f.WIDTH)


def _counted(tracker: Tracker, flow: I64, sender: I8) -> I64:
    """The counters of every direction; where a flow is no more than a lone SYN, those of that SYN."""
    directions, endpoints = tracker.directions, tracker.endpoints
    has, row = _rows(tracker, flow, sender)
    counted = np.zeros((len(flow), c.WIDTH), np.int64)
    counted[has] = directions.counters[: int(directions.used[0]) * 2 * c.WIDTH].reshape(-1, c.WIDTH)[row]
    syn = ~has & (sender == 0) & (_flow_rows(tracker)[flow, f.SEEN] & f.SEEN_SYN > 0)
    window = endpoints.narrow[flow[syn] * 2 * e.NARROW + e.WINDOW]
    for field in (c.PACKETS, c.SYNS, c.WINDOWS):
        counted[syn, field] = 1
    for field in (c.WINDOW_MAX, c.WINDOW_MIN, c.WINDOW_SUM):
        counted[syn, field] = window
    return counted


def _rows(tracker: Tracker, flow: I64, sender: I8) -> tuple[Bools, I64]:
    """Which of the directions have a row of their own, and the number of each that has."""
    pair = tracker.directions.of_flow[flow].astype(np.int64) - 1
    has = pair >= 0
    return has, pair[has] * 2 + sender[has]


def _repeats(tracker: Tracker, flow: I64, sender: I8) -> dict[str, I64]:
    """What `sending` keeps of repeats and recoveries."""
    has, row = _rows(tracker, flow, sender)
    found = {name: np.zeros(len(flow), np.int64) for name in REPEATS}
    for name, field in REPEATS.items():
        found[name][has] = tracker.directions.sending[row * sending.WIDTH + field]
    found["repeat_wait_max_ns"][found["segment_repeats_max"] == 0] = UNKNOWN
    return found


def _round_trip_stdev(tracker: Tracker, flow: I64, sender: I8, counted: I64) -> I64:
    """Of the samples, by integers of any size: their squares would not fit."""
    has, row = _rows(tracker, flow, sender)
    at = row * sending.WIDTH + sending_rows.ROUND_TRIPS
    count, total = tracker.directions.sending[at + trips.COUNT], tracker.directions.sending[at + trips.SUM_NS]
    squares = counted[has][:, (c.RTT_SQUARES, c.RTT_SQUARES_HIGH)]
    stdev = np.full(len(flow), UNKNOWN, np.int64)
    stdev[has] = [
        isqrt(max(0, n * (low + (high << c.SQUARE_BITS)) - sum_ns**2) // (n * (n - 1))) if n > 1 else UNKNOWN
        for n, sum_ns, (low, high) in zip(count.tolist(), total.tolist(), squares.tolist(), strict=True)
    ]
    return stdev


def _stream_bytes(counted: I64, wide: I64) -> I64:
    """Bytes between SYN and FIN, both of which take up a number; the FIN is near the highest number sent."""
    near = wide[:, e.NEXT]
    fin = near + ((counted[:, c.FIN_NUMBER] - 1 - near + CYCLE // 2) & (CYCLE - 1)) - CYCLE // 2
    seen = (counted[:, c.SYNS] > 0) & (counted[:, c.FIN_NUMBER] > 0) & (fin > wide[:, e.START])
    return _where(seen, fin - wide[:, e.START] - 1)


def _elapsed(start_ns: I64, end_ns: I64) -> I64:
    return _where((start_ns != 0) & (end_ns >= start_ns), end_ns - start_ns)


def _per_second(amount: I64, elapsed_ns: I64) -> I64:
    known = elapsed_ns > 0
    return _where(known, (amount * 1e9 / np.where(known, elapsed_ns, 1)).astype(np.int64))


def _where(known: Bools, values: I64) -> I64:
    return np.where(known, values, UNKNOWN)
