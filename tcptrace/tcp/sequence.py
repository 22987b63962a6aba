"""Sequence arithmetic, in one place (a kernel module).

A 32-bit number from the wire becomes a 64-bit position in its direction's stream, the one
nearest to a position already known (RFC 9293 section 3.4, without its modular comparisons).
Positions start one cycle up, so that none is negative; -1 stays free for "unknown".
"""

CYCLE = 2**32
MASK = CYCLE - 1
_HALF = 2**31


def unwrap(number: int, near: int) -> int:
    """The position of a raw number that lies nearest to position `near` (-1: none is known yet)."""
    if near < 0:
        return number + CYCLE
    return near + ((number - near + _HALF) & MASK) - _HALF


def is_older_tsval(a: int, b: int) -> bool:
    """Whether timestamp a was taken before b (RFC 7323 section 5.2)."""
    return (a - b) & MASK > 0x7FFFFFFF


def is_older_id(a: int, b: int) -> bool:
    """Whether an IP identification was given before another, where a sender counts them up."""
    return (a - b) & 0xFFFF > 0x7FFF
