"""Where a walk through the headers of a frame stands: one small array of numbers (a kernel module).

The walk goes from header to header. A step reads the header that begins at `AT` and names what
follows by a kind: a header that a kernel knows, one that `dissect` knows (from LONG_TAIL on), TCP,
or STOP with a verdict. `END` is where the enclosing lengths say that the data ends and may lie
beyond what was captured; `LIMIT` is where reading must end.
"""

from tcptrace.schema import I64

AT = 0
LIMIT = 1
END = 2
KIND = 3
VERDICT = 4
IP_AT = 5
FRAGMENT = 6
QUOTED = 7
IF_INDEX = 8
DIRECTION = 9
LAYERS = 10
CURSOR_SIZE = 11

LAYERS_MAX = 100
"""Headers in one frame; what nests deeper is hostile."""

STOP = 0
TCP = 1
IPV4 = 2
IPV6 = 3
ETHERNET = 4
VLAN = 5
SLL = 6
SLL2 = 7
RAW_IP = 8
NULL = 9
PPP = 10
PPPOE = 11
MPLS = 12
EXTENSION_HEADER = 13
FRAGMENT_HEADER = 14
AUTHENTICATION_HEADER = 15
ICMP = 16
ICMPV6 = 17
UDP = 18
GRE = 19
ERSPAN_II = 20
VXLAN = 21
GENEVE = 22
GTP = 23
VNTAG = 24
ETAG = 25

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

NEXT_FRAME = -1
"""As a kind: no frame is begun."""
NO_ROOM = -2
"""In place of a kind: the addresses need more room before this frame."""

# Verdicts: what a frame is, as far as it could be followed. A number of one of these spaces, added to it ...
ETHERTYPE = 0x10000
IP_PROTOCOL = 0x20000
LINK_TYPE = 0x30000
PPP_PROTOCOL = 0x40000
LLC_SAP = 0x50000
NULL_FAMILY = 0x60000
SLL_PROTOCOL = 0x70000
SNAP = 0x80000
NLPID = 0x90000
# ... or one of these.
IS_TCP = 0
CUT_SHORT = 1
MALFORMED = 2
LATER_FRAGMENT = 3
TOO_DEEP = 4
CONTROL = 5
"""A tunnel's own message, not what it carries."""
UNKNOWN_PAYLOAD = 6
ENCRYPTED = 7
NO_DATA_WLAN = 8


def stop(cursor: I64, verdict: int) -> int:
    """End the walk with a verdict on the frame; what quotes another frame keeps its own."""
    if cursor[QUOTED] == 0:
        cursor[VERDICT] = verdict
    return STOP


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
        return stop(cursor, CUT_SHORT)
    cursor[AT] = after
    return kind
