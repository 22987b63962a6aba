"""What is kept of a flow that is no more than one SYN: the segment, to be told once there is more (a kernel module).

There may be millions of such flows, so that no more is kept of one, in as few words.
"""

from tcptrace.capture.unsaid import clear
from tcptrace.flows import FRAMES_0, FRAMES_1, SEEN_SYN
from tcptrace.flows import WIDTH as FLOW_WIDTH
from tcptrace.schema import I64, Directions, FlowRows, Packets, Segments
from tcptrace.tcp.packed import put, value
from tcptrace.tcp.sequence import unwrap

TIME_NS = 0  # the one value with a word of its own
LONE = 5

# Fields as tcptrace.tcp.packed has them.
FRAME = (1, 0, 40, 0)  # 0: nothing is kept
IP_ID = (1, 40, 17, 1)
WINDOW_SCALE = (1, 57, 6, 1)
TSVAL = (2, 0, 33, 1)
FLAGS = (2, 33, 12, 0)
WINDOW = (2, 45, 17, 1)
ACK = (3, 0, 33, 1)
MSS = (3, 33, 17, 1)
TTL = (3, 50, 9, 1)
SACK_PERMITTED = (3, 59, 1, 0)
OPTIONS_CUT = (3, 60, 1, 0)
SEQ = (4, 0, 33, 1)
URGENT = (4, 33, 17, 1)


def is_lone_syn(flows: FlowRows, flow: int, length: int, flags: int) -> bool:
    """Whether all that is known of a flow is one SYN without payload."""
    row = flow * FLOW_WIDTH
    frames = flows.rows[row + FRAMES_0] + flows.rows[row + FRAMES_1]
    return frames == 1 and length == 0 and flags & 0x17 == SEEN_SYN << 1


def keep(lone: I64, flow: int, packets: Packets, i: int) -> None:
    """Keep row `i`, all there is of a flow."""
    at = flow * LONE
    lone[at + TIME_NS] = packets.time_ns[i]
    put(lone, at, FRAME, packets.frame[i])
    put(lone, at, IP_ID, packets.ip_id[i])
    put(lone, at, WINDOW_SCALE, packets.window_scale[i])
    put(lone, at, TSVAL, packets.tsval[i])
    put(lone, at, FLAGS, packets.flags[i])
    put(lone, at, WINDOW, packets.window[i])
    put(lone, at, ACK, packets.ack[i])
    put(lone, at, MSS, packets.mss[i])
    put(lone, at, TTL, packets.ttl[i])
    put(lone, at, SACK_PERMITTED, packets.sack_permitted[i])
    put(lone, at, OPTIONS_CUT, packets.options_cut[i])
    put(lone, at, SEQ, packets.seq[i])
    put(lone, at, URGENT, packets.urgent[i])


def is_kept(lone: I64, flow: int) -> bool:
    """Whether a flow was a lone SYN so far."""
    return value(lone, flow * LONE, FRAME) != 0


def recall(directions: Directions, packets: Packets, segments: Segments) -> None:
    """Fill a row for each flow in `recalled` with the SYN that was kept of it, as segment_pass has placed it."""
    lone = directions.lone
    for i in range(directions.used[3]):
        flow = directions.recalled[i]
        at = flow * LONE
        clear(packets, i)
        packets.time_ns[i] = lone[at + TIME_NS]
        packets.frame[i] = value(lone, at, FRAME)
        packets.ip_id[i] = value(lone, at, IP_ID)
        packets.window_scale[i] = value(lone, at, WINDOW_SCALE)
        packets.tsval[i] = value(lone, at, TSVAL)
        packets.flags[i] = value(lone, at, FLAGS)
        packets.window[i] = value(lone, at, WINDOW)
        packets.ack[i] = value(lone, at, ACK)
        packets.mss[i] = value(lone, at, MSS)
        packets.ttl[i] = value(lone, at, TTL)
        packets.sack_permitted[i] = value(lone, at, SACK_PERMITTED)
        packets.options_cut[i] = value(lone, at, OPTIONS_CUT)
        packets.seq[i] = value(lone, at, SEQ)
        packets.urgent[i] = value(lone, at, URGENT)
        packets.len[i] = 0
        packets.sport[i] = 0
        packets.dport[i] = 0
        position = unwrap(packets.seq[i], -1) if packets.seq[i] >= 0 else -1
        segments.flow[i] = flow
        segments.side[i] = 0
        segments.direction[i] = (directions.of_flow[flow] - 1) * 2
        segments.position[i] = position
        segments.end_position[i] = position + 1 if position >= 0 else -1
        segments.ack_position[i] = -1
        segments.seq_relative[i] = 0 if position >= 0 else -1
        segments.ack_relative[i] = -1
        segments.window_bytes[i] = packets.window[i]
        segments.copy[i] = 0
        segments.new_bytes[i] = 0
