"""The walk through the headers of a frame (a kernel module)."""

from tcptrace.capture.cursor import (
    AT,
    DIRECTION,
    END,
    ERSPAN,
    ETAG,
    ETHERNET,
    FRAGMENT,
    GENEVE,
    GRE,
    GTP,
    ICMP,
    ICMPV6,
    IF_INDEX,
    IP_AT,
    IPV4,
    IPV6,
    LAYERS,
    LAYERS_MAX,
    LIMIT,
    LONG_TAIL,
    MPLS,
    NULL,
    PPP,
    PPPOE,
    QUOTED,
    RAW_IP,
    SLL2,
    TCP,
    TOO_DEEP,
    UDP,
    VXLAN,
    skip,
)
from tcptrace.capture.internet import extension_header, icmp, ipv4, ipv6
from tcptrace.capture.link_layer import cooked, null, ppp, pppoe, raw_ip, typed
from tcptrace.capture.tunnels import erspan, geneve, gre, gtp, mpls, udp
from tcptrace.schema import I64, U8

WIRESHARK_LENGTH_MAX = 0x7FFFFFFF
"""A frame that claims to have been longer counts as that long."""


def begin(cursor: I64, at: int, captured_len: int, original_len: int) -> int:
    """Stand at the first byte of a frame; 0. What was captured was there, whatever the original length claims."""
    cursor[AT] = at
    cursor[END] = at + min(max(original_len, captured_len), WIRESHARK_LENGTH_MAX)
    cursor[LIMIT] = at + captured_len
    cursor[IP_AT] = -1
    cursor[FRAGMENT] = 0
    cursor[QUOTED] = 0
    cursor[IF_INDEX] = -1
    cursor[DIRECTION] = -1
    cursor[LAYERS] = 0
    return 0


def walk(buffer: U8, cursor: I64, kind: int) -> int:  # noqa: C901  one line a kind
    """Go on from a header of that kind to TCP, a kind of the long tail or a verdict."""
    while TCP < kind < LONG_TAIL:
        if cursor[LAYERS] == LAYERS_MAX:
            return TOO_DEEP
        cursor[LAYERS] += 1
        if kind == IPV4:
            kind = ipv4(buffer, cursor)
        elif kind == IPV6:
            kind = ipv6(buffer, cursor)
        elif kind <= ETAG:
            kind = typed(buffer, cursor, kind)
        elif kind <= SLL2:
            kind = cooked(buffer, cursor, kind)
        elif kind == RAW_IP:
            kind = raw_ip(buffer, cursor)
        elif kind == NULL:
            kind = null(buffer, cursor)
        elif kind == UDP:
            kind = udp(buffer, cursor)
        elif kind in (ICMP, ICMPV6):
            kind = icmp(buffer, cursor, kind)
        elif kind == VXLAN:
            kind = skip(cursor, 8, ETHERNET)
        elif kind == ERSPAN:
            kind = erspan(buffer, cursor)
        elif kind == GRE:
            kind = gre(buffer, cursor)
        elif kind == MPLS:
            kind = mpls(buffer, cursor)
        elif kind == PPPOE:
            kind = pppoe(buffer, cursor)
        elif kind == PPP:
            kind = ppp(buffer, cursor)
        elif kind == GENEVE:
            kind = geneve(buffer, cursor)
        elif kind == GTP:
            kind = gtp(buffer, cursor)
        else:
            kind = extension_header(buffer, cursor, kind)
    return kind
