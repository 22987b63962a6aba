"""The table of notable segments, once a capture has been read."""

import numpy as np

from tcptrace.schema import I8, I64, Notable
from tcptrace.tcp import notable as n
from tcptrace.tcp.tracker import Tracker

WORD = (1 << n.WORD_BITS) - 1


def notable_table(tracker: Tracker, client: I8) -> Notable:
    """Every segment kept, by flow and in order; sides are client and server as `client_sides` tells them."""
    notes = tracker.take_notes()
    notes = notes[np.argsort(notes[:, n.NOTE_END] >> 1, kind="stable")]
    flow, bits = notes[:, n.NOTE_END] >> 1, notes[:, n.NOTE_BITS]

    def word(place: int) -> I64:
        return bits >> place * n.WORD_BITS & WORD

    return Notable(
        flow=flow,
        side=(notes[:, n.NOTE_END] & 1).astype(np.int8) ^ client[flow],
        frame=notes[:, n.NOTE_FRAME].copy(),
        time_ns=notes[:, n.NOTE_NS].copy(),
        kinds=word(2).astype(np.int32),
        flags=word(0).astype(np.int32),
        labels=word(1).astype(np.int32),
        repeat=word(3).astype(np.int8),
        seq=notes[:, n.NOTE_SEQ].copy(),
        ack=notes[:, n.NOTE_ACK].copy(),
        len=notes[:, n.NOTE_LEN].copy(),
        window_bytes=notes[:, n.NOTE_WINDOW].copy(),
        ttl=((notes[:, n.NOTE_IP] & WORD) - 1).astype(np.int32),
        ip_id=((notes[:, n.NOTE_IP] >> n.WORD_BITS) - 1).astype(np.int32),
        tsval=notes[:, n.NOTE_TSVAL].copy(),
        idle_ns=notes[:, n.NOTE_IDLE_NS].copy(),
    )
