"""Link-layer headers: one step of the walk each (a kernel module).

A step reads the header at cursor[AT], moves cursor[AT] behind it and returns the kind of what follows.
"""

from tcptrace.capture.cursor import (
    AT,
    CISCO_HDLC,
    CUT_SHORT,
    DIRECTION,
    ETAG,
    ETHERNET,
    ETHERTYPE,
    FABRIC_PATH,
    FRAME_RELAY,
    IF_INDEX,
    IPV4,
    IPV6,
    LIMIT,
    LLC,
    MALFORMED,
    MPLS,
    NSH,
    NULL,
    NULL_FAMILY,
    OTHER_LINK,
    PPP,
    PPP_PROTOCOL,
    PPPOE,
    PROVIDER_BACKBONE,
    RAW_IP,
    SLL,
    SLL2,
    SLL_PROTOCOL,
    VLAN,
    VNTAG,
    shorten,
)
from tcptrace.capture.words import BIG, LITTLE, u16, u32
from tcptrace.schema import I64, U8

LENGTH_MAX = 1500
"""A type field up to here is the length of an IEEE 802.3 frame."""

# Tables of a number and the kind that it announces, in turn, the commonest first.
# fmt: off
_LINK_TYPES = (
    1, ETHERNET, 113, SLL, 276, SLL2, 101, RAW_IP, 12, RAW_IP, 14, RAW_IP, 228, IPV4, 229, IPV6, 0, NULL, 108, NULL,
    9, PPP, 50, PPP, 51, PPPOE, 104, CISCO_HDLC, 107, FRAME_RELAY,
)
_ETHERTYPES = (
    0x0800, IPV4, 0x86DD, IPV6, 0x8100, VLAN, 0x88A8, VLAN, 0x9100, VLAN, 0x8847, MPLS, 0x8848, MPLS, 0x8864, PPPOE,
    0x6558, ETHERNET, 0x894F, NSH, 0x8926, VNTAG, 0x893F, ETAG, 0x8909, ETAG, 0x8903, FABRIC_PATH,
    0x88E7, PROVIDER_BACKBONE,
)
_PPP_PROTOCOLS = (0x0021, IPV4, 0x0057, IPV6, 0x0281, MPLS, 0x0283, MPLS, 0x0800, IPV4, 0x86DD, IPV6)
# fmt: on

_TYPED_LENS = (14, 4, 6, 8)
"""Of ETHERNET, VLAN, VNTAG, ETAG."""

_PACKET_OUTGOING = 4
_ARPHRD_NETLINK = 824
_ARPHRD_FRAD = 770
_ARPHRD_RADIOTAP = 803


def of_link_type(link_type: int) -> int:
    """What a frame of that LINKTYPE_ begins with (https://www.tcpdump.org/linktypes.html)."""
    for place in range(0, len(_LINK_TYPES), 2):
        if _LINK_TYPES[place] == link_type:
            return _LINK_TYPES[place + 1]
    return OTHER_LINK + link_type


def by_ethertype(number: int) -> int:
    """What an ethertype announces (IEEE 802 numbers)."""
    for place in range(0, len(_ETHERTYPES), 2):
        if _ETHERTYPES[place] == number:
            return _ETHERTYPES[place + 1]
    return ETHERTYPE - number


def typed(buffer: U8, cursor: I64, kind: int) -> int:
    """A header that ends in an ethertype or an IEEE 802.3 length: Ethernet and the tags of 4, 6 or 8 bytes."""
    after = cursor[AT] + _TYPED_LENS[kind - ETHERNET]
    if after > cursor[LIMIT]:
        return CUT_SHORT
    cursor[AT] = after
    number = u16(buffer, after - 2, BIG)
    if number > LENGTH_MAX:
        return by_ethertype(number)
    shorten(cursor, after + number)
    return LLC


def cooked(buffer: U8, cursor: I64, kind: int) -> int:
    """Linux cooked header (LINKTYPE_LINUX_SLL, _SLL2): version 2 also has the interface's index."""
    at = cursor[AT]
    length = 16 if kind == SLL else 20
    if at + length > cursor[LIMIT]:
        return CUT_SHORT
    cursor[AT] = at + length
    if kind == SLL:
        packet_type = u16(buffer, at, BIG)
        hardware = u16(buffer, at + 2, BIG)
        number = u16(buffer, at + 14, BIG)
    else:
        number = u16(buffer, at, BIG)
        cursor[IF_INDEX] = u32(buffer, at + 4, BIG) & 0x7FFFFFFF
        hardware = u16(buffer, at + 8, BIG)
        packet_type = buffer[at + 10]
    if packet_type <= _PACKET_OUTGOING:
        cursor[DIRECTION] = packet_type // _PACKET_OUTGOING
    if hardware in (_ARPHRD_NETLINK, _ARPHRD_FRAD, _ARPHRD_RADIOTAP):
        return SLL_PROTOCOL - number
    if number > LENGTH_MAX:
        return by_ethertype(number)
    if number == 4:
        return LLC
    return SLL_PROTOCOL - number


def raw_ip(buffer: U8, cursor: I64) -> int:
    """No link layer; some Linux PPP drivers leave remains of their header in front."""
    at = cursor[AT]
    if at + 4 > cursor[LIMIT]:
        return CUT_SHORT
    for skipped in range(3):
        if u16(buffer, at + skipped, BIG) == 0xFF03:
            cursor[AT] = at + skipped
            return PPP
    version = buffer[at] // 16
    if version == 4:
        return IPV4
    if version == 6:
        return IPV6
    return MALFORMED


def null(buffer: U8, cursor: I64) -> int:
    """BSD loopback: the address family in the byte order of the machine or the network, or an ethertype."""
    at = cursor[AT]
    if at + 4 > cursor[LIMIT]:
        return CUT_SHORT
    if u16(buffer, at + 2, BIG) == 0xFF03:
        cursor[AT] = at + 2
        return PPP
    cursor[AT] = at + 4
    number = u32(buffer, at, BIG)
    if number > 0xFFFF:
        number = number >> 16 if number < 0x60000 else u32(buffer, at, LITTLE)
    elif number & 0xFF == 0 and number < 0x600:
        number >>= 8
    if number == 2:
        return IPV4
    if number in (10, 24, 28, 30):
        return IPV6
    if LENGTH_MAX < number <= 0xFFFF:
        return by_ethertype(number)
    return NULL_FAMILY - min(number, 0xFFFF)


def ppp(buffer: U8, cursor: I64) -> int:
    """PPP, with or without address and control field and with either form of protocol (RFC 1661, 1662)."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at < limit and buffer[at] == 0xFF:
        at += 2
    if at + 2 > limit:
        return CUT_SHORT
    number = u16(buffer, at, BIG)
    cursor[AT] = at + 2
    if number & 0x100:
        number >>= 8
        cursor[AT] = at + 1
    for place in range(0, len(_PPP_PROTOCOLS), 2):
        if _PPP_PROTOCOLS[place] == number:
            return _PPP_PROTOCOLS[place + 1]
    return PPP_PROTOCOL - number


def pppoe(buffer: U8, cursor: I64) -> int:
    """PPPoE session (RFC 2516)."""
    at = cursor[AT]
    if at + 6 > cursor[LIMIT]:
        return CUT_SHORT
    shorten(cursor, at + 6 + u16(buffer, at + 4, BIG))
    cursor[AT] = at + 6
    return PPP
