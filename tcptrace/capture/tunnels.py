"""The tunnels of the kernels: MPLS, GRE, Geneve, GTP-U; one step of the walk each (a kernel module)."""

from tcptrace.capture.cursor import (
    AT,
    AYIYA,
    CAPWAP,
    CONTROL,
    CUT_SHORT,
    DNS,
    ERSPAN,
    ERSPAN_III,
    ETHERNET,
    GENEVE,
    GRE,
    GTP,
    IP_PROTOCOL,
    IPV4,
    L2TP,
    LIMIT,
    MALFORMED,
    MPLS,
    PPP,
    PSEUDOWIRE,
    TEREDO,
    TZSP,
    UNKNOWN_PAYLOAD,
    VXLAN,
    VXLAN_GPE,
    WCCP,
    WLAN,
    shorten,
)
from tcptrace.capture.link_layer import by_ethertype
from tcptrace.capture.words import BIG, u16
from tcptrace.schema import I64, U8

UDP_PROTOCOL = 17
DNS_PORT = 53

_ASSOCIATED_CHANNEL = 13
"""The label of what concerns the path itself (RFC 5586)."""

_SEQUENCE = 0x1000
_PPTP = 0x880B
_ERSPAN = 0x88BE
"""Without a sequence number it is ERSPAN type I: the bare frame."""

_ARUBA = 0x8200
_ARUBA_MASK = 0xFE0F
"""GRE protocols 0x8200, 0x8210 ... 0x83F0 are Aruba's, for 802.11 frames."""

# A UDP port or a GRE protocol that is no ethertype, and the kind that it announces, in turn.
# fmt: off
_UDP_PORTS = (
    4789, VXLAN, 8472, VXLAN, 4790, VXLAN_GPE, 6081, GENEVE, 2152, GTP, 1701, L2TP, 3544, TEREDO, 6635, MPLS,
    4754, GRE, 5247, CAPWAP, 37008, TZSP, 5072, AYIYA,
)
_GRE_PROTOCOLS = (0x880B, PPP, 0x88BE, ERSPAN, 0x22EB, ERSPAN, 0x883E, WCCP, 0x6400, ETHERNET)
# fmt: on


def _by_udp_port(port: int) -> int:
    """The tunnel that a UDP port announces; else a verdict."""
    for place in range(0, len(_UDP_PORTS), 2):
        if _UDP_PORTS[place] == port:
            return _UDP_PORTS[place + 1]
    return IP_PROTOCOL - UDP_PROTOCOL


def udp(buffer: U8, cursor: I64) -> int:
    """RFC 768; the lower port is asked first, as Wireshark does. Length 0 is segmentation offload."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return IP_PROTOCOL - UDP_PROTOCOL
    sport, dport = u16(buffer, at, BIG), u16(buffer, at + 2, BIG)
    kind = _by_udp_port(min(sport, dport))
    if kind < 0:
        kind = _by_udp_port(max(sport, dport))
    if kind < 0:
        return DNS if sport == DNS_PORT else kind
    length = u16(buffer, at + 4, BIG)
    if length >= 8:
        shorten(cursor, at + length)
    elif length != 0:
        return MALFORMED
    cursor[AT] = at + 8
    return kind


def mpls(buffer: U8, cursor: I64) -> int:
    """RFC 3032. The labels do not say what they carry: the first nibble is the best guess (RFC 4928)."""
    at, limit = cursor[AT], cursor[LIMIT]
    while at + 4 <= limit and buffer[at + 2] & 1 == 0:
        at += 4
    at += 4
    if at >= limit:
        return CUT_SHORT
    if u16(buffer, at - 4, BIG) == 0 and buffer[at - 2] // 16 == _ASSOCIATED_CHANNEL:
        return CONTROL
    cursor[AT] = at
    nibble = buffer[at] // 16
    if nibble in (4, 6):
        return IPV4
    if nibble == 0:
        return PSEUDOWIRE
    return UNKNOWN_PAYLOAD


def gre(buffer: U8, cursor: I64) -> int:  # noqa: C901  as many flags
    """RFC 2784 and 2890, version 1 by RFC 2637 (PPTP), routing entries by RFC 1701."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 4 > limit:
        return CUT_SHORT
    flags, number = u16(buffer, at, BIG), u16(buffer, at + 2, BIG)
    after = at + 4
    for flag in (0xC000, 0x2000, _SEQUENCE):
        if flags & flag:
            after += 4
    if flags & 0x0080 and number == _PPTP:
        after += 4
    if flags & 0x4000:
        while after + 4 <= limit and buffer[after + 3] != 0:
            after += 4 + buffer[after + 3]
        after += 4
    if after > limit:
        return CUT_SHORT
    cursor[AT] = after
    if number == _ERSPAN and flags & _SEQUENCE == 0:
        return ETHERNET
    for place in range(0, len(_GRE_PROTOCOLS), 2):
        if _GRE_PROTOCOLS[place] == number:
            return _GRE_PROTOCOLS[place + 1]
    if number & _ARUBA_MASK == _ARUBA:
        return WLAN
    return by_ethertype(number)


def erspan(buffer: U8, cursor: I64) -> int:
    """Encapsulated port mirroring (draft-foschiano-erspan): type II here, type III in the long tail."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return CUT_SHORT
    version = buffer[at] // 16
    if version == 2:
        return ERSPAN_III
    if version != 1:
        return UNKNOWN_PAYLOAD
    cursor[AT] = at + 8
    return ETHERNET


def geneve(buffer: U8, cursor: I64) -> int:
    """RFC 8926."""
    at = cursor[AT]
    if at + 8 > cursor[LIMIT]:
        return CUT_SHORT
    if buffer[at] > 63:
        return IP_PROTOCOL - UDP_PROTOCOL
    cursor[AT] = at + 8 + (buffer[at] & 63) * 4
    return by_ethertype(u16(buffer, at + 2, BIG))


def gtp(buffer: U8, cursor: I64) -> int:
    """GTP-U (3GPP TS 29.281, version 0 by TS 29.060): user data of a G-PDU, behind extension headers."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 12 > limit:
        return CUT_SHORT
    if buffer[at + 1] != 0xFF:
        return CONTROL
    flags = buffer[at]
    after = at + 20
    length = u16(buffer, at + 2, BIG)
    if flags // 32 == 1:
        shorten(cursor, at + 8 + length)
        after = at + 12 if flags & 7 else at + 8
        following = buffer[at + 11] if flags & 4 else 0
        while following != 0 and after < limit and buffer[after] != 0:
            after += buffer[after] * 4
            following = buffer[after - 1] if after <= limit else 0
    if after >= limit:
        return CUT_SHORT
    cursor[AT] = after
    if 0x45 <= buffer[after] <= 0x4E or buffer[after] // 16 == 6:
        return IPV4
    return PPP
