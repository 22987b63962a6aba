"""What a case can limit: how each is measured, over all captures, the worst of which counts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.result import Connection
from tcptrace.schema import CLOSES, I64, STATES, Flows
from tcptrace.tcp.measures import Measured

MS = 1_000_000


class Capture(NamedTuple):
    """The flows of one capture."""

    path: str
    flows: Flows
    measured: Measured


class Shown(NamedTuple):
    """What the captures of a case show that can be measured."""

    captures: Sequence[Capture]
    connections: Sequence[Connection]
    """Over all points; empty without."""


class Limit(NamedTuple):
    """Something measured that must not exceed a number."""

    unit: str
    told: str
    measure: Callable[[Shown], float | None]
    """None: there is nothing to measure."""
    where: str = ""
    """`together`: of points only; empty: always."""


def _worst(measure: Callable[[Capture], float | None]) -> Callable[[Shown], float | None]:
    """The greatest of all captures that have any."""

    def greatest(shown: Shown) -> float | None:
        told = [value for capture in shown.captures if (value := measure(capture)) is not None]
        return max(told, default=None)

    return greatest


def _repeats(capture: Capture) -> int:
    measures = capture.measured.of(capture.flows.flow)
    return int(measures.client_retransmissions.sum() + measures.server_retransmissions.sum())


def _rate(capture: Capture) -> float | None:
    """Copies that the capture made are no segments."""
    measures = capture.measured.of(capture.flows.flow)
    copies = measures.client_copies.sum() + measures.server_copies.sum()
    segments = int(capture.flows.client_frames.sum() + capture.flows.server_frames.sum() - copies)
    return _repeats(capture) / segments if segments else None


def _handshake(percent: float) -> Callable[[Capture], float | None]:
    return lambda capture: _quantile_ms(capture.flows.handshake_total_ns, percent)


def _round_trip(capture: Capture) -> float | None:
    sides = (capture.measured.round_trips(capture.flows.flow, side).p99_ns for side in (0, 1))
    return _quantile_ms(np.concatenate([*sides]), 100)


def _duration(capture: Capture) -> float | None:
    return _quantile_ms(capture.flows.end_ns - capture.flows.start_ns, 100)


def _quantile_ms(values_ns: I64, percent: float) -> float | None:
    known = values_ns[values_ns >= 0]
    return float(np.percentile(known, percent)) / MS if len(known) else None


def _resets(capture: Capture) -> float:
    return int(np.count_nonzero(capture.flows.close == CLOSES.index("rst")))


def _unanswered(capture: Capture) -> float:
    calling = capture.flows.client_state == STATES.index("SYN_SENT")
    return int(np.count_nonzero(calling & (capture.flows.server_frames == 0)))


def _lost(shown: Shown) -> float:
    return sum(hop.lost for connection in shown.connections for hop in connection.hops)


def _delay(shown: Shown) -> float | None:
    told = [hop.delay.p99_ns for connection in shown.connections for hop in connection.hops if hop.delay]
    return max(told) / MS if told else None


LIMITS = {
    "retransmission_rate": Limit("", "segments sent again, as a share of all", _worst(_rate)),
    "retransmissions": Limit("", "segments sent again", _worst(_repeats)),
    "handshake_ms_p50": Limit("ms", "time from SYN to ACK, the median of flows", _worst(_handshake(50))),
    "handshake_ms_p99": Limit("ms", "time from SYN to ACK, the 99th percentile of flows", _worst(_handshake(99))),
    "handshake_ms_max": Limit("ms", "time from SYN to ACK, the longest", _worst(_handshake(100))),
    "rtt_ms_p99": Limit(
        "ms", "99th percentile of round trips, of the flow and side that has the highest", _worst(_round_trip)
    ),
    "duration_ms_max": Limit("ms", "time from a flow's first frame to its last, the longest", _worst(_duration)),
    "resets": Limit("", "flows that a RST ended", _worst(_resets)),
    "unanswered": Limit("", "flows whose SYN nothing answered", _worst(_unanswered)),
    "lost": Limit("", "segments lost between points, of all hops", _lost, "together"),
    "delay_ms_p99": Limit("ms", "99th percentile of delay on the hop that has the highest", _delay, "together"),
}
