"""Frames that the capture holds twice: a bond and its slave, a mirror port, a network that doubles (a kernel module).

A copy shows nothing new and follows its original at once. By an equal IP identification it is the same packet, if the
sender gives each its own, for as long as no stack repeats a segment sooner; of 2,700 captures hardly a true copy came
later. Without one, the last segment must be equal in all that a repeat could differ in, and no
ACK or RST that each of several segments may have got.
"""

from tcptrace.flows import RST
from tcptrace.schema import I64
from tcptrace.tcp.sending_rows import (
    ACKED,
    COPIES,
    NEXT,
    SEEN,
    SEEN_0,
    SEEN_LAST,
    SEEN_NEXT,
    SEEN_WORDS,
)
from tcptrace.tcp.sequence import MASK

WITH_ID_TICKS = 20_000_000 >> 10  # of 1.024 us: Linux waits 200 ms at least, FreeBSD 30 and its slop of 200
WITHOUT_ID_TICKS = 100_000 >> 10  # no timer is so short, and a fast retransmission is not next to its original

FLAG_BITS = 12  # below the identification, or the window where there is none, and the sequence number above
FLAG_MASK = 0xFFF
ID_BITS = 16
ID_MASK = 0xFFFF
WITHOUT_ID = 1 << 60
SIZE_BITS = 20  # of the length, or the acknowledgement of a segment without numbers of its own
SIZE_MASK = 0xFFFFF
TIME_MASK = 2**43 - 1  # above that, in ticks


def key_of(start: int, flags: int, ip_id: int, window: int, has_id: bool) -> int:
    """What is equal in a copy: number, flags, and the identification; or the window, where there is none."""
    key = (start & MASK) << ID_BITS + FLAG_BITS | (flags & FLAG_MASK)
    return key | ip_id << FLAG_BITS if has_id else key | WITHOUT_ID | (window & ID_MASK) << FLAG_BITS


def rest_of(size: int, time_ns: int) -> int:
    """What more: its length, or its acknowledgement if it has no numbers; and when it was."""
    return ((time_ns >> 10) & TIME_MASK) << SIZE_BITS | (size & SIZE_MASK)


def word_of(ack: int, ttl: int, tsval: int) -> int:
    """What more must be equal without an identification; of a timestamp, what changes within hours."""
    return (ack & MASK) << 31 | (ttl & 0xFF) << 23 | (tsval & 0x7FFFFF)


def is_counted(rows: I64, x: int, key: int, rest: int) -> bool:
    """Whether no other one of the last segments had the same identification."""
    for place in range(SEEN):
        at = x + SEEN_0 + place * SEEN_WORDS
        is_same = ((rows[at] ^ key) >> FLAG_BITS) & ID_MASK == 0 and 0 < rows[at] < WITHOUT_ID
        if is_same and (rows[at] != key or (rows[at + 1] ^ rest) & SIZE_MASK != 0):
            return False
    return True


def is_like_last(rows: I64, x: int, key: int, rest: int, word: int) -> bool:
    """Whether one of the last segments was equal and a short time ago; without an identification only the very last."""
    newest = (rows[x + SEEN_NEXT] - 1) & (SEEN - 1)
    for place in range(SEEN):
        at = x + SEEN_0 + place * SEEN_WORDS
        if rows[at] == key and (rows[at + 1] ^ rest) & SIZE_MASK == 0:
            apart = abs((rows[at + 1] >> SIZE_BITS) - (rest >> SIZE_BITS))
            if key < WITHOUT_ID and apart <= WITH_ID_TICKS:
                return is_counted(rows, x, key, rest)
            if place == newest and apart <= WITHOUT_ID_TICKS and rows[x + SEEN_LAST] == word:
                return True
    return False


def is_sent_alike(rows: I64, x: int, y: int, flags: int, blocks: int) -> bool:
    """Whether a segment of X without numbers of its own may be one of several that are truly alike.

    Each of several segments of Y may get a RST, or a duplicate ACK, unless all is acknowledged or copies are known.
    """
    asks = rows[y + NEXT] > rows[y + ACKED] and rows[x + COPIES] + rows[y + COPIES] == 0
    return bool(asks or flags & RST != 0 or blocks > 0)


def is_copy(rows: I64, x: int, y: int, size: int, blocks: int, key: int, rest: int, word: int) -> bool:
    """Whether a segment of X, which shows nothing new, is one of its last once more; `size`: the numbers it takes."""
    if not is_like_last(rows, x, key, rest, word):
        return False
    return key < WITHOUT_ID or size != 0 or not is_sent_alike(rows, x, y, key & FLAG_MASK, blocks)


def remember(rows: I64, x: int, key: int, rest: int) -> None:
    """Keep what tells a segment."""
    at = x + SEEN_0 + rows[x + SEEN_NEXT] * SEEN_WORDS
    rows[at] = key
    rows[at + 1] = rest
    rows[x + SEEN_NEXT] = (rows[x + SEEN_NEXT] + 1) & (SEEN - 1)
