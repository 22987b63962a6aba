"""The rarer tunnels, in Python: steps of the long tail (see `dissect`)."""

from typing import Any

from tcptrace.capture import cursor as c
from tcptrace.capture.dissect_wireless import Step
from tcptrace.capture.internet import by_protocol
from tcptrace.capture.link_layer import LENGTH_MAX, by_ethertype
from tcptrace.capture.tunnels import UDP_PROTOCOL
from tcptrace.capture.words import BIG, u16, u32


def pseudowire(buffer: Any, cursor: Any) -> int:
    """RFC 4448: Ethernet, behind a control word when its type would not make sense without."""
    at = cursor[c.AT]
    if at + 18 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    behind = u16(buffer, at + 16, BIG)
    bare = by_ethertype(u16(buffer, at + 12, BIG))
    if bare < 0 and (behind <= LENGTH_MAX or by_ethertype(behind) > 0):
        cursor[c.AT] = at + 4
    return c.ETHERNET


def fabric_path(buffer: Any, cursor: Any) -> int:
    """Cisco FabricPath: two bytes behind the type, then the frame proper; the check sequence is in the capture."""
    c.shorten(cursor, cursor[c.END] - 4)
    return c.skip(cursor, 2, c.ETHERNET)


def provider_backbone(buffer: Any, cursor: Any) -> int:
    """IEEE 802.1ah: four bytes of service tag, then the customer's frame."""
    return c.skip(cursor, 4, c.ETHERNET)


def ether_ip(buffer: Any, cursor: Any) -> int:
    """RFC 3378."""
    return c.skip(cursor, 2, c.ETHERNET)


def erspan_iii(buffer: Any, cursor: Any) -> int:
    """ERSPAN type III (draft-foschiano-erspan): 12 bytes, 8 more with the O flag."""
    at = cursor[c.AT]
    if at + 12 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = 20 if buffer[at + 11] & 1 else 12
    return c.skip(cursor, length, c.IPV4 if buffer[at + 10] >> 2 & 31 == 2 else c.ETHERNET)


def wccp(buffer: Any, cursor: Any) -> int:
    """Web cache redirection: IPv4, behind four bytes in version 2."""
    at = cursor[c.AT]
    redirect = at < cursor[c.LIMIT] and buffer[at] >> 4 != 4
    return c.skip(cursor, 4 if redirect else 0, c.IPV4)


def vxlan_gpe(buffer: Any, cursor: Any) -> int:
    """VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe)."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    cursor[c.AT] = at + 8
    return _NEXT_PROTOCOLS.get(buffer[at + 3]) or c.UNKNOWN_PAYLOAD


def nsh(buffer: Any, cursor: Any) -> int:
    """Network service header (RFC 8300)."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = (buffer[at + 1] & 63) * 4
    if length < 8:
        return c.MALFORMED
    cursor[c.AT] = at + length
    return _NEXT_PROTOCOLS.get(buffer[at + 3]) or c.UNKNOWN_PAYLOAD


_NEXT_PROTOCOLS = {1: c.IPV4, 2: c.IPV6, 3: c.ETHERNET, 4: c.NSH, 5: c.MPLS}


def l2tp(buffer: Any, cursor: Any) -> int:
    """L2TP version 2 data message (RFC 2661)."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 8 > limit:
        return c.CUT_SHORT
    flags = u16(buffer, at, BIG)
    if flags & 15 == 3 and not flags & 0x8000:
        return l2tpv3(buffer, cursor, at + 4)
    if flags & 0x8000 or flags & 15 != 2:
        return c.CONTROL
    after = at + 6 + (2 if flags & 0x4000 else 0) + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        if after + 2 > limit:
            return c.CUT_SHORT
        after += 2 + u16(buffer, after, BIG)
    return c.skip(cursor, after - at, c.PPP)


def l2tpv3_over_ip(buffer: Any, cursor: Any) -> int:
    """L2TP version 3 directly over IP (RFC 3931): session 0 is its control channel."""
    return l2tpv3(buffer, cursor, cursor[c.AT])


def l2tpv3(buffer: Any, cursor: Any, at: int) -> int:
    """A session whose cookie and payload were agreed out of sight: Ethernet where its type makes sense."""
    limit = cursor[c.LIMIT]
    if at + 4 > limit or u32(buffer, at, BIG) == 0:
        return c.CONTROL
    for skipped in (4, 8, 12, 16):
        place = at + skipped + 12
        if place + 2 <= limit and by_ethertype(u16(buffer, place, BIG)) > 0:
            cursor[c.AT] = at + skipped
            return c.ETHERNET
    return c.UNKNOWN_PAYLOAD


def teredo(buffer: Any, cursor: Any) -> int:
    """RFC 4380: IPv6, behind authentication and origin indications."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 4 <= limit and u16(buffer, at, BIG) == 1:
        at += 13 + buffer[at + 2] + buffer[at + 3]
    if at + 2 <= limit and u16(buffer, at, BIG) == 0:
        at += 8
    if at >= limit or buffer[at] >> 4 != 6:
        return c.IP_PROTOCOL - UDP_PROTOCOL
    cursor[c.AT] = at
    return c.IPV6


def ayiya(buffer: Any, cursor: Any) -> int:
    """AYIYA (draft-massar-v6ops-ayiya): identity and signature of stated lengths, an IP protocol."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    identity_len = 1 << (buffer[at] >> 4)
    signature_len = (buffer[at + 1] >> 4) * 4
    return c.skip(cursor, 8 + identity_len + signature_len, by_protocol(buffer[at + 3]))


def tzsp(buffer: Any, cursor: Any) -> int:
    """TaZmen sniffer protocol: tagged fields up to the end tag, then Ethernet."""
    at, limit = cursor[c.AT] + 4, cursor[c.LIMIT]
    if at > limit:
        return c.CUT_SHORT
    if u16(buffer, at - 2, BIG) != 1:
        return c.UNKNOWN_PAYLOAD
    while at + 1 < limit and buffer[at] != 1:
        at += 1 if buffer[at] == 0 else 2 + buffer[at + 1]
    return c.skip(cursor, at + 1 - cursor[c.AT], c.ETHERNET)


TUNNELS: dict[int, Step] = {
    c.PSEUDOWIRE: pseudowire,
    c.FABRIC_PATH: fabric_path,
    c.PROVIDER_BACKBONE: provider_backbone,
    c.ETHER_IP: ether_ip,
    c.ERSPAN_III: erspan_iii,
    c.WCCP: wccp,
    c.VXLAN_GPE: vxlan_gpe,
    c.NSH: nsh,
    c.L2TP: l2tp,
    c.L2TPV3: l2tpv3_over_ip,
    c.TEREDO: teredo,
    c.AYIYA: ayiya,
    c.TZSP: tzsp,
}
