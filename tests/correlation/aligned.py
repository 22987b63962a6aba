"""Clocks aligned, of recorded cases and of made-up ones."""

from itertools import combinations

from tcptrace.correlation.clocks import Alignment, align
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.order import routes
from tcptrace.correlation.passages import Passages
from tcptrace.schema import NO_TIME
from tests.correlation.passing import Passing
from tests.correlation.recorded import Case

S = 1_000_000_000
DRIFT_NS = 200
"""More than two clocks may drift apart in the shortest of captures here."""
MS = 1_000_000

TWO = ["client", "rs"], (["client", "rs"], ["rs", "client"])
NAT = (
    ["client", "lvs:eth0", "lvs:eth1", "rs"],
    (["client", "lvs:eth0", "lvs:eth1", "rs"], ["rs", "lvs:eth1", "lvs:eth0", "client"]),
)
DR = (
    ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"],
    (["client", "lvs:eth0", "lvs:eth1", "rs:bond1"], ["rs:bond0", "client"]),
)


def aligned(passing: Passing, *, trust: bool = False) -> Alignment:
    passages = passing.passages()
    return align(passages, routes(passages, passages.points), passages.points, passing.first_ns(), trust=trust)


def aligned_case(recorded: Case) -> Alignment:
    passages, points = recorded.passages, recorded.passages.points
    starts = [recorded.recordings[point.recording].summary.start_ns for point in points]
    first_ns = [NO_TIME if start is None else start for start in starts]
    return align(passages, routes(passages, points), points, first_ns)


def intervals(alignment: Alignment) -> dict[str, tuple[int, int | None, int | None]]:
    return {host: (clock.offset_ns, clock.low_ns, clock.high_ns) for host, clock in alignment.clocks.items()}


def least_delay_ns(passing: Passing, alignment: Alignment) -> int:
    """Of all segments between all points of a way."""
    return least_delay_of(passing.passages(), alignment)


def least_delay_of(passages: Passages, alignment: Alignment) -> int:
    times = alignment.reference_ns(passages)
    ways = routes(passages, passages.points)
    least = []
    for row, (stream, direction) in enumerate(zip(passages.stream.tolist(), passages.direction.tolist(), strict=True)):
        order = [p for p in ways[stream].resets[direction] if passages.row[row, p] != NOWHERE]
        least += [int(times[row, b] - times[row, a]) for a, b in combinations(order, 2)]
    return min(least, default=0)
