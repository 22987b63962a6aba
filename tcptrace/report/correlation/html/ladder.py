"""A connection as a drawing: lifelines of all points, each segment an arrow from where it was seen to the next."""

import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from tcptrace.correlation.directions import REQUEST
from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.correlation.chart import Chart, Row, chart_of, drawn_part, left_out
from tcptrace.report.correlation.html.geometry import (
    HEADING,
    LETTER,
    LINE,
    MARGIN,
    ROW,
    Geometry,
    geometry,
    row_lines,
)
from tcptrace.report.correlation.html.marked import Marked, anchor
from tcptrace.report.correlation.html.markup import NOTHING, Markup, element, group, lines, text
from tcptrace.report.correlation.html.shapes import Place, arrow, node, stub
from tcptrace.report.correlation.point_order import interface
from tcptrace.report.correlation.rungs import Sight, Stop
from tcptrace.report.findings import MARKS
from tcptrace.report.terminal import text_width
from tcptrace.report.units import milliseconds, time_of_day
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

MOST = 300
"""Segments that are drawn of one connection."""

NOTE_LETTERS = 48
"""Of a line of a finding: a narrow window shows it whole."""

FATES = {Sight.PARTLY: ", in segments of other sizes", Sight.SEEN: ""}


class Drawing:
    """One connection's ladder, written from top to bottom."""

    def __init__(self, correlation: "Correlation", connection: Connection, marked: Marked, *, utc: bool) -> None:
        self.points, self.connection, self.marked, self.utc = correlation.points, connection, marked, utc
        self.chart: Chart = chart_of(correlation, connection, MOST)
        self.y = 0.0

    def markup(self) -> Markup:
        """Headings that stay, the ladder below them, and what of the connection it leaves out."""
        if not self.chart.rows:
            return NOTHING
        self.place: Geometry = geometry(self.chart, self.points)
        rows = group(*(part for row in self.chart.rows for part in self._with_notes(row)))
        rows = group(rows, self._gap(self.chart.skipped_after))
        name = f"Ladder of connection {self.connection.connection} over {len(self.chart.order)} points"
        drawing = self._svg(self.y, element("title", text(name)), self._lifelines(), rows, class_="rungs")
        heading = self._svg(HEADING, *self._headings(), class_="heading", aria_hidden="true")
        part = drawn_part(self.chart)
        return group(
            element("div", heading, drawing, class_="ladder scroll", tabindex="0"),
            element("p", text(part), class_="dim") if part else NOTHING,
        )

    def _svg(self, height: float, *inside: Markup, class_: str, aria_hidden: str | None = None) -> Markup:
        width = self.place.width
        return element(
            "svg",
            *inside,
            xmlns="http://www.w3.org/2000/svg",
            preserveAspectRatio="xMinYMin",
            viewBox=f"0 0 {width:g} {height:g}",
            width=width,
            height=height,
            class_=class_,
            aria_hidden=aria_hidden,
        )

    def _headings(self) -> Iterator[Markup]:
        """Hosts above the names of their interfaces."""
        for host, begin, end in self.place.hosts:
            yield element("rect", x=begin + 3, y=4, width=end - begin - 6, height=HEADING - 8, rx=6, class_="host")
            of_host = [point for point, x in self.place.x.items() if begin <= x <= end]
            named = any(interface(self.points[point]) for point in of_host)
            yield element("text", text(host), x=(begin + end) / 2, y=20 if named else 27, class_="host-name")
        for point, x in self.place.x.items():
            yield element("text", text(interface(self.points[point])), x=x, y=35, class_="interface")
        yield element("text", text("ms"), x=self.place.time_right, y=35, class_="time")
        yield element("text", text("segment"), x=self.place.words_left, y=35, class_="dim")

    def _lifelines(self) -> Markup:
        return group(*(element("line", x1=x, y1=0, x2=x, y2=self.y, class_="lifeline") for x in self.place.x.values()))

    def _with_notes(self, row: Row) -> Iterator[Markup]:
        yield self._gap(row.rung.skipped)
        yield self._rung(row)
        for finding in row.findings:
            yield self._note(finding)

    def _rung(self, row: Row) -> Markup:
        stops = row.rung.stops
        slant = self.place.slant(len(stops))
        top, height = self.y, max(ROW + slant * (len(stops) - 1), ROW + LINE * (len(row_lines(row)) - 1))
        middle = top + ROW / 2
        places = [Place(self.place.x[stop.point], middle + slant * i, stop) for i, stop in enumerate(stops)]
        arrows = [
            arrow(*pair, delay)
            for pair, delay in zip(pairwise(places), row.delays, strict=True)
            if pair[0].stop.sight is not Sight.LOST
        ]
        if len(places) == 1:
            arrows = [stub(places[0], 1 if row.rung.direction == REQUEST else -1)]
        self.y += height
        return element(
            "g",
            element("title", lines(*self._details(row))),
            element("rect", x=0, y=top, width="100%", height=height, class_="row"),
            element("text", text(row.time), x=self.place.time_right, y=middle + 4, class_="time"),
            *(self._words(line, middle + 4 + LINE * i, i) for i, line in enumerate(row_lines(row))),
            *arrows,
            *(node(place, self.marked.severity(place.stop)) for place in places),
            class_=f"rung {row.style}",
            tabindex="0",
            role="img",
            data_shows=self.marked.of(row.rung),
        )

    def _words(self, line: str, y: float, number: int) -> Markup:
        return element("text", text(line), x=self.place.words_left, y=y, class_="again" if number else "words")

    def _details(self, row: Row) -> Iterator[str]:
        """All that is known of a segment: what it is, when and as what each point saw it, what names it."""
        rung = row.rung
        told = " ".join(" ".join(row_lines(row)).split())
        yield f"{row.time} ms  {told}" if row.time else told
        if rung.time_ns != NO_TIME:
            yield f"{time_of_day(rung.time_ns, utc=self.utc)} by the reference clock"
        before: tuple[str, str] = ("", "")
        for stop, delay in zip(rung.stops, ("", *row.delays), strict=True):
            name = self.points[stop.point].name
            after = f", {delay} after {before[0]}" if delay else ""
            yield f"{name}: {self._sight(stop)}{after}"
            before = (name, delay)
        named = {id(finding): finding for stop in rung.stops for finding in self.marked.at(stop)}
        for finding in named.values():
            yield f"{MARKS[finding.severity].text} {finding.rule}: {finding.summary}"

    def _sight(self, stop: Stop) -> str:
        """`frame 7 at 0.510 ms`, `lost`."""
        if stop.sight is Sight.LOST:
            return "lost before it came here"
        if stop.sight is Sight.MISSED:
            return "passed, not captured"
        when = "" if stop.time_ns == NO_TIME else f" at {milliseconds(stop.time_ns - self.chart.start_ns)} ms"
        return f"frame {stop.frame}{when}{FATES[stop.sight]}"

    def _note(self, finding: Finding) -> Markup:
        """A finding below the frame it names first, which leads to all that is said of it."""
        told = f"{MARKS[finding.severity].text} {finding.rule}: {finding.summary}"
        wrapped = textwrap.wrap(told, NOTE_LETTERS)
        top, height = self.y, LINE * len(wrapped) + 8
        width = max(map(text_width, wrapped)) * LETTER + 14
        self.y += height + 4
        number = self.marked.numbers[id(finding)]
        return element(
            "a",
            element("rect", x=MARGIN, y=top, width=width, height=height, rx=4, class_="note"),
            *(element("text", text(line), x=MARGIN + 7, y=top + 15 + LINE * i) for i, line in enumerate(wrapped)),
            href=f"#{anchor(number)}",
            class_=f"note {finding.severity}",
            data_shows=f"{finding.rule} {anchor(number)}",
        )

    def _gap(self, segments: int) -> Markup:
        """That segments are left out here."""
        if not segments:
            return NOTHING
        self.y += ROW
        return element("text", text(left_out(segments)), x=self.place.words_left, y=self.y - 9, class_="dim")
