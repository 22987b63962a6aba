"""Where a walk through the headers of a frame stands: one small array of numbers (a kernel module).

The walk goes from header to header. A step reads the header that begins at `AT`, moves `AT` behind it
and returns the kind of what follows: a header that a kernel knows, one that `dissect` knows (from
LONG_TAIL on), TCP, or below 0 a verdict, where the walk ends. `END` is where the enclosing lengths say
that the data ends and may lie beyond what was captured; `LIMIT` is where reading must end.
"""

from tcptrace.schema import I64

AT = 0
LIMIT = 1
END = 2
KIND = 3
IP_AT = 4
FRAGMENT = 5
QUOTED = 6
"""The verdict on a frame that quotes another one; else 0."""
IF_INDEX = 7
DIRECTION = 8
LAYERS = 9
ICMP_AT = 10
"""The ICMP error that quotes, and below it the IP header of who reported it; where QUOTED is 0, of an earlier frame."""
REPORTER_AT = 11
DST_AT = 12
"""Where the address stands that the innermost IP header's packet is for in the end."""
CURSOR_SIZE = 13

LAYERS_MAX = 100
"""Headers in one frame; what nests deeper is hostile."""

NEXT_FRAME = 0
"""No header: the frame has not been begun."""
TCP = 1
IPV4 = 2
IPV6 = 3
ETHERNET = 4
VLAN = 5
VNTAG = 6
ETAG = 7
SLL = 8
SLL2 = 9
RAW_IP = 10
NULL = 11
PPP = 12
PPPOE = 13
MPLS = 14
EXTENSION_HEADER = 15
FRAGMENT_HEADER = 16
AUTHENTICATION_HEADER = 17
ICMP = 18
ICMPV6 = 19
UDP = 20
GRE = 21
ERSPAN = 22
VXLAN = 23
GENEVE = 24
GTP = 25
ROUTING_HEADER = 26

LONG_TAIL = 64
"""Kinds from here on are dissected in Python."""
LLC = 64
PSEUDOWIRE = 65
NSH = 66
PROVIDER_BACKBONE = 67
FABRIC_PATH = 68
ERSPAN_III = 69
VXLAN_GPE = 70
L2TP = 71
L2TPV3 = 72
TEREDO = 73
AYIYA = 74
TZSP = 75
ETHER_IP = 76
CAPWAP = 77
WLAN = 78
CISCO_HDLC = 79
FRAME_RELAY = 80
WCCP = 81
OTHER_LINK = 1000
"""Plus the LINKTYPE_ number: a link type that no kernel knows."""

# Verdicts: what a frame is, as far as it could be followed. One of these ...
IS_TCP = 0
CUT_SHORT = -1
MALFORMED = -2
LATER_FRAGMENT = -3
TOO_DEEP = -4
CONTROL = -5
"""A tunnel's own message, not what it carries."""
UNKNOWN_PAYLOAD = -6
ENCRYPTED = -7
NO_DATA_WLAN = -8
DNS = -9
"""UDP from the port of DNS; the cursor stands at the UDP header."""
# ... or one of these minus a number of up to 16 bits.
ETHERTYPE = -0x10000
IP_PROTOCOL = -0x20000
LINK_TYPE = -0x30000
PPP_PROTOCOL = -0x40000
LLC_SAP = -0x50000
NULL_FAMILY = -0x60000
SLL_PROTOCOL = -0x70000
SNAP = -0x80000
NLPID = -0x90000


def shorten(cursor: I64, end: int) -> int:
    """Let the data end at `end` if it did not end before; 0."""
    if end < cursor[END]:
        cursor[END] = end
        if end < cursor[LIMIT]:
            cursor[LIMIT] = end
    return 0


def skip(cursor: I64, length: int, kind: int) -> int:
    """A header of `length` bytes in front of what is always a `kind`."""
    after = cursor[AT] + length
    if after > cursor[LIMIT]:
        return CUT_SHORT
    cursor[AT] = after
    return kind
