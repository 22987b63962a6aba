"""CSV: one row a hop of a connection."""

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.report.escape import csv_cell
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

DELAYS = "min_ns p50_ns p99_ns max_ns low_ns high_ns".split()
COUNTS = "frames lost missed duplicated reordered".split()
NAMES = ["connection", "client", "server", "mode", "direction", "from", "to", "stream", *COUNTS, *DELAYS]


def write_correlation(correlation: "Correlation", out: TextIO, view: View) -> None:
    """The hops of every connection in turn."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(NAMES)
    writer.writerows(_rows(correlation))


def _rows(correlation: "Correlation") -> Iterator[list[Any]]:
    """The values by NAMES, empty where the clocks do not tell."""
    names = [csv_cell(point.name) for point in correlation.points]
    for one in correlation.connections:
        ends = one.connection, csv_cell(one.client), csv_cell(one.server), one.mode
        for hop in one.hops:
            way = DIRECTIONS[hop.direction], names[hop.source], names[hop.target], hop.stream
            delays = ("" if hop.delay is None else getattr(hop.delay, name) for name in DELAYS)
            yield [*ends, *way, *(getattr(hop, name) for name in COUNTS), *delays]
