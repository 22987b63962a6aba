"""What is told of each side of a flow: facts for diagnosis, round trips, and sums."""

from typing import Annotated, NamedTuple

from tcptrace.schema.column import I8, I16, I32, I64, Column


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
    closed_max_ns: Annotated[I64, Column("ns", "longest time that lasted, or has lasted at the flow's last segment")]
    probes: Annotated[I32, Column("", "zero window probes and keep-alives it sent")]
    probes_of_closed: Annotated[I32, Column("", "of those, the ones sent while the other side's window was closed")]
    unanswered: Annotated[I32, Column("", "of the probes, the last ones, after which the other side sent nothing")]
    unanswered_repeats: Annotated[I32, Column("", "segments it sent again, after which the other side sent nothing")]
    delayed_writes: Annotated[
        I32, Column("", "small writes that waited for a delayed acknowledgement of the one before")
    ]
    delayed_ns: Annotated[I64, Column("ns", "how long, together")]
    unseen: Annotated[I32, Column("", "times it acknowledged what the capture lacks")]
    alert_frame: Annotated[I64, Column("", "its first TLS alert; 0: none, or behind other payload in its segment")]


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
    segment_repeats_max: Annotated[
        I64, Column("", "most times a segment, or part of it, was sent again before its acknowledgement")
    ]
    repeat_wait_max_ns: Annotated[
        I64, Column("ns", "longest time from one sending of such a part to the next; -1: none was sent again")
    ]
    recovery_max_ns: Annotated[I64, Column("ns", "longest time to repair a loss, of those that ended; 0: none")]
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
