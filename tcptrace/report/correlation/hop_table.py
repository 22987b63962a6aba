"""The hops of a connection as a table: what went over each, what became of it, how long it took."""

from collections.abc import Sequence
from typing import NamedTuple

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.correlation.result import Connection, Delay, Hop, Point
from tcptrace.report.correlation.columns import Form, write_columns
from tcptrace.report.terminal import Screen
from tcptrace.report.units import duration


class Row(NamedTuple):
    """One hop as text."""

    direction: str
    hop: str
    segments: str
    lost: str
    missed: str
    doubled: str
    reordered: str
    delay: str
    between: str
    """How far the median may be off, by the clocks of two hosts."""
    range: str
    """Shortest, 99 of 100, longest."""


FORM = Form(
    Row("", "hop", "segments", "lost", "missed", "doubled", "reordered", "p50", "p50 within", "min / p99 / max"),
    right={"segments", "lost", "missed", "doubled", "reordered", "delay"},
    first_to_go=("range", "direction", "between"),
    kept=("lost",),
)
STYLES = {"direction": "dim", "lost": "bad", "missed": "odd", "doubled": "odd", "reordered": "odd"}


def hop_rows(points: Sequence[Point], connection: Connection) -> list[Row]:
    """A row a hop, in the order of the path; of several streams by their number, counted from the client."""
    streams = [stream.stream for stream in connection.streams]
    return [_row(points, hop, f"{streams.index(hop.stream) + 1} " * (len(streams) > 1)) for hop in connection.hops]


def write_hop_table(screen: Screen, points: Sequence[Point], connection: Connection) -> None:
    """A line a hop; counts of which all are 0 say nothing and go, but for losses."""
    if connection.hops:
        write_columns(screen, FORM, hop_rows(points, connection), lambda name, text: STYLES.get(name, ""))


def _row(points: Sequence[Point], hop: Hop, stream: str) -> Row:
    delay = hop.delay
    return Row(
        stream + DIRECTIONS[hop.direction],
        f"{points[hop.source].name} → {points[hop.target].name}",
        f"{hop.frames:,}",
        f"{hop.lost:,}",
        f"{hop.missed:,}",
        f"{hop.duplicated:,}",
        f"{hop.reordered:,}",
        duration(delay.p50_ns) if delay else "?",
        _within(delay),
        " / ".join(map(duration, (delay.min_ns, delay.p99_ns, delay.max_ns))) if delay else "",
    )


def _within(delay: Delay | None) -> str:
    """What the median lies in; by one clock it is what it is."""
    if delay is None:
        return "the clocks do not tell"
    if delay.low_ns == delay.high_ns:
        return "one clock"
    return f"{duration(delay.low_ns)} to {duration(delay.high_ns)}"
