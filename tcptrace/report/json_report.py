"""JSON: one document, or one object a line; written in batches, never held as a whole."""

from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, TextIO

import orjson

from tcptrace.analysis_json import SCHEMA, capture_dict, flow_batches, valid_text
from tcptrace.finding_json import finding_dict
from tcptrace.flow_json import Json
from tcptrace.report import packet_columns, timeline_rows
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline

Batches = Iterable[list[Json]]

SEGMENTS_PER_BATCH = 10_000


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """All captures and all flows as `tcptrace.analysis/1`."""
    done = list(analyses)
    captures = [capture_dict(summary) for analysis in done for summary in analysis.summaries]
    write_document(out, {"schema": SCHEMA, "captures": captures}, "flows", analysis_batches(done), _findings(done))


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """One flow, its transitions and its segments as `tcptrace.timeline/1`."""
    analysis = timeline.analysis
    [[flow]] = flow_batches(analysis)
    head = {"schema": "tcptrace.timeline/1", "capture": capture_dict(timeline.summary), "flow": flow}
    write_document(out, head, "segments", timeline_batches(timeline), _findings([analysis]))


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """Every TCP frame as `tcptrace.packets/1`."""
    head = {"schema": "tcptrace.packets/1", "path": valid_text(path)}
    write_document(out, head, "packets", packet_batches(chunks))


def analysis_batches(analyses: Iterable["Analysis"]) -> Iterator[list[Json]]:
    """The flows of all captures, captures numbered through."""
    first_capture = 0
    for analysis in analyses:
        yield from flow_batches(analysis, first_capture)
        first_capture += len(analysis.summaries)


def timeline_batches(timeline: "Timeline") -> Iterator[list[Json]]:
    """The segments of a flow, each with the states after it."""
    batch: list[Json] = []
    for *facts, client, server in timeline_rows.rows(timeline, None):
        states = {"client": client, "server": server}
        batch.append({**dict(zip(timeline_rows.NAMES, facts, strict=False)), "states": states})
        if len(batch) == SEGMENTS_PER_BATCH:
            yield batch
            batch = []
    yield batch


def packet_batches(chunks: Iterable[Chunk]) -> Iterator[list[Json]]:
    """One object a TCP frame."""
    for chunk in chunks:
        for batch in packet_columns.batches(chunk):
            rows = zip(*packet_columns.columns(batch, None), strict=True)
            yield [dict(zip(packet_columns.NAMES, row, strict=True)) for row in rows]


def write_document(out: TextIO, head: Json, name: str, batches: Batches, tail: Json | None = None) -> None:
    """The head's keys, then the items of all batches as an array under `name`, then the tail's keys."""
    write = _bytes_of(out).write
    write(orjson.dumps(head)[:-1] + f',"{name}":['.encode())
    separator = b"\n"
    for batch in batches:
        if batch:
            write(separator)
            write(memoryview(orjson.dumps(batch))[1:-1])
            separator = b",\n"
    write(b"\n]" + (b"," + orjson.dumps(tail)[1:] if tail else b"}") + b"\n")


def _findings(analyses: Iterable["Analysis"]) -> Json:
    """What went wrong, captures numbered through."""
    found: list[Json] = []
    first_capture = 0
    for analysis in analyses:
        found += (finding_dict(finding, first_capture) for finding in analysis.found)
        first_capture += len(analysis.summaries)
    return {"findings": found}


def _bytes_of(out: TextIO) -> IO[bytes]:
    out.flush()
    return out.buffer
