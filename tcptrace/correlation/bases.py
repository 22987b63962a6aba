"""Where each leg's streams begin, so that positions count alike at all points of a stream."""

from collections.abc import Mapping

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.flows import RST, SYN
from tcptrace.schema import I64, UNKNOWN
from tcptrace.tcp.sequence import CYCLE

ADJOINING = 1 << 16
"""Legs whose raw numbers overlap, or lie no further apart than this, are of one numbering: hardly a shift is less."""
NEAR = 1 << 30
"""Up to here, where nothing else tells, they are too: one point may have missed what lies between."""
SHIFT_MIN = 2
"""Segments that must tell the same shift between such legs."""

LENGTH_BITS = 20
"""Enough for any length of a segment."""


def bases_of(legs: Legs, stream_of_leg: I64) -> I64:
    """(L, 2) position of each leg's sides that counts as 0; -1 where a side has no number.

    That of a leg which saw the beginning is its SYN's. One that did not takes over that of a leg with the same
    numbering; where none saw it, all count from the lowest number that any of them saw. Where a director shifts one
    side's numbers, the segments that are alike in all else tell by how much.
    """
    found = legs.base.copy()
    with_late = np.unique(stream_of_leg[((legs.isn < 0) & (legs.base >= 0)).any(axis=1)])
    order = np.argsort(stream_of_leg, kind="stable")
    bounds = np.searchsorted(stream_of_leg[order], np.stack((with_late, with_late + 1)))
    extents = _extents(legs) if len(with_late) else found
    for first, stop in bounds.T.tolist():
        if stop - first > 1:
            _align(found, order[first:stop], legs, extents)
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


def _extents(legs: Legs) -> I64:
    """(L, 2) how far each side's numbers reach at a leg, from its base."""
    seen = legs.sightings
    end = legs.leg.astype(np.int64) * 2 + seen.side
    highest = legs.base.ravel().copy()
    np.maximum.at(highest, end, seen.end)
    np.maximum.at(highest, end ^ 1, seen.ack)
    found: I64 = highest.reshape(-1, 2) - legs.base
    return found


def _align(found: I64, members: I64, legs: Legs, extents: I64) -> None:
    """Align the bases of one stream's legs, in place."""
    apart = [_settle(found[:, side], members, legs.isn[members, side], extents[members, side]) for side in (0, 1)]
    settled = [leg for leg in members.tolist() if not any(leg in strange for strange in apart)]
    for side, strange in enumerate(apart):
        for leg, ahead in strange.items():
            least = SHIFT_MIN if abs(ahead) < NEAR else 1
            others = settled if leg not in apart[1 - side] else []
            shifts = (_shift(found, leg, other, legs, side, least) for other in others)
            by_raw = -ahead if abs(ahead) < NEAR else 0
            found[leg, side] += next((shift for shift in shifts if shift is not None), by_raw)


def _settle(base: I64, members: I64, isn: I64, extent: I64) -> Mapping[int, int]:
    """Align one side where raw numbers adjoin, in place; returns how far ahead of these each other leg seems to be."""
    is_late = (isn < 0) & (base[members] >= 0)
    late, known = members[is_late], isn[isn >= 0]
    if not len(late):
        return {}
    low = np.where(is_late, base[members], isn) & (CYCLE - 1)
    is_settled = isn >= 0 if len(known) else members == late[0]
    is_open = is_late & ~is_settled
    while (joining := is_open & _adjoins(low, extent, is_settled)).any():
        is_settled, is_open = is_settled | joining, is_open & ~joining
    if not len(known):
        first = low[is_settled][0]
        known = first[None] + signed(low[is_settled] - first).min(keepdims=True)
    ahead = signed(low[:, None] - known)
    nearest = np.take_along_axis(ahead, np.abs(ahead).argmin(axis=1)[:, None], axis=1)[:, 0]
    moved = is_settled & is_late
    base[members[moved]] -= nearest[moved]
    return dict(zip(members[is_open].tolist(), nearest[is_open].tolist(), strict=True))


def _adjoins(low: I64, extent: I64, those: np.ndarray) -> np.ndarray:
    """Which ranges of raw numbers overlap some of those, or nearly so."""
    ahead = signed(low[:, None] - low[those])
    found: np.ndarray = ((ahead <= extent[those] + ADJOINING) & (-ahead <= extent[:, None] + ADJOINING)).any(axis=1)
    return found


def _shift(base: I64, leg: int, other: int, legs: Legs, side: int, least: int) -> int | None:
    """How far a side's places at one leg, as they are counted so far, lie behind those at another.

    It shows in segments that are alike in length and in the other side's numbers: what one of them says of this side,
    so many others must say too.
    """
    if min(base[leg, side], base[other, side]) < 0:
        return None
    (keys, places), (other_keys, other_places) = (_by_other_side(base, one, legs, side) for one in (leg, other))
    _, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    shifts, count = np.unique(places[here] - other_places[there], return_counts=True)
    return int(shifts[count.argmax()]) if count.max(initial=0) >= least else None


def _by_other_side(base: I64, leg: int, legs: Legs, side: int) -> tuple[I64, I64]:
    """Of a leg's segments their sender, length and place in the other side's numbers as a key; and this side's place.

    Keys that go with one place only.
    """
    seen, rows = legs.sightings, legs.rows(leg)
    rows = rows[(seen.ack[rows] >= 0) & (seen.start[rows] >= 0) & (seen.len[rows] >= 0)]
    is_own = seen.side[rows] == side
    start, ack = seen.start[rows], seen.ack[rows]
    told, place = np.where(is_own, ack, start) - base[leg, side ^ 1], np.where(is_own, start, ack) - base[leg, side]
    key = (told << LENGTH_BITS | seen.len[rows]) << 1 | is_own
    order = np.lexsort((place, key))
    key, place = key[order], place[order]
    first = np.flatnonzero(np.diff(key, prepend=key[:1] - 1))
    last = np.append(first[1:], len(key)) - 1
    alone = first[place[first] == place[last[: len(first)]]]
    return key[alone], place[alone]


def signed(difference: I64) -> I64:
    """Differences of raw numbers as distances (RFC 9293 section 3.4)."""
    found: I64 = (difference + CYCLE // 2 & (CYCLE - 1)) - CYCLE // 2
    return found
