"""One row a hop of a connection: what `correlate` has as CSV."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tcptrace.correlate.result import DIRECTIONS

if TYPE_CHECKING:
    from tcptrace.analysis import Correlation

DELAYS = "min_ns p50_ns p99_ns max_ns low_ns high_ns".split()
COUNTS = "frames lost missed duplicated reordered".split()
NAMES = ["connection", "client", "server", "mode", "direction", "from", "to", "stream", *COUNTS, *DELAYS]


def rows(correlation: "Correlation", unknown: str | None, cell: Callable[[str], str] = str) -> Iterator[list[Any]]:
    """The values by NAMES, `unknown` where the clocks do not tell; `cell` makes a name fit the format."""
    names = [cell(point.name) for point in correlation.points]
    for one in correlation.connections:
        ends = one.connection, cell(one.client), cell(one.server), one.mode
        for hop in one.hops:
            way = DIRECTIONS[hop.direction], names[hop.source], names[hop.target], hop.stream
            delays = (unknown if hop.delay is None else getattr(hop.delay, name) for name in DELAYS)
            yield [*ends, *way, *(getattr(hop, name) for name in COUNTS), *delays]
