"""A connection as a Mermaid sequence diagram, which ticket systems draw: participants are the points."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from tcptrace.correlation.result import Connection, Point
from tcptrace.report.correlation.chart import Chart, Row, chart_of, drawn_part, left_out
from tcptrace.report.correlation.rungs import Sight, Stop
from tcptrace.report.escape import mermaid_text
from tcptrace.report.findings import MARKS

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

MOST = 60
"""Segments that are drawn; Mermaid takes 50,000 characters."""

ARROWS = {Sight.SEEN: "->>", Sight.PARTLY: "->>", Sight.MISSED: "-->>", Sight.LOST: "--x"}
FATES = {Sight.PARTLY: "in other sizes", Sight.MISSED: "passed, not captured", Sight.LOST: "lost"}


def diagram(correlation: "Correlation", connection: Connection) -> Iterator[str]:
    """Lines of Markdown: the diagram in its fence, then what of the connection it leaves out."""
    chart = chart_of(correlation, connection, MOST)
    if not chart.rows:
        return
    yield "```mermaid"
    yield "sequenceDiagram"
    for line in _statements(chart, correlation.points):
        yield f"    {line}"
    yield "```"
    if part := drawn_part(chart):
        yield ""
        yield part


def _statements(chart: Chart, points: Sequence[Point]) -> Iterator[str]:
    yield from _participants(chart, points)
    for row in chart.rows:
        yield from _gap(chart, row.rung.skipped)
        yield from _messages(row)
        for finding in row.findings:
            yield f"{_over(chart)}: {mermaid_text(f'{MARKS[finding.severity].text} {finding.rule}: {finding.summary}')}"
    yield from _gap(chart, chart.skipped_after)


def _participants(chart: Chart, points: Sequence[Point]) -> Iterator[str]:
    """The points, those of a host in a box where there are several."""
    for host, of_host in groupby(chart.order, key=lambda point: points[point].host):
        there = list(of_host)
        named = [f"participant p{point} as {mermaid_text(points[point].name)}" for point in there]
        yield from [f"box transparent {mermaid_text(host)}", *named, "end"] if len(there) > 1 else named


def _messages(row: Row) -> Iterator[str]:
    """What it is stands on its first arrow, with the time; of a segment that only one point saw, above that."""
    first, *_ = row.rung.stops
    told = " ".join(filter(None, (f"{row.time} ms" if row.time else "", *(piece.text for piece in row.words))))
    told = " ".join(told.split())
    if len(row.rung.stops) == 1:
        yield f"Note over p{first.point}: {mermaid_text(f'{told} · {_sight(first)}')}"
    for number, ((source, target), delay) in enumerate(zip(pairwise(row.rung.stops), row.delays, strict=True)):
        begun = f"{told} · {_sight(source)} →" if number == 0 else ""
        words = " · ".join(filter(None, (f"{begun} {_sight(target)}".strip(), delay)))
        yield f"p{source.point}{ARROWS[target.sight]}p{target.point}: {mermaid_text(words)}"


def _sight(stop: Stop) -> str:
    """`frame 7`, `frame 7 in other sizes`, `lost`."""
    frame = f"frame {stop.frame}" if stop.sight in (Sight.SEEN, Sight.PARTLY) else ""
    return " ".join(filter(None, (frame, FATES.get(stop.sight, ""))))


def _gap(chart: Chart, segments: int) -> Iterator[str]:
    if segments:
        yield f"{_over(chart)}: {mermaid_text(left_out(segments))}"


def _over(chart: Chart) -> str:
    """A note over all points."""
    first, last = chart.order[0], chart.order[-1]
    return f"Note over p{first}" + (f",p{last}" if last != first else "")
