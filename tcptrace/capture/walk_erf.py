"""Walking the records of an Endace ERF file (a kernel module).

A record is 16 bytes of header (time, type, flags, record length, loss counter, wire length), extension
headers of 8 bytes while a type's top bit is set, two bytes of padding before Ethernet, and the frame.
Source: Endace, ERF types reference.
"""

from tcptrace.capture.walk_pcap import MORE
from tcptrace.capture.words import BIG, LITTLE, u16, u32
from tcptrace.schema import U8, Records

HEADER_BYTES = 16
EXTENSION_BYTES = 8
ETHERNET_PADDING_BYTES = 2
PADDING = 48
"""Type of a record that only fills space."""

BAD_LENGTH = 1
"""Status: the record is shorter than its headers."""

_HALF = 0x80000000


def walk(data: U8, start: int, end: int, link_types: U8, records: Records) -> tuple[int, int, int]:
    """Fill `records` (all columns but interface); the position behind the last, how many, and a status.

    `link_types` is the LINKTYPE_ number of every ERF type; a record of LINKTYPE_ERF keeps its headers.
    """
    room = len(records.offset)
    place = start
    filled = 0
    while filled < room and place + HEADER_BYTES <= end:
        length = u16(data, place + 10, BIG)
        if length < HEADER_BYTES:
            return place, filled, BAD_LENGTH
        after = place + length
        if after > end:
            break
        kind = data[place + 8] & 0x7F
        if kind != PADDING:
            link_type = link_types[kind]
            body = frame_offset(data, place, after, link_type)
            if body > after:
                return place, filled, BAD_LENGTH
            wire = u16(data, place + 14, BIG)
            fraction = u32(data, place, LITTLE) * 1_000_000_000 + _HALF >> 32
            records.offset[filled] = body
            records.captured_len[filled] = wire if 0 < wire < after - body else after - body
            records.original_len[filled] = wire if wire > 0 else after - body
            records.time_ns[filled] = u32(data, place + 4, LITTLE) * 1_000_000_000 + fraction
            records.link_type[filled] = link_type
            filled += 1
        place = after
    return place, filled, MORE


def frame_offset(data: U8, place: int, after: int, link_type: int) -> int:
    """Where the frame of the record at `place` begins; beyond `after` when its headers are longer than it."""
    if link_type == 197:
        return place
    body = place + HEADER_BYTES
    more = data[place + 8] & 0x80
    while more and body + EXTENSION_BYTES <= after:
        more = data[body] & 0x80
        body += EXTENSION_BYTES
    return body + ETHERNET_PADDING_BYTES if link_type == 1 else body
