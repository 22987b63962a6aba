"""Text as tcpdump prints it, read into rows that a test can write down."""

import io
from typing import Any, NamedTuple

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.tcpdump_text import read_text
from tcptrace.schema import Packets


class Reading(NamedTuple):
    """What was read of a text."""

    rows: list[dict[str, Any]]
    """Every column of Packets; `src` and `dst` as `address:port`, `sack` as many edges as there are."""
    summary: CaptureSummary

    def column(self, *names: str) -> list[Any]:
        """One column's values, or tuples of several columns' values."""
        return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in self.rows]


def read(text: str | bytes) -> Reading:
    """Read a text whole."""
    book, summary = AddressBook(), CaptureSummary("text", "")
    data = text.encode() if isinstance(text, str) else text
    rows: list[dict[str, Any]] = []
    for packets in read_text(io.BufferedReader(io.BytesIO(data)), book, summary):
        rows += [row(packets, i, book) for i in range(len(packets.frame))]
    return Reading(rows, summary)


def row(packets: Packets, place: int, book: AddressBook) -> dict[str, Any]:
    """One row by column."""
    values = {name: int(column[place]) for name, column in packets._asdict().items() if name != "sack"}
    edges = packets.sack[8 * place : 8 * place + 2 * values["sack_count"]]
    ends = {side: book.endpoint(values[side], values[f"{side[0]}port"]) for side in ("src", "dst")}
    return {**values, **ends, "sack": edges.tolist()}
