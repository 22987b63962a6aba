"""What becomes of packets while they are tracked: rows of flows and directions, segments, transitions."""

from typing import Annotated, NamedTuple

from tcptrace.schema.column import I8, I16, I32, I64, Column


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
    used: Annotated[I64, Column("", "how many pairs there are, histograms of round trips, notes written, recalled")]
    lone: Annotated[I64, Column("", "of a flow, fields as tcptrace.tcp.lone_syns names them", per_row=5)]
    recalled: Annotated[I32, Column("", "flows that were a lone SYN before this chunk and now have a pair")]
    labels: Annotated[I64, Column("", "fields as tcptrace.tcp.labels names them", per_row=14)]
    sending: Annotated[I64, Column("", "fields as tcptrace.tcp.sending_rows names them", per_row=80)]
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
    waited_ns: Annotated[
        I64, Column("ns", "of a repeat by a timer: time since its sender last sent or was acknowledged; -1 no such")
    ]
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
    waited_ns: Annotated[
        I64, Column("ns", "of a repeat by a timer: time since its sender last sent or was acknowledged; -1 no such")
    ]
