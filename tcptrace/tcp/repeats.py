"""Why a segment was sent again, or seems to have been (a kernel module).

Wireshark goes by the clock and by duplicate ACKs. This also looks at SACK, at the order in which
the sender made the segments (timestamps, IP identification), at the measured timer (RFC 6298) and
at what the peer has acknowledged before. Kinds are numbers, in the order of schema.REPEATS.
"""

from tcptrace.schema import I64
from tcptrace.tcp.round_trips import COUNT, SRTT_NS, timer_ns
from tcptrace.tcp.sending_rows import (
    ACKED,
    ACKED_NS,
    DUPLICATES,
    HIGH_IP_ID,
    HIGH_NS,
    HIGH_TSVAL,
    LAST_KIND,
    LAST_NS,
    LAST_REPEAT_END,
    NEXT,
    RECOVER,
    ROUND_TRIPS,
    SACKED,
    SAME_ID,
)
from tcptrace.tcp.sequence import is_older_id, is_older_tsval

NO_REPEAT = 0
COPY = 1
REORDERED_SEGMENT = 2
SPURIOUS_REPEAT = 3
FAST = 4
GO_BACK_N = 5
TAIL_LOSS_PROBE = 6
TIMEOUT = 7

REORDERING_NS = 3_000_000  # where no round trip is known: what Wireshark takes
PROMPT_NS = 20_000_000  # a repeat so soon after an ACK was caused by it, however short the round trip


def was_made_earlier(rows: I64, x: int, ip_id: int, tsval: int, time_ns: int) -> bool:
    """Whether a segment below the highest was made before that one, so that the network delayed it.

    Its timestamp tells, or its IP identification; without either, that it comes within a round trip.
    """
    if tsval >= 0 and rows[x + HIGH_TSVAL] >= 0 and tsval != rows[x + HIGH_TSVAL]:
        return bool(is_older_tsval(tsval, rows[x + HIGH_TSVAL]))
    if ip_id > 0 and rows[x + HIGH_IP_ID] > 0 and rows[x + SAME_ID] == 0:
        return bool(is_older_id(ip_id, rows[x + HIGH_IP_ID]))
    bound_ns = rows[x + ROUND_TRIPS + SRTT_NS] if rows[x + ROUND_TRIPS + COUNT] > 0 else REORDERING_NS
    return bool(time_ns - rows[x + HIGH_NS] < bound_ns)


def kind_of_repeat(rows: I64, x: int, start: int, end: int, last_sent_ns: int, time_ns: int) -> int:
    """Why bytes that were sent before, at `last_sent_ns` last, are sent again."""
    if end <= rows[x + ACKED]:
        return SPURIOUS_REPEAT
    round_trip_ns = rows[x + ROUND_TRIPS + SRTT_NS]
    asked = rows[x + DUPLICATES] > 0 or rows[x + SACKED] > 0
    prompt = time_ns - rows[x + ACKED_NS] <= max(round_trip_ns, PROMPT_NS)
    if asked and prompt:
        return FAST
    after_timeout = rows[x + LAST_KIND] == TIMEOUT or rows[x + LAST_KIND] == GO_BACK_N
    if after_timeout and start == rows[x + LAST_REPEAT_END] and start < rows[x + RECOVER]:
        return GO_BACK_N
    early = time_ns - last_sent_ns < timer_ns(rows, x + ROUND_TRIPS)
    tail = end == rows[x + NEXT] and last_sent_ns == rows[x + LAST_NS] and rows[x + LAST_KIND] != TAIL_LOSS_PROBE
    return TAIL_LOSS_PROBE if tail and early and rows[x + ROUND_TRIPS + COUNT] > 0 else TIMEOUT
