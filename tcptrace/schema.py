"""Every table: the name, dtype, unit and one-line meaning of each column; nothing else.

A table is a NamedTuple of one-dimensional arrays of equal length, one array a column, so that
the same object can be handed to a kernel (compiled or not), sliced, and turned into pandas.
"""

from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

UNKNOWN = -1
"""In integer columns: the frame does not say (cut short, not printed, not applicable)."""

NO_TIME = -(2**63)
"""In time columns: no time is known (numpy's and pandas' NaT)."""

SACK_BLOCKS_MAX = 4
"""A segment's 40 bytes of options hold at most four blocks (RFC 2018 section 3)."""

U8 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]

DTYPES: dict[Any, type[np.integer[Any]]] = {
    U8: np.uint8,
    I8: np.int8,
    I16: np.int16,
    I32: np.int32,
    I64: np.int64,
    U32: np.uint32,
}


class Column(NamedTuple):
    """What a column means, beside its name and type."""

    unit: str
    meaning: str
    per_row: int = 1
    """Values a row; row i owns the values from i * per_row."""


class Records(NamedTuple):
    """The records of one chunk of a capture file: where each frame lies in the chunk's buffer."""

    offset: Annotated[I64, Column("bytes", "where the frame's first byte lies in the buffer")]
    captured_len: Annotated[I64, Column("bytes", "bytes of the frame that the capture kept")]
    original_len: Annotated[I64, Column("bytes", "bytes the frame had on the wire")]
    time_ns: Annotated[I64, Column("ns", "time of capture since the epoch; NO_TIME when not recorded")]
    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    link_type: Annotated[I32, Column("", "LINKTYPE_ number of the interface")]


class SectionInterfaces(NamedTuple):
    """The interfaces of one pcapng section, as its packet blocks number them, and how their clocks tick."""

    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    link_type: Annotated[I32, Column("", "LINKTYPE_ number")]
    snap_len: Annotated[I64, Column("bytes", "most bytes kept of a frame")]
    tick_ns: Annotated[I64, Column("ns", "a tick's length; 0 when shorter than 1 ns, or a power of two")]
    half_ticks: Annotated[I64, Column("", "half the ticks of 1 ns, decimal ticks shorter than that; else 0")]
    binary_digits: Annotated[I64, Column("", "a tick is 2**-n seconds; -1 for decimal ticks")]
    shift_ns: Annotated[I64, Column("ns", "added to every time")]


class Addresses(NamedTuple):
    """Every distinct address of a capture, once, by number; columns differ in length."""

    words: Annotated[U32, Column("", "family (4 or 6) and the address as four 32-bit words", per_row=5)]
    slots: Annotated[I32, Column("", "hash table of address number + 1; 0 is empty")]
    used: Annotated[I64, Column("", "one value: how many addresses there are")]


class Packets(NamedTuple):
    """Facts as read, one row a TCP header that begins in a frame; nothing here is judged."""

    frame: Annotated[I64, Column("", "number of the frame in its file, from 1")]
    time_ns: Annotated[I64, Column("ns", "time of capture since the epoch; NO_TIME when not recorded")]
    interface: Annotated[I32, Column("", "index into the capture's interfaces")]
    if_index: Annotated[I32, Column("", "interface number inside a cooked (SLL2) header, else -1")]
    direction: Annotated[I8, Column("", "as the capture says: 0 in, 1 out, -1 unsaid")]
    quoted: Annotated[I8, Column("", "1: quoted in an ICMP error; uses up a flow number and makes no row")]
    src: Annotated[I32, Column("", "sender, index into the capture's addresses")]
    dst: Annotated[I32, Column("", "receiver, index into the capture's addresses")]
    sport: Annotated[I32, Column("", "sender's port")]
    dport: Annotated[I32, Column("", "receiver's port")]
    ttl: Annotated[I32, Column("hops", "TTL or hop limit of the innermost IP header")]
    ip_id: Annotated[I32, Column("", "IPv4 identification; -1 without")]
    flags: Annotated[I32, Column("", "the twelve bits after the data offset, reserved ones included")]
    seq: Annotated[I64, Column("", "raw 32-bit sequence number")]
    ack: Annotated[I64, Column("", "raw 32-bit acknowledgement number, also without the ACK flag")]
    window: Annotated[I32, Column("", "raw window field, not scaled")]
    len: Annotated[I64, Column("bytes", "TCP payload by the IP length; -1 in a fragment")]
    rfb: Annotated[I8, Column("", "1: the payload is an RFB version message; Wireshark numbers what follows anew")]
    inferred: Annotated[I8, Column("", "1: seq is inferred (tcpdump prints none for a pure ACK)")]
    mss: Annotated[I32, Column("bytes", "maximum segment size option; -1 without")]
    window_scale: Annotated[I32, Column("bits", "window scale option; -1 without")]
    sack_permitted: Annotated[I8, Column("", "1: SACK permitted option present")]
    tsval: Annotated[I64, Column("ticks", "timestamp option's value; -1 without")]
    tsecr: Annotated[I64, Column("ticks", "timestamp option's echo; -1 without")]
    toa_port: Annotated[I32, Column("", "client port in a TOA option; -1 without")]
    toa_src: Annotated[I32, Column("", "client address in a TOA option, index into addresses; -1 without")]
    option_kinds: Annotated[I64, Column("", "option kinds in order, without NOP and EOL, a byte each, first lowest")]
    options_cut: Annotated[I8, Column("", "1: the option list is cut short or malformed; what is missing is unknown")]
    sack_count: Annotated[I8, Column("", "SACK blocks present")]
    sack: Annotated[I64, Column("", "SACK blocks: left and right edge, raw", per_row=2 * SACK_BLOCKS_MAX)]


class FlowRows(NamedTuple):
    """The flows of one capture while it is read; columns differ in length."""

    rows: Annotated[I64, Column("", "one row a flow, fields as tcptrace.flows names them", per_row=12)]
    slots: Annotated[I32, Column("", "hash table of flow number + 1 by tuple; 0 is empty")]
    used: Annotated[I64, Column("", "one value: how many flows there are")]


class Endpoints(NamedTuple):
    """Both endpoints of every flow while a capture is read; columns differ in length."""

    wide: Annotated[I64, Column("", "fields as tcptrace.tcp.endpoint_rows names them", per_row=7)]
    narrow: Annotated[I32, Column("", "fields as tcptrace.tcp.endpoint_rows names them", per_row=8)]
    used: Annotated[I64, Column("", "two values: flows whose endpoints are set up, steps written")]
    steps: Annotated[I64, Column("", "transitions as tcptrace.tcp.transition_log writes them", per_row=4)]
    next_states: Annotated[I8, Column("", "the state table, as tcptrace.tcp.endpoint.next_states() gives it")]


class Directions(NamedTuple):
    """What is kept of both directions of a flow while a capture is read; columns differ in length."""

    of_flow: Annotated[I32, Column("", "number of the flow's pair of directions + 1; 0: it has none")]
    used: Annotated[I64, Column("", "one value: how many pairs there are")]
    first: Annotated[I64, Column("", "of a pair, fields as tcptrace.tcp.directions names them", per_row=6)]
    labels: Annotated[I64, Column("", "fields as tcptrace.tcp.labels names them", per_row=13)]


class Segments(NamedTuple):
    """Interpretation, row for row beside Packets."""

    flow: Annotated[I64, Column("", "number of the flow, from 0, as tshark's tcp.stream")]
    side: Annotated[I8, Column("", "sender: 0 the side that sent the flow's first frame, 1 the other")]
    seq_relative: Annotated[I64, Column("", "sequence number from the sender's ISN or first number; -1 unknown")]
    ack_relative: Annotated[I64, Column("", "acknowledgement from the receiver's ISN or first number; -1 unknown")]
    window_bytes: Annotated[I64, Column("bytes", "window times its scale; -1 when the scale or the window is unknown")]
    direction: Annotated[I32, Column("", "its sender's row in Directions; -1: a lone SYN, or too little of a header")]
    labels: Annotated[I32, Column("", "Wireshark's labels, a bit each in the order of LABELS")]


class Transitions(NamedTuple):
    """Every change of an endpoint's state, in order of time within a flow."""

    capture: Annotated[I16, Column("", "index into the captures")]
    flow: Annotated[I64, Column("", "number of the flow in its capture")]
    frame: Annotated[I64, Column("", "frame that told of the change; 0 for a timer")]
    time_ns: Annotated[I64, Column("ns", "when; NO_TIME when unknown")]
    side: Annotated[I8, Column("", "whose state: 0 client, 1 server")]
    from_state: Annotated[I8, Column("", "state before, index into STATES")]
    to_state: Annotated[I8, Column("", "state after, index into STATES")]
    event: Annotated[I8, Column("", "what happened, index into EVENTS")]
    inferred: Annotated[I8, Column("", "1: not seen but concluded (a receipt, a timer)")]
    unexpected: Annotated[I8, Column("", "1: no sound endpoint does this in this state; the state stays")]


class Flows(NamedTuple):
    """One lifetime of one 4-tuple in one capture."""

    capture: Annotated[I16, Column("", "index into the captures")]
    flow: Annotated[I64, Column("", "number in its capture, from 0, as tshark's tcp.stream")]
    client: Annotated[I32, Column("", "client address, index into the capture's addresses")]
    client_port: Annotated[I32, Column("", "client port")]
    server: Annotated[I32, Column("", "server address, index into the capture's addresses")]
    server_port: Annotated[I32, Column("", "server port")]
    midstream: Annotated[I8, Column("", "1: no handshake seen, client and server are a guess")]
    start_ns: Annotated[I64, Column("ns", "first frame")]
    end_ns: Annotated[I64, Column("ns", "last frame")]
    client_frames: Annotated[I32, Column("", "frames the client sent")]
    server_frames: Annotated[I32, Column("", "frames the server sent")]
    client_payload_bytes: Annotated[I64, Column("bytes", "unique payload bytes the client sent")]
    server_payload_bytes: Annotated[I64, Column("bytes", "unique payload bytes the server sent")]
    client_state: Annotated[I8, Column("", "the client's last state, index into STATES")]
    server_state: Annotated[I8, Column("", "the server's last state, index into STATES")]
    handshake_total_ns: Annotated[I64, Column("ns", "SYN to ACK; -1 unknown")]
    syn_to_synack_ns: Annotated[I64, Column("ns", "SYN to SYN-ACK; -1 unknown")]
    synack_to_ack_ns: Annotated[I64, Column("ns", "SYN-ACK to ACK; -1 unknown")]
    closed_by: Annotated[I8, Column("", "who closed first, index into CLOSED_BY")]
    close: Annotated[I8, Column("", "how it ended, index into CLOSES")]


STATES = (
    "UNKNOWN CLOSED LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT"
).split()
LABELS = (
    "retransmission fast_retransmission spurious_retransmission out_of_order duplicate_ack lost_segment "
    "ack_lost_segment zero_window zero_window_probe zero_window_probe_ack window_full window_update keep_alive "
    "keep_alive_ack reused_ports"
).split()
"""Wireshark's names (tcp.analysis.*) of what a segment is."""
SIDES = ["client", "server"]
CLOSED_BY = ["none", "client", "server", "both"]
CLOSES = ["none", "fin", "rst"]


T = TypeVar("T")


@cache
def columns(table: type[Any]) -> dict[str, tuple[Any, Column]]:
    """Name → (numpy dtype, Column) of every column of a table, in order."""
    hints = get_type_hints(table, include_extras=True)
    return {name: (DTYPES[hint.__origin__], hint.__metadata__[0]) for name, hint in hints.items()}


def allocate(table: type[T], rows: int) -> T:
    """A table with room for `rows` rows; contents are undefined."""
    kind: Any = table
    return table(*(np.empty(rows * column.per_row, dtype) for dtype, column in columns(kind).values()))
