"""What held a connection back, told for every moment of its life (a kernel module).

Time between two segments goes to what can be seen to hold the transfer at its beginning: the first
that holds of these, after the classes of T-RAT (Zhang et al., On the Characteristics and Origins of
Internet Flow Rates, SIGCOMM 2002) and their critics (Siekkinen et al., Root Cause Analysis for
Long-Lived TCP Connections, CoNEXT 2005): a flow is not of one class for its whole life, an
application that is silent is no flow that is limited, and the congestion window is not observable.
Causes are numbers, in the order of schema.LIMITS.
"""

from tcptrace.schema import I64
from tcptrace.tcp.sending_rows import ACKED, LARGEST, LIMITED_NS, NEXT, PREVIOUS_NS, RECOVER, SACKED, WINDOW

HANDSHAKE = 0  # before both sides have acknowledged anything
LOSS = 1  # data is out and what was lost is being repaired
RECEIVER_WINDOW = 2  # data is out and the offered window has no room for one more segment
PATH = 3  # data is out: it takes its round trip, at the bandwidth or congestion window there is
APPLICATION = 4  # nothing is out: whoever has the word says nothing
CAUSES = 5


def cause_of(rows: I64, x: int, y: int) -> int:
    """What holds direction X back; Y, the other way, carries its window."""
    in_flight = rows[x + NEXT] - rows[x + ACKED] - rows[x + SACKED]
    if rows[x + ACKED] < 0 or rows[x + NEXT] < 0 or in_flight <= 0:
        return APPLICATION
    if rows[x + RECOVER] >= 0:
        return LOSS
    window = rows[y + WINDOW]
    if window >= 0 and in_flight + rows[x + LARGEST] > window:
        return RECEIVER_WINDOW
    return PATH


def attribute(rows: I64, x: int, y: int, time_ns: int) -> int:
    """Give the time since the flow's previous segment to a cause; how long it was (-1: this is the first)."""
    flow = min(x, y)
    before = rows[flow + PREVIOUS_NS] - 1
    rows[flow + PREVIOUS_NS] = time_ns + 1
    if before < 0:
        return -1
    idle_ns = max(0, time_ns - before)
    cause = HANDSHAKE
    if rows[x + ACKED] >= 0 and rows[y + ACKED] >= 0:
        cause = min(cause_of(rows, x, y), cause_of(rows, y, x))
    rows[flow + LIMITED_NS + cause] += idle_ns
    return int(idle_ns)
