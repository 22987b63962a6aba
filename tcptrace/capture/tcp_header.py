"""The TCP header and its options into a row of Packets (a kernel module).

The row's columns hold "unknown" before: only what the header says is written. A header of which
less than 16 bytes are there says its ports only; of a quoted one also what else is there.
"""

from tcptrace.capture.addresses import intern
from tcptrace.schema import SACK_BLOCKS_MAX, U8, Addresses, Packets

MINIMUM = 4
"""Bytes that make a row: the ports."""

KINDS_MAX = 8
"""Option kinds that fit into the column."""

_TOA_IPV4 = 8
_TOA_IPV6 = 20
_FAST_OPEN = 0xF989
"""RFC 7413's experiment id (RFC 6994), where TOA has its port."""


def write(buffer: U8, at: int, limit: int, end: int, packets: Packets, row: int) -> int:
    """Fill the TCP columns of `row` from the header at `at`; `limit` as to reading, `end` as to the length.

    The end of the options that can be read is returned; 0 when there are none.
    """
    packets.sport[row] = buffer[at] << 8 | buffer[at + 1]
    packets.dport[row] = buffer[at + 2] << 8 | buffer[at + 3]
    if at + 16 > limit:
        return 0
    packets.seq[row] = buffer[at + 4] << 24 | buffer[at + 5] << 16 | buffer[at + 6] << 8 | buffer[at + 7]
    packets.window[row] = buffer[at + 14] << 8 | buffer[at + 15]
    header_len = (buffer[at + 12] >> 4) * 4
    if end >= at + header_len:
        packets.len[row] = end - at - header_len
    if header_len < 20:
        return 0
    packets.ack[row] = buffer[at + 8] << 24 | buffer[at + 9] << 16 | buffer[at + 10] << 8 | buffer[at + 11]
    packets.flags[row] = (buffer[at + 12] & 15) << 8 | buffer[at + 13]
    if header_len == 20:
        return 0
    if at + header_len <= limit:
        return int(at + header_len)
    packets.options_cut[row] = 1
    return max(limit, at + 20)


def options(buffer: U8, at: int, end: int, packets: Packets, row: int, addresses: Addresses) -> int:
    """Fill the option columns of `row` from the options between `at` and `end`; how many kinds there are."""
    if end - at == 12 and buffer[at] == 1 and buffer[at + 1] == 1 and buffer[at + 2] == 8 and buffer[at + 3] == 10:
        packets.option_kinds[row] = 8
        return _timestamps(buffer, at + 2, packets, row)
    kinds = 0
    known = 0
    while at < end and buffer[at] != 0:
        kind = buffer[at]
        if kind == 1:
            at += 1
            continue
        length = buffer[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            packets.options_cut[row] = 1
            break
        if known < KINDS_MAX:
            kinds |= _signed_byte(kind, known) << 8 * known
        known += 1
        _option(buffer, at, kind, length, packets, row, addresses)
        at += length
    packets.option_kinds[row] = kinds
    return known


def _signed_byte(kind: int, place: int) -> int:
    """The byte for one place of a 64-bit column, whose last one carries the sign."""
    return kind - 256 if place == KINDS_MAX - 1 and kind > 127 else kind


def _option(buffer: U8, at: int, kind: int, length: int, packets: Packets, row: int, addresses: Addresses) -> int:
    """One option into its columns, if its length is the one its kind must have; 1 if so."""
    if kind == 8 and length == 10:
        return _timestamps(buffer, at, packets, row)
    if kind == 2 and length == 4:
        packets.mss[row] = buffer[at + 2] << 8 | buffer[at + 3]
        return 1
    if kind == 3 and length == 3:
        packets.window_scale[row] = buffer[at + 2]
        return 1
    if kind == 4 and length == 2:
        packets.sack_permitted[row] = 1
        return 1
    if kind == 5:
        return _sack(buffer, at, length, packets, row)
    if kind == 254:
        return _toa(buffer, at, length, packets, row, addresses)
    return 0


def _timestamps(buffer: U8, at: int, packets: Packets, row: int) -> int:
    """RFC 7323 section 3."""
    packets.tsval[row] = buffer[at + 2] << 24 | buffer[at + 3] << 16 | buffer[at + 4] << 8 | buffer[at + 5]
    packets.tsecr[row] = buffer[at + 6] << 24 | buffer[at + 7] << 16 | buffer[at + 8] << 8 | buffer[at + 9]
    return 1


def _sack(buffer: U8, at: int, length: int, packets: Packets, row: int) -> int:
    """RFC 2018 section 3: blocks of two edges."""
    if (length - 2) % 8 or length - 2 > 8 * SACK_BLOCKS_MAX:
        return 0
    edges = (length - 2) // 4
    place = at + 2
    for edge in range(edges):
        word = buffer[place] << 24 | buffer[place + 1] << 16 | buffer[place + 2] << 8 | buffer[place + 3]
        packets.sack[row * 2 * SACK_BLOCKS_MAX + edge] = word
        place += 4
    packets.sack_count[row] = edges // 2
    return 1


def _toa(buffer: U8, at: int, length: int, packets: Packets, row: int, addresses: Addresses) -> int:
    """The client's address as a load balancer passes it on, port first; kind 254 is shared space (RFC 4727)."""
    port = buffer[at + 2] << 8 | buffer[at + 3] if length in (_TOA_IPV4, _TOA_IPV6) else 0
    if port == 0 or (port == _FAST_OPEN and packets.flags[row] & 2):
        return 0
    first = buffer[at + 4]
    if length == _TOA_IPV4:
        if first in (0, 127) or first > 223:
            return 0
        word = first << 24 | buffer[at + 5] << 16 | buffer[at + 6] << 8 | buffer[at + 7]
        packets.toa_src[row] = intern(addresses, 4, 0, 0, 0, word)
    else:
        if first == 0 or first == 0xFF:
            return 0
        packets.toa_src[row] = intern_ipv6(buffer, at + 4, addresses)
    packets.toa_port[row] = port
    return 1


def intern_ipv6(buffer: U8, at: int, addresses: Addresses) -> int:
    """The number of the IPv6 address at `at`."""
    a = buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3]
    b = buffer[at + 4] << 24 | buffer[at + 5] << 16 | buffer[at + 6] << 8 | buffer[at + 7]
    c = buffer[at + 8] << 24 | buffer[at + 9] << 16 | buffer[at + 10] << 8 | buffer[at + 11]
    d = buffer[at + 12] << 24 | buffer[at + 13] << 16 | buffer[at + 14] << 8 | buffer[at + 15]
    return intern(addresses, 6, a, b, c, d)
