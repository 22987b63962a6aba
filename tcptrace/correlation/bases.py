"""Where each leg's streams begin, so that positions count alike at all points of a stream."""

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.schema import I64
from tcptrace.tcp.sequence import CYCLE

NEAR = 1 << 30
"""Raw numbers of legs closer than this are of one numbering; further apart a director has shifted them."""


def bases_of(legs: Legs, stream_of_leg: I64) -> I64:
    """(L, 2) position of each leg's sides that counts as 0; -1 where a side has no number.

    That of a leg which saw the beginning is its SYN's. One that did not takes over that of a leg with the same
    numbering; where none saw it, all count from the lowest number that any of them saw.
    """
    found = legs.base.copy()
    order = np.argsort(stream_of_leg, kind="stable")
    bounds = np.flatnonzero(np.diff(stream_of_leg[order], prepend=-1, append=-1))
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        members = order[first:stop]
        for side in (0, 1):
            late = members[(legs.isn[members, side] < 0) & (legs.base[members, side] >= 0)]
            if len(late) and len(members) > 1:
                found[late, side] = _aligned(legs.base[late, side], members, legs, side)
    return found


def _aligned(base: I64, members: I64, legs: Legs, side: int) -> I64:
    isn = legs.isn[members, side]
    known = isn[isn >= 0]
    if len(known):
        ahead = _signed((base[:, None] & (CYCLE - 1)) - known[None, :])
        nearest = np.take_along_axis(ahead, np.abs(ahead).argmin(axis=1)[:, None], axis=1)[:, 0]
    else:
        ahead = _signed((base & (CYCLE - 1)) - (base[0] & (CYCLE - 1)))
        nearest = ahead - ahead[np.abs(ahead) < NEAR].min(initial=0)
    aligned: I64 = np.where(np.abs(nearest) < NEAR, base - nearest, base)
    return aligned


def _signed(difference: I64) -> I64:
    """Differences of raw numbers as distances (RFC 9293 section 3.4)."""
    found: I64 = (difference + CYCLE // 2 & (CYCLE - 1)) - CYCLE // 2
    return found
