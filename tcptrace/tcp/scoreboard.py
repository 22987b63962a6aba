"""What the peer's SACK blocks say of what a direction has out, and of its repeats (a kernel module)."""

from tcptrace.schema import I64, SACK_BLOCKS_MAX
from tcptrace.tcp.sending_rows import ACKED, FIRST_NODE, REPEATED, SACKED, SPURIOUS
from tcptrace.tcp.sequence import unwrap
from tcptrace.tcp.unacked import END, FOLLOWING, NODE, ONCE, PARTLY, REPORTED, SENT, START, give_back


def sacked_bytes(sack: I64, i: int, count: int, ack: int) -> tuple[int, int]:
    """Bytes beyond the acknowledgement that its SACK blocks report, and whether the first is a DSACK (RFC 2883)."""
    total, first_left, first_right, duplicate = 0, 0, 0, 0
    for block in range(count):
        at = (i * SACK_BLOCKS_MAX + block) * 2
        left, right = unwrap(sack[at], ack), unwrap(sack[at + 1], ack)
        if block == 0:
            first_left, first_right = left, right
        if block == 1 and left <= first_left and first_right <= right and duplicate == 0:
            duplicate = 1
            total -= first_right - first_left
        if block == 0 and right <= ack:
            duplicate = 1
        elif right > left:
            total += right - left
    return max(0, total), duplicate


def mark_reported(rows: I64, x: int, nodes: I64, sack: I64, first: int, last: int, ack: int) -> None:
    """Count in each range what the blocks at `first` to `last` of `sack` report of it.

    Later segments have no room for all blocks, so what was reported once stays so.
    """
    lowest, highest = unwrap(sack[first], ack), ack
    for at in range(first, last, 2):
        lowest = min(lowest, unwrap(sack[at], ack))
        highest = max(highest, unwrap(sack[at + 1], ack))
    node = rows[x + FIRST_NODE]
    while node != 0 and nodes[node * NODE + START] < highest:
        n = node * NODE
        start, end = max(nodes[n + START], rows[x + ACKED]), nodes[n + END]
        if end > lowest and nodes[n + REPORTED] < end - start:
            covered = 0
            for at in range(first, last, 2):
                covered += max(0, min(end, unwrap(sack[at + 1], ack)) - max(start, unwrap(sack[at], ack)))
            more = min(covered, end - start) - nodes[n + REPORTED]
            if more > 0:
                nodes[n + REPORTED] += more
                rows[x + SACKED] += more
        node = nodes[n + FOLLOWING]


def prove_needless(rows: I64, x: int, nodes: I64, left: int, right: int) -> int:
    """How many ranges between two positions came twice and were sent again; each repeat is proved once."""
    proven, before, node = 0, 0, rows[x + REPEATED]
    while node != 0:
        at = node * NODE
        following = nodes[at + FOLLOWING]
        drops = False
        if nodes[at + START] < right and nodes[at + END] > left:
            proven += 1
            nodes[at + SENT] -= ONCE
            drops = nodes[at + SENT] < 2 * ONCE
        if not drops:
            before = node
        else:
            if before == 0:
                rows[x + REPEATED] = following
            else:
                nodes[before * NODE + FOLLOWING] = following
            give_back(nodes, node)
        node = following
    node = rows[x + FIRST_NODE]
    while node != 0 and nodes[node * NODE + START] < right:
        at = node * NODE
        if nodes[at + END] > left and nodes[at + SENT] >= 2 * ONCE:
            proven += 1
            nodes[at + SENT] = (nodes[at + SENT] - ONCE) | PARTLY
        node = nodes[at + FOLLOWING]
    return proven


def take_blocks(rows: I64, x: int, nodes: I64, sack: I64, i: int, count: int, ack: int, duplicate: int) -> None:
    """Note what the blocks of row `i` say of direction X; `duplicate`: the first is a DSACK."""
    first = i * SACK_BLOCKS_MAX * 2
    if duplicate != 0:
        rows[x + SPURIOUS] += prove_needless(rows, x, nodes, unwrap(sack[first], ack), unwrap(sack[first + 1], ack))
    if count > duplicate:
        mark_reported(rows, x, nodes, sack, first + 2 * duplicate, first + 2 * count, ack)
