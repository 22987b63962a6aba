"""JSON Lines: one flow, segment or packet a line."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

import orjson

from tcptrace.analysis_json import valid_text
from tcptrace.flow_json import Json
from tcptrace.report import flow_rows
from tcptrace.report.json_report import packet_batches, timeline_batches
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """One flow a line: the columns of CSV, numbers and truth as what they are."""
    rows = flow_rows.rows(analyses, None)
    write_lines(out, ([dict(zip(flow_rows.NAMES, (valid_text(path), *row), strict=True))] for path, *row in rows))


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """One segment a line."""
    write_lines(out, timeline_batches(timeline))


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """One TCP frame a line."""
    write_lines(out, packet_batches(chunks))


def write_lines(out: TextIO, batches: Iterable[list[Json]]) -> None:
    """Each object of all batches on a line."""
    out.flush()
    for batch in batches:
        out.buffer.write(b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in batch))
