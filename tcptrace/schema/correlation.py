"""What is kept of segments for correlation: each as it was seen at a point."""

from typing import Annotated, NamedTuple

from tcptrace.schema.column import I8, I16, I32, I64, Column


class Sightings(NamedTuple):
    """Segments as the points saw them, one row a frame, in order of point and frame; copies by the capture left out.

    Positions are sequence numbers that do not wrap, as the recording's endpoints count them.
    """

    point: Annotated[I16, Column("", "index into the points")]
    flow: Annotated[I64, Column("", "number of the flow in its recording")]
    side: Annotated[I8, Column("", "sender: 0 client, 1 server")]
    frame: Annotated[I64, Column("", "number of the frame in its recording")]
    time_ns: Annotated[I64, Column("ns", "time of capture by the point's own clock; NO_TIME when not recorded")]
    seq: Annotated[I64, Column("", "raw 32-bit sequence number")]
    start: Annotated[I64, Column("", "position of its first number; -1 unknown")]
    end: Annotated[I64, Column("", "position after payload, SYN and FIN; -1 unknown")]
    ack: Annotated[I64, Column("", "its acknowledgement, a position of the other direction; -1 without")]
    flags: Annotated[I16, Column("", "TCP flags")]
    len: Annotated[I32, Column("bytes", "payload; -1 unknown")]
    window: Annotated[I32, Column("", "raw window field")]
    mss: Annotated[I32, Column("bytes", "maximum segment size option; -1 without")]
    window_scale: Annotated[I8, Column("bits", "window scale option; -1 without")]
    option_kinds: Annotated[I64, Column("", "option kinds as in Packets; -1: cut, what is missing is unknown")]
    tsval: Annotated[I64, Column("ticks", "timestamp option's value; -1 without")]
    tsecr: Annotated[I64, Column("ticks", "timestamp option's echo; -1 without")]
    ip_id: Annotated[I32, Column("", "IPv4 identification; -1 without")]
    ttl: Annotated[I16, Column("hops", "TTL or hop limit; -1 unknown")]
    repeat: Annotated[I8, Column("", "why it was sent again, index into REPEATS")]
    toa: Annotated[I32, Column("", "client port in a TOA option; -1 without")]
    inferred: Annotated[I8, Column("", "1: seq is inferred, no evidence for a match")]
    ip_at: Annotated[I32, Column("bytes", "where the innermost IP header lies in the frame; -1 unknown")]
    payload_at: Annotated[I32, Column("bytes", "where the payload lies in the frame; -1 unknown")]
