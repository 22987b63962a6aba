"""Unique payload bytes: what of a segment was not sent before (a kernel module).

Each direction keeps the ranges it skipped as a list of holes in ascending order. A node is three
values in `nodes`: left edge, right edge, next node. Node 0 is no hole; its `next` heads the free
list, and its left edge is how many nodes were ever used.
"""

from tcptrace.schema import I64, Endpoints
from tcptrace.tcp.endpoint_rows import HOLES, NARROW

LEFT = 0
RIGHT = 1
FOLLOWING = 2
NODE = 3


def used(nodes: I64) -> int:
    """How many nodes there are beside node 0, free ones included."""
    return int(nodes[LEFT]) if len(nodes) else 0


def new_hole(nodes: I64, left: int, right: int) -> int:
    """A node for a range, from the free list if it has one."""
    node = nodes[FOLLOWING]
    if node != 0:
        nodes[FOLLOWING] = nodes[node * NODE + FOLLOWING]
    else:
        nodes[LEFT] += 1
        node = nodes[LEFT]
    nodes[node * NODE + LEFT] = left
    nodes[node * NODE + RIGHT] = right
    nodes[node * NODE + FOLLOWING] = 0
    return int(node)


def append_hole(endpoints: Endpoints, e: int, nodes: I64, left: int, right: int) -> None:
    """Note that endpoint `e` skipped a range above all it sent before."""
    node = new_hole(nodes, left, right)
    last = int(endpoints.narrow[e * NARROW + HOLES])
    if last == 0:
        endpoints.narrow[e * NARROW + HOLES] = node
        return
    while nodes[last * NODE + FOLLOWING] != 0:
        last = int(nodes[last * NODE + FOLLOWING])
    nodes[last * NODE + FOLLOWING] = node


def fill_holes(endpoints: Endpoints, e: int, nodes: I64, left: int, right: int) -> int:
    """Take a range out of the holes of endpoint `e`; the bytes that lay in holes are new."""
    new_bytes = 0
    before = 0
    node = int(endpoints.narrow[e * NARROW + HOLES])
    while node != 0 and nodes[node * NODE + LEFT] < right:
        following = int(nodes[node * NODE + FOLLOWING])
        hole_left, hole_right = nodes[node * NODE + LEFT], nodes[node * NODE + RIGHT]
        if hole_right > left:
            new_bytes += min(right, hole_right) - max(left, hole_left)
            if hole_right > right and hole_left < left:
                rest = new_hole(nodes, right, hole_right)
                nodes[rest * NODE + FOLLOWING] = following
                nodes[node * NODE + FOLLOWING] = rest
                nodes[node * NODE + RIGHT] = left
                return int(new_bytes)
            if hole_right > right:
                nodes[node * NODE + LEFT] = right
            elif hole_left < left:
                nodes[node * NODE + RIGHT] = left
            else:
                if before == 0:
                    endpoints.narrow[e * NARROW + HOLES] = following
                else:
                    nodes[before * NODE + FOLLOWING] = following
                nodes[node * NODE + FOLLOWING] = nodes[FOLLOWING]
                nodes[FOLLOWING] = node
                node = following
                continue
        before = node
        node = following
    return int(new_bytes)
