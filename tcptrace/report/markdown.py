"""Markdown, for a ticket or a wiki: findings as a list, all else as tables."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from tcptrace.diagnosis.rule import Finding
from tcptrace.report import flow_rows, packet_columns, timeline_rows
from tcptrace.report.escape import markdown_cell
from tcptrace.report.finding_ends import ends, flows_told
from tcptrace.report.findings import MARKS, confidence, number_told, story, tally
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.segment_words import flag_names
from tcptrace.report.units import count
from tcptrace.report.view import View
from tcptrace.rows import of_capture

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """What went wrong, then one row a flow."""
    done = list(analyses)
    _write_findings(out, done)
    out.write("## Flows\n\n")
    rows = flow_rows.rows(done, "")
    write_table(out, flow_rows.NAMES, ((markdown_cell(path), *row) for path, *row in rows))


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """What went wrong, then one row a segment."""
    _write_findings(out, [timeline.analysis])
    out.write("## Segments\n\n")
    write_table(out, timeline_rows.NAMES, timeline_rows.rows(timeline, "", markdown_cell))


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """One row a TCP frame."""
    rows = (
        row
        for chunk in chunks
        for batch in packet_columns.batches(chunk)
        for row in zip(*packet_columns.columns(batch, "", markdown_cell), strict=True)
    )
    write_table(out, packet_columns.NAMES, rows)


def _write_findings(out: TextIO, analyses: Sequence["Analysis"]) -> None:
    out.write("## Findings\n\n")
    for analysis in analyses:
        for finding in analysis.found:
            out.writelines(f"{line}\n" for line in _item(finding, analysis))
    found = [finding for analysis in analyses for finding in analysis.found]
    flows = sum(len(analysis.flow_table.flow) for analysis in analyses)
    out.write(f"\n{tally(found)}\n\n" if found else f"no findings in {count(flows, 'flow')}\n\n")


def _item(finding: Finding, analysis: "Analysis") -> Iterator[str]:
    book, path = analysis.books[finding.capture], analysis.summaries[finding.capture].path
    between = ends(finding, of_capture(analysis.flow_table, finding.capture), book)
    return finding_item(finding, between, number_told(finding), flows_told(finding), path)


def finding_item(finding: Finding, *places: str) -> Iterator[str]:
    """An item of a list, with a list of what is said of it; `places` tell what it is about."""
    told = ", ".join(markdown_cell(fact) for fact in (*places, confidence(finding)) if fact)
    yield f"- {MARKS[finding.severity].text} **{finding.rule}** {told}  "
    yield f"  {markdown_cell(finding.summary)}"
    for label, text, _ in story(finding):
        yield f"  - *{label}* {markdown_cell(text)}"


def write_table(out: TextIO, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table in GitHub's form; flags by name, everything else as in CSV."""
    out.write(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n")
    flags = names.index("flags") if "flags" in names else None
    for row in rows:
        cells = list(row)
        if flags is not None and cells[flags] != "":
            cells[flags] = flag_names(cells[flags])
        out.write(f"| {' | '.join(map(str, cells))} |\n")
