"""IPv4, IPv6 and its extension headers, ICMP errors: one step of the walk each (a kernel module)."""

from tcptrace.capture.cursor import (
    AT,
    AUTHENTICATION_HEADER,
    CUT_SHORT,
    ETHER_IP,
    ETHERNET,
    EXTENSION_HEADER,
    FATE,
    FRAGMENT,
    FRAGMENT_HEADER,
    GRE,
    ICMP,
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
    TCP,
    UDP,
    quoted,
    shorten,
    stop,
)
from tcptrace.schema import I64, U8

# A protocol number and the kind that it announces, in turn, the commonest first.
# fmt: off
_PROTOCOLS = (
    6, TCP, 17, UDP, 1, ICMP, 58, ICMPV6, 47, GRE, 4, IPV4, 41, IPV6, 0, EXTENSION_HEADER, 43, EXTENSION_HEADER,
    44, FRAGMENT_HEADER, 51, AUTHENTICATION_HEADER, 60, EXTENSION_HEADER, 135, EXTENSION_HEADER,
    140, EXTENSION_HEADER, 137, MPLS, 115, L2TPV3, 97, ETHER_IP, 143, ETHERNET,
)
# fmt: on


def by_protocol(cursor: I64, number: int) -> int:
    """What an IP protocol number announces (IANA protocol numbers)."""
    for place in range(0, len(_PROTOCOLS), 2):
        if _PROTOCOLS[place] == number:
            return _PROTOCOLS[place + 1]
    return stop(cursor, IP_PROTOCOL, number)


def ipv4(buffer: U8, cursor: I64) -> int:
    """RFC 791. Total length 0 is segmentation offload: the data reach to the end of the frame."""
    at = cursor[AT]
    if at >= cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    if buffer[at] >> 4 == 6:
        return IPV6
    if buffer[at] >> 4 != 4:
        return stop(cursor, FATE, MALFORMED)
    if at + 20 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    header_len = (buffer[at] & 15) * 4
    total_len = buffer[at + 2] << 8 | buffer[at + 3]
    if header_len < 20 or (total_len < header_len and total_len != 0):
        return stop(cursor, FATE, MALFORMED)
    if total_len != 0:
        shorten(cursor, at + total_len)
    cursor[IP_AT] = at
    cursor[AT] = at + header_len
    fragment = buffer[at + 6] << 8 | buffer[at + 7]
    if fragment & 0x1FFF:
        return stop(cursor, FATE, LATER_FRAGMENT)
    cursor[FRAGMENT] = fragment >> 13 & 1
    return by_protocol(cursor, buffer[at + 9])


def ipv6(buffer: U8, cursor: I64) -> int:
    """RFC 8200, jumbograms by RFC 2675. Payload length 0 without one is segmentation offload."""
    at = cursor[AT]
    if at >= cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    if buffer[at] >> 4 != 6:
        return stop(cursor, FATE, MALFORMED)
    if at + 40 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    payload_len = buffer[at + 4] << 8 | buffer[at + 5]
    following = buffer[at + 6]
    if payload_len == 0 and following == 0:
        payload_len = _jumbo_len(buffer, at + 40, cursor[LIMIT])
        shorten(cursor, at + 40 + payload_len)
    elif payload_len != 0:
        shorten(cursor, at + 40 + payload_len)
    cursor[IP_AT] = at
    cursor[AT] = at + 40
    return by_protocol(cursor, following)


def _jumbo_len(buffer: U8, at: int, limit: int) -> int:
    """The jumbo payload option of the hop-by-hop header at `at`; 0 without."""
    if at + 8 > limit:
        return 0
    end = min(limit, at + 8 + buffer[at + 1] * 8)
    at += 2
    while at + 6 <= end:
        if buffer[at] == 0xC2:
            return int(buffer[at + 2] << 24 | buffer[at + 3] << 16 | buffer[at + 4] << 8 | buffer[at + 5])
        at += 1 if buffer[at] == 0 else 2 + buffer[at + 1]
    return 0


def extension_header(buffer: U8, cursor: I64) -> int:
    """Hop-by-hop, routing, destination options, mobility, shim6: all say their length in 8 bytes."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + 8 + buffer[at + 1] * 8
    return by_protocol(cursor, buffer[at])


def fragment_header(buffer: U8, cursor: I64) -> int:
    """RFC 8200 section 4.5; an atomic fragment (RFC 6946) is whole."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    fragment = buffer[at + 2] << 8 | buffer[at + 3]
    if fragment & 0xFFF8:
        return stop(cursor, FATE, LATER_FRAGMENT)
    if fragment & 1:
        cursor[FRAGMENT] = 1
    cursor[AT] = at + 8
    return by_protocol(cursor, buffer[at])


def authentication_header(buffer: U8, cursor: I64) -> int:
    """RFC 4302."""
    at = cursor[AT]
    if at + 12 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + (buffer[at + 1] + 2) * 4
    return by_protocol(cursor, buffer[at])


def icmp(buffer: U8, cursor: I64) -> int:
    """An ICMP error quotes the datagram that caused it (RFC 792)."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, IP_PROTOCOL, 1)
    if buffer[at] in (3, 4, 5, 11, 12):
        quoted(cursor, 8, 1)
        return IPV4
    return stop(cursor, IP_PROTOCOL, 1)


def icmpv6(buffer: U8, cursor: I64) -> int:
    """An ICMPv6 error quotes the packet that caused it (RFC 4443)."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, IP_PROTOCOL, 58)
    if 1 <= buffer[at] <= 4:
        quoted(cursor, 8, 58)
        return IPV6
    return stop(cursor, IP_PROTOCOL, 58)
