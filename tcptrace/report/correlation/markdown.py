"""Markdown, for a ticket: what was found, the points, and connections with their way, hops and ladder."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tcptrace.correlation.directions import DIRECTIONS, REPLY, REQUEST
from tcptrace.correlation.result import Connection
from tcptrace.report.correlation.columns import Form, told_columns
from tcptrace.report.correlation.connection_facts import Fact, facts, mode_told
from tcptrace.report.correlation.connections import FORM as CONNECTIONS
from tcptrace.report.correlation.connections import WAYS_TOLD, connection_row, rules_by_connection, shared_ways, worst
from tcptrace.report.correlation.hop_table import FORM as HOPS
from tcptrace.report.correlation.hop_table import hop_rows
from tcptrace.report.correlation.mentions import candidate_told, place
from tcptrace.report.correlation.mermaid import diagram
from tcptrace.report.correlation.overview import CLOCKS, TRAFFIC, clock_rows, headline, problems, traffic_rows
from tcptrace.report.correlation.way import Way, drawn, outcome, way
from tcptrace.report.escape import markdown_cell
from tcptrace.report.findings import tally
from tcptrace.report.markdown import finding_item, write_table
from tcptrace.report.units import count
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """Of several connections the worst in a table, and the very worst in full."""
    _write_summary(correlation, out)
    _write_findings(correlation, out, view)
    out.write("## Points\n\n")
    _write_form(out, CLOCKS, clock_rows(correlation))
    _write_form(out, TRAFFIC, traffic_rows(correlation))
    if len(correlation.connections) > 1:
        _write_connections(correlation, out, view)
    for connection in worst(correlation, 1):
        _write_connection(correlation, connection, out)


def _write_summary(correlation: "Correlation", out: TextIO) -> None:
    found = tally(correlation.found) if correlation.found else "no findings"
    out.write(f"## Summary\n\n{headline(correlation)}; {found}\n\n")
    out.writelines(f"- ▲ {markdown_cell(problem)}\n" for problem in problems(correlation))
    out.writelines(
        f"- not joined: {markdown_cell(candidate_told(correlation, one))}\n" for one in correlation.candidates
    )
    out.write("\n" * bool(problems(correlation) or correlation.candidates))


def _write_findings(correlation: "Correlation", out: TextIO, view: View) -> None:
    if not correlation.found:
        return
    out.write("## Findings\n\n")
    for finding in correlation.found[: view.top]:
        out.writelines(f"{line}\n" for line in finding_item(finding, *place(correlation, finding)))
    more = len(correlation.found) - view.top
    out.write(f"\n… and {count(more, 'more finding')}: --top, --format json\n\n" if more > 0 else "\n")


def _write_connections(correlation: "Correlation", out: TextIO, view: View) -> None:
    rules = rules_by_connection(correlation)
    rows = [connection_row(one, rules.get(one.connection, ())) for one in worst(correlation, view.top)]
    out.write("## Connections\n\n")
    for told, ways in shared_ways(correlation)[:WAYS_TOLD]:
        out.write(f"- {markdown_cell(told)}\n")
        out.writelines(f"  - *{DIRECTIONS[of.direction]}* {markdown_cell(_line(correlation, of))}\n" for of in ways)
    out.write("\n")
    _write_form(out, CONNECTIONS, rows)
    more = len(correlation.connections) - len(rows)
    others = f"… and {count(more, 'more')}: --top, --format json; " if more else ""
    out.write(f"{others}another one in full: --connection N\n\n")


def _write_connection(correlation: "Correlation", connection: Connection, out: TextIO) -> None:
    ends = markdown_cell(f"{connection.client} → {connection.server}")
    out.write(f"## Connection {connection.connection}: {ends}\n\n")
    out.writelines(f"- *{label}* {markdown_cell(told)}\n" for label, told, _ in _facts(correlation, connection))
    out.write("\n")
    if connection.hops:
        out.write("### Hops\n\n")
        _write_form(out, HOPS, hop_rows(correlation.points, connection))
    if lines := list(diagram(correlation, connection)):
        out.write("### Ladder\n\n")
        out.writelines(f"{line}\n" for line in lines)


def _facts(correlation: "Correlation", connection: Connection) -> Iterator[Fact]:
    yield Fact("mode", mode_told(connection))
    for direction in (REQUEST, REPLY):
        yield Fact(DIRECTIONS[direction], _line(correlation, way(connection, direction)))
    yield from facts(correlation.points, connection)


def _line(correlation: "Correlation", of: Way) -> str:
    """A way, and what became of what took it."""
    line = "".join(piece.text for unit in drawn(correlation.points, of) for piece in unit)
    return "  ".join(filter(None, (line, outcome(correlation.points, of).text)))


def _write_form(out: TextIO, form: Form, rows: Sequence[NamedTuple]) -> None:
    """The columns that say something, whatever their width."""
    names = told_columns(form, rows)
    write_table(
        out,
        [getattr(form.titles, name) for name in names],
        ([markdown_cell(getattr(row, name)) for name in names] for row in rows),
    )
    out.write("\n")
