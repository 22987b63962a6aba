"""The table of flows, once a capture has been read: who is client, how it went, how it ended."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace import flows as f
from tcptrace.rows import part
from tcptrace.schema import CLOSES, I8, I64, NO_TIME, UNKNOWN, Bools, Flows, allocate
from tcptrace.tcp import endpoint_rows as e
from tcptrace.tcp.tracker import Tracker

PORT_MASK = 0xFFFF
BATCH_FLOWS = 1 << 16


def client_sides(tracker: Tracker) -> tuple[I8, Bools]:
    """For every flow number the side that is the client, and whether that is a guess.

    A SYN tells, else a SYN-ACK; of two SYNs the first frame's sender is the client. Midstream the
    server is the end that takes part in more flows of the capture, then the one with the lower
    port, then the one that did not speak first.
    """
    rows = tracker.flows.rows[: tracker.flow_count * f.WIDTH].reshape(-1, f.WIDTH)
    seen_0, seen_1 = rows[:, f.SEEN], rows[:, f.SEEN] >> f.SIDE_SHIFT
    client = np.zeros(len(rows), np.int8)
    answered = (seen_0 & f.SEEN_SYN_ACK > 0) & (seen_0 & f.SEEN_SYN == 0) & (seen_1 & f.SEEN_SYN_ACK == 0)
    client[answered | ((seen_1 & f.SEEN_SYN > 0) & (seen_0 & f.SEEN_SYN == 0))] = 1
    handshake = f.SEEN_SYN | f.SEEN_SYN_ACK
    guessed = (seen_0 | seen_1) & handshake == 0
    if guessed.any():
        client[guessed] = _guess(rows, guessed)
    return client, guessed


def _guess(rows: I64, guessed: Bools) -> I8:
    ends, count = np.unique(rows[:, [f.KEY_0, f.KEY_1]], return_counts=True)
    key_0, key_1 = rows[guessed, f.KEY_0], rows[guessed, f.KEY_1]
    many_0, many_1 = count[np.searchsorted(ends, key_0)], count[np.searchsorted(ends, key_1)]
    lower = (key_0 & PORT_MASK) < (key_1 & PORT_MASK)
    side_1: I8 = np.where(many_0 == many_1, lower, many_0 > many_1).astype(np.int8)
    return side_1


def flow_table(tracker: Tracker, client: I8, guessed: Bools) -> Flows:
    """One row a flow that has frames of its own (numbers of quoted headers are left out).

    Made batch by batch into its place: what a batch needs meanwhile is small, however many flows there are.
    """
    table = allocate(Flows, tracker.flow_count)
    filled = 0
    for first in range(0, tracker.flow_count, BATCH_FLOWS):
        batch = _batch(tracker, client, guessed, first, min(first + BATCH_FLOWS, tracker.flow_count))
        count = len(batch.flow)
        pairs: Any = zip(table, batch, strict=True)
        for column, values in pairs:
            column[filled : filled + count] = values
        filled += count
    return part(table, 0, filled)


def _batch(tracker: Tracker, client: I8, guessed: Bools, start: int, stop: int) -> Flows:
    rows = tracker.flows.rows[start * f.WIDTH : stop * f.WIDTH].reshape(-1, f.WIDTH)
    kept = np.flatnonzero((rows[:, f.FRAMES_0] + rows[:, f.FRAMES_1]) > 0)
    rows, kept = rows[kept], kept + start
    first = client[kept].astype(np.int64)
    clients, servers = kept * 2 + first, kept * 2 + 1 - first
    wide, narrow = tracker.endpoints.wide, tracker.endpoints.narrow

    def by_side(field: int, side: I64) -> I64:
        return rows[np.arange(len(kept)), field + side]

    syn_ns, syn_ack_ns = (wide[ends * e.WIDE + e.HANDSHAKE_NS] for ends in (clients, servers))
    ack_ns = rows[:, f.HANDSHAKE_ACK_NS]
    notes = [narrow[ends * e.NARROW + e.NOTES] for ends in (clients, servers)]
    both_called = (notes[0] & notes[1] & e.NOTE_SYN) > 0
    has_no_halves = both_called | (syn_ack_ns < syn_ns)  # a simultaneous open; a SYN that crossed the SYN-ACK
    syn_ack_ns = np.where(has_no_halves, NO_TIME, syn_ack_ns)
    closed_by, close, reset_by = _endings(*notes)
    client_key, server_key = by_side(f.KEY_0, first), by_side(f.KEY_0, 1 - first)
    return Flows(
        capture=np.zeros(len(kept), np.int16),
        flow=kept,
        client=(client_key >> 16).astype(np.int32),
        client_port=(client_key & PORT_MASK).astype(np.int32),
        server=(server_key >> 16).astype(np.int32),
        server_port=(server_key & PORT_MASK).astype(np.int32),
        midstream=guessed[kept].astype(np.int8),
        start_ns=rows[:, f.START_NS].copy(),
        end_ns=rows[:, f.END_NS].copy(),
        client_frames=by_side(f.FRAMES_0, first).astype(np.int32),
        server_frames=by_side(f.FRAMES_0, 1 - first).astype(np.int32),
        client_payload_bytes=wide[clients * e.WIDE + e.PAYLOAD],
        server_payload_bytes=wide[servers * e.WIDE + e.PAYLOAD],
        client_state=narrow[clients * e.NARROW + e.STATE].astype(np.int8),
        server_state=narrow[servers * e.NARROW + e.STATE].astype(np.int8),
        handshake_total_ns=_elapsed(syn_ns, ack_ns),
        syn_to_synack_ns=_elapsed(syn_ns, syn_ack_ns),
        synack_to_ack_ns=_elapsed(syn_ack_ns, ack_ns),
        closed_by=closed_by,
        close=close,
        reset_by=reset_by,
    )


def _elapsed(start_ns: I64, end_ns: I64) -> I64:
    known = (start_ns != NO_TIME) & (end_ns != NO_TIME) & (end_ns >= start_ns)
    return np.where(known, end_ns - np.where(known, start_ns, 0), UNKNOWN)


def _endings(client_notes: npt.NDArray[np.int32], server_notes: npt.NDArray[np.int32]) -> tuple[I8, I8, I8]:
    """closed_by, close and reset_by: who sent the first FIN (both: neither had the other's), else whose RST ended it.

    CLOSED_BY is in the order that makes `both` the sum of `client` and `server`.
    """
    by_fin = (client_notes & e.NOTE_CLOSED_FIRST > 0) + 2 * (server_notes & e.NOTE_CLOSED_FIRST > 0)
    by_reset = (client_notes & e.NOTE_RESET > 0) + 2 * (server_notes & e.NOTE_RESET > 0)
    close = np.where(by_reset > 0, CLOSES.index("rst"), np.where(by_fin > 0, CLOSES.index("fin"), 0))
    closed_by = np.where(by_fin > 0, by_fin, by_reset)
    return closed_by.astype(np.int8), close.astype(np.int8), by_reset.astype(np.int8)
