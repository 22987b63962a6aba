"""What a direction has sent and its peer not yet acknowledged: ranges in order of position (a kernel module).

A range is a node of NODE values in one pool; node 0 holds the list of free ones. A direction keeps
at most NODES_MAX; where nobody acknowledges, only the newest few.
"""

from tcptrace.schema import I64
from tcptrace.tcp.sending_rows import ACKED, FIRST_NODE, LAST_NODE, NODES

START = 0
END = 1
SENT_NS = 2  # its latest transmission
SENT = 3  # how often; a partly acknowledged range counts as sent twice: no sample comes of it (Karn)
FRAME = 4  # that of its first transmission
FIRST_NS = 5
TSVAL = 6
FOLLOWING = 7
NODE = 8

NODES_MAX = 4096
NODES_MAX_UNHEARD = 16


def used(nodes: I64) -> int:
    """How many nodes were ever taken, the first one included."""
    return int(max(nodes[START], 1)) if len(nodes) != 0 else 1


def take(nodes: I64) -> int:
    """A free node."""
    free = nodes[FOLLOWING]
    if free != 0:
        nodes[FOLLOWING] = nodes[free * NODE + FOLLOWING]
        return int(free)
    nodes[START] = used(nodes) + 1
    return int(nodes[START] - 1)


def give_back(nodes: I64, node: int) -> None:
    """Free a node."""
    nodes[node * NODE + FOLLOWING] = nodes[FOLLOWING]
    nodes[FOLLOWING] = node


def drop_first(rows: I64, x: int, nodes: I64) -> None:
    """Forget the lowest range."""
    node = rows[x + FIRST_NODE]
    rows[x + FIRST_NODE] = nodes[node * NODE + FOLLOWING]
    if rows[x + FIRST_NODE] == 0:
        rows[x + LAST_NODE] = 0
    rows[x + NODES] -= 1
    give_back(nodes, node)


def drop_all(rows: I64, x: int, nodes: I64) -> None:
    """Forget all ranges."""
    while rows[x + FIRST_NODE] != 0:
        drop_first(rows, x, nodes)


def insert(
    rows: I64, x: int, nodes: I64, before: int, start: int, end: int, time_ns: int, frame: int, tsval: int
) -> None:
    """Put a range behind the node `before` (0: in front)."""
    node = take(nodes)
    at = node * NODE
    nodes[at + START] = start
    nodes[at + END] = end
    nodes[at + SENT_NS] = time_ns
    nodes[at + FIRST_NS] = time_ns
    nodes[at + SENT] = 1
    nodes[at + FRAME] = frame
    nodes[at + TSVAL] = tsval
    if before == 0:
        nodes[at + FOLLOWING] = rows[x + FIRST_NODE]
        rows[x + FIRST_NODE] = node
    else:
        nodes[at + FOLLOWING] = nodes[before * NODE + FOLLOWING]
        nodes[before * NODE + FOLLOWING] = node
    if nodes[at + FOLLOWING] == 0:
        rows[x + LAST_NODE] = node
    rows[x + NODES] += 1


def append(rows: I64, x: int, nodes: I64, start: int, end: int, time_ns: int, frame: int, tsval: int) -> None:
    """Add what lies beyond all ranges."""
    if rows[x + NODES] >= (NODES_MAX if rows[x + ACKED] >= 0 else NODES_MAX_UNHEARD):
        drop_first(rows, x, nodes)
    insert(rows, x, nodes, rows[x + LAST_NODE], start, end, time_ns, frame, tsval)


def send_again(
    rows: I64, x: int, nodes: I64, start: int, end: int, time_ns: int, frame: int, tsval: int
) -> tuple[int, int, int, int]:
    """Note a transmission below the highest: the ranges it touches are sent again; touching none it becomes one.

    Returns of the first range touched its frame (0: it touches none), when that was first and last
    sent, and how many ranges lie beyond.
    """
    original, first_ns, last_ns, beyond = 0, 0, 0, 0
    before, node = 0, rows[x + FIRST_NODE]
    while node != 0:
        at = node * NODE
        if nodes[at + START] >= end:
            beyond += 1
        else:
            before = node
            if nodes[at + END] > start:
                if original == 0:
                    original, first_ns, last_ns = nodes[at + FRAME], nodes[at + FIRST_NS], nodes[at + SENT_NS]
                nodes[at + SENT] += 1
                nodes[at + SENT_NS] = time_ns
        node = nodes[at + FOLLOWING]
    if original == 0 and start < end and rows[x + NODES] < NODES_MAX:
        insert(rows, x, nodes, before, start, end, time_ns, frame, tsval)
    return original, first_ns, last_ns, beyond
