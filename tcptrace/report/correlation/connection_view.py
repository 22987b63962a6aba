"""One connection in full: what it is, its way, its hops, and the ladder."""

from typing import TYPE_CHECKING

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.result import Connection
from tcptrace.report.correlation.connection_facts import facts, mode_told
from tcptrace.report.correlation.hop_table import write_hop_table
from tcptrace.report.correlation.ladder import write_path_ladder
from tcptrace.report.correlation.way import way, write_way
from tcptrace.report.terminal import Piece, Screen

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def write_connection(screen: Screen, correlation: "Correlation", connection: Connection) -> None:
    """Everything known of one connection but its findings."""
    points = correlation.points
    write_connection_title(screen, connection)
    for direction in (REQUEST, REPLY):
        write_way(screen, points, way(connection, direction))
    last = ""
    for label, told, style in facts(points, connection):
        screen.fact("" if label == last else label, told, style)
        last = label
    if connection.hops:
        screen.line()
        write_hop_table(screen, points, connection)
    screen.line()
    write_path_ladder(screen, correlation, connection)


def write_connection_title(screen: Screen, connection: Connection) -> None:
    """`connection 0   10.0.0.1:40000 → 10.0.0.9:80`, and the mode with what it rests on."""
    label = f"connection {connection.connection}   "
    screen.paragraph(f"{connection.client} → {connection.server}", label=Piece(label, "title"), style="title")
    screen.fact("mode", mode_told(connection))
