"""The table of notable segments, once a capture has been read."""

from functools import partial
from typing import Any

from tcptrace.rows import ordered, stable_order
from tcptrace.schema import I8, I64, Notable
from tcptrace.tcp import notes
from tcptrace.tcp.tracker import Tracker

FIELDS = {
    "frame": notes.FRAME,
    "kinds": notes.KINDS,
    "flags": notes.FLAGS,
    "labels": notes.LABELS,
    "repeat": notes.REPEAT,
    "seq": notes.SEQ,
    "ack": notes.ACK,
    "len": notes.LEN,
    "window_bytes": notes.WINDOW,
    "ttl": notes.TTL,
    "ip_id": notes.IP_ID,
    "tsval": notes.TSVAL,
}
"""Column of Notable → where a note has it; the others take more than that."""


def notable_table(tracker: Tracker, client: I8) -> Notable:
    """Every segment kept, by flow and in order; sides are client and server as `client_sides` tells them."""
    words = tracker.take_notes()
    order = stable_order(_values(words, notes.FRAME))  # a note that was overwritten stands in its old place
    order = order[stable_order(_values(words, notes.END)[order] >> 1)]
    return ordered(Notable, words, order, partial(_fill, client))


def _fill(client: I8, rows: Notable, words: I64) -> None:
    """The columns of some notes."""
    end = _values(words, notes.END)
    rows.flow[:] = end >> 1
    rows.side[:] = (end & 1) ^ client[rows.flow]
    rows.time_ns[:] = words[:, notes.TIME_NS]
    rows.idle_ns[:] = _values(words, notes.IDLE_MS) * notes.NS_PER_MS
    for name, field in FIELDS.items():
        column: Any = getattr(rows, name)
        column[:] = _values(words, field)


def _values(words: I64, field: tuple[int, int, int, int]) -> I64:
    word, bit, bits, offset = field
    return (words[:, word] >> bit & ((1 << bits) - 1)) - offset
