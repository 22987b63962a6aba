"""A connection as a ladder over all points: each segment an arrow from where it was seen to where it was seen next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.result import Connection, Point
from tcptrace.report.correlation.chart import Chart, Row, chart_of, drawn_part, left_out
from tcptrace.report.correlation.lifelines import NOTE, Lifelines, draw, headings, lifelines, pieces
from tcptrace.report.findings import write_note
from tcptrace.report.segment_words import KIND_WIDTH
from tcptrace.report.terminal import GAP, Piece, Screen, text_width, widest, wrapped

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

MOST = 300
"""Segments that are drawn."""

WORDS_LEAST = KIND_WIDTH + 8


class Layout(NamedTuple):
    """Columns of what stands beside each other."""

    time: int
    words: int
    lines: Lifelines
    stacked: bool
    """Words above the lifelines, since there is no room beside them."""

    @property
    def before(self) -> int:
        """Columns before the lifelines."""
        return len(GAP) if self.stacked else self.time + self.words + 2 * len(GAP)


def write_path_ladder(screen: Screen, correlation: "Correlation", connection: Connection) -> None:
    """The points' names, the rungs, each finding below the frame it names first, what the marks mean."""
    chart = chart_of(correlation, connection, MOST)
    if not chart.rows:
        return
    layout = _layout(screen, chart, correlation.points)
    _write_headings(screen, correlation.points, layout)
    for row in chart.rows:
        _write_gap(screen, layout, row.rung.skipped)
        _write_rung(screen, layout, row)
        for finding in row.findings:
            write_note(screen, finding, indent=layout.time + len(GAP))
    _write_gap(screen, layout, chart.skipped_after)
    screen.line()
    screen.paragraph("; ".join(filter(None, (NOTE, drawn_part(chart)))), style="dim")


def _layout(screen: Screen, chart: Chart, points: Sequence[Point]) -> Layout:
    """Words as wide as they are if lifelines fit beside them, else narrower, else above them."""
    digits = max(len(str(stop.frame)) for row in chart.rows for stop in row.rung.stops)
    time = widest(row.time for row in chart.rows)
    asked = widest("".join(piece.text for piece in wrapped(row.words, None)[0]) for row in chart.rows)
    if screen.width is None:
        return Layout(time, asked, lifelines(chart.order, points, digits, None), stacked=False)
    room = screen.width - time - 2 * len(GAP)
    left = min(asked, room - lifelines(chart.order, points, digits, 0).width)
    if left >= min(asked, WORDS_LEAST):
        return Layout(time, left, lifelines(chart.order, points, digits, room - left), stacked=False)
    return Layout(time, room, lifelines(chart.order, points, digits, screen.width - len(GAP)), stacked=True)


def _write_headings(screen: Screen, points: Sequence[Point], layout: Layout) -> None:
    rows, legend = headings(layout.lines, points)
    if legend:
        screen.flow(Piece(f"{name} ", "dim") for name in legend)
    for number, row in enumerate(rows):
        titled = number == len(rows) - 1 and not layout.stacked
        time, segment = ("ms", "segment") if titled else ("", "")
        left = f"{time:>{layout.time}}{GAP}{segment}"
        screen.line(Piece(left.ljust(layout.before) if titled else " " * layout.before, "dim"), *pieces(row))


def _write_rung(screen: Screen, layout: Layout, row: Row) -> None:
    """Its words on as many lines as they need, the drawing beside the first, or below the last."""
    drawing = draw(layout.lines, row.rung.stops, row.style, row.delays)
    for number, line in enumerate(wrapped(row.words, None if screen.width is None else layout.words, hanging=" " * 4)):
        space = Piece(" " * (layout.words - sum(text_width(piece.text) for piece in line)))
        beside = Piece("" if number else row.time).padded(layout.time, right=True)
        picture = [] if layout.stacked else pieces(layout.lines.blank() if number else drawing)
        screen.line(beside, Piece(GAP), *line, space, Piece(GAP), *picture)
    if layout.stacked:
        screen.line(Piece(GAP), *pieces(drawing))


def _write_gap(screen: Screen, layout: Layout, segments: int) -> None:
    """That segments are left out here."""
    if segments:
        screen.line(Piece(" " * (layout.time + len(GAP))), Piece(left_out(segments), "dim"))
