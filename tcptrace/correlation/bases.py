"""Where each leg's streams begin, so that positions count alike at all points of a stream."""

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.flows import RST, SYN
from tcptrace.schema import I64, UNKNOWN
from tcptrace.tcp.sequence import CYCLE

NEAR = 1 << 30
"""Raw numbers of legs closer than this are of one numbering; further apart a director has shifted them."""

LENGTH_BITS = 20
"""Enough for any length of a segment."""


def bases_of(legs: Legs, stream_of_leg: I64) -> I64:
    """(L, 2) position of each leg's sides that counts as 0; -1 where a side has no number.

    That of a leg which saw the beginning is its SYN's. One that did not takes over that of a leg with the same
    numbering; where none saw it, all count from the lowest number that any of them saw. Where a director shifts one
    side's numbers, the segments which acknowledge the same of the other side tell by how much.
    """
    found = legs.base.copy()
    with_late = np.unique(stream_of_leg[((legs.isn < 0) & (legs.base >= 0)).any(axis=1)])
    order = np.argsort(stream_of_leg, kind="stable")
    bounds = np.searchsorted(stream_of_leg[order], np.stack((with_late, with_late + 1)))
    for first, stop in bounds.T.tolist():
        if stop - first > 1:
            _align(found, order[first:stop], legs)
    _share_beginnings(found, legs, stream_of_leg)
    return found


def _share_beginnings(base: I64, legs: Legs, stream_of_leg: I64) -> None:
    """Where a side answers each SYN anew, with another ISN, let the legs of one numbering count from one, in place.

    Some may lack the last, from which the others count.
    """
    seen = legs.sightings
    rows = np.flatnonzero((seen.flags & (SYN | RST) == SYN) & (seen.inferred == 0))
    end = legs.leg[rows].astype(np.int64) * 2 + seen.side[rows]
    low, high = np.full(base.size, CYCLE), np.full(base.size, -1)
    np.minimum.at(low, end, seen.seq[rows])
    np.maximum.at(high, end, seen.seq[rows])
    channel = (stream_of_leg[:, None] * 2 + np.arange(2)).ravel()
    again = np.flatnonzero(np.isin(channel, channel[low < high]))
    held: dict[int, dict[int, set[int]]] = {one: {} for one in channel[again].tolist()}
    for one in again.tolist():
        held[int(channel[one])][one] = {int(legs.isn.ravel()[one])} - {UNKNOWN}
    chosen = np.isin(end, again)
    for one, number in zip(end[chosen].tolist(), seen.seq[rows[chosen]].tolist(), strict=True):
        held[int(channel[one])][one].add(number)
    for numbers in held.values():
        most = max(numbers, key=lambda one: len(numbers[one]))
        for one in numbers.keys() - {most}:
            if not numbers[most].isdisjoint(numbers[one]):
                base[divmod(one, 2)] += signed(legs.isn[divmod(most, 2)] - legs.isn[divmod(one, 2)])


def _align(found: I64, members: I64, legs: Legs) -> None:
    """Align the bases of one stream's legs, in place."""
    apart = [_settle(found[:, side], members, legs.isn[:, side]) for side in (0, 1)]
    for side, others in enumerate(reversed(apart)):
        for leg in apart[side] if not others else ():
            rest = (other for other in members.tolist() if other not in apart[side])
            shifts = (_shift(found, leg, other, legs, side) for other in rest)
            found[leg, side] += next((shift for shift in shifts if shift is not None), 0)


def _settle(base: I64, members: I64, isn: I64) -> list[int]:
    """Align one side as far as raw numbers tell, in place; returns the legs of another numbering."""
    late = members[(isn[members] < 0) & (base[members] >= 0)]
    if not len(late):
        return []
    raw, known = base[late] & (CYCLE - 1), isn[members][isn[members] >= 0]
    if not len(known):
        ahead = signed(raw - raw[0])
        known = raw[:1] + ahead[np.abs(ahead) < NEAR].min(keepdims=True)
    ahead = signed(raw[:, None] - known)
    nearest = np.take_along_axis(ahead, np.abs(ahead).argmin(axis=1)[:, None], axis=1)[:, 0]
    is_near = np.abs(nearest) < NEAR
    base[late[is_near]] -= nearest[is_near]
    apart: list[int] = late[~is_near].tolist()
    return apart


def _shift(base: I64, leg: int, other: int, legs: Legs, side: int) -> int | None:
    """How far a side's places at one leg, as they are counted so far, lie behind those at another.

    It shows in segments of the same length that acknowledge the same; most of them tell the same shift.
    """
    (keys, places), (other_keys, other_places) = (_by_acks(base, one, legs, side) for one in (leg, other))
    _, here, there = np.intersect1d(keys, other_keys, return_indices=True)
    if not len(here) or min(base[leg, side], base[other, side]) < 0:
        return None
    shifts, count = np.unique(places[here] - other_places[there], return_counts=True)
    return int(shifts[count.argmax()])


def _by_acks(base: I64, leg: int, legs: Legs, side: int) -> tuple[I64, I64]:
    """Of a side's segments with payload what they acknowledge and their length in one number, and their place."""
    seen, rows = legs.sightings, legs.rows(leg)
    rows = rows[(seen.side[rows] == side) & (seen.len[rows] > 0) & (seen.ack[rows] >= 0)]
    return (seen.ack[rows] - base[leg, side ^ 1]) << LENGTH_BITS | seen.len[rows], seen.start[rows] - base[leg, side]


def signed(difference: I64) -> I64:
    """Differences of raw numbers as distances (RFC 9293 section 3.4)."""
    found: I64 = (difference + CYCLE // 2 & (CYCLE - 1)) - CYCLE // 2
    return found
