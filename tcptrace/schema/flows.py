"""What is told of flows when all is read: the flows, and what was measured of them."""

from typing import Annotated, NamedTuple

from tcptrace.schema.column import I8, I16, I32, I64, Column


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
    syn_to_synack_ns: Annotated[I64, Column("ns", "last SYN to the first SYN-ACK after it; -1 unknown")]
    synack_to_ack_ns: Annotated[I64, Column("ns", "from there to the first ACK; -1 unknown")]
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
    client_in_flight_max_bytes: Annotated[I64, Column("bytes", "most the client had unacknowledged; -1 unknown")]
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
    server_in_flight_max_bytes: Annotated[I64, Column("bytes", "most the server had unacknowledged; -1 unknown")]
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
            "other time in which data or its acknowledgement was on its way: the bandwidth and round trip of the path,"
            " or the sender's own window (congestion window, send buffer), which no capture shows",
        ),
    ]
    application_ns: Annotated[I64, Column("ns", "time in which nothing was on its way")]
    unknown_ns: Annotated[
        I64,
        Column(
            "ns",
            "time of which nothing tells: met midstream, before both had acknowledged; or one direction is missing",
        ),
    ]
