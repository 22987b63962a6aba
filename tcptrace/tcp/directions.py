"""Which row of Directions a segment's sender owns (a kernel module).

A flow gets its pair of rows, one a direction, with the first chunk at whose end it is more than a
lone SYN: of a flood of them nothing is kept. Such a SYN's facts are then taken from what the flow
and its endpoint know, which at that time is that SYN and nothing else.
"""

from tcptrace.flows import FIRST_FRAME, FRAMES_0, FRAMES_1, SEEN_SYN
from tcptrace.flows import WIDTH as FLOW_WIDTH
from tcptrace.schema import Directions, Endpoints, FlowRows, Packets, Segments
from tcptrace.tcp.endpoint_rows import HANDSHAKE_NS, MSS, NARROW, SCALE, START, WIDE, WINDOW

FRAME = 0  # frame of a lone SYN, whose facts follow; 0: the first segment is in the chunk that gave the pair
TIME_NS = 1
SEQ = 2  # raw
RAW_WINDOW = 3
WINDOW_SCALE = 4  # as endpoint_rows.SCALE
SYN_MSS = 5
FIRST = 6

MASK = 0xFFFFFFFF


def keep_first(flows: FlowRows, endpoints: Endpoints, directions: Directions, flow: int, pair: int) -> None:
    """Note what is known of the SYN that was all there was of a flow."""
    first, at = directions.first, pair * FIRST
    e = flow * 2
    first[at + FRAME] = flows.rows[flow * FLOW_WIDTH + FIRST_FRAME]
    first[at + TIME_NS] = endpoints.wide[e * WIDE + HANDSHAKE_NS]
    first[at + SEQ] = endpoints.wide[e * WIDE + START] & MASK
    first[at + RAW_WINDOW] = endpoints.narrow[e * NARROW + WINDOW]
    first[at + WINDOW_SCALE] = endpoints.narrow[e * NARROW + SCALE]
    first[at + SYN_MSS] = endpoints.narrow[e * NARROW + MSS]


def is_lone_syn(flows: FlowRows, flow: int, length: int, flags: int) -> bool:
    """Whether all that is known of a flow is one SYN without payload."""
    row = flow * FLOW_WIDTH
    frames = flows.rows[row + FRAMES_0] + flows.rows[row + FRAMES_1]
    return frames == 1 and length == 0 and flags & 0x17 == SEEN_SYN << 1


def begin(
    packets: Packets, count: int, segments: Segments, flows: FlowRows, endpoints: Endpoints, directions: Directions
) -> None:
    """Give each of `count` rows, already assigned to flows, its row in Directions; -1 where it has none.

    To be called before the endpoints are advanced. The caller has room for `count` further pairs.
    """
    flow_of, side_of, row_of = segments.flow, segments.side, segments.direction
    pairs, used = directions.of_flow, directions.used
    before = endpoints.used[0]
    for i in range(count):
        row_of[i] = -1
        flow, flags = flow_of[i], packets.flags[i]
        if flow < 0 or flags < 0 or packets.quoted[i] != 0:
            continue
        pair = pairs[flow] - 1
        if pair < 0:
            if is_lone_syn(flows, flow, packets.len[i], flags):
                continue
            pair = used[0]
            used[0] = pair + 1
            pairs[flow] = pair + 1
            if flow < before:
                keep_first(flows, endpoints, directions, flow, pair)
        row_of[i] = pair * 2 + side_of[i]
