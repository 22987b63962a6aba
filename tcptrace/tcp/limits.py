"""What held a connection back, told for every moment of its life (a kernel module).

Time between two segments goes to what can be seen to hold the transfer at its beginning: the first
that holds of these, after the classes of T-RAT (Zhang et al., On the Characteristics and Origins of
Internet Flow Rates, SIGCOMM 2002) and their critics (Siekkinen et al., Root Cause Analysis for
Long-Lived TCP Connections, CoNEXT 2005): a flow is not of one class for its whole life, an
application that is silent is no flow that is limited, and the congestion window is not observable.
Causes are numbers, in the order of schema.LIMITS.
"""

from tcptrace.schema import I64, UNKNOWN
from tcptrace.tcp.round_trips import MIN_NS
from tcptrace.tcp.sending_rows import (
    ACKED,
    ACKED_NS,
    LARGEST,
    LAST_LEN,
    LIMITED_NS,
    MARKS,
    MSS,
    PREVIOUS_NS,
    RECOVER,
    ROUND_TRIPS,
    SPOKEN,
    SYN_AT,
    WINDOW,
)

HANDSHAKE = 0  # before a segment without SYN
LOSS = 1  # data is out and what was lost is being repaired, or its timer runs that ran out later
RECEIVER_WINDOW = 2  # the offered window has no room: for a full segment, with nothing out for what was sent last
PATH = 3  # data, or its acknowledgement, is on its way: at the bandwidth or congestion window there is
APPLICATION = 4  # nothing is out: whoever has the word says nothing
UNTOLD = 5  # met midstream, and not both sides have acknowledged anything yet


def segment_bytes(rows: I64, x: int) -> int:
    """Payload of a full segment that X sends; the largest seen may be several that an offload joined."""
    largest, mss = rows[x + LARGEST], rows[x + MSS]
    return int(min(largest, mss) if mss > 0 else largest)


def cause_of(rows: I64, x: int, y: int, out: int) -> int:
    """What holds direction X back, which has `out` bytes unacknowledged; Y, the other way, carries its window."""
    window = rows[y + WINDOW]
    if out <= 0:
        return RECEIVER_WINDOW if 0 <= window < min(rows[x + LAST_LEN], segment_bytes(rows, x)) else APPLICATION
    if rows[x + RECOVER] >= 0:
        return LOSS
    return RECEIVER_WINDOW if 0 <= window < out + segment_bytes(rows, x) else PATH


def cause_of_flow(rows: I64, x: int, y: int, out_x: int, out_y: int) -> int:
    """What holds a flow back."""
    if rows[x + ACKED] >= 0 and rows[y + ACKED] >= 0:
        return int(min(cause_of(rows, x, y, out_x), cause_of(rows, y, x, out_y)))
    is_opening = (rows[x + MARKS] | rows[y + MARKS]) & SPOKEN == 0 or rows[x + SYN_AT] >= 0 or rows[y + SYN_AT] >= 0
    return HANDSHAKE if is_opening else UNTOLD


def since_previous_ns(rows: I64, flow: int, time_ns: int) -> int:
    """Time since the flow's previous segment; -1: unknown."""
    before_ns = rows[flow + PREVIOUS_NS] - 1
    return UNKNOWN if before_ns < 0 or time_ns < 0 else int(max(0, time_ns - before_ns))


def attribute(rows: I64, x: int, y: int, out_x: int, out_y: int, time_ns: int) -> int:
    """Give the time since the flow's previous segment to a cause; how long it was (-1: unknown).

    What Y sends takes its time to X, and what X then sends to here: so long nothing tells that X had nothing to say.
    """
    flow = min(x, y)
    before_ns, idle_ns = rows[flow + PREVIOUS_NS] - 1, since_previous_ns(rows, flow, time_ns)
    rows[flow + PREVIOUS_NS] = time_ns + 1
    if idle_ns < 0:
        return UNKNOWN
    cause = cause_of_flow(rows, x, y, out_x, out_y)
    if cause == APPLICATION and rows[x + ACKED_NS] == before_ns:
        on_way_ns = min(idle_ns, rows[y + ROUND_TRIPS + MIN_NS])
        rows[flow + LIMITED_NS + PATH] += on_way_ns
        rows[flow + LIMITED_NS + APPLICATION] += idle_ns - on_way_ns
    else:
        rows[flow + LIMITED_NS + cause] += idle_ns
    return idle_ns


def backdate_loss(rows: I64, flow: int, cause: int, idle_ns: int, waited_ns: int) -> None:
    """Give the time that a sender waited, until its timer ran out, to the loss that this ended in.

    First the time since the flow's previous segment, which `attribute` gave to `cause`, then what came before.
    """
    if cause <= LOSS or cause == UNTOLD or idle_ns < 0:
        return
    rows[flow + LIMITED_NS + cause] -= idle_ns
    rows[flow + LIMITED_NS + LOSS] += idle_ns
    rest_ns = waited_ns - idle_ns
    for taken in (PATH, RECEIVER_WINDOW):
        moved_ns = max(0, min(rest_ns, rows[flow + LIMITED_NS + taken]))
        rows[flow + LIMITED_NS + taken] -= moved_ns
        rows[flow + LIMITED_NS + LOSS] += moved_ns
        rest_ns -= moved_ns
