"""CSV by RFC 4180 but for its line ends; what a spreadsheet would run as a formula is disarmed."""

import csv
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from tcptrace.analysis_json import valid_text
from tcptrace.report import flow_rows, packet_columns, timeline_rows
from tcptrace.report.escape import csv_cell
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline

FLAGS = {number: f"0x{number:03x}" for number in range(0x1000)} | {"": ""}
"""Flags as written; twelve bits."""


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """One row a flow."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(flow_rows.NAMES)
    writer.writerows((csv_cell(valid_text(path)), *row) for path, *row in flow_rows.rows(analyses, ""))


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """One row a segment."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(timeline_rows.NAMES)
    flags = timeline_rows.NAMES.index("flags")
    rows = timeline_rows.rows(timeline, "", csv_cell)
    writer.writerows((*row[:flags], FLAGS[row[flags]], *row[flags + 1 :]) for row in rows)


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """One row a TCP frame; `analysis` holds a segment's labels."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(packet_columns.NAMES)
    flags = packet_columns.NAMES.index("flags")
    for chunk in chunks:
        for batch in packet_columns.batches(chunk):
            columns = packet_columns.columns(batch, "", csv_cell)
            columns[flags] = [FLAGS[value] for value in columns[flags]]
            writer.writerows(zip(*columns, strict=True))
