"""Tunnels: MPLS, GRE and ERSPAN, and what UDP ports announce; one step of the walk each (a kernel module)."""

from tcptrace.capture.cursor import (
    AT,
    CAPWAP,
    CONTROL,
    CUT_SHORT,
    ERSPAN_II,
    ERSPAN_III,
    ETHERNET,
    FATE,
    GENEVE,
    GRE,
    GTP,
    IP_PROTOCOL,
    IPV4,
    IPV6,
    L2TP,
    LIMIT,
    MALFORMED,
    MPLS,
    NSH,
    PPP,
    PSEUDOWIRE,
    STOP,
    TEREDO,
    TZSP,
    UNKNOWN_PAYLOAD,
    VXLAN,
    VXLAN_GPE,
    shorten,
    stop,
)
from tcptrace.capture.link_layer import LENGTH_MAX, by_ethertype
from tcptrace.schema import I64, U8

_UDP = 17


# A UDP port and the tunnel that it announces, in turn.
# fmt: off
_UDP_PORTS = (
    4789, VXLAN, 8472, VXLAN, 4790, VXLAN_GPE, 6081, GENEVE, 2152, GTP, 1701, L2TP, 3544, TEREDO, 6635, MPLS,
    4754, GRE, 37008, TZSP, 5247, CAPWAP,
)
# fmt: on


def by_udp_port(port: int) -> int:
    """The tunnel that a UDP port announces; STOP for none."""
    for place in range(0, len(_UDP_PORTS), 2):
        if _UDP_PORTS[place] == port:
            return _UDP_PORTS[place + 1]
    return STOP


def udp(buffer: U8, cursor: I64) -> int:
    """RFC 768; the lower port is asked first, as Wireshark does."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, IP_PROTOCOL, _UDP)
    sport, dport = buffer[at] << 8 | buffer[at + 1], buffer[at + 2] << 8 | buffer[at + 3]
    kind = by_udp_port(min(sport, dport))
    if kind == STOP:
        kind = by_udp_port(max(sport, dport))
    if kind == STOP:
        return stop(cursor, IP_PROTOCOL, _UDP)
    length = buffer[at + 4] << 8 | buffer[at + 5]
    if length >= 8:
        shorten(cursor, at + length)
    cursor[AT] = at + 8
    return kind


def mpls(buffer: U8, cursor: I64) -> int:
    """RFC 3032. The labels do not say what they carry: the first nibble is the best guess (RFC 4928)."""
    at, limit = cursor[AT], cursor[LIMIT]
    while at + 4 <= limit and not buffer[at + 2] & 1:
        at += 4
    at += 4
    if at >= limit:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at
    nibble = buffer[at] >> 4
    if nibble == 4:
        return IPV4
    if nibble == 6:
        return IPV6
    if nibble == 0:
        return PSEUDOWIRE
    return stop(cursor, FATE, UNKNOWN_PAYLOAD)


def pseudowire(buffer: U8, cursor: I64) -> int:
    """RFC 4448: Ethernet, behind a control word when its type would not make sense without."""
    at = cursor[AT]
    if at + 18 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    bare, behind = buffer[at + 12] << 8 | buffer[at + 13], buffer[at + 16] << 8 | buffer[at + 17]
    if by_ethertype(cursor, bare) == STOP and (behind <= LENGTH_MAX or by_ethertype(cursor, behind) != STOP):
        cursor[AT] = at + 4
    return ETHERNET


def gre(buffer: U8, cursor: I64) -> int:
    """RFC 2784 and 2890, version 1 by RFC 2637 (PPTP), routing entries by RFC 1701."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 4 > limit:
        return stop(cursor, FATE, CUT_SHORT)
    flags, number = buffer[at], buffer[at + 2] << 8 | buffer[at + 3]
    after = at + 4
    after += 4 if flags & 0xC0 else 0
    after += 4 if flags & 0x20 else 0
    after += 4 if flags & 0x10 else 0
    after += 4 if buffer[at + 1] & 0x80 else 0
    if flags & 0x40:
        while after + 4 <= limit and buffer[after + 3] != 0:
            after += 4 + buffer[after + 3]
        after += 4
    if after > limit:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = after
    if number == 0x88BE:
        return ERSPAN_II if flags & 0x10 else ETHERNET
    if number == 0x22EB:
        return ERSPAN_III
    if number == 0x880B:
        return PPP
    if number == 0x883E:
        return _redirected(buffer, cursor)
    return by_ethertype(cursor, number)


def _redirected(buffer: U8, cursor: I64) -> int:
    """WCCP: IPv4, with a redirect header of 4 bytes in front in version 2."""
    if cursor[AT] < cursor[LIMIT] and buffer[cursor[AT]] >> 4 != 4:
        cursor[AT] += 4
    return IPV4


def erspan_iii(buffer: U8, cursor: I64) -> int:
    """ERSPAN type III (draft-foschiano-erspan): 12 bytes, 8 more with the O flag."""
    at = cursor[AT]
    if at + 12 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + (20 if buffer[at + 11] & 1 else 12)
    return IPV4 if buffer[at + 10] >> 2 & 31 == 2 else ETHERNET


def vxlan_gpe(buffer: U8, cursor: I64) -> int:
    """VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe)."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + 8
    return _by_next_protocol(cursor, buffer[at + 3])


def nsh(buffer: U8, cursor: I64) -> int:
    """Network service header (RFC 8300)."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    length = (buffer[at + 1] & 63) * 4
    if length < 8:
        return stop(cursor, FATE, MALFORMED)
    cursor[AT] = at + length
    return _by_next_protocol(cursor, buffer[at + 3])


def _by_next_protocol(cursor: I64, number: int) -> int:
    """The numbers that VXLAN-GPE and NSH share."""
    if number == 1:
        return IPV4
    if number == 2:
        return IPV6
    if number == 3:
        return ETHERNET
    if number == 4:
        return NSH
    if number == 5:
        return MPLS
    return stop(cursor, FATE, UNKNOWN_PAYLOAD)


def geneve(buffer: U8, cursor: I64) -> int:
    """RFC 8926."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    if buffer[at] >> 6 != 0:
        return stop(cursor, IP_PROTOCOL, _UDP)
    cursor[AT] = at + 8 + (buffer[at] & 63) * 4
    return by_ethertype(cursor, buffer[at + 2] << 8 | buffer[at + 3])


def gtp(buffer: U8, cursor: I64) -> int:
    """GTP-U (3GPP TS 29.281, version 0 by TS 29.060): user data of a G-PDU, behind extension headers."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 12 > limit:
        return stop(cursor, FATE, CUT_SHORT)
    flags = buffer[at]
    if buffer[at + 1] != 0xFF:
        return stop(cursor, FATE, CONTROL)
    after = at + 20
    if flags >> 5 == 1:
        after = at + (12 if flags & 7 else 8)
        following = buffer[at + 11] if flags & 4 else 0
        while following != 0 and after < limit and buffer[after] != 0:
            after += buffer[after] * 4
            following = buffer[after - 1] if after <= limit else 0
    if after >= limit:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = after
    if 0x45 <= buffer[after] <= 0x4E:
        return IPV4
    if buffer[after] >> 4 == 6:
        return IPV6
    return PPP


def l2tp(buffer: U8, cursor: I64) -> int:
    """L2TP version 2 data message (RFC 2661)."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 6 > limit:
        return stop(cursor, FATE, CUT_SHORT)
    flags = buffer[at] << 8 | buffer[at + 1]
    if flags & 0x8000 or flags & 15 != 2:
        return stop(cursor, FATE, CONTROL)
    after = at + 6
    after += 2 if flags & 0x4000 else 0
    after += 4 if flags & 0x0800 else 0
    if flags & 0x0200:
        if after + 2 > limit:
            return stop(cursor, FATE, CUT_SHORT)
        after += 2 + (buffer[after] << 8 | buffer[after + 1])
    cursor[AT] = after
    return PPP


def l2tpv3(buffer: U8, cursor: I64) -> int:
    """L2TP version 3 over IP (RFC 3931), Ethernet without cookie unless the bytes speak for another form."""
    at = cursor[AT]
    if at + 4 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    if not (buffer[at] or buffer[at + 1] or buffer[at + 2] or buffer[at + 3]):
        return stop(cursor, FATE, CONTROL)
    for skip in range(4, 17, 4):
        place = at + skip + 12
        if place + 2 <= cursor[LIMIT] and by_ethertype(cursor, buffer[place] << 8 | buffer[place + 1]) != STOP:
            cursor[AT] = at + skip
            return ETHERNET
    return stop(cursor, FATE, UNKNOWN_PAYLOAD)


def teredo(buffer: U8, cursor: I64) -> int:
    """RFC 4380: IPv6, behind authentication and origin indications."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 4 <= limit and buffer[at] == 0 and buffer[at + 1] == 1:
        at += 13 + buffer[at + 2] + buffer[at + 3]
    if at + 2 <= limit and buffer[at] == 0 and buffer[at + 1] == 0:
        at += 8
    if at >= limit or buffer[at] >> 4 != 6:
        return stop(cursor, IP_PROTOCOL, _UDP)
    cursor[AT] = at
    return IPV6


def tzsp(buffer: U8, cursor: I64) -> int:
    """TaZmen sniffer protocol: tagged fields up to the end tag, then Ethernet."""
    at, limit = cursor[AT] + 4, cursor[LIMIT]
    if at > limit:
        return stop(cursor, FATE, CUT_SHORT)
    if (buffer[at - 2] << 8 | buffer[at - 1]) != 1:
        return stop(cursor, FATE, UNKNOWN_PAYLOAD)
    while at < limit and buffer[at] != 1:
        at += 1 if buffer[at] == 0 or at + 1 >= limit else 2 + buffer[at + 1]
    cursor[AT] = at + 1
    return ETHERNET
