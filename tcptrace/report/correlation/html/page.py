"""The whole page, written part by part."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, TextIO

from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.correlation.connections import FORM, WAYS_TOLD, connection_row, shared_ways, worst
from tcptrace.report.correlation.html.connection import anchor, section, way_drawn
from tcptrace.report.correlation.html.findings import findings
from tcptrace.report.correlation.html.legend import legend
from tcptrace.report.correlation.html.marked import shown
from tcptrace.report.correlation.html.markup import NOTHING, Markup, element, group, text
from tcptrace.report.correlation.html.tables import table
from tcptrace.report.correlation.mentions import candidate_told
from tcptrace.report.correlation.overview import CLOCKS, TRAFFIC, clock_rows, headline, problems, traffic_rows
from tcptrace.report.units import count
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

LISTED_MOST = 5000
"""Connections in the table: more make a browser slow."""


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """The findings, the points, a table of all connections where there are several, the `top` worst in full."""
    numbers = {id(finding): number for number, finding in enumerate(correlation.found)}
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("style.css", "script.js"))
    told = worst(correlation, view.top)
    out.write(f'<!DOCTYPE html>\n<html lang="en">\n{_head(headline(correlation), style, script)}\n<body>\n<main>\n')
    for part in (
        element("h1", text(headline(correlation))),
        *(element("p", text(f"▲ {problem}"), class_="odd") for problem in problems(correlation)),
        *(element("p", text(f"not joined: {candidate_told(correlation, one)}")) for one in correlation.candidates),
        findings(correlation, top=view.top),
        element("section", element("h2", text("Points")), *_points(correlation)),
        _connections(correlation, told, numbers) if len(correlation.connections) > 1 else NOTHING,
        element("section", element("h2", text("Marks")), legend()) if told else NOTHING,
    ):
        out.write(f"{part}\n")
    for connection in told:
        out.write(f"{section(correlation, connection, numbers, utc=view.utc)}\n")
    out.write(f"</main>\n<script>{script}</script>\n</body>\n</html>\n")


def _head(title: str, style: str, script: str) -> Markup:
    """Nothing but this style and this script has any power, and nothing is fetched."""
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}"
    return element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", text(f"tcptrace: {title}")),
        element("style", Markup(style)),
    )


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _points(correlation: "Correlation") -> Iterator[Markup]:
    yield table(CLOCKS, clock_rows(correlation))
    yield table(TRAFFIC, traffic_rows(correlation))


def _connections(correlation: "Correlation", told: list[Connection], numbers: dict[int, int]) -> Markup:
    """The worst first; those that are told in full lead there."""
    found: dict[int, list[Finding]] = defaultdict(list)
    for finding in correlation.found:
        for connection in finding.connections:
            found[connection].append(finding)
    listed = worst(correlation, LISTED_MOST)
    in_full = {connection.connection for connection in told}
    rules = [list(dict.fromkeys(finding.rule for finding in found[one.connection])) for one in listed]
    rows = [connection_row(one, of_one) for one, of_one in zip(listed, rules, strict=True)]

    def cell(name: str, words: str, row: int) -> Markup:
        number = listed[row].connection
        linked = name == "connection" and number in in_full
        return element("a", text(words), href=f"#{anchor(number)}") if linked else text(words)

    shows = [shown(found[one.connection], numbers) for one in listed]
    more = len(correlation.connections) - len(listed)
    left = f"… and {count(more, 'more')}: --format json. " if more else ""
    note = f"{left}In full below: the {len(told)} worst (--top)." if len(told) < len(listed) else left
    parts = group(table(FORM, rows, cell, shows), element("p", text(note), class_="dim") if note else NOTHING)
    return element("section", element("h2", text("Connections")), *_ways(correlation), parts, id="connections")


def _ways(correlation: "Correlation") -> Iterator[Markup]:
    """The most used ways."""
    for told, ways in shared_ways(correlation)[:WAYS_TOLD]:
        yield element("p", text(told), class_="title")
        yield element("dl", *(way_drawn(correlation, way) for way in ways))
