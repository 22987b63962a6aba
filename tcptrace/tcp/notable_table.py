"""The table of notable segments, once a capture has been read."""

from typing import Any

import numpy as np

from tcptrace.rows import stable_order
from tcptrace.schema import I8, I64, Notable, columns
from tcptrace.tcp import notes
from tcptrace.tcp.tracker import Tracker


def notable_table(tracker: Tracker, client: I8) -> Notable:
    """Every segment kept, by flow and in order; sides are client and server as `client_sides` tells them."""
    words = tracker.take_notes()
    end = _values(words, notes.END)
    order = stable_order(_values(words, notes.FRAME))  # a note that was overwritten stands in its old place
    order = order[stable_order(end[order] >> 1)]
    flow = end[order] >> 1
    dtypes = {name: dtype for name, (dtype, _) in columns(Notable).items()}

    def column(name: str, field: tuple[int, int, int, int]) -> Any:
        return np.take(_values(words, field).astype(dtypes[name], copy=False), order)

    return Notable(
        flow=flow,
        side=(end[order] & 1).astype(np.int8) ^ client[flow],
        frame=column("frame", notes.FRAME),
        time_ns=words[order, notes.TIME_NS],
        kinds=column("kinds", notes.KINDS),
        flags=column("flags", notes.FLAGS),
        labels=column("labels", notes.LABELS),
        repeat=column("repeat", notes.REPEAT),
        seq=column("seq", notes.SEQ),
        ack=column("ack", notes.ACK),
        len=column("len", notes.LEN),
        window_bytes=column("window_bytes", notes.WINDOW),
        ttl=column("ttl", notes.TTL),
        ip_id=column("ip_id", notes.IP_ID),
        tsval=column("tsval", notes.TSVAL),
        idle_ns=column("idle_ns", notes.IDLE_MS) * notes.NS_PER_MS,
    )


def _values(words: I64, field: tuple[int, int, int, int]) -> I64:
    word, bit, bits, offset = field
    return (words[:, word] >> bit & ((1 << bits) - 1)) - offset
