"""Legs whose beginning was not seen: which others hold the same raw numbers.

NAT leaves all sequence numbers as they are, FULLNAT the server's. Of each such leg some numbers are looked for among
those of all legs: where segments begin, and what is acknowledged, so that a leg which holds requests only meets one
that holds their answers.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.numbering import packed
from tcptrace.schema import I32, I64, Bools, Sightings
from tcptrace.tcp.sequence import CYCLE

SAMPLE = 16
"""Sightings of each leg whose numbers are looked for: the first."""
FILTER_BITS = 22
FILTER_MASK = (1 << FILTER_BITS) - 1
"""The bits of a number by which most others are passed over at once."""
PLAIN_MAX = 1 << 20
"""Numbers below this are no evidence: text counts from 0, and so do generators of traffic."""
ENDS_MAX = 64
"""A number that more sides of legs hold tells nothing."""


class Shared(NamedTuple):
    """Raw numbers that two legs hold."""

    leg: int
    """One whose beginning was not seen."""
    other: int
    straight: int
    """How many numbers belong to the same side at both."""
    crossed: int
    """How many are the client's at one and the server's at the other."""


def shared_numbers(seen: Sightings, leg: I32, order: I64, isn: I64) -> list[Shared]:
    """What every leg without a beginning shares with any other."""
    is_late: Bools = np.all(isn < 0, axis=1)
    rows = order[is_late[leg[order]]]
    rows = rows[np.arange(len(rows)) - np.searchsorted(leg[rows], leg[rows]) < SAMPLE]
    number, end = _numbers(seen, leg, rows)
    if not len(number):
        return []
    wanted = np.zeros(1 << FILTER_BITS, np.bool_)
    wanted[number & FILTER_MASK] = True
    held, holder = _numbers(seen, leg, np.arange(len(leg)), wanted)
    low, high = np.searchsorted(held, number), np.searchsorted(held, number, "right")
    count = np.where(high - low <= ENDS_MAX, high - low, 0)
    places = np.arange(count.sum()) + np.repeat(low - np.cumsum(count) + count, count)
    return _pairs(np.repeat(end, count), holder[places], len(is_late))


def _numbers(seen: Sightings, leg: I32, rows: I64, wanted: Bools | None = None) -> tuple[I64, I64]:
    """The numbers in some rows, in ascending order, and whose each is: leg * 2 + side; plain ones are left out.

    `wanted` tells of the last bits of a number whether it may be asked for.
    """
    side = leg[rows].astype(np.int64) * 2 + seen.side[rows]
    printed, acks = seen.inferred[rows] == 0, seen.ack[rows] >= 0
    number = np.concatenate((seen.start[rows[printed]], seen.end[rows[printed]], seen.ack[rows[acks]])) & (CYCLE - 1)
    end = np.concatenate((side[printed], side[printed], side[acks] ^ 1))
    kept = number >= PLAIN_MAX
    if wanted is not None:
        kept &= wanted[number & FILTER_MASK]
    number, end = number[kept], end[kept]
    _, first = np.unique(packed(number, end), return_index=True)
    return number[first], end[first]


def _pairs(end: I64, other_end: I64, legs: int) -> list[Shared]:
    """How often which legs meet, of two sides that hold the same number each."""
    crossed = (end ^ other_end) & 1
    pair = (end >> 1) * legs + (other_end >> 1)
    found, place = np.unique(pair, return_inverse=True)
    straight = np.bincount(place, 1 - crossed, len(found)).astype(np.int64)
    counts = np.bincount(place, minlength=len(found)) - straight
    columns = (found // legs, found % legs, straight, counts)
    return [Shared(*row) for row in zip(*(column.tolist() for column in columns), strict=True) if row[0] != row[1]]


def turned(shared: Sequence[Shared], isn: I64, server: Sequence[str]) -> list[int]:
    """The legs without a beginning whose client is the server of those that share their numbers.

    Those know best that saw a handshake, then those whose server has the lowest port.
    """
    is_crossed: dict[int, dict[int, bool]] = {}
    for one in shared:
        for a, b in ((one.leg, one.other), (one.other, one.leg)):
            is_crossed.setdefault(a, {})[b] = one.crossed > one.straight
    late: Bools = np.all(isn < 0, axis=1)
    is_turned: dict[int, bool] = {}
    for root in sorted(is_crossed, key=lambda leg: (bool(late[leg]), int(server[leg].rpartition(":")[2]))):
        waiting = deque([root] if root not in is_turned else ())
        is_turned.setdefault(root, False)
        while waiting:
            leg = waiting.popleft()
            for other, crossed in is_crossed[leg].items():
                if other not in is_turned and late[other]:
                    is_turned[other] = is_turned[leg] ^ crossed
                    waiting.append(other)
    return [leg for leg, turn in is_turned.items() if turn]
