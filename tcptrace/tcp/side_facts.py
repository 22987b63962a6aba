"""The table of what diagnosis must know of each side of a flow, once a capture has been read."""

from functools import partial

import numpy as np

from tcptrace.rows import in_batches
from tcptrace.schema import I64, UNKNOWN, SideFacts, columns
from tcptrace.tcp import endpoint_rows as e
from tcptrace.tcp import notable as n
from tcptrace.tcp import round_trips as trips
from tcptrace.tcp import sending_rows as s
from tcptrace.tcp.measures import Measured, rows_of
from tcptrace.tcp.sending import WIDTH as SENDING_WIDTH

LOW = (1 << n.HIGH_SHIFT) - 1
FIELDS = {
    "last_frame": n.LAST_FRAME,
    "last_data_frame": n.LAST_DATA_FRAME,
    "closures": n.CLOSURES,
    "delayed_writes": n.DELAYED_WRITES,
    "delayed_ns": n.DELAYED_WRITES_NS,
    "unseen": n.UNSEEN,
    "largest_bytes": n.LARGEST,
    "alert_frame": n.ALERT_FRAME,
}


def side_facts(measured: Measured, flows: I64) -> tuple[SideFacts, SideFacts]:
    """Of clients and of servers, one row for each of the given flow numbers; zeros for a lone SYN.

    To be called once: what nothing else is made of, the tracker then keeps no longer.
    """
    notable = measured.tracker.take_notable()
    client, server = (partial(_of_side, measured, notable, side) for side in (0, 1))
    return in_batches(client, flows), in_batches(server, flows)


def _of_side(measured: Measured, notable: I64, side: int, flows: I64) -> SideFacts:
    tracker, client = measured.tracker, measured.client
    pairs = tracker.directions.of_flow[flows].astype(np.int64) - 1
    sender = client[flows] ^ side
    kept, peer = (rows_of(notable, n.WIDTH, pairs, of) for of in (sender, 1 - sender))
    sending = rows_of(tracker.directions.sending, SENDING_WIDTH, pairs, sender)
    ends = flows * 2 + sender
    start = tracker.endpoints.wide[ends * e.WIDE + e.START]
    narrow = tracker.endpoints.narrow[: tracker.flow_count * 2 * e.NARROW].reshape(-1, e.NARROW)[ends]
    seen = kept[:, n.LAST_FRAME] > 0
    still_ns = np.maximum(kept[:, n.LAST_NS], peer[:, n.LAST_NS]) + 1 - kept[:, n.CLOSED_NS]
    facts = dict(
        last_ns=np.where(seen, kept[:, n.LAST_NS], UNKNOWN),
        last_data_ns=np.where(kept[:, n.LAST_DATA_FRAME] > 0, kept[:, n.LAST_DATA_NS], UNKNOWN),
        ttl=(kept[:, n.IP] & ((1 << n.IP_ID_SHIFT) - 1)) - 1,
        ip_id=(kept[:, n.IP] >> n.IP_ID_SHIFT) - 1,
        probes=kept[:, n.PROBES] & LOW,
        probes_of_closed=kept[:, n.PROBES] >> n.HIGH_SHIFT,
        unanswered=kept[:, n.UNANSWERED] & LOW,
        unanswered_repeats=kept[:, n.UNANSWERED] >> n.HIGH_SHIFT,
        sent=_relative(np.where(seen, sending[:, s.NEXT], UNKNOWN), start),
        acked=_relative(np.where(seen, sending[:, s.ACKED], UNKNOWN), start),
        largest_seq=_relative(np.where(kept[:, n.LARGEST] > 0, kept[:, n.LARGEST_AT], UNKNOWN), start),
        rtt_min_ns=np.where(
            sending[:, s.ROUND_TRIPS + trips.COUNT] > 0, sending[:, s.ROUND_TRIPS + trips.MIN_NS], UNKNOWN
        ),
        rtt_samples=sending[:, s.ROUND_TRIPS + trips.COUNT],
        rtt_sum_ns=sending[:, s.ROUND_TRIPS + trips.SUM_NS],
        closed_max_ns=np.maximum(kept[:, n.CLOSED_MAX_NS], np.where(kept[:, n.CLOSED_NS] > 0, still_ns, 0)),
        is_closed=kept[:, n.CLOSED_NS] > 0,
        mss=narrow[:, e.MSS],
        window_scale=np.maximum(narrow[:, e.SCALE], UNKNOWN),
        timestamps=narrow[:, e.NOTES] & e.NOTE_TIMESTAMPS > 0,
        sack_permitted=narrow[:, e.NOTES] & e.NOTE_SACK_PERMITTED > 0,
        **{name: kept[:, field] for name, field in FIELDS.items()},
    )
    return SideFacts(**{name: facts[name].astype(dtype) for name, (dtype, _) in columns(SideFacts).items()})


def _relative(position: I64, start: I64) -> I64:
    return np.where((position >= 0) & (start >= 0), position - start, UNKNOWN)
