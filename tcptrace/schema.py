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
    used: Annotated[I64, Column("", "two values: how many addresses there are, a seed of 31 bits for their hashes")]


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
    len_cut: Annotated[I64, Column("bytes", "payload that the capture did not keep")]
    urgent: Annotated[I32, Column("bytes", "urgent pointer; -1 without URG")]
    rfb: Annotated[I8, Column("", "1: the payload is an RFB version message; Wireshark numbers what follows anew")]
    announced: Annotated[
        I64, Column("", "end of a data connection that FTP names: index into addresses << 16 | port; -1 without")
    ]
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
    used: Annotated[I64, Column("", "two values: how many flows there are, a seed of 31 bits for their hashes")]
    announced: Annotated[I64, Column("", "data connections that FTP announced, as tcptrace.flows keeps them")]


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
    used: Annotated[I64, Column("", "how many pairs there are, histograms of round trips, notes written")]
    first: Annotated[I64, Column("", "of a pair, fields as tcptrace.tcp.directions names them", per_row=6)]
    labels: Annotated[I64, Column("", "fields as tcptrace.tcp.labels names them", per_row=14)]
    sending: Annotated[I64, Column("", "fields as tcptrace.tcp.sending_rows names them", per_row=78)]
    counters: Annotated[I64, Column("", "fields as tcptrace.tcp.counters names them", per_row=53)]
    notable: Annotated[I64, Column("", "fields as tcptrace.tcp.notable names them", per_row=23)]
    history: Annotated[I64, Column("", "fields as tcptrace.tcp.zeek_rows names them", per_row=14)]
    blocks: Annotated[I64, Column("", "nodes as tcptrace.tcp.holes names them: what came beyond a hole", per_row=3)]


class Segments(NamedTuple):
    """Interpretation, row for row beside Packets."""

    flow: Annotated[I64, Column("", "number of the flow, from 0, as tshark's tcp.stream")]
    side: Annotated[I8, Column("", "sender: 0 the side that sent the flow's first frame, 1 the other")]
    seq_relative: Annotated[I64, Column("", "sequence number from the sender's ISN or first number; -1 unknown")]
    ack_relative: Annotated[I64, Column("", "acknowledgement from the receiver's ISN or first number; -1 unknown")]
    window_bytes: Annotated[I64, Column("bytes", "window times its scale; -1 when the scale or the window is unknown")]
    direction: Annotated[I32, Column("", "its sender's row in Directions; -1: a lone SYN, or too little of a header")]
    labels: Annotated[I32, Column("", "Wireshark's labels, a bit each in the order of LABELS")]
    position: Annotated[I64, Column("", "seq as a position in its direction's stream, which does not wrap; -1 unknown")]
    end_position: Annotated[I64, Column("", "position after payload, SYN and FIN; -1 unknown")]
    ack_position: Annotated[I64, Column("", "ack as a position in the other direction's stream; -1 without ACK")]
    copy: Annotated[I8, Column("", "1: the frame was seen before at another interface")]
    bytes_in_flight: Annotated[I64, Column("bytes", "sent this way and neither acknowledged nor SACKed; -1 unknown")]
    rtt_ns: Annotated[I64, Column("ns", "round trip of what this acknowledges, by the time it was sent; -1 none")]
    timestamp_rtt_ns: Annotated[I64, Column("ns", "the same by the timestamp it echoes; -1 none")]
    repeat: Annotated[I8, Column("", "why it was sent again, index into REPEATS")]
    original: Annotated[I64, Column("", "frame it repeats; 0 none, or no longer known")]
    since_original_ns: Annotated[I64, Column("ns", "time since that, or since the segment that overtook it; -1 none")]
    backoff: Annotated[I32, Column("", "timeouts of its sender in a row, this one included")]
    reordered_by: Annotated[I32, Column("", "unacknowledged segments that overtook it")]
    sacked_bytes: Annotated[I64, Column("bytes", "what its SACK blocks report beyond its acknowledgement")]
    dsack: Annotated[I8, Column("", "1: its first SACK block reports a duplicate (RFC 2883)")]
    idle_ns: Annotated[I64, Column("ns", "time since the flow's previous segment; -1: it is the first")]
    stalled: Annotated[I8, Column("", "1: something was unacknowledged in that time, however short it was")]
    new_bytes: Annotated[
        I64, Column("bytes", "payload never sent before; -1 unknown, or a copy of a frame at another interface")
    ]


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


class Notable(NamedTuple):
    """The segments that tell a flow's story, by flow and in order: few of each kind."""

    flow: Annotated[I64, Column("", "number of the flow in its capture")]
    side: Annotated[I8, Column("", "sender: 0 client, 1 server")]
    frame: Annotated[I64, Column("", "number of the frame")]
    time_ns: Annotated[I64, Column("ns", "time of capture; NO_TIME when not recorded")]
    kinds: Annotated[I32, Column("", "why it is kept, bits in the order of KINDS")]
    flags: Annotated[I16, Column("", "TCP flags")]
    labels: Annotated[I16, Column("", "Wireshark's labels, bits in the order of LABELS")]
    repeat: Annotated[I8, Column("", "why it was sent again, index into REPEATS")]
    seq: Annotated[I64, Column("", "sequence number from the sender's ISN or first number; -1 unknown")]
    ack: Annotated[I64, Column("", "acknowledgement from the receiver's ISN or first number; -1 unknown")]
    len: Annotated[I32, Column("bytes", "payload; -1 unknown")]
    window_bytes: Annotated[I32, Column("bytes", "window times its scale; -1 unknown")]
    ttl: Annotated[I16, Column("hops", "TTL or hop limit; -1 unknown")]
    ip_id: Annotated[I32, Column("", "IPv4 identification; -1 without")]
    tsval: Annotated[I64, Column("ticks", "timestamp option's value; -1 without")]
    idle_ns: Annotated[I64, Column("ns", "time since the flow's previous segment, in whole milliseconds")]


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
    reset_by: Annotated[I8, Column("", "whose RST ended it, index into CLOSED_BY")]


class FlowMeasures(NamedTuple):
    """What was measured of a flow, row for row beside Flows."""

    completeness: Annotated[I8, Column("", "tcp.completeness: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST")]
    client_retransmissions: Annotated[
        I64,
        Column(
            "",
            "segments with payload, SYN or FIN that the client sent again, by our verdict: without copies that the"
            " capture made, keep-alives and zero window probes",
        ),
    ]
    client_reordered: Annotated[I64, Column("", "segments of the client that others overtook")]
    client_copies: Annotated[I64, Column("", "frames of the client that the capture holds twice")]
    client_spurious: Annotated[I64, Column("", "of its retransmissions, those that proved needless")]
    client_timeouts: Annotated[I64, Column("", "of its retransmissions, those after its timer ran out")]
    client_dsacks: Annotated[I64, Column("", "duplicates of the client's segments that its peer reported (RFC 2883)")]
    client_in_flight_max_bytes: Annotated[I64, Column("bytes", "most the client had unacknowledged")]
    client_slow_start_bytes: Annotated[I64, Column("bytes", "the client's flights when they stopped growing; 0: never")]
    client_slow_start_ns: Annotated[I64, Column("ns", "time from its first payload to then; -1: never")]
    client_recoveries: Annotated[I64, Column("", "times the client began to repair a loss")]
    client_recovery_ns: Annotated[I64, Column("ns", "time that took, of all that ended")]
    server_retransmissions: Annotated[
        I64,
        Column(
            "",
            "segments with payload, SYN or FIN that the server sent again, by our verdict: without copies that the"
            " capture made, keep-alives and zero window probes",
        ),
    ]
    server_reordered: Annotated[I64, Column("", "segments of the server that others overtook")]
    server_copies: Annotated[I64, Column("", "frames of the server that the capture holds twice")]
    server_spurious: Annotated[I64, Column("", "of its retransmissions, those that proved needless")]
    server_timeouts: Annotated[I64, Column("", "of its retransmissions, those after its timer ran out")]
    server_dsacks: Annotated[I64, Column("", "duplicates of the server's segments that its peer reported (RFC 2883)")]
    server_in_flight_max_bytes: Annotated[I64, Column("bytes", "most the server had unacknowledged")]
    server_slow_start_bytes: Annotated[I64, Column("bytes", "the server's flights when they stopped growing; 0: never")]
    server_slow_start_ns: Annotated[I64, Column("ns", "time from its first payload to then; -1: never")]
    server_recoveries: Annotated[I64, Column("", "times the server began to repair a loss")]
    server_recovery_ns: Annotated[I64, Column("ns", "time that took, of all that ended")]
    handshake_ns: Annotated[I64, Column("ns", "time before both sides had acknowledged anything")]
    loss_ns: Annotated[I64, Column("ns", "time in which a loss was repaired")]
    receiver_window_ns: Annotated[I64, Column("ns", "time in which the receiver's window had no room")]
    path_ns: Annotated[
        I64,
        Column(
            "ns",
            "other time in which data was on its way: the bandwidth and round trip of the path, or the sender's own"
            " window (congestion window, send buffer), which no capture shows",
        ),
    ]
    application_ns: Annotated[I64, Column("ns", "time in which nothing was on its way")]


class SideFacts(NamedTuple):
    """What diagnosis must know of what one side of a flow sent, row for row beside Flows; 0 where nothing is known."""

    last_frame: Annotated[I64, Column("", "its last segment")]
    last_ns: Annotated[I64, Column("ns", "when that was; -1 unknown")]
    last_data_frame: Annotated[I64, Column("", "its last segment with payload")]
    last_data_ns: Annotated[I64, Column("ns", "when that was; -1 unknown")]
    sent: Annotated[I64, Column("", "one past the highest sequence number it sent, from its ISN; -1 unknown")]
    acked: Annotated[I64, Column("", "highest acknowledgement it got, from its ISN; -1 none")]
    ttl: Annotated[I32, Column("hops", "TTL of its last segment that is no RST; -1 unknown")]
    ip_id: Annotated[I32, Column("", "IPv4 identification of that; -1 without")]
    mss: Annotated[I32, Column("bytes", "maximum segment size in its SYN; -1 none, or no SYN seen")]
    window_scale: Annotated[I8, Column("bits", "window scale its SYN offered; -1 none, or no SYN seen")]
    timestamps: Annotated[I8, Column("", "1: its SYN had a timestamp")]
    sack_permitted: Annotated[I8, Column("", "1: its SYN permitted SACK")]
    largest_bytes: Annotated[I32, Column("bytes", "payload of its largest segment")]
    largest_seq: Annotated[I64, Column("", "sequence number of the first of that size, from its ISN; -1 unknown")]
    rtt_min_ns: Annotated[I64, Column("ns", "shortest round trip of what it sent; -1 unknown")]
    rtt_samples: Annotated[I32, Column("", "round trips of what it sent")]
    rtt_sum_ns: Annotated[I64, Column("ns", "of those together")]
    is_closed: Annotated[I8, Column("", "1: its window was closed when it was last seen")]
    closures: Annotated[I32, Column("", "times it closed its window")]
    closed_max_ns: Annotated[I64, Column("ns", "longest time that lasted")]
    probes: Annotated[I32, Column("", "zero window probes and keep-alives it sent")]
    unanswered: Annotated[I32, Column("", "of those, the last ones, after which the other side sent nothing")]
    stalls: Annotated[I32, Column("", "small writes that waited for a delayed acknowledgement of the one before")]
    stalled_ns: Annotated[I64, Column("ns", "how long, together")]
    unseen: Annotated[I32, Column("", "times it acknowledged what the capture lacks")]


class RoundTrips(NamedTuple):
    """Round trips of what one side of a flow sent, row for row beside Flows; -1 without samples."""

    samples: Annotated[I64, Column("", "how many")]
    min_ns: Annotated[I64, Column("ns", "shortest")]
    mean_ns: Annotated[I64, Column("ns", "mean, rounded down")]
    p50_ns: Annotated[I64, Column("ns", "median; beyond eight samples within a tenth, or 10 us")]
    p99_ns: Annotated[I64, Column("ns", "99th percentile; beyond eight samples within a tenth, or 10 us")]
    max_ns: Annotated[I64, Column("ns", "longest")]
    srtt_ns: Annotated[I64, Column("ns", "smoothed, at the end (RFC 6298)")]
    rttvar_ns: Annotated[I64, Column("ns", "its variation, at the end (RFC 6298)")]
    rto_ns: Annotated[I64, Column("ns", "the timer that gives, at least 1 s (RFC 6298)")]


class Stalls(NamedTuple):
    """Silences of a flow while something was unacknowledged, row for row beside Flows."""

    stalled_ns: Annotated[
        I64,
        Column(
            "ns",
            "silences of at least 200 ms, and of two smoothed round trips (the longer of both sides'), while something"
            " was unacknowledged, added up",
        ),
    ]
    stall_max_ns: Annotated[I64, Column("ns", "longest of those; 0: there was none")]


class DirectionStatistics(NamedTuple):
    """What the segments that one side of a flow sent add up to; two rows a flow, the client's first."""

    capture: Annotated[I16, Column("", "index into the captures")]
    flow: Annotated[I64, Column("", "number of the flow in its capture")]
    side: Annotated[I8, Column("", "sender: 0 client, 1 server")]
    packets: Annotated[I64, Column("", "segments sent; copies of a frame at another interface are left out")]
    resets: Annotated[I64, Column("", "segments with RST")]
    syns: Annotated[I64, Column("", "segments with SYN")]
    fins: Annotated[I64, Column("", "segments with FIN")]
    acks: Annotated[I64, Column("", "segments with ACK")]
    pure_acks: Annotated[I64, Column("", "segments with ACK, no payload, and no SYN, FIN or RST")]
    sacks: Annotated[I64, Column("", "segments with SACK blocks")]
    dsacks: Annotated[I64, Column("", "segments whose first SACK block reports a duplicate (RFC 2883)")]
    sack_blocks_max: Annotated[I64, Column("", "most SACK blocks in a segment")]
    unique_bytes: Annotated[I64, Column("bytes", "payload bytes, each counted once")]
    data_packets: Annotated[I64, Column("", "segments with payload")]
    data_bytes: Annotated[I64, Column("bytes", "payload of all segments")]
    retransmitted_packets: Annotated[
        I64,
        Column(
            "",
            "segments with a payload byte, SYN or FIN that was sent before, by the count of `tcptrace -l`: keep-alives"
            " with a byte, and copies in the capture unless at another interface, are among them",
        ),
    ]
    retransmitted_bytes: Annotated[
        I64, Column("bytes", "payload bytes sent again, and 1 for each SYN and FIN sent again")
    ]
    zero_window_probes: Annotated[I64, Column("", "segments with payload or FIN sent into a closed window")]
    zero_window_probe_bytes: Annotated[I64, Column("bytes", "payload of those")]
    out_of_order_packets: Annotated[I64, Column("", "segments with new payload below what was sent before them")]
    pushed_packets: Annotated[I64, Column("", "segments with payload and PSH")]
    urgent_packets: Annotated[I64, Column("", "segments with payload and URG")]
    urgent_bytes: Annotated[I64, Column("bytes", "urgent pointers of those, added up")]
    window_scale: Annotated[I8, Column("bits", "window scale its SYN offered; -1 none, or no SYN seen")]
    timestamps: Annotated[I8, Column("", "1: its SYN had a timestamp")]
    sack_permitted: Annotated[I8, Column("", "1: its SYN permitted SACK")]
    mss: Annotated[I32, Column("bytes", "maximum segment size in its SYN; -1 none, or no SYN seen")]
    segment_max_bytes: Annotated[I64, Column("bytes", "largest payload; -1 without payload")]
    segment_min_bytes: Annotated[I64, Column("bytes", "smallest payload; -1 without payload")]
    segment_mean_bytes: Annotated[I64, Column("bytes", "mean payload, rounded down; -1 without payload")]
    window_max_bytes: Annotated[I64, Column("bytes", "largest window, unscaled where the scale is unknown; -1 none")]
    window_min_bytes: Annotated[I64, Column("bytes", "smallest window above 0; -1 none")]
    window_mean_bytes: Annotated[I64, Column("bytes", "mean window, rounded down; -1 none")]
    zero_windows: Annotated[I64, Column("", "segments that closed the window or left it closed")]
    initial_window_packets: Annotated[I64, Column("", "segments with payload before the peer acknowledged any")]
    initial_window_bytes: Annotated[I64, Column("bytes", "payload of those; what was sent again does not count")]
    stream_bytes: Annotated[I64, Column("bytes", "from SYN to FIN; -1 unless both were seen")]
    missed_bytes: Annotated[I64, Column("bytes", "of those, bytes the capture lacks; -1 unknown")]
    truncated_packets: Annotated[I64, Column("", "segments whose payload the capture did not keep whole")]
    truncated_bytes: Annotated[I64, Column("bytes", "payload that the capture did not keep")]
    data_time_ns: Annotated[I64, Column("ns", "from the first to the last segment with payload; -1 unknown")]
    idle_max_ns: Annotated[I64, Column("ns", "longest time between two segments; -1 unless two differ in time")]
    throughput: Annotated[I64, Column("bytes/s", "unique bytes by the flow's duration; -1 when that is 0 or unknown")]
    rtt_stdev_ns: Annotated[
        I64, Column("ns", "standard deviation of the round trips of what it sent, rounded down; -1: less than two")
    ]
    duplicate_acks: Annotated[
        I64, Column("", "bare ACKs by which the peer repeated acknowledgement and window (RFC 5681 section 2)")
    ]
    triple_duplicate_acks: Annotated[I64, Column("", "times the peer repeated an acknowledgement a third time")]
    outstanding_max_bytes: Annotated[I64, Column("bytes", "most sequence numbers outstanding after a segment; -1 none")]
    outstanding_min_bytes: Annotated[I64, Column("bytes", "fewest above 0; -1 none")]
    outstanding_mean_bytes: Annotated[I64, Column("bytes", "mean over segments neither late nor sent again; -1 none")]


STATES = (
    "UNKNOWN CLOSED LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT"
).split()
LABELS = (
    "retransmission fast_retransmission spurious_retransmission out_of_order duplicate_ack lost_segment "
    "ack_lost_segment zero_window zero_window_probe zero_window_probe_ack window_full window_update keep_alive "
    "keep_alive_ack reused_ports"
).split()
"""Wireshark's names (tcp.analysis.*) of what a segment is."""
KINDS = ("syn fin rst first data answer repeat resumed window probe gap reordered copy after_fin stall timeout").split()
"""Why a segment is notable, as tcptrace.tcp.notable explains."""
REPEATS = "none copy reordered spurious fast go_back_n tail_loss_probe timeout unclear".split()
"""Why a segment looks as if sent before: the capture's copy, overtaken on its way, or truly sent again."""
LIMITS = "handshake loss receiver_window path application".split()
"""What held a connection back."""
SIDES = ["client", "server"]
TAKEN_NEAR = ["unknown", "client", "server", "between"]
"""Where along a flow's path the capture was taken."""
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
