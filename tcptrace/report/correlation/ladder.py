"""A connection as a ladder over all points: each segment an arrow from where it was seen to where it was seen next."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.result import Connection, Point
from tcptrace.report.correlation.lifelines import NOTE, Cells, Lifelines, draw, headings, lifelines, pieces
from tcptrace.report.correlation.point_order import point_order
from tcptrace.report.correlation.rungs import Rung, by_rung, rungs
from tcptrace.report.findings import write_note
from tcptrace.report.segment_words import KIND_WIDTH, RST
from tcptrace.report.terminal import GAP, Piece, Screen, text_width, widest, wrapped
from tcptrace.report.units import duration, milliseconds
from tcptrace.schema import NO_TIME, SIDES

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

ARROWS = "→←"
WORDS_LEAST = KIND_WIDTH + 8

Hops = set[tuple[int, int, int, int]]
"""Stream, direction and two points."""


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
    ladder = rungs(correlation, connection)
    if not ladder:
        return
    start_ns = min((rung.time_ns for rung in ladder if rung.time_ns != NO_TIME), default=0)
    times = ["" if rung.time_ns == NO_TIME else milliseconds(rung.time_ns - start_ns) for rung in ladder]
    words = [_words(connection, rung) for rung in ladder]
    order = point_order(correlation.points, connection)
    layout = _layout(screen, order, correlation.points, ladder, times, words)
    of_connection = [finding for finding in correlation.found if connection.connection in finding.connections]
    findings = by_rung(ladder, correlation, of_connection)
    timed = {(hop.stream, hop.direction, hop.source, hop.target) for hop in connection.hops if hop.delay}
    _write_headings(screen, correlation.points, layout)
    for index, (rung, time, told) in enumerate(zip(ladder, times, words, strict=True)):
        drawing = draw(layout.lines, rung.stops, _style(rung), _delays(rung, timed))
        _write_rung(screen, layout, time, told, drawing)
        for finding in findings.get(index, ()):
            write_note(screen, finding, indent=layout.time + len(GAP))
    screen.line()
    screen.paragraph(NOTE, style="dim")


def _layout(
    screen: Screen,
    order: Sequence[int],
    points: Sequence[Point],
    ladder: Sequence[Rung],
    times: Sequence[str],
    words: Sequence[Sequence[Piece]],
) -> Layout:
    """Words as wide as they are if lifelines fit beside them, else narrower, else above them."""
    digits = max(len(str(stop.frame)) for rung in ladder for stop in rung.stops)
    time = widest(times)
    asked = widest("".join(piece.text for piece in wrapped(told, None)[0]) for told in words)
    if screen.width is None:
        return Layout(time, asked, lifelines(order, points, digits, None), stacked=False)
    room = screen.width - time - 2 * len(GAP)
    left = min(asked, room - lifelines(order, points, digits, 0).width)
    if left >= min(asked, WORDS_LEAST):
        return Layout(time, left, lifelines(order, points, digits, room - left), stacked=False)
    return Layout(time, room, lifelines(order, points, digits, screen.width - len(GAP)), stacked=True)


def _write_headings(screen: Screen, points: Sequence[Point], layout: Layout) -> None:
    rows, legend = headings(layout.lines, points)
    if legend:
        screen.flow(Piece(f"{name} ", "dim") for name in legend)
    for number, row in enumerate(rows):
        titled = number == len(rows) - 1 and not layout.stacked
        time, segment = ("ms", "segment") if titled else ("", "")
        left = f"{time:>{layout.time}}{GAP}{segment}"
        screen.line(Piece(left.ljust(layout.before) if titled else " " * layout.before, "dim"), *pieces(row))


def _write_rung(screen: Screen, layout: Layout, time: str, words: Sequence[Piece], drawing: Cells) -> None:
    """Its words on as many lines as they need, the drawing beside the first, or below the last."""
    for number, line in enumerate(wrapped(words, None if screen.width is None else layout.words, hanging=" " * 4)):
        space = Piece(" " * (layout.words - sum(text_width(piece.text) for piece in line)))
        beside = Piece("" if number else time).padded(layout.time, right=True)
        picture = [] if layout.stacked else pieces(layout.lines.blank() if number else drawing)
        screen.line(beside, Piece(GAP), *line, space, Piece(GAP), *picture)
    if layout.stacked:
        screen.line(Piece(GAP), *pieces(drawing))


def _words(connection: Connection, rung: Rung) -> list[Piece]:
    """`→ 77 bytes 1:78`; of several streams the number stands before it, counted from the client."""
    streams = [stream.stream for stream in connection.streams]
    number = f"{streams.index(rung.stream) + 1} " if len(streams) > 1 else ""
    return [Piece(f"{number}{ARROWS[rung.direction]}", SIDES[rung.direction]), rung.words, rung.mark]


def _delays(rung: Rung, timed: Hops) -> list[str]:
    """For every arrow how long it took, where one clock, or clocks set against each other, can tell."""
    return [
        duration(target.time_ns - source.time_ns)
        if (rung.stream, rung.direction, source.point, target.point) in timed
        and NO_TIME not in (source.time_ns, target.time_ns)
        else ""
        for source, target in pairwise(rung.stops)
    ]


def _style(rung: Rung) -> str:
    """Of its arrows: who sent it, unless it was sent again or is a reset."""
    if rung.segment.flags > 0 and rung.segment.flags & RST:
        return "bad"
    return "odd" if rung.mark.text else SIDES[rung.direction]
