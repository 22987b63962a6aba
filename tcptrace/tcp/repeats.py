"""Why a segment was sent again, or seems to have been (a kernel module).

Wireshark goes by the clock and by duplicate ACKs. This also looks at SACK, at the order in which
the sender made the segments (timestamps, IP identification), at the timers that a sender can have
(RFC 6298, RFC 8985) and at what the peer has acknowledged before. Kinds are numbers, in the order of
schema.REPEATS; where none has what it needs, the kind is UNCLEAR.
"""

from tcptrace.flows import ACK, SYN
from tcptrace.schema import I64
from tcptrace.tcp.round_trips import COUNT, LINUX_RTO_MIN_NS, MIN_NS, SRTT_NS, elapsed_ns
from tcptrace.tcp.sending_rows import (
    ACKED,
    ACKED_NS,
    ANSWERED,
    BACKOFF,
    DUPLICATES,
    HIGH_IP_ID,
    HIGH_TSVAL,
    ID_STEPS,
    LAST_NS,
    MARKS,
    NEXT,
    RAISED_NS,
    RECOVER,
    RECOVERY_KIND,
    RECOVERY_NS,
    ROUND_TRIPS,
    SACKED,
    SYN_AT,
)
from tcptrace.tcp.sequence import is_older_id, is_older_tsval
from tcptrace.tcp.unacked import FIRST_NS, NODE, ONCE, SENT, SENT_NS

NO_REPEAT = 0
COPY = 1
REORDERED_SEGMENT = 2
SPURIOUS_REPEAT = 3
FAST = 4
GO_BACK_N = 5
TAIL_LOSS_PROBE = 6
TIMEOUT = 7
UNCLEAR = 8

REORDERING_NS = 3_000_000  # where no round trip is known: what Wireshark takes
PROMPT_NS = 20_000_000  # a repeat so soon after an ACK has reached its sender was caused by it
PROBE_MIN_NS = 2_000_000  # two ticks of 1 ms: Linux, TCP_TIMEOUT_MIN
COUNTED = 2  # steps up in a row, after which an IP identification is believed to be counted


def is_asked_for(rows: I64, x: int) -> bool:
    """Whether duplicate ACKs or SACK show that something below the highest is missing."""
    return bool(rows[x + DUPLICATES] > 0 or rows[x + SACKED] > 0)


def path_ns(rows: I64, x: int, y: int) -> int:
    """A round trip from end to end: those from here to the receiver of X, and the least from here to its sender."""
    return int(rows[x + ROUND_TRIPS + SRTT_NS] + rows[y + ROUND_TRIPS + MIN_NS])


def timer_ns(rows: I64, x: int, y: int) -> int:
    """The least a sender waits for an acknowledgement: RFC 6298 as Linux has it, the shortest in wide use.

    Without the variation: what a sender takes that for need not be what is seen here.
    """
    return path_ns(rows, x, y) + LINUX_RTO_MIN_NS


def was_made_earlier(rows: I64, x: int, y: int, opened_ns: int, ip_id: int, tsval: int, time_ns: int) -> bool:
    """Whether a segment never seen below the highest was made before that one, so that the network delayed it.

    Its timestamp tells, or its IP identification; without either, that nothing has asked for it and it
    comes sooner after it was overtaken, at `opened_ns`, than its sender could have learned of its loss.
    """
    if tsval >= 0 and rows[x + HIGH_TSVAL] >= 0 and tsval != rows[x + HIGH_TSVAL]:
        return bool(is_older_tsval(tsval, rows[x + HIGH_TSVAL]))
    if ip_id > 0 and rows[x + HIGH_IP_ID] > 0 and rows[x + ID_STEPS] >= COUNTED:
        return bool(is_older_id(ip_id, rows[x + HIGH_IP_ID]))
    bound_ns = path_ns(rows, x, y) // 2 if rows[x + ROUND_TRIPS + COUNT] > 0 else REORDERING_NS
    return elapsed_ns(opened_ns, time_ns) < bound_ns and not is_asked_for(rows, x)


def was_probe(rows: I64, x: int, nodes: I64, node: int, time_ns: int) -> bool:
    """Whether the first repeat of a range, seen as a timeout, was a probe: now a timer ran out that had not doubled.

    Of one segment, Linux probes when its timer would have run out, and then starts the timer anew.
    """
    at = node * NODE
    first_ns, second_ns = nodes[at + FIRST_NS], nodes[at + SENT_NS]
    if node == 0 or rows[x + BACKOFF] != 1 or nodes[at + SENT] // ONCE != 2 or rows[x + RAISED_NS] > first_ns:
        return False
    is_syn = rows[x + SYN_AT] >= rows[x + ACKED]
    return not is_syn and 0 < elapsed_ns(second_ns, time_ns) * 2 < elapsed_ns(first_ns, second_ns) * 3


def kind_of_repeat(rows: I64, x: int, y: int, start: int, end: int, sent_ns: int, time_ns: int) -> int:
    """Why bytes that were sent before, at `sent_ns` last, are sent again.

    A timer repeats what is lowest, and runs from the last transmission of that, or from the ACK that left it the
    lowest; after a timeout from the last transmission of anything, since ACKs then release repeats one by one. That
    a repeat was lost too SACK may tell (RFC 8985), else only a timer: duplicate ACKs ask once (RFC 6582).
    """
    acked = rows[x + ACKED]
    if end <= acked:
        return SPURIOUS_REPEAT
    recovers = rows[x + RECOVER] >= 0
    after_timeout = recovers and rows[x + RECOVERY_KIND] == TIMEOUT
    begun_ns = rows[x + LAST_NS] if after_timeout or acked < 0 else sent_ns
    waited_ns = elapsed_ns(max(begun_ns, rows[x + RAISED_NS]), time_ns)
    ran_out = (start <= acked or acked < 0) and waited_ns * 8 >= timer_ns(rows, x, y) * 7
    if after_timeout:
        return TIMEOUT if ran_out else GO_BACK_N
    lost_again = recovers and sent_ns >= max(rows[x + RECOVERY_NS], rows[x + RAISED_NS]) and rows[x + SACKED] == 0
    if ran_out and lost_again:
        return TIMEOUT
    partial = recovers and start <= acked and rows[x + RAISED_NS] >= rows[x + RECOVERY_NS]
    prompt_ns = PROMPT_NS + rows[y + ROUND_TRIPS + MIN_NS] + rows[x + ROUND_TRIPS + SRTT_NS] // 4
    if (partial or is_asked_for(rows, x)) and elapsed_ns(rows[x + ACKED_NS], time_ns) <= prompt_ns:
        return FAST
    if ran_out:
        return TIMEOUT
    is_tail = end == rows[x + NEXT] and sent_ns == rows[x + LAST_NS] and start > acked >= 0
    probe_ns = max(PROBE_MIN_NS, min(2 * path_ns(rows, x, y), timer_ns(rows, x, y)))
    known = rows[x + ROUND_TRIPS + COUNT] > 0 and not recovers
    return TAIL_LOSS_PROBE if is_tail and known and waited_ns * 8 >= probe_ns * 7 else UNCLEAR


def is_first_answer(rows: I64, x: int, flags: int) -> bool:
    """Whether a segment is the first SYN-ACK of X: in a simultaneous open no repeat of its SYN (RFC 9293 figure 7)."""
    if flags & (SYN | ACK) != SYN | ACK or rows[x + MARKS] & ANSWERED:
        return False
    rows[x + MARKS] |= ANSWERED
    return True
