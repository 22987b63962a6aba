"""Link-layer headers: one step of the walk each (a kernel module).

A step reads the header at cursor[AT], moves cursor[AT] behind it and returns the kind of what follows.
"""

from tcptrace.capture.cursor import (
    AT,
    CISCO_HDLC,
    CONTROL,
    CUT_SHORT,
    DIRECTION,
    END,
    ETAG,
    ETHERNET,
    ETHERTYPE,
    FABRIC_PATH,
    FATE,
    FRAME_RELAY,
    IF_INDEX,
    IPV4,
    IPV6,
    LIMIT,
    LLC,
    LLC_SAP,
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
    SNAP,
    VLAN,
    VNTAG,
    shorten,
    stop,
)
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


def by_ethertype(cursor: I64, number: int) -> int:
    """What an ethertype announces (IEEE 802 numbers)."""
    for place in range(0, len(_ETHERTYPES), 2):
        if _ETHERTYPES[place] == number:
            return _ETHERTYPES[place + 1]
    return stop(cursor, ETHERTYPE, number)


def by_ppp_protocol(cursor: I64, number: int) -> int:
    """What a PPP protocol number announces (IANA PPP numbers)."""
    for place in range(0, len(_PPP_PROTOCOLS), 2):
        if _PPP_PROTOCOLS[place] == number:
            return _PPP_PROTOCOLS[place + 1]
    return stop(cursor, PPP_PROTOCOL, number)


def typed(buffer: U8, cursor: I64, length: int) -> int:
    """A header of `length` bytes whose last two are an ethertype or an IEEE 802.3 length."""
    after = cursor[AT] + length
    if after > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = after
    number = buffer[after - 2] << 8 | buffer[after - 1]
    if number > LENGTH_MAX:
        return by_ethertype(cursor, number)
    shorten(cursor, after + number)
    return LLC


def llc(buffer: U8, cursor: I64) -> int:
    """IEEE 802.2, and SNAP (RFC 1042) in it; Novell's raw IPX begins with 0xFFFF."""
    at = cursor[AT]
    if at + 3 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    sap = buffer[at]
    if sap == 0xFF and buffer[at + 1] == 0xFF:
        return stop(cursor, LLC_SAP, 0xFF)
    control = 1 if buffer[at + 2] & 3 == 3 else 2
    after = at + 2 + control
    if sap == 0x06:
        cursor[AT] = after
        return IPV4
    if sap != 0xAA:
        return stop(cursor, LLC_SAP, sap)
    if after + 5 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    organization = buffer[after] << 16 | buffer[after + 1] << 8 | buffer[after + 2]
    number = buffer[after + 3] << 8 | buffer[after + 4]
    cursor[AT] = after + 5
    if organization in (0x000000, 0x0000F8):
        return by_ethertype(cursor, number)
    if organization == 0x0080C2 and number in (1, 7):
        if number == 1:
            shorten(cursor, cursor[END] - 4)
        return ETHERNET
    return stop(cursor, SNAP, number)


def sll(buffer: U8, cursor: I64) -> int:
    """Linux cooked header: packet type, ARPHRD, address, protocol (LINKTYPE_LINUX_SLL)."""
    at = cursor[AT]
    if at + 16 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + 16
    packet_type = buffer[at] << 8 | buffer[at + 1]
    hardware = buffer[at + 2] << 8 | buffer[at + 3]
    return _cooked(cursor, packet_type, hardware, buffer[at + 14] << 8 | buffer[at + 15])


def sll2(buffer: U8, cursor: I64) -> int:
    """Linux cooked header, version 2: also the interface's index (LINKTYPE_LINUX_SLL2)."""
    at = cursor[AT]
    if at + 20 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + 20
    index = buffer[at + 4] << 24 | buffer[at + 5] << 16 | buffer[at + 6] << 8 | buffer[at + 7]
    cursor[IF_INDEX] = index & 0x7FFFFFFF
    hardware = buffer[at + 8] << 8 | buffer[at + 9]
    return _cooked(cursor, buffer[at + 10], hardware, buffer[at] << 8 | buffer[at + 1])


def _cooked(cursor: I64, packet_type: int, hardware: int, number: int) -> int:
    """What a cooked header's protocol announces, which its hardware type (ARPHRD_) may decide."""
    if packet_type <= _PACKET_OUTGOING:
        cursor[DIRECTION] = 1 if packet_type == _PACKET_OUTGOING else 0
    if hardware in (_ARPHRD_NETLINK, _ARPHRD_FRAD, _ARPHRD_RADIOTAP):
        return stop(cursor, SLL_PROTOCOL, number)
    if number > LENGTH_MAX:
        return by_ethertype(cursor, number)
    if number == 3:
        return ETHERNET
    if number == 4:
        return LLC
    if number == 7:
        return PPP
    return stop(cursor, SLL_PROTOCOL, number)


def raw_ip(buffer: U8, cursor: I64) -> int:
    """No link layer; some Linux PPP drivers leave remains of their header in front."""
    at = cursor[AT]
    if at + 4 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    for skip in range(3):
        if buffer[at + skip] == 0xFF and buffer[at + skip + 1] == 0x03:
            cursor[AT] = at + skip
            return PPP
    version = buffer[at] >> 4
    if version == 4:
        return IPV4
    if version == 6:
        return IPV6
    return stop(cursor, FATE, MALFORMED)


def null(buffer: U8, cursor: I64) -> int:
    """BSD loopback: the address family as a 32-bit number in either byte order, or an ethertype."""
    at = cursor[AT]
    if at + 4 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = at + 4
    if buffer[at + 2] == 0xFF and buffer[at + 3] == 0x03:
        cursor[AT] = at + 2
        return PPP
    high, low = buffer[at] << 8 | buffer[at + 1], buffer[at + 2] << 8 | buffer[at + 3]
    number = low
    if high != 0:
        number = high if buffer[at] == 0 and buffer[at + 1] < 6 else buffer[at + 1] << 8 | buffer[at]
    elif buffer[at + 3] == 0 and buffer[at + 2] < 6:
        number = buffer[at + 2]
    if number > LENGTH_MAX:
        return by_ethertype(cursor, number)
    if number == 2:
        return IPV4
    if number in (10, 24, 28, 30):
        return IPV6
    return stop(cursor, NULL_FAMILY, number)


def ppp(buffer: U8, cursor: I64) -> int:
    """PPP, with or without address and control field and with either form of protocol (RFC 1661, 1662)."""
    at, limit = cursor[AT], cursor[LIMIT]
    if at + 2 <= limit and buffer[at] == 0xFF and buffer[at + 1] == 0x03:
        at += 2
    if at + 2 > limit:
        return stop(cursor, FATE, CUT_SHORT)
    if buffer[at] & 1:
        cursor[AT] = at + 1
        return by_ppp_protocol(cursor, buffer[at])
    cursor[AT] = at + 2
    return by_ppp_protocol(cursor, buffer[at] << 8 | buffer[at + 1])


def pppoe(buffer: U8, cursor: I64) -> int:
    """PPPoE session (RFC 2516); a code other than 0 is no session data."""
    at = cursor[AT]
    if at + 6 > cursor[LIMIT]:
        return stop(cursor, FATE, CUT_SHORT)
    if buffer[at + 1] != 0:
        return stop(cursor, FATE, CONTROL)
    end = at + 6 + (buffer[at + 4] << 8 | buffer[at + 5])
    cursor[AT] = at + 6
    cursor[END] = end
    cursor[LIMIT] = min(end, cursor[LIMIT])
    return PPP
