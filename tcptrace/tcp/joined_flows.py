"""Flows of one capture that are one conversation: a SYN here, its SYN-ACK from another end.

Where a reply is not translated back, or where each direction is captured on another side of a translator,
the SYN-ACK has other addresses than the SYN had and so begins a flow of its own. What the two still share
is the client's initial sequence number: the SYN-ACK acknowledges it plus one (RFC 9293 section 3.5).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace import flows as f
from tcptrace.schema import I8, I64, UNKNOWN, Bools
from tcptrace.tcp.tracker import Tracker

F64 = npt.NDArray[np.float64]

SAME_CLIENT = 0.95
"""Confidence where the client's address, port and initial sequence number agree."""
ONLY_NUMBERS = 0.5
"""Confidence where only both ports and that number agree."""

PORT_MASK = 0xFFFF


class Joined(NamedTuple):
    """The flows that are half of a conversation, by number, each with its other half."""

    flow: I64
    joined_with: I64
    confidence: F64
    isn: I64
    """The client's initial sequence number, raw, which the two share."""

    def of(self, flows: I64) -> tuple[I64, F64]:
        """For each of these flow numbers its other half and the confidence; -1 for a flow that has none."""
        if not len(self.flow):
            return np.full(len(flows), UNKNOWN, np.int64), np.full(len(flows), UNKNOWN, np.float64)
        place = np.minimum(np.searchsorted(self.flow, flows), len(self.flow) - 1)
        known = self.flow[place] == flows
        return np.where(known, self.joined_with[place], UNKNOWN), np.where(known, self.confidence[place], UNKNOWN)


NONE = Joined(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64))


class _Halves(NamedTuple):
    """Flows of which one direction's part of the handshake is here, a row each."""

    flow: I64
    client: I64
    """Address number << 16 | port."""
    server: I64
    isn: I64
    """Raw, the client's."""
    frame: I64
    """That began the flow."""

    def at(self, rows: Bools) -> "_Halves":
        """Some of them."""
        return _Halves(*(column[rows] for column in self))


def joined_flows(tracker: Tracker, client: I8) -> Joined:
    """Every flow begun by a SYN that has no SYN-ACK, with the one begun by the SYN-ACK that answers it.

    The answer comes later and is the only one to that SYN, which is the only one it can answer; else
    nothing is joined.
    """
    answers = _halves(tracker, client, f.SEEN_SYN_ACK)
    if not len(answers.flow):
        return NONE
    calls = _halves(tracker, client, f.SEEN_SYN)
    calls, answers = calls.at(np.isin(calls.isn, answers.isn)), answers.at(np.isin(answers.isn, calls.isn))
    sure = _pairs((calls.isn, calls.client), (answers.isn, answers.client))
    loose = _pairs(*((half.isn, half.client & PORT_MASK, half.server & PORT_MASK) for half in (calls, answers)))
    loose = loose[:, calls.client[loose[0]] != answers.client[loose[1]]]
    loose = loose[:, ~np.isin(loose[0], sure[0]) & ~np.isin(loose[1], sure[1])]
    call, answer = np.concatenate((sure, loose), axis=1)
    confidence = np.repeat((SAME_CLIENT, ONLY_NUMBERS), (sure.shape[1], loose.shape[1]))
    later = answers.frame[answer] > calls.frame[call]
    call, answer, confidence = call[later], answer[later], confidence[later]
    flow = np.concatenate((calls.flow[call], answers.flow[answer]))
    order = np.argsort(flow)
    other = np.concatenate((answers.flow[answer], calls.flow[call]))
    return Joined(flow[order], other[order], np.tile(confidence, 2)[order], np.tile(calls.isn[call], 2)[order])


def _halves(tracker: Tracker, client: I8, seen: int) -> _Halves:
    """The flows in which of SYN and SYN-ACK only the one given was seen."""
    rows = tracker.flows.rows[: tracker.flow_count * f.WIDTH].reshape(-1, f.WIDTH)
    handshake = (rows[:, f.SEEN] | rows[:, f.SEEN] >> f.SIDE_SHIFT) & f.SEEN_HANDSHAKE
    flow = np.flatnonzero(handshake == seen)
    side = client[flow].astype(np.int64)
    return _Halves(
        flow,
        client=rows[flow, f.KEY_0 + side],
        server=rows[flow, f.KEY_1 - side],
        isn=rows[flow, f.BASE_0 + side],
        frame=rows[flow, f.FIRST_FRAME],
    )


def _pairs(calls: tuple[I64, ...], answers: tuple[I64, ...]) -> I64:
    """Rows of calls and of answers (two rows of an array) with equal keys that no other call or answer has."""
    count = len(calls[0])
    keys = [np.concatenate(columns) for columns in zip(calls, answers, strict=True)]
    order = np.lexsort(keys)
    differs = np.any([column[order][1:] != column[order][:-1] for column in keys], axis=0)
    bounds = np.concatenate(([0], np.flatnonzero(differs) + 1, [len(order)]))
    first = bounds[:-1][np.diff(bounds) == 2]
    low, high = np.sort((order[first], order[first + 1]), axis=0)  # calls come before answers in `keys`
    one_of_each = (low < count) & (high >= count)
    return np.stack((low[one_of_each], high[one_of_each] - count))
