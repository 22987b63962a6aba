"""The head of a report: how many points and connections, the hosts' clocks, what went by at each point."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.correlation.result import Clock, ClockStep
from tcptrace.report.correlation.columns import Form, write_columns
from tcptrace.report.correlation.point_order import hosts_in_order
from tcptrace.report.correlation.traffic import Traffic, traffic
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count, size

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

_SECOND_NS = 1_000_000_000


def write_overview(screen: Screen, correlation: "Correlation") -> None:
    """All that is told before the connections."""
    screen.line(Piece(headline(correlation), "title"))
    for problem in problems(correlation):
        screen.fact("warning", problem, "odd")
    screen.line()
    write_columns(screen, CLOCKS, clock_rows(correlation), lambda name, text: "title" if name == "host" else "")
    screen.line()
    write_columns(screen, TRAFFIC, traffic_rows(correlation), lambda name, text: "title" if name == "point" else "")


def headline(correlation: "Correlation") -> str:
    """`5 points, 3 hosts, 1 connection`."""
    hosts = hosts_in_order(correlation.points)
    counts = (len(correlation.points), "point"), (len(hosts), "host"), (len(correlation.connections), "connection")
    return ", ".join(count(*number) for number in counts)


def problems(correlation: "Correlation") -> list[str]:
    """What is wrong with the captures."""
    return [
        f"{recording.summary.path}: {problem}"
        for recording in correlation.recordings
        for problem in recording.summary.problems or ["the file ends before its end"] * recording.summary.truncated
    ]


class ClockRow(NamedTuple):
    """A host's clock as text."""

    host: str
    offset: str
    between: str
    """What causality allows."""
    drift: str
    steps: str


CLOCKS = Form(ClockRow("clock", "offset", "at least / at most", "drift", "stepped by"), right={"offset", "drift"})


def clock_rows(correlation: "Correlation") -> list[ClockRow]:
    """A row a host, as the points were given."""
    hosts = hosts_in_order(correlation.points)
    return [clock_row(correlation.clocks[host], reference=host == hosts[0]) for host in hosts]


def clock_row(clock: Clock, *, reference: bool) -> ClockRow:
    """One host; the first point's is what others are set against."""
    if reference:
        return ClockRow(clock.host, "reference", "", "", _steps(clock.steps))
    bounds = (_bound(bound, clock) for bound in (clock.low_ns, clock.high_ns))
    return ClockRow(
        clock.host,
        told_offset(clock.offset_ns),
        " / ".join(bounds),
        "" if clock.drift_ppm is None else f"{clock.drift_ppm:+.2f} ppm",
        _steps(clock.steps),
    )


def told_offset(ns: int, beside: int | None = None) -> str:
    """`-0.290 ms`, `-12.718743 s`: to the microsecond, in the unit of what it stands beside."""
    if abs(ns if beside is None else beside) < _SECOND_NS:
        return f"{ns / 1_000_000:+.3f} ms"
    return f"{ns / _SECOND_NS:+.6f} s"


def _bound(ns: int | None, clock: Clock) -> str:
    return "unbounded" if ns is None else told_offset(ns, beside=clock.offset_ns)


def _steps(steps: Sequence[ClockStep]) -> str:
    return ", ".join(told_offset(step.by_ns) for step in steps)


class TrafficRow(NamedTuple):
    """One direction at one point as text."""

    point: str
    direction: str
    frames: str
    payload: str
    packets: str
    """Their sizes, headers included."""
    mean: str
    peak: str


TRAFFIC = Form(
    TrafficRow("point", "", "segments", "payload", "packet mean / max", "mean bit/s", "peak bit/s"),
    right={"frames", "payload", "packets", "mean", "peak"},
    first_to_go=("mean", "packets"),
)


def traffic_rows(correlation: "Correlation") -> list[TrafficRow]:
    """A row for each direction that a point saw anything of."""
    rows = []
    seen = traffic(correlation.passages.sightings, len(correlation.points))
    for point, ways in zip(correlation.points, seen, strict=True):
        there = [(name, way) for name, way in zip(DIRECTIONS, ways, strict=True) if way.frames]
        rows += [_traffic_row("" if number else point.name, name, way) for number, (name, way) in enumerate(there)] or [
            TrafficRow(point.name, "no TCP", "", "", "", "", "")
        ]
    return rows


def _traffic_row(point: str, direction: str, way: Traffic) -> TrafficRow:
    packets = "" if way.packet_mean_bytes is None else f"{way.packet_mean_bytes:,} / {way.packet_max_bytes:,}"
    rates = ("" if bps is None else size(bps) for bps in (way.mean_bps, way.peak_bps))
    return TrafficRow(point, direction, f"{way.frames:,}", size(way.payload_bytes), packets, *rates)
