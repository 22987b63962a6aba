"""What frames without a TCP row are called in a summary: a verdict of the walk by its name."""

from tcptrace.capture import cursor as c
from tcptrace.capture.link_types import NAMES as LINK_TYPE_NAMES

_FATES = {
    c.CUT_SHORT: "cut short",
    c.MALFORMED: "malformed",
    c.LATER_FRAGMENT: "later fragment",
    c.TOO_DEEP: "nested too deep",
    c.CONTROL: "tunnel control",
    c.UNKNOWN_PAYLOAD: "unknown payload of a tunnel",
    c.ENCRYPTED: "802.11 encrypted",
    c.NO_DATA_WLAN: "802.11 without data",
    c.DNS: "UDP",
}

_NUMBERS: dict[int, dict[int, str]] = {
    c.ETHERTYPE: {
        0x0027: "DEC DRP",
        0x0200: "PUP",
        0x0600: "XNS IDP",
        0x0806: "ARP",
        0x0842: "Wake-on-LAN",
        0x2000: "CDP",
        0x2001: "CGMP",
        0x22F0: "AVTP",
        0x22F3: "TRILL",
        0x6002: "DEC MOP",
        0x6003: "DECnet",
        0x6004: "DEC LAT",
        0x8035: "RARP",
        0x809B: "AppleTalk",
        0x80F3: "AARP",
        0x8137: "IPX",
        0x8808: "Ethernet flow control",
        0x8809: "slow protocols (LACP)",
        0x8863: "PPPoE discovery",
        0x888E: "EAPOL",
        0x8892: "PROFINET",
        0x88A2: "ATA over Ethernet",
        0x88A4: "EtherCAT",
        0x88B8: "GOOSE",
        0x88CA: "TIPC",
        0x88CC: "LLDP",
        0x88E5: "MACsec",
        0x88F7: "PTP",
        0x8902: "CFM",
        0x8906: "FCoE",
        0x8914: "FIP",
        0x8915: "RoCE",
        0x8947: "GeoNetworking",
        0x8899: "Realtek",
        0x9000: "Ethernet loopback",
        0xFEFE: "OSI",
    },
    c.PPP_PROTOCOL: {
        0x002D: "PPP compressed TCP",
        0x002F: "PPP uncompressed TCP",
        0x003D: "PPP multilink",
        0x00FD: "PPP compressed",
        0x8021: "PPP IPCP",
        0x8057: "PPP IPV6CP",
        0x80FD: "PPP CCP",
        0xC021: "PPP LCP",
        0xC023: "PPP PAP",
        0xC223: "PPP CHAP",
    },
    c.LLC_SAP: {0x42: "STP", 0xE0: "IPX", 0xF0: "NetBIOS", 0xFE: "OSI", 0xFF: "IPX"},
    c.NULL_FAMILY: {},
    c.SLL_PROTOCOL: {0x0C: "CAN", 0x0D: "CAN FD"},
    c.SNAP: {0x2000: "CDP", 0x2003: "VTP", 0x2004: "DTP", 0x0108: "STP", 0x010B: "PVST+", 0x0111: "UDLD"},
    c.NLPID: {0x08: "Q.933", 0x09: "LMI", 0x81: "OSI CLNP", 0x82: "OSI ES-IS", 0x83: "OSI IS-IS"},
}

_PROTOCOL_NAMES = {33: "DCCP", 58: "ICMPv6", 59: "IPv6 without payload", 112: "VRRP", 132: "SCTP", 136: "UDP-Lite"}
"""Where dpkt has no name, or another one than is usual."""

_SPACES = {
    c.ETHERTYPE: "ethertype 0x{:04x}",
    c.PPP_PROTOCOL: "PPP protocol 0x{:04x}",
    c.LLC_SAP: "LLC SAP 0x{:02x}",
    c.NULL_FAMILY: "address family {}",
    c.SLL_PROTOCOL: "cooked protocol 0x{:04x}",
    c.SNAP: "SNAP protocol 0x{:04x}",
    c.NLPID: "NLPID 0x{:02x}",
}


def frame_name(verdict: int) -> str:
    """`UDP`, `ARP`, `later fragment`, `ethertype 0x8915 (unknown)`, `link type 281 (unknown)`."""
    number = -verdict & 0xFFFF
    space = verdict + number
    if space == 0:
        return _FATES[verdict]
    if space == c.LINK_TYPE:
        known = LINK_TYPE_NAMES.get(number)
        return f"link type {number} ({known})" if known else f"link type {number} (unknown)"
    if space == c.IP_PROTOCOL:
        return _protocol_name(number)
    return _NUMBERS[space].get(number) or f"{_SPACES[space].format(number)} (unknown)"


def _protocol_name(number: int) -> str:
    """An IP protocol by dpkt's table; 253 and above are for experiments."""
    import dpkt.ip

    name = _PROTOCOL_NAMES.get(number) or (dpkt.ip.get_ip_proto_name(number) if number < 253 else None)
    return str(name) if name else f"IP protocol {number} (unknown)"
