"""Unique payload bytes: what of a segment was not sent before (a kernel module).

Each direction keeps the ranges it skipped as a list of holes, highest first: what fills holes comes
soon after they opened. A node is three values in `nodes`: left edge, right edge, next node. Node 0
is no hole; its `next` heads the free list, and its left edge is how many nodes were ever used.
"""

from tcptrace.schema import I64, Endpoints
from tcptrace.tcp.endpoint_rows import HOLES, NARROW

LEFT = 0
RIGHT = 1
FOLLOWING = 2
NODE = 3

WALK_MAX = 2048
"""Holes looked through for one segment: no sound sender fills one below so many others, a hostile capture might."""


def used(nodes: I64) -> int:
    """How many nodes there are beside node 0, free ones included."""
    return int(nodes[LEFT]) if len(nodes) else 0


def new_hole(nodes: I64, left: int, right: int, following: int) -> int:
    """A node for a range, from the free list if it has one."""
    node = nodes[FOLLOWING]
    if node != 0:
        nodes[FOLLOWING] = nodes[node * NODE + FOLLOWING]
    else:
        nodes[LEFT] += 1
        node = nodes[LEFT]
    nodes[node * NODE + LEFT] = left
    nodes[node * NODE + RIGHT] = right
    nodes[node * NODE + FOLLOWING] = following
    return int(node)


def free(nodes: I64, before: int, node: int) -> int:
    """Give a node to the free list and tie what precedes it in its own, if anything does, to what follows it."""
    following = int(nodes[node * NODE + FOLLOWING])
    if before != 0:
        nodes[before * NODE + FOLLOWING] = following
    nodes[node * NODE + FOLLOWING] = nodes[FOLLOWING]
    nodes[FOLLOWING] = node
    return following


def open_hole(endpoints: Endpoints, e: int, nodes: I64, left: int, right: int) -> None:
    """Note that endpoint `e` skipped a range above all it sent before."""
    narrow = endpoints.narrow
    narrow[e * NARROW + HOLES] = new_hole(nodes, left, right, int(narrow[e * NARROW + HOLES]))


def drop_hole(endpoints: Endpoints, e: int, nodes: I64, before: int, node: int) -> int:
    """Take a node out of an endpoint's list behind `before` (0: the head); the node that followed it."""
    following = free(nodes, before, node)
    if before == 0:
        endpoints.narrow[e * NARROW + HOLES] = following
    return following


def drop_holes(endpoints: Endpoints, e: int, nodes: I64) -> None:
    """Forget all holes of an endpoint."""
    node = int(endpoints.narrow[e * NARROW + HOLES])
    while node != 0:
        node = drop_hole(endpoints, e, nodes, 0, node)


def fill_holes(endpoints: Endpoints, e: int, nodes: I64, left: int, right: int) -> int:
    """Take a range out of the holes of endpoint `e`; the bytes that lay in holes are new."""
    new_bytes = 0
    before, walked = 0, 0
    node = int(endpoints.narrow[e * NARROW + HOLES])
    while node != 0 and nodes[node * NODE + RIGHT] > left and walked < WALK_MAX:
        walked += 1
        hole_left, hole_right = int(nodes[node * NODE + LEFT]), int(nodes[node * NODE + RIGHT])
        if hole_left < right:
            new_bytes += min(right, hole_right) - max(left, hole_left)
            if hole_left >= left and hole_right <= right:
                node = drop_hole(endpoints, e, nodes, before, node)
                continue
            if hole_right > right and hole_left < left:
                rest = new_hole(nodes, hole_left, left, int(nodes[node * NODE + FOLLOWING]))
                nodes[node * NODE + LEFT] = right
                nodes[node * NODE + FOLLOWING] = rest
            elif hole_right > right:
                nodes[node * NODE + LEFT] = right
            else:
                nodes[node * NODE + RIGHT] = left
        before = node
        node = int(nodes[node * NODE + FOLLOWING])
    return int(new_bytes)
