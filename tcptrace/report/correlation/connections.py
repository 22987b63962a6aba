"""Many connections: those that take one way together, and the worst of them in a table."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import SEVERITIES
from tcptrace.report.correlation.columns import Form, write_columns
from tcptrace.report.correlation.way import Way, write_way
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


class Row(NamedTuple):
    """One connection as text."""

    connection: str
    client: str
    server: str
    mode: str
    segments: str
    """That went over its hops' first points, both ways."""
    lost: str
    client_state: str
    server_state: str
    findings: str
    """Rules."""


FORM = Form(
    Row("nr", "client", "server", "mode", "segments", "lost", "client is", "server is", "findings"),
    right={"connection", "segments", "lost"},
    first_to_go=("segments", "client_state", "server_state", "mode"),
    kept=("connection", "lost"),
)
STYLES = {"connection": "title", "lost": "bad", "findings": "odd"}

WAYS_TOLD = 6


class SharedWay(NamedTuple):
    """Connections that take one way, over the same points in the same mode."""

    told: str
    """`48 connections, mode dr`."""
    ways: tuple[Way, Way]
    """Requests and replies, with all that went over each hop."""


def shared_ways(correlation: "Correlation") -> list[SharedWay]:
    """Each way that connections take, the most used first."""
    alike: dict[tuple[Any, ...], list[Connection]] = {}
    for connection in correlation.connections:
        alike.setdefault((connection.mode, connection.path), []).append(connection)
    return [
        SharedWay(f"{count(len(ones), 'connection')}, mode {mode}", (_sum(ones, REQUEST), _sum(ones, REPLY)))
        for (mode, _), ones in sorted(alike.items(), key=lambda way: -len(way[1]))
    ]


def _sum(alike: Sequence[Connection], direction: int) -> Way:
    hops = [hop for one in alike for hop in one.hops if hop.direction == direction]
    path = alike[0].path
    return Way(direction, path[direction], path[1 - direction], hops, alike[0].mode)


def write_ways(screen: Screen, correlation: "Correlation") -> None:
    """The most used ways."""
    shared = shared_ways(correlation)
    for told, ways in shared[:WAYS_TOLD]:
        screen.line()
        screen.line(Piece(told, "title"))
        for way in ways:
            write_way(screen, correlation.points, way)
    if len(shared) > WAYS_TOLD:
        screen.line()
        screen.line(Piece(f"… and {count(len(shared) - WAYS_TOLD, 'more way')}: --format json", "dim"))


def write_connection_table(screen: Screen, correlation: "Correlation", *, top: int) -> None:
    """The `top` worst connections, and how to see one in full."""
    rules = rules_by_connection(correlation)
    rows = [connection_row(one, rules.get(one.connection, ())) for one in worst(correlation, top)]
    screen.line()
    write_columns(screen, FORM, rows, lambda name, text: STYLES.get(name, ""))
    more = len(correlation.connections) - len(rows)
    others = f"… and {count(more, 'more connection')}: --top, --format json; " if more else ""
    screen.line()
    screen.paragraph(f"{others}one in full, with its ladder: --connection {rows[0].connection}", style="dim")


def worst(correlation: "Correlation", top: int) -> list[Connection]:
    """The first `top` by errors, warnings and losses; those that are alike by number."""
    tallies = {severity: Counter[int]() for severity in SEVERITIES}
    for finding in correlation.found:
        tallies[finding.severity].update(finding.connections)

    def rank(connection: Connection) -> tuple[int, ...]:
        found = (-tallies[severity][connection.connection] for severity in SEVERITIES[:-1])
        return *found, -sum(hop.lost for hop in connection.hops), connection.connection

    return sorted(correlation.connections, key=rank)[:top]


def rules_by_connection(correlation: "Correlation") -> dict[int, list[str]]:
    """Rules that found something, by connection, each once."""
    rules: dict[int, list[str]] = {}
    for finding in correlation.found:
        for connection in finding.connections:
            of_connection = rules.setdefault(connection, [])
            if finding.rule not in of_connection:
                of_connection.append(finding.rule)
    return rules


def connection_row(connection: Connection, rules: Sequence[str]) -> Row:
    """One connection as the table has it."""
    firsts = {(way[0], direction) for direction, way in enumerate(connection.path) if way}
    passed = sum(hop.frames + hop.lost + hop.missed for hop in connection.hops if (hop.source, hop.direction) in firsts)
    client, server = ("?" if state == "UNKNOWN" else state for state in connection.states)
    return Row(
        str(connection.connection),
        connection.client,
        connection.server,
        connection.mode,
        f"{passed:,}",
        f"{sum(hop.lost for hop in connection.hops):,}",
        client,
        server,
        ", ".join(rules),
    )
