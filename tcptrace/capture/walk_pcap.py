"""Walking the records of a pcap file (a kernel module).

A record is a header of 16 bytes (seconds, fraction, captured length, original length; some patched
libpcaps of 1999 wrote more) and the captured bytes. Nothing but the lengths ties one record to the
next, so a length that cannot be ends the walk: what follows would be guesses.
Source: draft-ietf-opsawg-pcap.
"""

from tcptrace.capture.words import fetch, u32
from tcptrace.schema import U8, Records

FRAME_BYTES_MAX = 262_144
"""The most that is kept of a frame, and the longest record Wireshark believes (but for a few bus protocols)."""

FETCHED_AHEAD = 2048
"""Bytes from a record to what is fetched meanwhile: a few records, so that it has come when they are walked."""

MORE = 0
"""Status: the record at the position goes on beyond the buffer, or the record table is full."""

BAD_LENGTH = 1
"""Status: the record at the position claims a length that cannot be."""

IN_ORDER = 0
SWAPPED = 1
MAYBE_SWAPPED = 2
"""Order of the two lengths: pcap before 2.3 had the original length first; some 2.3 files still do."""


def fetch_ahead(data: U8, place: int, after: int, end: int) -> None:
    """Fetch what is walked some records after the one from `place` to `after`."""
    fetch(data, max(place + FETCHED_AHEAD, after), min(after + FETCHED_AHEAD, end))


def walk(
    data: U8, start: int, end: int, layout: tuple[int, int, int, int, int], records: Records
) -> tuple[int, int, int]:
    """Fill `records` (all columns but interface and link_type) from the bytes `start` to `end`.

    `layout` is byte order, header length, ns a unit of the fraction, the longest believable record and
    the order of the lengths. Returns position, records filled and status; the position is that of the
    first record not taken, and may lie beyond `end` when the tail of a long frame is not kept.
    """
    flip, header_len, fraction_ns, length_max, order = layout
    offset, captured_len, original_len = records.offset, records.captured_len, records.original_len
    time_ns = records.time_ns
    room = len(offset)
    place = start
    filled = 0
    while filled < room and place + header_len <= end:
        captured = u32(data, place + 8, flip)
        original = u32(data, place + 12, flip)
        if order == SWAPPED or (order == MAYBE_SWAPPED and captured > original):
            captured, original = original, captured
        if captured > length_max:
            return place, filled, BAD_LENGTH
        body = place + header_len
        kept = captured if captured < FRAME_BYTES_MAX else FRAME_BYTES_MAX
        if body + kept > end:
            break
        offset[filled] = body
        captured_len[filled] = kept
        original_len[filled] = original
        time_ns[filled] = u32(data, place, flip) * 1_000_000_000 + u32(data, place + 4, flip) * fraction_ns
        filled += 1
        after = body + captured
        fetch_ahead(data, place, after, end)
        place = after
    return place, filled, MORE
