"""What was measured of flows, out of the rows kept while they were read."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.flows import ANNOUNCED, SEEN
from tcptrace.flows import WIDTH as FLOW_WIDTH
from tcptrace.schema import I8, I64, LIMITS, UNKNOWN, Bools, FlowMeasures, RoundTrips
from tcptrace.tcp import round_trips as trips
from tcptrace.tcp import sending_rows as s
from tcptrace.tcp.joined_flows import NONE, Joined
from tcptrace.tcp.labels import SYN_SENT
from tcptrace.tcp.sending import BY_TIMESTAMP, WIDTH
from tcptrace.tcp.tracker import Tracker

BEYOND = 2**62
"""Longer than any round trip."""


class Measured(NamedTuple):
    """All that was measured in one capture, as the kernels left it."""

    tracker: Tracker
    client: I8
    """For every flow number the side that is the client."""
    joined: Joined = NONE

    def of(self, flows: I64) -> FlowMeasures:
        """One row for each of these flow numbers, in that order."""
        return _flow_measures(self, flows)

    def round_trips(self, flows: I64, side: int, *, by_timestamp: bool = False) -> RoundTrips:
        """Round trips of what one side (0 client, 1 server) of these flows sent; by timestamp sums alone."""
        rows = self._direction(flows, side)
        if by_timestamp:
            return _round_trips(rows[:, BY_TIMESTAMP:], None)
        return _round_trips(rows[:, s.ROUND_TRIPS : BY_TIMESTAMP], self.tracker.histograms)

    def _direction(self, flows: I64, side: int) -> I64:
        """What one side of these flows sent, a row each; zeros for a lone SYN."""
        return rows_of(self.tracker.directions.sending, WIDTH, self._pairs(flows), self.client[flows] ^ side)

    def _pairs(self, flows: I64) -> I64:
        return self.tracker.directions.of_flow[flows].astype(np.int64) - 1


def rows_of(table: I64, width: int, pairs: I64, sides: npt.NDArray[Any]) -> I64:
    """The rows of width `width` that the given sides of these pairs own; zeros where there is no pair (-1)."""
    if not len(table):
        return np.zeros((len(pairs), width), np.int64)
    index = np.where(pairs >= 0, pairs * 2 + sides, 0)
    rows: I64 = np.take(table[: len(table) // width * width].reshape(-1, width), index, axis=0)
    rows[pairs < 0] = 0
    return rows


def _flow_measures(measured: Measured, flows: I64) -> FlowMeasures:
    client, server = measured._direction(flows, 0), measured._direction(flows, 1)
    pairs = measured._pairs(flows)
    limited = slice(s.LIMITED_NS, s.LIMITED_NS + len(LIMITS))
    life = np.where(measured.client[flows, np.newaxis] == 0, client[:, limited], server[:, limited])  # that of side 0
    announced = measured.tracker.flows.rows[flows * FLOW_WIDTH + SEEN] & ANNOUNCED != 0
    completeness = np.where(announced, 0, SYN_SENT).astype(np.int8)  # that of a lone SYN
    completeness[pairs >= 0] = measured.tracker.completeness[pairs[pairs >= 0]]
    told = _is_heard(client) & _is_heard(server) | ((client[:, s.MARKS] | server[:, s.MARKS]) & s.SPOKEN == 0)
    life[~told, -1] = life[~told].sum(axis=1)
    life[~told, :-1] = 0
    return FlowMeasures(
        completeness=completeness,
        **{
            f"{name}_{column}": rows[:, field].copy()
            for name, rows in (("client", client), ("server", server))
            for column, field in FIELDS.items()
        },
        client_in_flight_max_bytes=_in_flight_max(client),
        server_in_flight_max_bytes=_in_flight_max(server),
        client_slow_start_ns=_slow_start_ns(client),
        server_slow_start_ns=_slow_start_ns(server),
        **{f"{limit}_ns": life[:, cause].copy() for cause, limit in enumerate(LIMITS)},
    )


def _is_heard(rows: I64) -> Bools:
    """Whether anything came from a side; if not, what limited its flow is known only while that was being opened."""
    heard: Bools = (rows[:, s.NEXT] >= 0) | (rows[:, s.MARKS] & s.SPOKEN != 0)
    return heard


def _in_flight_max(rows: I64) -> I64:
    """Unknown where payload was sent and nothing ever acknowledged."""
    return np.where((rows[:, s.LARGEST] > 0) & (rows[:, s.ACKED] < 0), UNKNOWN, rows[:, s.IN_FLIGHT_MAX])


def _slow_start_ns(rows: I64) -> I64:
    end = rows[:, s.SLOW_START_END_NS]
    return np.where(end <= 0, UNKNOWN, end - rows[:, s.FIRST_DATA_NS])


FIELDS = {
    "retransmissions": s.REPEATS,
    "reordered": s.REORDERED,
    "copies": s.COPIES,
    "spurious": s.SPURIOUS,
    "timeouts": s.TIMEOUTS,
    "dsacks": s.DSACKS,
    "slow_start_bytes": s.SLOW_START_BYTES,
    "recoveries": s.RECOVERIES,
    "recovery_ns": s.RECOVERED_NS,
}
"""Column of FlowMeasures, after the side's name → field of a direction."""


def _round_trips(rows: I64, histograms: I64 | None) -> RoundTrips:
    """Statistics of the groups of fields in `rows`, one a row; sums alone where there are no histograms."""
    count, divisor = rows[:, trips.COUNT], np.maximum(rows[:, trips.COUNT], 1)
    none = count == 0
    columns = {
        "min_ns": rows[:, trips.MIN_NS],
        "mean_ns": rows[:, trips.SUM_NS] // divisor,
        "max_ns": rows[:, trips.MAX_NS],
        **dict.fromkeys(("p50_ns", "p99_ns", "srtt_ns", "rttvar_ns", "rto_ns"), np.full(len(rows), UNKNOWN)),
    }
    if histograms is not None:
        rto_ns = rows[:, trips.SRTT_NS] + 4 * rows[:, trips.RTTVAR_NS]
        columns |= {
            "p50_ns": _quantile(rows, histograms, 0.50),
            "p99_ns": _quantile(rows, histograms, 0.99),
            "srtt_ns": rows[:, trips.SRTT_NS],
            "rttvar_ns": rows[:, trips.RTTVAR_NS],
            "rto_ns": np.maximum(rto_ns, trips.RTO_MIN_NS),
        }
    return RoundTrips(
        samples=count.copy(), **{name: np.where(none, UNKNOWN, values) for name, values in columns.items()}
    )


def _quantile(rows: I64, histograms: I64, q: float) -> I64:
    """By linear interpolation between ranks; from the histogram where there are more than EXACT samples."""
    found = np.zeros(len(rows), np.int64)
    few = np.flatnonzero((rows[:, trips.COUNT] > 0) & (rows[:, trips.COUNT] <= trips.EXACT))
    count = rows[few, trips.COUNT]
    samples = rows[few, trips.SAMPLES : trips.SAMPLES + trips.EXACT]
    ordered = np.sort(np.where(np.arange(trips.EXACT) < count[:, None], samples, BEYOND), axis=1)
    rank = q * (count - 1)
    low = np.floor(rank).astype(np.int64)
    here, high = np.arange(len(few)), np.minimum(low + 1, count - 1)
    found[few] = ordered[here, low] + np.rint((ordered[here, high] - ordered[here, low]) * (rank - low)).astype(
        np.int64
    )
    many = np.flatnonzero(rows[:, trips.COUNT] > trips.EXACT)
    if len(many):
        found[many] = _from_histograms(rows[many], histograms, q)
    return found


def _from_histograms(rows: I64, histograms: I64, q: float) -> I64:
    words = histograms[: len(histograms) // trips.WORDS * trips.WORDS].reshape(-1, trips.WORDS)
    counts = words[rows[:, trips.HISTOGRAM] - 1].view(np.uint32)[:, : trips.BUCKETS].astype(np.int64)
    below = np.cumsum(counts, axis=1)
    rank = q * (rows[:, trips.COUNT] - 1)
    least, most = rows[:, trips.MIN_NS], rows[:, trips.MAX_NS]
    low, high = (
        np.clip(MIDDLES[(below <= one[:, None]).sum(axis=1)], least, most) for one in (np.floor(rank), np.ceil(rank))
    )
    value: I64 = np.rint(low + (high - low) * (rank - np.floor(rank))).astype(np.int64)
    return value


def _middles() -> npt.NDArray[np.float64]:
    steps = np.array([1 << trips.EDGE_BITS, trips.EDGE_1, trips.EDGE_2, trips.EDGE_3]) / (1 << trips.EDGE_BITS)
    powers = 2.0 ** np.arange(trips.FIRST_POWER, trips.LAST_POWER)
    edges = np.append((powers[:, None] * steps).ravel(), 2.0**trips.LAST_POWER)
    middles: npt.NDArray[np.float64] = np.sqrt(edges[:-1] * edges[1:])
    middles[0] = edges[1] / 2
    return middles


MIDDLES = _middles()
"""What a sample in each bucket is told as: the geometric middle, ns; half the first one's end, as that begins at 0."""
