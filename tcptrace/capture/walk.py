"""The walk through the headers of a frame, and the row it may end in (a kernel module)."""

from tcptrace.capture.addresses import intern
from tcptrace.capture.cursor import (
    AT,
    AUTHENTICATION_HEADER,
    CUT_SHORT,
    DIRECTION,
    END,
    ERSPAN_II,
    ERSPAN_III,
    ETAG,
    ETHER_IP,
    ETHERNET,
    EXTENSION_HEADER,
    FABRIC_PATH,
    FATE,
    FRAGMENT,
    FRAGMENT_HEADER,
    GENEVE,
    GRE,
    GTP,
    ICMP,
    IF_INDEX,
    IP_AT,
    IPV4,
    IPV6,
    IS_TCP,
    L2TP,
    L2TPV3,
    LAYERS,
    LAYERS_MAX,
    LIMIT,
    LLC,
    LONG_TAIL,
    MPLS,
    NULL,
    PPP,
    PPPOE,
    PROVIDER_BACKBONE,
    PSEUDOWIRE,
    QUOTED,
    RAW_IP,
    SLL,
    SLL2,
    TCP,
    TEREDO,
    TOO_DEEP,
    UDP,
    VLAN,
    VNTAG,
    VXLAN,
    VXLAN_GPE,
    skip,
    stop,
)
from tcptrace.capture.internet import (
    authentication_header,
    extension_header,
    fragment_header,
    icmp,
    icmpv6,
    ipv4,
    ipv6,
)
from tcptrace.capture.link_layer import llc, null, ppp, pppoe, raw_ip, sll, sll2, typed
from tcptrace.capture.tcp_header import MINIMUM, intern_ipv6, options, write
from tcptrace.capture.tunnels import (
    erspan_iii,
    geneve,
    gre,
    gtp,
    l2tp,
    l2tpv3,
    mpls,
    nsh,
    pseudowire,
    teredo,
    tzsp,
    udp,
    vxlan_gpe,
)
from tcptrace.schema import I64, U8, Addresses, Packets


def begin(cursor: I64, at: int, captured_len: int, original_len: int) -> int:
    """Stand at the first byte of a frame; 0."""
    cursor[AT] = at
    cursor[END] = at + original_len
    cursor[LIMIT] = at + min(captured_len, original_len)
    cursor[IP_AT] = -1
    cursor[FRAGMENT] = 0
    cursor[QUOTED] = 0
    cursor[IF_INDEX] = -1
    cursor[DIRECTION] = -1
    cursor[LAYERS] = 0
    return 0


def walk(buffer: U8, cursor: I64, kind: int) -> int:
    """Go on from a header of that kind to TCP, STOP or a kind of the long tail."""
    layers = cursor[LAYERS]
    while TCP < kind < LONG_TAIL:
        if layers == LAYERS_MAX:
            return stop(cursor, FATE, TOO_DEEP)
        layers += 1
        if kind <= IPV6:
            kind = ipv4(buffer, cursor) if kind == IPV4 else ipv6(buffer, cursor)
        elif kind < FRAGMENT_HEADER:
            kind = _below_ip(buffer, cursor, kind)
        elif kind <= UDP:
            kind = _beside_tcp(buffer, cursor, kind)
        else:
            kind = _tunnel(buffer, cursor, kind)
    cursor[LAYERS] = layers
    return kind


def _below_ip(buffer: U8, cursor: I64, kind: int) -> int:  # noqa: C901  one line a kind
    """One step through a link-layer header."""
    if kind == ETHERNET:
        return typed(buffer, cursor, 14)
    if kind == VLAN:
        return typed(buffer, cursor, 4)
    if kind == SLL:
        return sll(buffer, cursor)
    if kind == SLL2:
        return sll2(buffer, cursor)
    if kind == RAW_IP:
        return raw_ip(buffer, cursor)
    if kind == NULL:
        return null(buffer, cursor)
    if kind == MPLS:
        return mpls(buffer, cursor)
    if kind == PPPOE:
        return pppoe(buffer, cursor)
    if kind == PPP:
        return ppp(buffer, cursor)
    if kind == LLC:
        return llc(buffer, cursor)
    if kind == VNTAG:
        return typed(buffer, cursor, 6)
    if kind == ETAG:
        return typed(buffer, cursor, 8)
    if kind == FABRIC_PATH:
        return skip(cursor, 2, ETHERNET)
    if kind == PROVIDER_BACKBONE:
        return skip(cursor, 4, ETHERNET)
    if kind == PSEUDOWIRE:
        return pseudowire(buffer, cursor)
    return nsh(buffer, cursor)


def _beside_tcp(buffer: U8, cursor: I64, kind: int) -> int:
    """One step through what may stand between IP and TCP, or in TCP's place."""
    if kind == UDP:
        return udp(buffer, cursor)
    if kind == EXTENSION_HEADER:
        return extension_header(buffer, cursor)
    if kind == FRAGMENT_HEADER:
        return fragment_header(buffer, cursor)
    if kind == AUTHENTICATION_HEADER:
        return authentication_header(buffer, cursor)
    if kind == ICMP:
        return icmp(buffer, cursor)
    return icmpv6(buffer, cursor)


def _tunnel(buffer: U8, cursor: I64, kind: int) -> int:  # noqa: C901  one line a kind
    """One step through a tunnel's header."""
    if kind == GRE:
        return gre(buffer, cursor)
    if kind == VXLAN:
        return skip(cursor, 8, ETHERNET)
    if kind == GENEVE:
        return geneve(buffer, cursor)
    if kind == GTP:
        return gtp(buffer, cursor)
    if kind == ERSPAN_II:
        return skip(cursor, 8, ETHERNET)
    if kind == ERSPAN_III:
        return erspan_iii(buffer, cursor)
    if kind == VXLAN_GPE:
        return vxlan_gpe(buffer, cursor)
    if kind == L2TP:
        return l2tp(buffer, cursor)
    if kind == L2TPV3:
        return l2tpv3(buffer, cursor)
    if kind == TEREDO:
        return teredo(buffer, cursor)
    if kind == ETHER_IP:
        return skip(cursor, 2, ETHERNET)
    return tzsp(buffer, cursor)


def finish(buffer: U8, cursor: I64, kind: int, packets: Packets, row: int, addresses: Addresses) -> int:
    """The row of a walk that ended at TCP; how many rows were written."""
    at, limit, end = cursor[AT], cursor[LIMIT], cursor[END]
    if kind != TCP or at + MINIMUM > limit:
        if kind == TCP:
            stop(cursor, FATE, CUT_SHORT)
        return 0
    options_end = write(buffer, at, limit, -1 if cursor[FRAGMENT] else end, packets, row)
    if options_end:
        options(buffer, at + 20, options_end, packets, row, addresses)
    _write_network(buffer, cursor[IP_AT], packets, row, addresses)
    packets.if_index[row] = cursor[IF_INDEX]
    packets.direction[row] = cursor[DIRECTION]
    if cursor[QUOTED] == 0:
        stop(cursor, FATE, IS_TCP)
        return 1
    packets.quoted[row] = 1
    if at + 8 <= limit:
        packets.seq[row] = buffer[at + 4] << 24 | buffer[at + 5] << 16 | buffer[at + 6] << 8 | buffer[at + 7]
    return 1


def _write_network(buffer: U8, at: int, packets: Packets, row: int, addresses: Addresses) -> int:
    """The columns that the IP header at `at` fills; its version."""
    version = buffer[at] >> 4
    if version == 4:
        packets.ttl[row] = buffer[at + 8]
        packets.ip_id[row] = buffer[at + 4] << 8 | buffer[at + 5]
        src = buffer[at + 12] << 24 | buffer[at + 13] << 16 | buffer[at + 14] << 8 | buffer[at + 15]
        dst = buffer[at + 16] << 24 | buffer[at + 17] << 16 | buffer[at + 18] << 8 | buffer[at + 19]
        packets.src[row] = intern(addresses, 4, 0, 0, 0, src)
        packets.dst[row] = intern(addresses, 4, 0, 0, 0, dst)
    else:
        packets.ttl[row] = buffer[at + 7]
        packets.src[row] = intern_ipv6(buffer, at + 8, addresses)
        packets.dst[row] = intern_ipv6(buffer, at + 24, addresses)
    return int(version)
