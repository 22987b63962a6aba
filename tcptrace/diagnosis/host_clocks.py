"""The capture's clock against the clocks of hosts, which their TCP timestamps (RFC 7323) show."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.schema import I64, KINDS, NO_TIME, UNKNOWN, Bools

TICKS_PER_S = (1000, 250, 100, 1_000_000)
"""How fast timestamps tick: Linux 1000, before 4.13 the kernel's HZ; 1,000,000 by a route's setting since 6.7."""

FIT_NS = 15_000_000
"""So exactly two segments must show one of these rates, and no other, to count as a vote for it."""

APART_NS = 20_000_000
"""So far apart by the capture's clock they must be to tell anything."""

MOST_OF = 0.95
"""So large a part of a host's votes must agree to tell the rate of a direction that has none of its own."""

UNSOUND = 1 << KINDS.index("copy") | 1 << KINDS.index("repeat") | 1 << KINDS.index("reordered")
UNTOLD = 1 << 40
"""More ticks than fit: a segment has no timestamp."""
_CYCLE = 1 << 32


class Pairs(NamedTuple):
    """Two notable segments of one direction, one after the other in the file and APART_NS apart.

    Pairs of a direction lie together.
    """

    direction: I64
    """Flow number * 2 + side."""
    sender: I64
    """Its address, index into the capture's addresses."""
    before: I64
    """Frame of the first."""
    after: I64
    span_ns: I64
    """Time between them by the capture's clock."""
    ticks: I64
    """Time between them by the sender's clock, or UNTOLD."""
    advances: Bools
    """The stream goes on from one to the other, both sent for the first time: that is their true order."""


def pairs(evidence: Evidence, span_ns: float) -> Pairs:
    """All pairs of the flows whose earliest and latest time lie so far apart."""
    return Pairs(*(np.concatenate(columns) for columns in zip(*_of_sides(evidence, span_ns), strict=True)))


def _of_sides(evidence: Evidence, span_ns: float) -> Iterator[Pairs]:
    told, flows = evidence.notable, evidence.flows
    is_long = np.zeros(int(flows.flow.max(initial=-1)) + 1, np.bool_)
    is_long[flows.flow] = (flows.start_ns != NO_TIME) & (flows.end_ns - flows.start_ns >= span_ns)
    timed = is_long[told.flow] & (told.time_ns != NO_TIME)
    sender = np.zeros(len(is_long), np.int64)
    for side, address in enumerate((flows.client, flows.server)):
        sender[flows.flow] = address
        rows = np.flatnonzero(timed & (told.side == side))
        flow = told.flow[rows]
        places = np.flatnonzero((abs(np.diff(told.time_ns[rows])) >= APART_NS) & (flow[1:] == flow[:-1]))
        first, second = rows[places], rows[places + 1]
        ticks = (told.tsval[second] - told.tsval[first] + _CYCLE // 2) % _CYCLE - _CYCLE // 2
        is_told = (told.tsval[first] != UNKNOWN) & (told.tsval[second] != UNKNOWN)
        is_sound = (told.kinds[second] | told.kinds[first]) & UNSOUND == 0
        yield Pairs(
            told.flow[first] * 2 + side,
            sender[told.flow[first]],
            told.frame[first],
            told.frame[second],
            told.time_ns[second] - told.time_ns[first],
            np.where(is_told, ticks, UNTOLD),
            is_sound & (told.seq[first] >= 0) & (told.seq[second] >= told.seq[first] + np.maximum(told.len[first], 0)),
        )


def ahead_by_rate(of: Pairs) -> I64:
    """By how many ns the capture's clock outran the sender's in each pair, a row for each of TICKS_PER_S."""
    ticks = np.where(of.ticks == UNTOLD, 0, of.ticks)
    return np.stack([of.span_ns - ticks * (1_000_000_000 // rate) for rate in TICKS_PER_S])


def rates(of: Pairs, ahead: I64) -> I64:
    """For each pair the place of its sender's rate in TICKS_PER_S, -1 unknown.

    Pairs vote: those of the direction itself, and where none of them does, those of its host.
    """
    fits = (abs(ahead) <= FIT_NS) & (of.ticks != UNTOLD) & (of.span_ns > 0)
    vote: npt.NDArray[np.intp] = np.where(fits.sum(axis=0) == 1, fits.argmax(axis=0), UNKNOWN)
    direction = np.cumsum(np.diff(of.direction, prepend=of.direction[:1]) != 0)
    own, by_host = _winners(vote, direction, 0.5), _winners(vote, of.sender, MOST_OF)
    found: I64 = np.where(of.ticks == UNTOLD, UNKNOWN, np.where(own >= 0, own, by_host))
    return found


def _winners(vote: npt.NDArray[np.intp], group: I64, share: float) -> I64:
    """For each pair what more than that share of its group's votes are for; -1 for nothing."""
    voted = vote >= 0
    size = int(group.max(initial=0)) + 1
    cast = np.bincount(group[voted] * len(TICKS_PER_S) + vote[voted], minlength=size * len(TICKS_PER_S))
    counts = cast.reshape(size, -1)
    winner = np.where(counts.max(axis=1) > share * counts.sum(axis=1), counts.argmax(axis=1), UNKNOWN)
    chosen: I64 = winner[group]
    return chosen
