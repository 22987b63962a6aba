"""One row a TCP frame: the columns that `packets` has in every format but the table for people."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace.capture.address_book import AddressBook
from tcptrace.report.segment_words import label_names
from tcptrace.rows import part
from tcptrace.schema import NO_TIME, UNKNOWN, Packets, Segments

NAMES = "frame time_ns flow src sport dst dport flags seq ack len window analysis".split()
"""In this order, beginning with what identifies a row."""

ROWS_PER_BATCH = 20_000

Chunk = tuple[Packets, Segments, AddressBook]
"""Some rows of packets, what was made of them, and the addresses they name."""


def batches(chunk: Chunk) -> Iterator[Chunk]:
    """A chunk in parts small enough to turn into Python objects."""
    packets, segments, book = chunk
    for start in range(0, len(packets.frame), ROWS_PER_BATCH):
        stop = start + ROWS_PER_BATCH
        yield part(packets, start, stop), part(segments, start, stop), book


def columns(chunk: Chunk, unknown: str | None) -> list[Sequence[Any]]:
    """A batch's columns by NAMES as Python objects, `unknown` where a frame does not say; labels as tuple or text."""
    packets, segments, book = chunk
    seq = np.where(packets.inferred == 1, UNKNOWN, packets.seq)
    src, dst = ([book.text(number) for number in column.tolist()] for column in (packets.src, packets.dst))
    time_ns = _values(packets.time_ns, packets.time_ns == NO_TIME, unknown)
    sport, dport, flags, seq_values, ack, length, window = (
        _values(column, column < 0, unknown)
        for column in (packets.sport, packets.dport, packets.flags, seq, packets.ack, packets.len, packets.window)
    )
    return [
        packets.frame.tolist(),
        time_ns,
        _values(segments.flow, segments.flow < 0, unknown),
        src,
        sport,
        dst,
        dport,
        flags,
        seq_values,
        ack,
        length,
        window,
        [names if unknown is None else ";".join(names) for names in map(label_names, segments.labels.tolist())],
    ]


def _values(column: npt.NDArray[Any], missing: npt.NDArray[np.bool_], unknown: str | None) -> list[Any]:
    values: list[Any] = column.tolist()
    for row in np.flatnonzero(missing).tolist():
        values[row] = unknown
    return values
