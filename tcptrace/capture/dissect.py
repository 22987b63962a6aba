"""Headers of the long tail, in Python: each step strips one header and hands back to the kernels.

A step has the same contract as the kernels' (see `cursor`). Link types are LINKTYPE_ numbers
(https://www.tcpdump.org/linktypes.html).
"""

from typing import Any, Literal

from tcptrace.capture import cursor as c
from tcptrace.capture.dissect_tunnels import TUNNELS
from tcptrace.capture.dissect_wireless import WIRELESS_LINKS, Step, capwap, wlan
from tcptrace.capture.link_layer import by_ethertype, of_link_type

_UNNUMBERED_INFORMATION = 0x03
_AF_INET = (2,)
_AF_INET6 = (10, 24, 28, 30)
_NFULA_PACKET_HDR = 1
_NFULA_PAYLOAD = 9
_JUNIPER_MAGIC = b"MGC"


def step(buffer: Any, cursor: Any, kind: int) -> int:
    """Strip one header of the long tail; the kind of what follows."""
    if cursor[c.LAYERS] >= c.LAYERS_MAX:
        return c.TOO_DEEP
    cursor[c.LAYERS] += 1
    if kind < c.OTHER_LINK:
        return STEPS[kind](buffer, cursor)
    link_type = kind - c.OTHER_LINK
    if link_type in FIXED_LENGTH:
        return c.skip(cursor, *FIXED_LENGTH[link_type])
    if link_type in LINKS:
        return LINKS[link_type](buffer, cursor)
    return c.LINK_TYPE - (link_type & 0xFFFF)


def llc(buffer: Any, cursor: Any) -> int:
    """IEEE 802.2, and SNAP (RFC 1042) in it; Novell's raw IPX begins with 0xFFFF."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 3 > limit:
        return c.CUT_SHORT
    sap, control = buffer[at], buffer[at + 2]
    unnumbered = control & 3 == 3
    after = at + 3 if unnumbered else at + 4
    if unnumbered and control & 0xEF != _UNNUMBERED_INFORMATION:
        return c.LLC_SAP - int(sap)
    if sap == 0x06:
        cursor[c.AT] = after
        return c.IPV4
    if sap != 0xAA or buffer[at + 1] != 0xAA:
        return c.LLC_SAP - int(sap)
    if after + 5 > limit:
        return c.CUT_SHORT
    organization, number = _big(buffer, after, 3), _big(buffer, after + 3, 2)
    cursor[c.AT] = after + 5
    if organization in (0x000000, 0x0000F8):
        return by_ethertype(number)
    if organization == 0x0080C2 and number in (1, 7):
        c.shorten(cursor, cursor[c.END] - (4 if number == 1 else 0))
        return c.ETHERNET
    return c.SNAP - number


def cisco_hdlc(buffer: Any, cursor: Any) -> int:
    """Cisco HDLC: address, control, ethertype."""
    return _typed(buffer, cursor, 2, 4)


def frame_relay(buffer: Any, cursor: Any) -> int:
    """Q.922 address, then RFC 2427 (control 3, NLPID) or Cisco's ethertype."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    while at < limit and not buffer[at] & 1:
        at += 1
    at += 1
    if at + 2 > limit:
        return c.CUT_SHORT
    if buffer[at] != 3:
        cursor[c.AT] = at + 2
        return by_ethertype(_big(buffer, at, 2))
    at += 2 if buffer[at + 1] == 0 else 1
    cursor[c.AT] = at + 1
    nlpid = buffer[at] if at < limit else 0
    if nlpid == 0x80 and at + 6 <= limit:
        cursor[c.AT] = at + 6
        return by_ethertype(_big(buffer, at + 4, 2))
    return {0xCC: c.IPV4, 0x8E: c.IPV6, 0xCF: c.PPP}.get(nlpid) or c.NLPID - nlpid


def nflog(buffer: Any, cursor: Any) -> int:
    """Linux netfilter log: family, version, resource, then TLVs in the host's byte order."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 4 > limit:
        return c.CUT_SHORT
    kind = _of_family(buffer[at])
    at += 4
    while at + 4 <= limit:
        order: Literal["little", "big"] = "little" if buffer[at + 1] == 0 or buffer[at + 3] & 0x7F == 0 else "big"
        length = int.from_bytes(buffer[at : at + 2], order)
        tag = int.from_bytes(buffer[at + 2 : at + 4], order)
        if length < 4:
            break
        if tag & 0x7FFF == _NFULA_PACKET_HDR and at + 6 <= limit:
            protocol = _big(buffer, at + 4, 2)
            kind = by_ethertype(protocol) if protocol else kind
        if tag & 0x7FFF == _NFULA_PAYLOAD:
            cursor[c.AT] = at + 4
            c.shorten(cursor, at + length)
            return kind or c.UNKNOWN_PAYLOAD
        at += length + -length % 4
    return c.MALFORMED


def fddi(buffer: Any, cursor: Any) -> int:
    """FDDI: frame control, addresses; asynchronous LLC frames carry data."""
    at = cursor[c.AT]
    if at < cursor[c.LIMIT] and buffer[at] & 0xF0 != 0x50:
        return c.LINK_TYPE - 10
    return c.skip(cursor, 13, c.LLC)


def token_ring(buffer: Any, cursor: Any) -> int:
    """IEEE 802.5: access and frame control, addresses, source route if the sender's first bit is set."""
    at = cursor[c.AT]
    if at + 15 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    route = buffer[at + 14] & 31 if buffer[at + 8] & 0x80 else 0
    return c.skip(cursor, 14 + route, c.LLC)


def arcnet(buffer: Any, cursor: Any) -> int:
    """ARCNET as BSD captures it: addresses, protocol (RFC 1201, RFC 1051)."""
    return _arcnet(buffer, cursor, cursor[c.AT] + 2)


def arcnet_linux(buffer: Any, cursor: Any) -> int:
    """ARCNET as Linux captures it: two bytes of offset before the protocol."""
    return _arcnet(buffer, cursor, cursor[c.AT] + 4)


def _arcnet(buffer: Any, cursor: Any, at: int) -> int:
    """What follows the protocol byte at `at`; RFC 1201's numbers have a fragmentation header."""
    if at + 5 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    protocol = buffer[at]
    if protocol in (0xF0, 0xF1):
        cursor[c.AT] = at + 1
    else:
        cursor[c.AT] = at + (8 if buffer[at + 1] == 0xFF else 4)
    return {0xF0: c.IPV4, 0xD4: c.IPV4, 0xC4: c.IPV6}.get(protocol) or c.LINK_TYPE - 7


def ipoib(buffer: Any, cursor: Any) -> int:
    """IP over InfiniBand (RFC 4391) behind a global routing header: ethertype, two bytes reserved."""
    return _typed(buffer, cursor, 40, 44)


def apple_firewire(buffer: Any, cursor: Any) -> int:
    """IP over IEEE 1394 as macOS captures it: two EUI-64 addresses, ethertype."""
    return _typed(buffer, cursor, 16, 18)


def pflog(buffer: Any, cursor: Any) -> int:
    """OpenBSD's packet filter log: its length, rounded up to four bytes, and the address family."""
    at = cursor[c.AT]
    if at + 4 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = buffer[at] + -buffer[at] % 4
    return c.skip(cursor, max(length, 4), _of_family(buffer[at + 1]) or c.RAW_IP)


def ppi(buffer: Any, cursor: Any) -> int:
    """Per-packet information: version, flags, length and link type, little-endian."""
    at = cursor[c.AT]
    if at + 8 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = int.from_bytes(buffer[at + 2 : at + 4], "little")
    return c.skip(cursor, max(length, 8), of_link_type(int.from_bytes(buffer[at + 4 : at + 8], "little")))


def pktap(buffer: Any, cursor: Any) -> int:
    """Apple's PKTAP: length, kind of record, link type, little-endian."""
    at = cursor[c.AT]
    if at + 12 > cursor[c.LIMIT]:
        return c.CUT_SHORT
    length = int.from_bytes(buffer[at : at + 4], "little")
    return c.skip(cursor, max(length, 12), of_link_type(int.from_bytes(buffer[at + 8 : at + 12], "little")))


def with_direction(kind: int) -> Step:
    """A byte that says 0 for received, else sent, in front of a header of that kind."""

    def directed(buffer: Any, cursor: Any) -> int:
        if cursor[c.AT] < cursor[c.LIMIT]:
            cursor[c.DIRECTION] = 1 if buffer[cursor[c.AT]] else 0
        return c.skip(cursor, 1, kind)

    return directed


def erf(buffer: Any, cursor: Any) -> int:
    """Endace record: time, type, lengths, extension headers; Ethernet has two bytes more."""
    at, limit = cursor[c.AT], cursor[c.LIMIT]
    if at + 16 > limit:
        return c.CUT_SHORT
    form, more = buffer[at + 8] & 0x7F, buffer[at + 8] & 0x80
    length = _big(buffer, at + 14, 2) + (2 if form in _ERF_ETHERNET else 0)
    at += 16
    while more and at + 8 <= limit:
        more = buffer[at] & 0x80
        at += 8
    c.shorten(cursor, at + length)
    cursor[c.AT] = at
    if form in _ERF_ETHERNET:
        return c.skip(cursor, 2, c.ETHERNET)
    return {22: c.IPV4, 23: c.IPV6}.get(form) or c.LINK_TYPE - 197


_ERF_ETHERNET = (2, 11, 16, 20)


def juniper_ethernet(buffer: Any, cursor: Any) -> int:
    """Juniper's capture header: magic, flags, extensions; then Ethernet."""
    at = cursor[c.AT]
    if at + 6 > cursor[c.LIMIT] or bytes(buffer[at : at + 3]) != _JUNIPER_MAGIC:
        return c.MALFORMED
    return c.skip(cursor, 6 + _big(buffer, at + 4, 2) if buffer[at + 3] & 0x80 else 4, c.ETHERNET)


def _typed(buffer: Any, cursor: Any, place: int, length: int) -> int:
    """A header of `length` bytes that has an ethertype at `place`."""
    at = cursor[c.AT]
    if at + length > cursor[c.LIMIT]:
        return c.CUT_SHORT
    cursor[c.AT] = at + length
    return by_ethertype(_big(buffer, at + place, 2))


def _of_family(family: int) -> int:
    """The kind of an address family (AF_ numbers differ between systems); 0 for others."""
    if family in _AF_INET:
        return c.IPV4
    return c.IPV6 if family in _AF_INET6 else 0


def _big(buffer: Any, at: int, length: int) -> int:
    """A big-endian number; the caller has checked that it is there."""
    return int.from_bytes(buffer[at : at + length], "big")


STEPS: dict[int, Step] = {
    **TUNNELS,
    c.LLC: llc,
    c.WLAN: wlan,
    c.CISCO_HDLC: cisco_hdlc,
    c.FRAME_RELAY: frame_relay,
    c.CAPWAP: capwap,
}

FIXED_LENGTH = {
    8: (16, c.RAW_IP),
    11: (0, c.LLC),
    19: (0, c.RAW_IP),
    100: (0, c.LLC),
    106: (0, c.LLC),
    109: (12, c.RAW_IP),
    122: (16, c.LLC),
    219: (0, c.MPLS),
    226: (24, c.RAW_IP),
    240: (4, c.ETHERNET),
    241: (12, c.ETHERNET),
}
"""Link types whose header says nothing that matters: its length and what follows."""

LINKS: dict[int, Step] = {
    **WIRELESS_LINKS,
    6: token_ring,
    7: arcnet,
    10: fddi,
    117: pflog,
    129: arcnet_linux,
    138: apple_firewire,
    166: with_direction(c.PPP),
    178: juniper_ethernet,
    192: ppi,
    197: erf,
    204: with_direction(c.PPP),
    205: with_direction(c.CISCO_HDLC),
    206: with_direction(c.FRAME_RELAY),
    239: nflog,
    242: ipoib,
    258: pktap,
}
