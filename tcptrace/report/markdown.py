"""Markdown tables, for a ticket or a wiki."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from tcptrace.report import flow_rows, packet_columns, timeline_rows
from tcptrace.report.escape import markdown_cell
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.segment_words import flag_names
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """One row a flow."""
    rows = flow_rows.rows(analyses, "")
    _write_table(out, flow_rows.NAMES, ((markdown_cell(path), *row) for path, *row in rows))


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """One row a segment."""
    _write_table(out, timeline_rows.NAMES, timeline_rows.rows(timeline, "", markdown_cell))


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """One row a TCP frame."""
    rows = (
        row
        for chunk in chunks
        for batch in packet_columns.batches(chunk)
        for row in zip(*packet_columns.columns(batch, "", markdown_cell), strict=True)
    )
    _write_table(out, packet_columns.NAMES, rows)


def _write_table(out: TextIO, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table in GitHub's form; flags by name, everything else as in CSV."""
    out.write(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n")
    flags = names.index("flags") if "flags" in names else None
    for row in rows:
        cells = list(row)
        if flags is not None and cells[flags] != "":
            cells[flags] = flag_names(cells[flags])
        out.write(f"| {' | '.join(map(str, cells))} |\n")
