"""What a director believes of a connection: IPVS's state tables, and what it does not see.

A director guesses the endpoints' states from the segments that pass it. With NAT and FULLNAT it sees both ways and
uses INPUT for what the client sends and OUTPUT for what the server sends. With DR and TUN the replies bypass it: it
uses INPUT-ONLY, which takes the client's FIN for half of the close, since it will never see the other. So it shows
FIN_WAIT after a normal close, and never LAST_ACK: that is right, and no fault.

Across: the state before, by IPVS's own short names. Down: what the segment is; of several flags the first of rst, syn,
fin, ack counts. In a cell: the state after. Sources: net/netfilter/ipvs/ip_vs_proto_tcp.c of Linux, src/ipvs/
ip_vs_proto_tcp.c of DPVS. Where sloppy_tcp is set, and in newer kernels, a bare ACK in NONE gives ESTABLISHED.
"""

from collections.abc import Mapping

from tcptrace.flows import ACK, FIN, RST, SYN

SHORT = "NO ES SS SR FW TW CL CW LA LI SA".split()
STATES = ("NONE ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN SYNACK").split()
"""A director's states by IPVS's own names, in the order of the columns."""

EVENTS = (("rst", RST), ("syn", SYN), ("fin", FIN), ("ack", ACK))
"""What a segment is to a director: the first of these flags that it has."""

INPUT = """
       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
syn    SR  ES  ES  SR  SR  SR  SR  SR  SR  SR  SR
fin    CL  CW  SS  TW  TW  TW  CL  CW  LA  LI  TW
ack    CL  ES  SS  ES  FW  TW  CL  CW  CL  LI  ES
rst    CL  CL  CL  SR  CL  CL  CL  CL  LA  LI  SR
"""
OUTPUT = """
       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
syn    SS  ES  SS  SR  SS  SS  SS  SS  SS  LI  SR
fin    TW  FW  SS  TW  FW  TW  CL  TW  LA  LI  TW
ack    ES  ES  SS  ES  FW  TW  CL  CW  LA  ES  ES
rst    CL  CL  SS  CL  CL  TW  CL  CL  CL  CL  CL
"""
INPUT_ONLY = """
       NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
syn    SR  ES  ES  SR  SR  SR  SR  SR  SR  SR  SR
fin    CL  FW  SS  TW  FW  TW  CL  CW  LA  LI  TW
ack    CL  ES  SS  ES  FW  TW  CL  CW  CL  LI  ES
rst    CL  CL  CL  SR  CL  CL  CL  CL  LA  LI  CL
"""
SLOPPY = {("ack", "NONE"): "ESTABLISHED"}
"""The cell that sloppy_tcp changes in INPUT and INPUT-ONLY."""

Table = Mapping[tuple[str, str], str]
"""(event, state) → state after."""


def _read(text: str) -> Table:
    header, *lines = [line.split() for line in text.strip().splitlines()]
    names = dict(zip(SHORT, STATES, strict=True))
    return {
        (event, names[before]): names[after]
        for event, *cells in lines
        for before, after in zip(header, cells, strict=True)
    }


TABLES: Mapping[str, Table] = {
    "input": _read(INPUT),
    "output": _read(OUTPUT),
    "input_only": _read(INPUT_ONLY),
    "sloppy input": {**_read(INPUT), **SLOPPY},
    "sloppy input_only": {**_read(INPUT_ONLY), **SLOPPY},
}


def event_of(flags: int) -> str:
    """What a segment is to a director; empty for one without any of the flags it looks at."""
    return next((name for name, bit in EVENTS if flags & bit), "")


def after(table: str, state: str, flags: int) -> str:
    """The state after a segment with these TCP flags, by one of TABLES."""
    return TABLES[table].get((event_of(flags), state), state)
