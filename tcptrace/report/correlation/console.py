"""A correlation for people: points, clocks, findings, and connections."""

from typing import TYPE_CHECKING, TextIO

from tcptrace.report.correlation.connection_view import write_connection
from tcptrace.report.correlation.connections import write_connection_table, write_ways
from tcptrace.report.correlation.mentions import candidate_told, place
from tcptrace.report.correlation.overview import write_overview
from tcptrace.report.findings import tally, write_stories
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """One connection is told in full; of several the ways they take, and the worst in a table."""
    screen = Screen.on(out, color=view.color)
    write_overview(screen, correlation)
    nothing = f"no findings in {count(len(correlation.connections), 'connection')}"
    write_stories(screen, correlation.found, lambda finding: place(correlation, finding), nothing, top=view.top)
    if len(correlation.connections) == 1:
        screen.line()
        write_connection(screen, correlation, correlation.connections[0])
    elif correlation.connections:
        write_ways(screen, correlation)
        write_connection_table(screen, correlation, top=view.top)
    _write_candidates(screen, correlation, top=view.top)
    if correlation.found:
        screen.line()
        screen.line(Piece(tally(correlation.found), "title"))


def _write_candidates(screen: Screen, correlation: "Correlation", *, top: int) -> None:
    """What may belong together, and was left apart since as much speaks for another."""
    for candidate in correlation.candidates[:top]:
        screen.line()
        screen.paragraph(candidate_told(correlation, candidate), label=Piece("not joined  ", "odd"))
    if len(correlation.candidates) > top:
        screen.line(Piece(f"… and {count(len(correlation.candidates) - top, 'more')}: --format json", "dim"))
