"""One connection on the page: its mode and way, what else is known, its hops, its ladder."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from tcptrace.correlation.directions import DIRECTIONS, REPLY, REQUEST
from tcptrace.correlation.result import Connection
from tcptrace.report.correlation.connection_facts import facts, mode_told
from tcptrace.report.correlation.hop_table import FORM, hop_rows
from tcptrace.report.correlation.html.ladder import Drawing
from tcptrace.report.correlation.html.marked import Marked, shown
from tcptrace.report.correlation.html.markup import NOTHING, Markup, element, group, text
from tcptrace.report.correlation.html.tables import table
from tcptrace.report.correlation.way import Way, drawn, outcome, way
from tcptrace.report.terminal import Piece

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def anchor(connection: int) -> str:
    """Where a connection stands on the page."""
    return f"connection-{connection}"


def section(correlation: "Correlation", connection: Connection, numbers: dict[int, int], *, utc: bool) -> Markup:
    """All that is known of it; `numbers` are those of the findings."""
    marked = Marked(correlation, connection, numbers)
    drawing = Drawing(correlation, connection, marked, utc=utc).markup()
    hops = hop_rows(correlation.points, connection)
    pane = element("pre", class_="detail", aria_live="polite", hidden="")
    return element(
        "section",
        element("h2", text(f"Connection {connection.connection}")),
        element("p", text(f"{connection.client} → {connection.server}"), class_="ends"),
        element("dl", *_facts(correlation, connection)),
        group(element("h3", text("Hops")), table(FORM, hops)) if hops else NOTHING,
        group(element("h3", text("Ladder")), drawing, pane) if drawing else NOTHING,
        id=anchor(connection.connection),
        class_="connection",
        data_shows=shown(marked.found, numbers),
    )


def _facts(correlation: "Correlation", connection: Connection) -> Iterator[Markup]:
    yield group(element("dt", text("mode")), element("dd", text(mode_told(connection))))
    for direction in (REQUEST, REPLY):
        yield way_drawn(correlation, way(connection, direction))
    for label, of_label in groupby(facts(correlation.points, connection), key=lambda fact: fact.label):
        yield element("dt", text(label))
        yield from (element("dd", text(fact.told), class_=fact.style or None) for fact in of_label)


def way_drawn(correlation: "Correlation", of: Way) -> Markup:
    """A way with its label, and what became of what took it."""
    units = (element("span", *map(styled, unit), class_="unit") for unit in drawn(correlation.points, of))
    told = element("dd", *units, text(" "), styled(outcome(correlation.points, of)), class_="way")
    return group(element("dt", text(DIRECTIONS[of.direction])), told)


def styled(piece: Piece) -> Markup:
    """A piece of the console's text."""
    return element("span", text(piece.text), class_=piece.style or None)
