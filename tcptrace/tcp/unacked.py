"""What a direction has sent and its peer not yet acknowledged: ranges in order of position (a kernel module).

A range is a node of NODE values in one pool; node 0 holds the list of free ones. A direction keeps
at most NODES_MAX; where nobody acknowledges, only the newest few. Ranges that were sent again stay
for a while after their acknowledgement, in a list of their own: a DSACK may yet prove a repeat needless.
"""

from tcptrace.schema import I64
from tcptrace.tcp.sending_rows import (
    ACKED,
    FIRST_NODE,
    LAST_NODE,
    NEXT,
    NODES,
    REPEAT_WAIT_MAX_NS,
    REPEATED,
    REPEATED_MOST,
    SACKED,
)

START = 0
END = 1
SENT_NS = 2  # its latest transmission
SENT = 3  # how often, times ONCE; PARTLY and RESTAMPED are bits below
FRAME = 4  # that of its first transmission
FIRST_NS = 5
TSVAL = 6  # of its first transmission
REPORTED = 7  # bytes of it that SACK blocks reported; once it is acknowledged: NEXT at that time
FOLLOWING = 8
NODE = 9

ONCE = 4
PARTLY = 1  # in SENT: part of it is acknowledged, so that no sample comes of the rest (Karn)
RESTAMPED = 2  # every repeat had another timestamp than the first transmission

NODES_MAX = 4096
NODES_MAX_UNHEARD = 16
REPEATED_MAX = 64


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


def unlink_first(rows: I64, x: int, nodes: I64) -> int:
    """Take the lowest range out of the list."""
    node = rows[x + FIRST_NODE]
    rows[x + FIRST_NODE] = nodes[node * NODE + FOLLOWING]
    if rows[x + FIRST_NODE] == 0:
        rows[x + LAST_NODE] = 0
    rows[x + NODES] -= 1
    rows[x + SACKED] -= nodes[node * NODE + REPORTED]
    return int(node)


def drop_first(rows: I64, x: int, nodes: I64) -> None:
    """Forget the lowest range."""
    give_back(nodes, unlink_first(rows, x, nodes))


def drop_repeated(rows: I64, x: int, nodes: I64, kept: int) -> None:
    """Forget the ranges that were sent again and acknowledged, but for the newest `kept`."""
    before, node, count = 0, rows[x + REPEATED], 0
    while node != 0:
        following = nodes[node * NODE + FOLLOWING]
        if count >= kept:
            give_back(nodes, node)
        else:
            before = node
        count += 1
        node = following
    if before != 0:
        nodes[before * NODE + FOLLOWING] = 0
    else:
        rows[x + REPEATED] = 0


def drop_acked(rows: I64, x: int, nodes: I64, proven: bool) -> None:
    """Forget the lowest range, which is acknowledged; keep it if a DSACK may yet prove its repeat needless."""
    node = unlink_first(rows, x, nodes)
    at = node * NODE
    if proven or nodes[at + SENT] < 2 * ONCE:
        give_back(nodes, node)
        return
    nodes[at + REPORTED] = rows[x + NEXT]
    nodes[at + FOLLOWING] = rows[x + REPEATED]
    rows[x + REPEATED] = node
    drop_repeated(rows, x, nodes, REPEATED_MAX)


def drop_all(rows: I64, x: int, nodes: I64) -> None:
    """Forget all ranges."""
    while rows[x + FIRST_NODE] != 0:
        drop_first(rows, x, nodes)
    drop_repeated(rows, x, nodes, 0)


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
    nodes[at + SENT] = ONCE
    nodes[at + FRAME] = frame
    nodes[at + TSVAL] = tsval
    nodes[at + REPORTED] = 0
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


def find(rows: I64, x: int, nodes: I64, start: int, end: int) -> tuple[int, int, int]:
    """Where a transmission below the highest falls.

    The first range it touches (0: none), the last one that begins before its end, and how many lie beyond.
    """
    touched, before, beyond = 0, 0, 0
    node = rows[x + FIRST_NODE]
    while node != 0:
        at = node * NODE
        if nodes[at + START] >= end:
            beyond += 1
        else:
            before = node
            if nodes[at + END] > start and touched == 0:
                touched = node
        node = nodes[at + FOLLOWING]
    return int(touched), int(before), beyond


def send_again(rows: I64, x: int, nodes: I64, touched: int, end: int, time_ns: int, tsval: int) -> None:
    """Note that the ranges from `touched` on are sent again, up to `end`."""
    node = touched
    while node != 0 and nodes[node * NODE + START] < end:
        at = node * NODE
        restamped = tsval != nodes[at + TSVAL] and (nodes[at + SENT] < 2 * ONCE or nodes[at + SENT] & RESTAMPED != 0)
        rows[x + REPEATED_MOST] = max(rows[x + REPEATED_MOST], nodes[at + SENT] // ONCE)
        rows[x + REPEAT_WAIT_MAX_NS] = max(rows[x + REPEAT_WAIT_MAX_NS], time_ns - nodes[at + SENT_NS])
        nodes[at + SENT] = ((nodes[at + SENT] & ~RESTAMPED) + ONCE) | (RESTAMPED if restamped else 0)
        nodes[at + SENT_NS] = time_ns
        node = nodes[at + FOLLOWING]
