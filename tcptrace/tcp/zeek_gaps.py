"""What of a direction Zeek's reassembler has not got (a kernel module).

Facts from Zeek's TCP_Reassembler.cc and Reassem.cc: data is delivered in order from position 1; what came
beyond a hole waits in blocks; an acknowledgement of what is not there makes each hole below it a gap.

Blocks are the nodes of `holes`, in an array of their own: ranges that do not touch, highest first.
"""

from tcptrace.schema import I64
from tcptrace.tcp.holes import FOLLOWING, LEFT, NODE, RIGHT, WALK_MAX, free, new_hole

DELIVERED = 0  # position up to which all was delivered or given up
BLOCKS = 1  # node of the highest block beyond a hole, 0 for none


def drop_block(rows: I64, gaps: int, nodes: I64, before: int, node: int) -> int:
    """Take a node out of the list behind `before` (0: the head); the node that followed it."""
    following = free(nodes, before, node)
    if before == 0:
        rows[gaps + BLOCKS] = following
    return following


def drop_blocks(rows: I64, gaps: int, nodes: I64) -> None:
    """Forget all blocks."""
    node = int(rows[gaps + BLOCKS])
    while node != 0:
        node = drop_block(rows, gaps, nodes, 0, node)


def add_block(rows: I64, gaps: int, nodes: I64, left: int, right: int) -> None:
    """Take in the data of a range; `gaps` is where a direction's fields of this module begin."""
    if rows[gaps + BLOCKS] == 0 and left <= rows[gaps + DELIVERED]:
        rows[gaps + DELIVERED] = max(right, int(rows[gaps + DELIVERED]))
        return
    left = max(left, int(rows[gaps + DELIVERED]))
    before, node, walked = 0, int(rows[gaps + BLOCKS]), 0
    while node != 0 and nodes[node * NODE + RIGHT] >= left:
        walked += 1
        if walked > WALK_MAX:
            return
        if nodes[node * NODE + LEFT] > right:
            before = node
            node = int(nodes[node * NODE + FOLLOWING])
        else:
            left = min(left, int(nodes[node * NODE + LEFT]))
            right = max(right, int(nodes[node * NODE + RIGHT]))
            node = drop_block(rows, gaps, nodes, before, node)
    if left <= rows[gaps + DELIVERED]:
        rows[gaps + DELIVERED] = max(right, int(rows[gaps + DELIVERED]))
    elif before == 0:
        rows[gaps + BLOCKS] = new_hole(nodes, left, right, node)
    else:
        nodes[before * NODE + FOLLOWING] = new_hole(nodes, left, right, node)


def give_up(rows: I64, gaps: int, nodes: I64, end: int) -> int:
    """Give up what is missing below a position; how many holes that were."""
    if end <= rows[gaps + DELIVERED]:
        return 0
    found, highest, walked = 0, end, 0
    before, node = 0, int(rows[gaps + BLOCKS])
    while node != 0 and nodes[node * NODE + LEFT] > end:
        walked += 1
        if walked > WALK_MAX:
            drop_blocks(rows, gaps, nodes)
            rows[gaps + DELIVERED] = end
            return 1
        before = node
        node = int(nodes[node * NODE + FOLLOWING])
    if node == 0 or nodes[node * NODE + RIGHT] < end:
        found = 1
    else:
        highest = int(nodes[node * NODE + RIGHT])
    while node != 0:
        found += 1
        node = drop_block(rows, gaps, nodes, before, node)
    rows[gaps + DELIVERED] = highest
    return found


def waiting(rows: I64, gaps: int, nodes: I64) -> int:
    """Bytes from the first hole to the end of the highest block; 0 without a hole."""
    node = int(rows[gaps + BLOCKS])
    return int(nodes[node * NODE + RIGHT] - rows[gaps + DELIVERED]) if node != 0 else 0
