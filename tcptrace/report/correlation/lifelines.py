"""One line of a ladder over points: lifelines, frame numbers where a segment was seen, arrows between them."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from tcptrace.correlation.result import Point
from tcptrace.report.correlation.point_order import interface
from tcptrace.report.correlation.rungs import Sight, Stop
from tcptrace.report.terminal import Piece, text_width

ARROW = 6
"""Columns of the shortest arrow, with its spaces."""

MOST_SPAN = 20
"""Columns between two lifelines."""

MARGIN = 4
"""Columns at both sides that names may ask for."""

DELAY_ROOM = 14
"""Columns of an arrow from which the time it took stands on it."""

NOTE = "number: frame at that point · ~: its bytes in segments of other sizes · ○: passed, not captured · ✕: lost"

Cells = list[tuple[str, str]]
"""A character and its style for every column."""


class Lifelines(NamedTuple):
    """Where the points stand in a drawing."""

    order: Sequence[int]
    """Points from left to right."""
    span: int
    margin: int
    """Columns before the first and after the last."""

    @property
    def width(self) -> int:
        """Columns it takes."""
        return 2 * self.margin + 1 + self.span * (len(self.order) - 1)

    def column(self, point: int) -> int:
        """Of a point's lifeline."""
        return self.margin + self.span * self.order.index(point)

    def blank(self) -> Cells:
        """The lifelines alone."""
        cells = [(" ", "")] * self.width
        for point in self.order:
            cells[self.column(point)] = ("│", "dim")
        return cells


def lifelines(order: Sequence[int], points: Sequence[Point], frames: int, room: int | None) -> Lifelines:
    """As far apart as names and frame numbers of that many digits ask, and as the room allows."""
    longest = max(text_width(text) for point in order for text in _names(points[point]))
    margin = max(frames // 2, min(longest // 2, MARGIN))
    if room is None:
        return Lifelines(order, MOST_SPAN, margin)
    most = (room - 2 * margin - 1) // max(len(order) - 1, 1)
    return Lifelines(order, max(frames + ARROW, min(most, MOST_SPAN)), margin)


def headings(lines: Lifelines, points: Sequence[Point]) -> tuple[list[Cells], list[str]]:
    """Hosts above their interfaces; numbers where names do not fit, and then what they stand for."""
    names = [_names(points[point]) for point in lines.order]
    columns = [lines.column(point) for point in lines.order]
    of_host = groupby(zip(names, columns, strict=True), key=lambda named: named[0][0])
    hosts = [(_middle([column for _, column in group]), host) for host, group in of_host]
    places = [(column, name[1]) for name, column in zip(names, columns, strict=True)]
    rows = [row for row in (hosts, places) if any(text for _, text in row)]
    drawn = [_centred(lines.width, row) for row in rows]
    if all(row is not None for row in drawn):
        return [row for row in drawn if row is not None], []
    numbers = [(column, str(number)) for number, column in enumerate(columns, 1)]
    legend = [f"{number} {points[point].name}" for number, point in enumerate(lines.order, 1)]
    return [_centred(lines.width, numbers) or []], legend


def draw(lines: Lifelines, stops: Sequence[Stop], style: str, delays: Sequence[str]) -> Cells:
    """A segment from stop to stop; `delays` has for every arrow what stands on it, where there is room."""
    cells = lines.blank()
    for (source, target), delay in zip(pairwise(stops), delays, strict=True):
        if source.sight is not Sight.LOST:
            _arrow(cells, lines, source, target, style, delay)
    for stop in stops:
        if stop.sight is not Sight.LOST:
            start, text = _node(lines, stop)
            cells[start : start + len(text)] = [
                (letter, "odd" if stop.sight is Sight.MISSED else "") for letter in text
            ]
    return cells


def pieces(cells: Cells) -> list[Piece]:
    """Neighbours of one style as one piece."""
    return [
        Piece("".join(letter for letter, _ in group), style)
        for style, group in ((style, list(run)) for style, run in groupby(cells, key=lambda cell: cell[1]))
    ]


def _arrow(cells: Cells, lines: Lifelines, source: Stop, target: Stop, style: str, delay: str) -> None:
    """From one stop to the next; what was lost ends before the next lifeline."""
    (start, text), (other, other_text) = _node(lines, source), _node(lines, target)
    right = lines.column(target.point) > lines.column(source.point)
    low, high = (start + len(text), other) if right else (other + len(other_text), start)
    low, high = low + 1, high - 1
    head = "▶" if right else "◀"
    if target.sight is Sight.LOST:
        length = min((high - low) // 2 + 1, lines.span // 2)
        low, high = (low, low + length) if right else (high - length, high)
        head = "✕"
    if high <= low:
        return
    cells[low:high] = [("─", style)] * (high - low)
    cells[high - 1 if right else low] = (head, "bad" if head == "✕" else style)
    if delay and high - low >= DELAY_ROOM:
        begin = (low + high - len(delay) - 2) // 2
        cells[begin : begin + len(delay) + 2] = [(letter, "dim") for letter in f" {delay} "]


def _node(lines: Lifelines, stop: Stop) -> tuple[int, str]:
    """Where a stop's text begins, and the text."""
    text = {
        Sight.SEEN: str(stop.frame),
        Sight.PARTLY: f"~{stop.frame}",
        Sight.MISSED: "○",
        Sight.LOST: "│",
    }[stop.sight]
    return lines.column(stop.point) - len(text) // 2, text


def _middle(columns: Sequence[int]) -> int:
    return (columns[0] + columns[-1]) // 2


def _names(point: Point) -> tuple[str, str]:
    return point.host, interface(point)


def _centred(width: int, texts: Sequence[tuple[int, str]]) -> Cells | None:
    """Texts centred on their columns, None where two would touch or one leaves the drawing."""
    cells: Cells = [(" ", "")] * width
    free = 0
    for column, text in texts:
        start = column - (text_width(text) - 1) // 2
        start = min(max(start, 0), width - text_width(text))
        if text and (start < free or text_width(text) != len(text)):
            return None
        cells[start : start + len(text)] = [(letter, "title") for letter in text]
        free = start + len(text) + 1 if text else free
    return cells
