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
MPLS = 10
PPPOE = 11
PPP = 12
LLC = 13
VNTAG = 14
ETAG = 15
FABRIC_PATH = 16
PROVIDER_BACKBONE = 17
PSEUDOWIRE = 18
NSH = 19
FRAGMENT_HEADER = 20
EXTENSION_HEADER = 21
AUTHENTICATION_HEADER = 22
ICMP = 23
ICMPV6 = 24
UDP = 25
GRE = 26
ERSPAN_II = 27
ERSPAN_III = 28
VXLAN = 29
VXLAN_GPE = 30
GENEVE = 31
GTP = 32
L2TP = 33
L2TPV3 = 34
TEREDO = 35
ETHER_IP = 36
TZSP = 37

LONG_TAIL = 64
"""Kinds from here on are dissected in Python."""
WLAN = 65
CISCO_HDLC = 66
FRAME_RELAY = 67
CAPWAP = 68
OTHER_LINK = 1000
"""Plus the LINKTYPE_ number: a link type that no kernel knows."""

ROOM = -1
"""In place of a kind: the addresses need more room before this frame."""

VERDICT_SPACE = 0x10000
"""A verdict is the name space of a number, times this, plus the number."""
FATE = 0
ETHERTYPE = 1
IP_PROTOCOL = 2
LINK_TYPE = 3
PPP_PROTOCOL = 4
LLC_SAP = 5
NULL_FAMILY = 6
SLL_PROTOCOL = 7
SNAP = 8
NLPID = 9

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


def stop(cursor: I64, space: int, number: int) -> int:
    """End the walk: `number` of the name space is what the frame is; what quotes another frame stays itself."""
    if cursor[QUOTED] == 0:
        cursor[VERDICT] = space * VERDICT_SPACE + number
    return STOP


def quoted(cursor: I64, length: int, protocol: int) -> int:
    """An ICMP error of `length` bytes in front of what it quotes: the frame's verdict is said; 0."""
    stop(cursor, IP_PROTOCOL, protocol)
    cursor[QUOTED] = 1
    cursor[AT] += length
    return 0


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
        return stop(cursor, FATE, CUT_SHORT)
    cursor[AT] = after
    return kind
