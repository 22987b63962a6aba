"""Where things stand in the drawing of a ladder, in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tcptrace.correlation.result import Point
from tcptrace.report.correlation.chart import Chart, Row
from tcptrace.report.correlation.point_order import interface
from tcptrace.report.terminal import text_width

LETTER = 7.3
"""A column of the monospaced text, 12 px high."""
SMALL = 6.1
"""The same of small text, 10 px high."""

MARGIN = 10
COLUMN = 104
"""Least distance of two lifelines."""
NAME_GAP = 16
HEADING = 44

ROW = 26
"""Height of a row without the slant of its arrows."""
LINE = 15
"""Height of a further line of text."""
SLANT = 5
SLANT_MOST = 20
"""How far an arrow falls on its way to the next point, and a segment on all its way."""


@dataclass(frozen=True)
class Geometry:
    """Columns of one drawing."""

    time_right: float
    """Where times end."""
    words_left: float
    x: dict[int, float]
    """Of each point's lifeline."""
    hosts: list[tuple[str, float, float]]
    """Each host with where its column begins and ends."""
    width: float

    def slant(self, stops: int) -> float:
        """How far an arrow falls, of a segment with that many stops."""
        return min(SLANT, SLANT_MOST / max(stops - 1, 1))


def geometry(chart: Chart, points: Sequence[Point]) -> Geometry:
    """As wide as the texts ask for; the reader's window scrolls over what it has no room for."""
    time = max(text_width(row.time) for row in chart.rows)
    words = max(text_width(line) for row in chart.rows for line in row_lines(row))
    words_left = MARGIN + time * LETTER + NAME_GAP
    left = words_left + words * LETTER + NAME_GAP
    x: dict[int, float] = {}
    hosts = []
    for host, of_host in groupby(chart.order, key=lambda point: points[point].host):
        there = list(of_host)
        asked = [max(COLUMN, text_width(interface(points[point])) * LETTER + NAME_GAP) for point in there]
        stretch = max((text_width(host) * LETTER + NAME_GAP) / sum(asked), 1)
        begin = left
        for point, width in zip(there, asked, strict=True):
            x[point] = left + width * stretch / 2
            left += width * stretch
        hosts.append((host, begin, left))
    return Geometry(MARGIN + time * LETTER, words_left, x, hosts, left + MARGIN)


def row_lines(row: Row) -> list[str]:
    """What it is, then why it was sent again, if it was."""
    arrow, words, mark = (piece.text for piece in row.words)
    return [f"{arrow} {words}", *([mark] if mark else [])]
