"""IPv4, IPv6 and its extension headers, ICMP errors: one step of the walk each (a kernel module)."""

from tcptrace.capture.cursor import (
    AT,
    AUTHENTICATION_HEADER,
    CUT_SHORT,
    DST_AT,
    ETHER_IP,
    ETHERNET,
    EXTENSION_HEADER,
    FRAGMENT,
    FRAGMENT_HEADER,
    GRE,
    ICMP,
    ICMP_AT,
    ICMPV6,
    IP_AT,
    IP_PROTOCOL,
    IPV4,
    IPV6,
    L2TPV3,
    LATER_FRAGMENT,
    LIMIT,
    MALFORMED,
    MPLS,
    QUOTED,
    REPORTER_AT,
    ROUTING_HEADER,
    TCP,
    UDP,
    shorten,
)
from tcptrace.capture.words import BIG, u16, u32
from tcptrace.schema import I64, U8

_ICMP = 1
_ICMPV6 = 58
_SOURCE_ROUTES = (131, 137)  # loose and strict
_ROUTES = (0, 2, 3, 4)

# A protocol number and the kind that it announces, in turn, the commonest first.
# fmt: off
_PROTOCOLS = (
    6, TCP, 17, UDP, 1, ICMP, 58, ICMPV6, 47, GRE, 4, IPV4, 41, IPV6, 0, EXTENSION_HEADER, 43, ROUTING_HEADER,
    44, FRAGMENT_HEADER, 51, AUTHENTICATION_HEADER, 60, EXTENSION_HEADER, 135, EXTENSION_HEADER,
    140, EXTENSION_HEADER, 137, MPLS, 115, L2TPV3, 97, ETHER_IP, 143, ETHERNET,
)
# fmt: on


def by_protocol(number: int) -> int:
    """What an IP protocol number announces (IANA protocol numbers)."""
    for place in range(0, len(_PROTOCOLS), 2):
        if _PROTOCOLS[place] == number:
            return _PROTOCOLS[place + 1]
    return IP_PROTOCOL - number


def ipv4(buffer: U8, cursor: I64) -> int:
    """RFC 791. Total length 0 is segmentation offload: the data reach to the end of the frame."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at >= limit:
        return CUT_SHORT
    version = buffer[at] // 16
    if version == 6:
        return IPV6
    if version != 4:
        return MALFORMED
    if at + 20 > limit:
        return CUT_SHORT
    header_len = (buffer[at] & 15) * 4
    total_len = u16(buffer, at + 2, BIG)
    if header_len < 20 or 0 < total_len < header_len:
        return MALFORMED
    if total_len != 0:
        shorten(cursor, at + total_len)
    cursor[IP_AT] = at
    cursor[AT] = at + header_len
    cursor[DST_AT] = at + 16
    if header_len > 20:
        _source_route(buffer, cursor, at + 20, min(at + header_len, limit))
    fragment = u16(buffer, at + 6, BIG)
    if fragment & 0x1FFF:
        return LATER_FRAGMENT
    cursor[FRAGMENT] = fragment >> 13 & 1
    return by_protocol(buffer[at + 9])


def _source_route(buffer: U8, cursor: I64, at: int, end: int) -> int:
    """The options of an IPv4 header: a source route that goes on tells in its last address whom the packet is for; 0.

    RFC 791 section 3.1: its pointer counts from 1, and is beyond the route where that has been gone.
    """
    while at + 2 < end and buffer[at] != 0:
        length = 1 if buffer[at] == 1 else buffer[at + 1]
        if buffer[at] in _SOURCE_ROUTES:
            pointer, last = buffer[at + 2], at + length - 4
            if length & 3 == 3 and 4 <= pointer <= length and pointer & 3 == 0 and last + 4 <= end:
                cursor[DST_AT] = last
        at += max(length, 1)
    return 0


def ipv6(buffer: U8, cursor: I64) -> int:
    """RFC 8200, jumbograms by RFC 2675. Payload length 0 without one is segmentation offload."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at >= limit:
        return CUT_SHORT
    if buffer[at] // 16 != 6:
        return MALFORMED
    if at + 40 > limit:
        return CUT_SHORT
    payload_len = u16(buffer, at + 4, BIG)
    following = buffer[at + 6]
    if payload_len == 0 and following == 0:
        payload_len = _jumbo_len(buffer, at + 40, limit)
        if payload_len == 0:
            return MALFORMED
    if payload_len != 0:
        shorten(cursor, at + 40 + payload_len)
    cursor[IP_AT] = at
    cursor[AT] = at + 40
    cursor[DST_AT] = at + 24
    return by_protocol(following)


def _jumbo_len(buffer: U8, at: int, limit: int) -> int:
    """The jumbo payload option of the hop-by-hop header at `at`; 0 without."""
    if at + 8 > limit:
        return 0
    end = min(limit, at + 8 + buffer[at + 1] * 8)
    at += 2
    while at + 6 <= end:
        if buffer[at] == 0xC2:
            return u32(buffer, at + 2, BIG)
        at += 1 if buffer[at] == 0 else 2 + buffer[at + 1]
    return 0


def extension_header(buffer: U8, cursor: I64, kind: int) -> int:
    """What stands between IPv6 and its payload, and may after IPv4: all begin with what follows.

    Hop-by-hop, routing, destination options, mobility and shim6 say their length in 8 bytes, the
    authentication header (RFC 4302) in 4. An atomic fragment (RFC 6946) is whole.
    """
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return CUT_SHORT
    length = 8 + buffer[at + 1] * 8
    if kind == AUTHENTICATION_HEADER:
        length = 8 + buffer[at + 1] * 4
    elif kind == FRAGMENT_HEADER:
        length = 8
        fragment = u16(buffer, at + 2, BIG)
        if fragment & 0xFFF8:
            return LATER_FRAGMENT
        if fragment & 1:
            cursor[FRAGMENT] = 1
    elif kind == ROUTING_HEADER and buffer[at + 3] != 0 and at + length <= cursor[LIMIT]:
        cursor[DST_AT] = _final_at(buffer, at, length, cursor[DST_AT])
    cursor[AT] = at + length
    return by_protocol(buffer[at])


def _final_at(buffer: U8, at: int, length: int, current: int) -> int:
    """Where a routing header with segments left has the address the packet is for in the end; else `current`.

    Source route (type 0: RFC 2460 section 4.4), mobile IPv6 (2: RFC 6275 section 6.4, one address), RPL (3: RFC 6554,
    where the last address is whole), segment routing (4: RFC 8754, whose list is turned round).
    """
    kind, last = buffer[at + 2], at + 8
    if kind == 0:
        last += ((length - 8) // 16 - 1) * 16
    elif kind == 3:
        if buffer[at + 4] & 15:
            return current
        last = at + length - 16 - (buffer[at + 5] >> 4)
    return last if kind in _ROUTES and at + 8 <= last <= at + length - 16 else current


def icmp(buffer: U8, cursor: I64, kind: int) -> int:
    """An error (RFC 792, RFC 4443) quotes the packet that caused it; the frame stays ICMP."""
    at = cursor[AT]
    verdict = IP_PROTOCOL - (_ICMP if kind == ICMP else _ICMPV6)
    if at + 8 > cursor[LIMIT]:
        return verdict
    message = buffer[at]
    is_error = message in (3, 4, 5, 11, 12) if kind == ICMP else 1 <= message <= 4
    if not is_error:
        return verdict
    if cursor[QUOTED] == 0:
        cursor[QUOTED] = verdict
        cursor[ICMP_AT] = at
        cursor[REPORTER_AT] = cursor[IP_AT]
    cursor[AT] = at + 8
    return IPV4
