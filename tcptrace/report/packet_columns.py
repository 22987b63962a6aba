"""One row a TCP frame: the columns that `packets` has in every format but the table for people."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace.capture.address_book import AddressBook
from tcptrace.report.label_names import label_names
from tcptrace.rows import part, told
from tcptrace.schema import NO_TIME, REPEATS, SACK_BLOCKS_MAX, UNKNOWN, Bools, Packets, Segments

FIRST = "frame time_ns flow src sport dst dport flags seq ack len window analysis".split()
FURTHER = "interface if_index direction ttl ip_id mss window_scale sack tsval tsecr toa options".split()
VERDICT = "repeat original".split()
NAMES = FIRST + FURTHER + VERDICT
"""In this order, beginning with what identifies a row; docs/tables.md says what they mean."""

ROWS_PER_BATCH = 20_000

Chunk = tuple[Packets, Segments, AddressBook, Sequence[str]]
"""Some rows of packets, what was made of them, the addresses and the interfaces they name."""

NO_FRAME = 0
_DIRECTIONS = ["in", "out"]


def batches(chunk: Chunk) -> Iterator[Chunk]:
    """A chunk in parts small enough to turn into Python objects."""
    packets, segments, book, interfaces = chunk
    for start in range(0, len(packets.frame), ROWS_PER_BATCH):
        stop = start + ROWS_PER_BATCH
        yield part(packets, start, stop), part(segments, start, stop), book, interfaces


def columns(chunk: Chunk, unknown: str | None, cell: Callable[[str], str] = str) -> list[Sequence[Any]]:
    """A batch's columns by NAMES as Python objects, `unknown` where a frame does not say.

    Labels and option kinds are tuples, or text if `unknown` is; `cell` makes a name fit the format.
    """
    return _first(chunk, unknown) + _further(chunk, unknown, cell) + _verdict(chunk[1], unknown)


def _first(chunk: Chunk, unknown: str | None) -> list[Sequence[Any]]:
    packets, segments, book, _ = chunk
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


def _further(chunk: Chunk, unknown: str | None, cell: Callable[[str], str]) -> list[Sequence[Any]]:
    packets, _, book, interfaces = chunk
    if_index, ttl, ip_id, mss, window_scale, tsval, tsecr = (
        _values(column, column < 0, unknown)
        for column in (
            packets.if_index,
            packets.ttl,
            packets.ip_id,
            packets.mss,
            packets.window_scale,
            packets.tsval,
            packets.tsecr,
        )
    )
    return [
        _named(packets.interface, [cell(name) for name in interfaces], unknown),
        if_index,
        _named(packets.direction, _DIRECTIONS, unknown),
        ttl,
        ip_id,
        mss,
        window_scale,
        _sack_blocks(packets, unknown),
        tsval,
        tsecr,
        _toa(packets, book, unknown),
        [_kinds(packed, unknown is not None) for packed in packets.option_kinds.tolist()],
    ]


def _verdict(segments: Segments, unknown: str | None) -> list[Sequence[Any]]:
    """Why we take it to be sent again, beside Wireshark's labels, and what it repeats."""
    return [
        [REPEATS[kind] for kind in segments.repeat.tolist()],
        told(segments.original, unknown, missing=NO_FRAME),
    ]


def _named(column: npt.NDArray[Any], names: Sequence[str], unknown: str | None) -> list[str | None]:
    """A name a row; `unknown` for -1, for a number beyond the names and for a nameless one."""
    texts = [*(name or unknown for name in names), unknown]  # -1 is the last
    return [texts[number] for number in np.where(column < len(names), column, -1).tolist()]


def _sack_blocks(packets: Packets, unknown: str | None) -> list[str | None]:
    """`left-right left-right`, as on the wire; `unknown` without."""
    texts: list[str | None] = [unknown] * len(packets.frame)
    rows = np.flatnonzero(packets.sack_count > 0)
    blocks = packets.sack.reshape(-1, SACK_BLOCKS_MAX, 2)[rows].tolist()
    for row, count, edges in zip(rows.tolist(), packets.sack_count[rows].tolist(), blocks, strict=True):
        texts[row] = " ".join(f"{left}-{right}" for left, right in edges[:count])
    return texts


def _toa(packets: Packets, book: AddressBook, unknown: str | None) -> list[str | None]:
    """The client that a TOA option names, `10.0.0.1:80`; `unknown` without."""
    texts: list[str | None] = [unknown] * len(packets.frame)
    rows = np.flatnonzero(packets.toa_src >= 0)
    for row, number, port in zip(
        rows.tolist(), packets.toa_src[rows].tolist(), packets.toa_port[rows].tolist(), strict=True
    ):
        texts[row] = book.endpoint(number, port)
    return texts


@lru_cache(1000)
def _kinds(packed: int, as_text: bool) -> tuple[int, ...] | str:
    kinds = tuple(packed.to_bytes(8, "little", signed=True).rstrip(b"\0"))
    return ";".join(map(str, kinds)) if as_text else kinds


def _values(column: npt.NDArray[Any], missing: Bools, unknown: str | None) -> list[Any]:
    if missing.all():
        return [unknown] * len(column)
    values: list[Any] = column.tolist()
    for row in np.flatnonzero(missing).tolist():
        values[row] = unknown
    return values
