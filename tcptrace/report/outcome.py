"""What became of a flow, in the few words a person looks for first."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.schema import CLOSED_BY, CLOSES, I8, I64, STATES, Bools, Flows

MOST_BYTES = (1 << 48) - 1
"""More than that does not count."""


class Outcome(NamedTuple):
    """One way a flow can stand at the end of a capture."""

    cell: str
    """In the table of flows; `{by}`: who closed first, `{reset_by}`: who sent the RST, `{fin}`: another's FIN."""
    counted: str
    """In the line that counts flows."""
    style: str
    holds: Callable[[Flows], Bools]


def _in(states: npt.NDArray[np.int8], names: str) -> Bools:
    rows: Bools = np.isin(states, [STATES.index(name) for name in names.split()])
    return rows


def _ended(flows: Flows, how: str) -> Bools:
    rows: Bools = np.equal(flows.close, CLOSES.index(how))
    return rows


def _unanswered(flows: Flows) -> Bools:
    rows: Bools = _in(flows.client_state, "SYN_SENT") & np.equal(flows.server_frames, 0)
    return rows


def _reset(flows: Flows) -> Bools:
    return _ended(flows, "rst")


def _unestablished(flows: Flows) -> Bools:
    return _in(flows.client_state, "SYN_SENT SYN_RCVD") | _in(flows.server_state, "LISTEN SYN_SENT SYN_RCVD")


def _half_closed(flows: Flows) -> Bools:
    still_sends = _in(flows.client_state, "ESTABLISHED CLOSE_WAIT") | _in(flows.server_state, "ESTABLISHED CLOSE_WAIT")
    return _ended(flows, "fin") & still_sends


def _open(flows: Flows) -> Bools:
    return _ended(flows, "none")


def _closed(flows: Flows) -> Bools:
    return _ended(flows, "fin")


OUTCOMES = (
    Outcome("no answer", "never answered", "bad", _unanswered),
    Outcome("{fin}rst{reset_by}", "reset", "bad", _reset),
    Outcome("not opened", "never established", "bad", _unestablished),
    Outcome("fin{by}, half", "half-closed", "odd", _half_closed),
    Outcome("open", "open", "odd", _open),
    Outcome("fin{by}", "closed by FIN", "good", _closed),
)
"""The first that holds; also in the order in which a person wants to see them."""


def outcomes(flows: Flows) -> I8:
    """For every flow the index of its outcome."""
    rank: I8 = np.select([outcome.holds(flows) for outcome in OUTCOMES], [*np.arange(len(OUTCOMES), dtype=np.int8)])
    return rank


def close_cell(outcome: Outcome, closed_by: int, reset_by: int) -> str:
    """`rst by server`, `fin by client, rst by server`, `open`; who did it stands there when it is known."""
    by, by_reset = ("" if who == "none" else f" by {who}" for who in (CLOSED_BY[closed_by], CLOSED_BY[reset_by]))
    return outcome.cell.format(by=by, reset_by=by_reset, fin="" if by == by_reset else f"fin{by}, ")


def most_telling(flows: Flows, rank: I8, top: int) -> I64:
    """Rows of the `top` flows worth seeing first: abnormal ends, then the most bytes, then by number."""
    count = len(rank)
    if count <= top:
        return np.arange(count)
    weight = flows.client_payload_bytes + flows.server_payload_bytes
    np.minimum(weight, MOST_BYTES, out=weight)
    np.subtract(MOST_BYTES, weight, out=weight)
    weight += rank.astype(np.int64) * (MOST_BYTES + 1)
    return np.argsort(weight, kind="stable")[:top]


def tally(rank: I8) -> list[tuple[Outcome, int]]:
    """How many flows ended which way, the good ends first; ends that did not occur are left out."""
    numbers = np.bincount(rank, minlength=len(OUTCOMES)).tolist()
    return [(outcome, number) for outcome, number in zip(OUTCOMES, numbers, strict=True) if number][::-1]
