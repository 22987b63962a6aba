"""The table of notable segments, once a capture has been read."""

from tcptrace.rows import stable_order
from tcptrace.schema import I8, I64, Notable, allocate
from tcptrace.tcp import notes
from tcptrace.tcp.packed import Field
from tcptrace.tcp.tracker import Tracker


def notable_table(tracker: Tracker, client: I8) -> Notable:
    """Every segment kept, by flow and in order; sides are client and server as `client_sides` tells them."""
    kernels, words = tracker.kernels, tracker.take_notes()
    order = stable_order(_values(words, notes.FRAME))  # a note that was overwritten stands in its old place
    order = order[stable_order(_values(words, notes.END)[order] >> 1)]
    table = allocate(Notable, len(order))
    kernels["tcp.notes"].tell(*map(kernels.view, (words, order, client, table)))
    return table


def _values(words: I64, field: Field) -> I64:
    word, bit, bits, offset = field
    return (words[word :: notes.NOTE] >> bit & ((1 << bits) - 1)) - offset
