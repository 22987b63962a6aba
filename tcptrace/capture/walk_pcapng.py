"""Walking the blocks of a pcapng file (a kernel module).

A block is its type, its length, a body, and its length again. Packet blocks become records, and so do
custom and journal blocks, as Wireshark gives them frame numbers; a section header or an interface
description is left to the caller, as it changes what later blocks mean; all other blocks are stepped
over. Source: draft-ietf-opsawg-pcapng.
"""

from tcptrace.capture.walk_pcap import FRAME_BYTES_MAX, MORE, fetch_ahead
from tcptrace.capture.words import u16, u32
from tcptrace.schema import NO_TIME, U8, Records, SectionInterfaces

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
OBSOLETE_PACKET = 2
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
JOURNAL_EXPORT = 9
CUSTOM = 0xBAD
CUSTOM_NOT_COPIED = 0x40000BAD

BLOCK_BYTES_MAX = 1 << 27
"""A block that claims more is damage."""

WHOLE_BYTES_MAX = 1 << 19
"""Longer blocks need not lie whole in the buffer; what lies beyond a frame in them is not looked at."""

SHORTEST_BLOCK = 12
DATA_OFFSET = 28
"""Where the frame begins in an enhanced or obsolete packet block."""

SIMPLE_DATA_OFFSET = 12

BAD_LENGTH = 1
"""Status: the block's length cannot be; there is no way to find the next block."""
BAD_TRAILER = 2
"""Status: the length at the block's end is another than that at its start."""
BAD_INTERFACE = 3
"""Status: a packet block names an interface that was not described; the next block is known."""
BAD_FRAME_LENGTH = 4
"""Status: a packet block's frame is longer than the block; the next block is known."""
STRUCTURE = 5
"""Status: a section header or an interface description lies at the position, for the caller to read."""

NO_PACKET = 0xFFFF
"""In place of a LINKTYPE_ number, none of which is as large: the block holds no packet."""

_WITHOUT_PACKET = (CUSTOM, CUSTOM_NOT_COPIED, JOURNAL_EXPORT)
_NUMBERED = (ENHANCED_PACKET, SIMPLE_PACKET, OBSOLETE_PACKET, CUSTOM, CUSTOM_NOT_COPIED, JOURNAL_EXPORT)
_MAX_NS = 2**63 - 1
_LATEST_SECOND = 9_223_372_035


def walk(
    data: U8, start: int, end: int, flip: int, interfaces: SectionInterfaces, count: int, records: Records
) -> tuple[int, int, int]:
    """Fill `records` from the blocks between `start` and `end`; `count` interfaces are described so far.

    Returns position, records filled and status; the position is that of the first block not taken,
    and may lie beyond `end` when a long block is not kept to its end.
    """
    room = len(records.offset)
    place = start
    filled = 0
    while filled < room and place + SHORTEST_BLOCK <= end:
        kind = u32(data, place, flip)
        if kind == SECTION_HEADER:
            return place, filled, STRUCTURE
        length = u32(data, place + 4, flip)
        if length < SHORTEST_BLOCK or length > BLOCK_BYTES_MAX:
            return place, filled, BAD_LENGTH
        padded = (length + 3) & ~3
        after = place + padded
        if after > end:
            if padded <= WHOLE_BYTES_MAX or end - place < WHOLE_BYTES_MAX:
                break
        elif u32(data, after - 4, flip) != length:
            return place, filled, BAD_TRAILER
        if kind == INTERFACE_DESCRIPTION:
            return place, filled, STRUCTURE
        if kind in _NUMBERED:
            status = packet(data, place, padded, kind, flip, interfaces, count, records, filled)
            if status != MORE:
                return place, filled, status
            filled += 1
        fetch_ahead(data, place, after, end)
        place = after
    return place, filled, MORE


def packet(
    data: U8,
    place: int,
    padded: int,
    kind: int,
    flip: int,
    interfaces: SectionInterfaces,
    count: int,
    records: Records,
    row: int,
) -> int:
    """Write the block at `place` into row `row`; MORE when it is sound, else what is wrong."""
    if kind in _WITHOUT_PACKET:
        return no_packet(place, padded, records, row)
    start = SIMPLE_DATA_OFFSET if kind == SIMPLE_PACKET else DATA_OFFSET
    room = padded - start - 4
    if room < 0:
        return BAD_FRAME_LENGTH
    number = 0
    if kind == ENHANCED_PACKET:
        number = u32(data, place + 8, flip)
    elif kind == OBSOLETE_PACKET:
        number = u16(data, place + 8, flip)
    if number >= count:
        return BAD_INTERFACE
    if kind == SIMPLE_PACKET:
        original = u32(data, place + 8, flip)
        snap_len = interfaces.snap_len[number]
        captured = original if original < room else room
        if 0 < snap_len < captured:
            captured = snap_len
        when = NO_TIME
    else:
        captured = u32(data, place + 20, flip)
        original = u32(data, place + 24, flip)
        when = time_ns(u32(data, place + 12, flip), u32(data, place + 16, flip), interfaces, number)
    if captured > room:
        return BAD_FRAME_LENGTH
    records.offset[row] = place + start
    records.captured_len[row] = captured if captured < FRAME_BYTES_MAX else FRAME_BYTES_MAX
    records.original_len[row] = original
    records.time_ns[row] = when
    records.interface[row] = interfaces.interface[number]
    records.link_type[row] = interfaces.link_type[number]
    return MORE


def no_packet(place: int, padded: int, records: Records, row: int) -> int:
    """Write the block at `place`, which holds no packet, into row `row`: all it has is a frame number. MORE."""
    length = padded - SHORTEST_BLOCK
    records.offset[row] = place + SHORTEST_BLOCK - 4
    records.captured_len[row] = length if length < FRAME_BYTES_MAX else FRAME_BYTES_MAX
    records.original_len[row] = length
    records.time_ns[row] = NO_TIME
    records.interface[row] = 0
    records.link_type[row] = NO_PACKET
    return MORE


def time_ns(high: int, low: int, interfaces: SectionInterfaces, number: int) -> int:
    """Nanoseconds since the epoch of a 64-bit count of ticks; NO_TIME beyond the year 2262.

    Every step stays below 2**63: a count of ticks may use all 64 bits, and 1e9 of them more.
    """
    digits = interfaces.binary_digits[number]
    tick_ns = interfaces.tick_ns[number]
    if digits >= 0:
        when = _binary_ns(high, low, digits)
    elif tick_ns == 0:
        when = (high << 31 | low >> 1) // interfaces.half_ticks[number]
    elif high >= 1 << 31 or (high << 32 | low) > _MAX_NS // tick_ns:
        when = NO_TIME
    else:
        when = (high << 32 | low) * tick_ns
    shift_ns = interfaces.shift_ns[number]
    if when == NO_TIME or shift_ns == NO_TIME or (shift_ns > 0 and when > _MAX_NS - shift_ns):
        return NO_TIME
    return int(when + shift_ns)


def _binary_ns(high: int, low: int, digits: int) -> int:
    """Ticks of 2**-digits seconds in nanoseconds, rounded down."""
    if digits < 32:
        if high >> digits > 3:
            return NO_TIME
        second = high << (32 - digits) | low >> digits
        if second > _LATEST_SECOND:
            return NO_TIME
        return second * 1_000_000_000 + ((low & ((1 << digits) - 1)) * 1_000_000_000 >> digits)
    deeper = digits - 32 if digits < 95 else 63
    second = high >> deeper
    if second > _LATEST_SECOND:
        return NO_TIME
    rest = high - (second << deeper)
    part = rest * 1_000_000_000 + (low * 1_000_000_000 >> 32)
    return second * 1_000_000_000 + (part >> deeper)
