"""Which row of Directions a segment's sender owns (a kernel module).

A flow gets its pair of rows, one a direction, with the first chunk at whose end it is more than a
lone SYN: of a flood of them nothing else is kept. That SYN is then recalled.
"""

from tcptrace.schema import Directions, FlowRows, Packets, Segments
from tcptrace.tcp.lone_syns import is_kept, is_lone_syn, keep


def begin_pair(directions: Directions, flow: int) -> int:
    """Give a flow a pair, and tell whether its first segment was kept until now."""
    used = directions.used
    pair = used[0]
    used[0] = pair + 1
    directions.of_flow[flow] = pair + 1
    if is_kept(directions.lone, flow):
        directions.recalled[used[3]] = flow
        used[3] += 1
    return int(pair)


def begin(packets: Packets, count: int, segments: Segments, flows: FlowRows, directions: Directions) -> None:
    """Give each of `count` rows, already assigned to flows, its row in Directions; -1 where it has none.

    The caller has room for `count` further pairs.
    """
    flow_of, side_of, row_of = segments.flow, segments.side, segments.direction
    pairs, lone = directions.of_flow, directions.lone
    directions.used[3] = 0
    for i in range(count):
        row_of[i] = -1
        flow, flags = flow_of[i], packets.flags[i]
        if flow < 0 or packets.quoted[i] != 0:
            continue
        pair = pairs[flow] - 1
        if pair < 0:
            if is_lone_syn(flows, flow, packets.len[i], flags):
                keep(lone, flow, packets, i)
                continue
            if flags < 0 and not is_kept(lone, flow):
                continue
            pair = begin_pair(directions, flow)
        if flags >= 0:
            row_of[i] = pair * 2 + side_of[i]
