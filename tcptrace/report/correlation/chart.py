"""What a drawing of a connection over all points says, whatever it is drawn with."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.hops import in_ticks
from tcptrace.correlation.result import Connection
from tcptrace.diagnosis.rule import Finding
from tcptrace.report.correlation.point_order import point_order
from tcptrace.report.correlation.rungs import Rung, by_rung, ladder_of
from tcptrace.report.segment_words import RST
from tcptrace.report.terminal import Piece
from tcptrace.report.units import count, duration, milliseconds
from tcptrace.schema import NO_TIME, SIDES

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

ARROWS = "→←"

Ticks = dict[tuple[int, int, int, int], int]
"""Stream, direction and two points."""


class Row(NamedTuple):
    """A segment in text."""

    rung: Rung
    time: str
    """Milliseconds since the first; empty where no time is known."""
    words: Sequence[Piece]
    """What it is, and why it was sent again."""
    style: str
    """Of its arrows: `bad` for a reset, `odd` for what was sent again, else who sent it."""
    delays: Sequence[str]
    """For every arrow how long it took, where one clock, or clocks set against each other, can tell."""
    findings: Sequence[Finding]
    """Those that name it first."""


class Chart(NamedTuple):
    """A connection, or what tells most of it."""

    order: Sequence[int]
    """Points from left to right, the client's end first."""
    rows: Sequence[Row]
    start_ns: int
    """Reference time that the rows' times count from."""
    total: int
    """Segments of the connection."""
    skipped_after: int
    """Segments left out after the last row."""


def chart_of(correlation: "Correlation", connection: Connection, most: int) -> Chart:
    """The connection's segments, of more than `most` those that tell its story."""
    ladder = ladder_of(correlation, connection, most)
    start_ns = min((rung.time_ns for rung in ladder.rungs if rung.time_ns != NO_TIME), default=0)
    found = by_rung(ladder.rungs, correlation, findings_of(correlation, connection))
    timed = {
        (hop.stream, hop.direction, hop.source, hop.target): hop.delay.tick_ns for hop in connection.hops if hop.delay
    }
    rows = [
        Row(
            rung,
            "" if rung.time_ns == NO_TIME else milliseconds(rung.time_ns - start_ns),
            _words(connection, rung),
            _style(rung),
            _delays(rung, timed),
            _each_once(found.get(index, ())),
        )
        for index, rung in enumerate(ladder.rungs)
    ]
    order = point_order(correlation.points, connection)
    return Chart(order, rows, start_ns, ladder.total, ladder.skipped_after)


def findings_of(correlation: "Correlation", connection: Connection) -> list[Finding]:
    """Those about this connection, the worst first."""
    return [finding for finding in correlation.found if connection.connection in finding.connections]


def left_out(segments: int) -> str:
    """`… 5,812 segments`, in place of them."""
    return f"… {count(segments, 'segment')}"


def drawn_part(chart: Chart) -> str:
    """That not all is drawn, and where all is; empty where all is."""
    if len(chart.rows) == chart.total:
        return ""
    return (
        f"{len(chart.rows):,} of {count(chart.total, 'segment')}: what findings name, what was lost, sent again, opens "
        "or ends; all at one point: tcptrace timeline"
    )


def _words(connection: Connection, rung: Rung) -> list[Piece]:
    """`→ 77 bytes 1:78`; of several streams the number stands before it, counted from the client."""
    streams = [stream.stream for stream in connection.streams]
    number = f"{streams.index(rung.stream) + 1} " if len(streams) > 1 else ""
    return [Piece(f"{number}{ARROWS[rung.direction]}", SIDES[rung.direction]), rung.words, rung.mark]


def _delays(rung: Rung, timed: Ticks) -> list[str]:
    """How long each hop took, in whole ticks; empty where the clocks do not tell."""
    told = []
    for source, target in pairwise(rung.stops):
        tick_ns = timed.get((rung.stream, rung.direction, source.point, target.point), 0)
        known = tick_ns and NO_TIME not in (source.time_ns, target.time_ns)
        told.append(duration(in_ticks(target.time_ns - source.time_ns, tick_ns)) if known else "")
    return told


def _each_once(found: Sequence[Finding]) -> list[Finding]:
    """Of findings that say the same of several points the first."""
    return list({(finding.rule, finding.summary): finding for finding in reversed(found)}.values())[::-1]


def _style(rung: Rung) -> str:
    if rung.segment.flags > 0 and rung.segment.flags & RST:
        return "bad"
    return "odd" if rung.mark.text else SIDES[rung.direction]
