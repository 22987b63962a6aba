"""From a segment to what it tells of both endpoints (a kernel module).

X sends, Y receives; x and y are their endpoint numbers. What X sent is seen, what Y received is
inferred. Sequence checks happen here, so that the state table need not know numbers.
"""

from tcptrace.flows import ACK, FIN, RST, SYN
from tcptrace.schema import NO_TIME, Endpoints
from tcptrace.tcp.endpoint import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    LAST_ACK,
    LISTEN,
    RECEIVED_ACK_OF_FIN,
    RECEIVED_ACK_OF_SYN,
    RECEIVED_FIN,
    RECEIVED_FIN_AND_ACK,
    RECEIVED_RST,
    RECEIVED_SEGMENT,
    SENT_ACK_OF_FIN,
    SENT_FIN,
    SENT_FIN_AFTER_FIN,
    SENT_PAST_SYN,
    SENT_RST,
    SENT_SYN,
    SENT_SYN_ACK,
    SYN_RCVD,
    SYN_SENT,
    TIME_WAIT,
    TIMEOUT_2MSL,
    UNKNOWN_STATE,
)
from tcptrace.tcp.endpoint_rows import (
    ACKED,
    BEFORE_RESET,
    FIN_END,
    NARROW,
    NEXT,
    NOTE_CLOSED_FIRST,
    NOTE_ONE_MORE,
    NOTE_PAST_SYN,
    NOTE_RESET,
    NOTES,
    SINCE_NS,
    START,
    STATE,
    VIA,
    WIDE,
    WINDOW,
)
from tcptrace.tcp.transition_log import reset, restore, step

TIME_WAIT_NS = 60_000_000_000  # Linux: TCP_TIMEWAIT_LEN, include/net/tcp.h
UNSCALED_WINDOW_MAX = 65535
ROUND_TRIP_UNKNOWN_NS = 1_000_000_000  # RFC 6298 section 2.1: the timer before any measurement


def expire(endpoints: Endpoints, e: int, now_ns: int) -> None:
    """End the TIME_WAIT of endpoint `e` if 2MSL have passed by `now_ns`."""
    since = endpoints.wide[e * WIDE + SINCE_NS]
    if endpoints.narrow[e * NARROW + STATE] == TIME_WAIT and since != NO_TIME and now_ns - since >= TIME_WAIT_NS:
        step(endpoints, e, TIMEOUT_2MSL, 1, 0, since + TIME_WAIT_NS)


def is_syn_acked(endpoints: Endpoints, x: int, y: int) -> bool:
    """Whether X has acknowledged Y's SYN: what it acknowledges beyond, Y has sent although the capture lacks it."""
    return endpoints.wide[x * WIDE + ACKED] > endpoints.wide[y * WIDE + START]


def on_reset(
    endpoints: Endpoints, x: int, y: int, flags: int, position: int, ack: int, frame: int, time_ns: int
) -> None:
    """A RST, acceptable to Y, to nobody, or only X's own business (RFC 9293 section 3.10.7, RFC 5961)."""
    wide, narrow = endpoints.wide, endpoints.narrow
    x_state, y_state = narrow[x * NARROW + STATE], narrow[y * NARROW + STATE]
    expected = wide[y * WIDE + ACKED]
    if y_state == SYN_SENT and not is_syn_acked(endpoints, x, y):
        accepted = flags & ACK != 0 and wide[y * WIDE + START] < ack <= wide[y * WIDE + NEXT]
    elif expected < 0:
        accepted = True
    else:
        right = max(wide[x * WIDE + NEXT], expected + max(narrow[y * NARROW + WINDOW], UNSCALED_WINDOW_MAX))
        accepted = expected <= position <= right
    if x_state == SYN_SENT:
        has_opened = accepted and is_syn_acked(endpoints, y, x)
        own = has_opened or position == wide[x * WIDE + NEXT]  # else it answers a foreign SYN-ACK and goes on waiting
    elif x_state == LISTEN:
        own = accepted
    else:
        own = accepted or (y_state == SYN_SENT and position == wide[x * WIDE + NEXT])
    ended = 0
    if own:
        ended |= reset(endpoints, x, SENT_RST, 0, frame, time_ns)
    if accepted:
        ended |= reset(endpoints, y, RECEIVED_RST, 1, frame, time_ns)
    if ended != 0:
        narrow[x * NARROW + NOTES] |= NOTE_RESET


def survives_reset(endpoints: Endpoints, x: int, y: int, end: int, ack: int, bound_ns: int, time_ns: int) -> bool:
    """Whether a segment of X, believed reset, can only come from a live X: it is no straggler."""
    wide, narrow = endpoints.wide, endpoints.narrow
    since = wide[x * WIDE + SINCE_NS]
    if narrow[y * NARROW + STATE] != CLOSED:
        return True
    if narrow[x * NARROW + NOTES] & NOTE_RESET and (end > wide[x * WIDE + NEXT] or ack > wide[x * WIDE + ACKED]):
        return True
    return time_ns != NO_TIME and since != NO_TIME and time_ns - since > bound_ns


def is_fin_due(endpoints: Endpoints, x: int, y: int, position: int, end: int) -> bool:
    """Whether a FIN lies where Y can take it: not below what Y has acknowledged, not beyond Y's window."""
    wide = endpoints.wide
    expected = wide[y * WIDE + ACKED]
    if expected < 0 or end == wide[x * WIDE + FIN_END]:
        return True
    right = max(wide[x * WIDE + NEXT], expected + max(endpoints.narrow[y * NARROW + WINDOW], UNSCALED_WINDOW_MAX))
    return end > expected and position <= right


def forget_ending(endpoints: Endpoints, x: int, y: int) -> None:
    """A handshake begins anew in the same flow: how it ended before is over."""
    wide, narrow = endpoints.wide, endpoints.narrow
    for e in (x, y):
        narrow[e * NARROW + BEFORE_RESET] = -1
        narrow[e * NARROW + NOTES] &= ~(NOTE_RESET | NOTE_CLOSED_FIRST)
        wide[e * WIDE + FIN_END] = -1


def is_old_syn_ack(endpoints: Endpoints, x: int, y: int, position: int, ack: int) -> bool:
    """Whether a SYN-ACK answers a SYN of before from another number than Y has acknowledged since: too late a one."""
    wide = endpoints.wide
    start = wide[x * WIDE + START]
    if start < 0 or position == start or wide[y * WIDE + ACKED] <= start:
        return False
    return endpoints.narrow[y * NARROW + STATE] != SYN_SENT and wide[y * WIDE + START] == ack - 1


def on_syn(endpoints: Endpoints, x: int, y: int, flags: int, ack: int, frame: int, time_ns: int) -> None:
    """A SYN or SYN-ACK."""
    wide, narrow = endpoints.wide, endpoints.narrow
    before = narrow[x * NARROW + STATE]
    if flags & ACK == 0:
        step(endpoints, x, SENT_SYN, 0, frame, time_ns)
    elif narrow[x * NARROW + NOTES] & NOTE_PAST_SYN == 0 or narrow[x * NARROW + BEFORE_RESET] >= 0:
        if before in (ESTABLISHED, CLOSE_WAIT) and time_ns != NO_TIME and time_ns < wide[x * WIDE + SINCE_NS]:
            return  # later in the file, earlier in time: it is the one that was acknowledged
        step(endpoints, x, SENT_SYN_ACK, 0, frame, time_ns)
        if before == SYN_SENT and wide[y * WIDE + ACKED] > wide[x * WIDE + START]:
            step(endpoints, x, RECEIVED_ACK_OF_SYN, 1, frame, time_ns)
        if narrow[y * NARROW + STATE] == SYN_RCVD and ack > wide[y * WIDE + START]:
            step(endpoints, y, RECEIVED_ACK_OF_SYN, 1, frame, time_ns)
    if before == CLOSED and narrow[x * NARROW + STATE] != CLOSED:
        forget_ending(endpoints, x, y)


def infer_unseen_fin(
    endpoints: Endpoints, x: int, y: int, flags: int, length: int, ack: int, frame: int, time_ns: int
) -> None:
    """Where Y's segments are not in the capture: X, closing, acknowledges exactly one more, Y's FIN."""
    wide, narrow = endpoints.wide, endpoints.narrow
    closing = flags & FIN != 0 or wide[x * WIDE + FIN_END] >= 0
    if wide[y * WIDE + NEXT] < 0 and wide[y * WIDE + FIN_END] < 0:
        acked = wide[x * WIDE + ACKED]
        one_more = length == 0 and acked >= 0 and ack == acked + 1
        just_before = narrow[x * NARROW + NOTES] & NOTE_ONE_MORE != 0 and ack == acked
        if one_more and not closing:
            narrow[x * NARROW + NOTES] |= NOTE_ONE_MORE
        elif ack != acked or length > 0:
            narrow[x * NARROW + NOTES] &= ~NOTE_ONE_MORE
        if closing and (one_more or just_before):
            after_fin = narrow[x * NARROW + STATE] == FIN_WAIT_1
            wide[y * WIDE + FIN_END] = ack
            step(endpoints, y, SENT_FIN_AFTER_FIN if after_fin else SENT_FIN, 1, frame, time_ns)
            if after_fin:
                step(endpoints, x, RECEIVED_FIN_AND_ACK, 1, frame, time_ns)
            else:
                narrow[y * NARROW + NOTES] |= NOTE_CLOSED_FIRST


def tell_opening(endpoints: Endpoints, x: int, y: int, flags: int, ack: int, frame: int, time_ns: int) -> None:
    """What an acknowledging segment past the SYN tells of the handshake, or of a flow met midstream."""
    wide, narrow = endpoints.wide, endpoints.narrow
    x_state, y_state = narrow[x * NARROW + STATE], narrow[y * NARROW + STATE]
    can_ack = y_state != SYN_SENT or ack <= wide[y * WIDE + NEXT] or is_syn_acked(endpoints, x, y)
    acks_syn = ack > wide[y * WIDE + START] and can_ack
    if x_state == UNKNOWN_STATE:
        if flags & FIN == 0:
            step(endpoints, x, SENT_PAST_SYN, 1, frame, time_ns)
    elif x_state != SYN_SENT or acks_syn:
        step(endpoints, x, SENT_PAST_SYN, 0, frame, time_ns)
    if LISTEN <= y_state <= SYN_RCVD and acks_syn:
        step(endpoints, y, RECEIVED_ACK_OF_SYN, 1, frame, time_ns)
    elif y_state == UNKNOWN_STATE and flags & FIN == 0:
        step(endpoints, y, RECEIVED_SEGMENT, 1, frame, time_ns)


def tell_closing(
    endpoints: Endpoints, x: int, y: int, flags: int, end: int, ack: int, frame: int, time_ns: int
) -> None:
    """What FINs and their acknowledgements tell; `end` is one past the payload and FIN, `ack` -1 without ACK."""
    wide, narrow = endpoints.wide, endpoints.narrow
    acks_fin = 0 <= wide[y * WIDE + FIN_END] <= ack
    if flags & FIN:
        if wide[x * WIDE + FIN_END] < 0 and not acks_fin:
            narrow[x * NARROW + NOTES] |= NOTE_CLOSED_FIRST
        wide[x * WIDE + FIN_END] = end
        step(endpoints, x, SENT_FIN_AFTER_FIN if acks_fin else SENT_FIN, 0, frame, time_ns)
    elif acks_fin and wide[x * WIDE + ACKED] < wide[y * WIDE + FIN_END]:
        step(endpoints, x, SENT_ACK_OF_FIN, 0, frame, time_ns)
    y_state = narrow[y * NARROW + STATE]
    if not acks_fin or y_state not in (FIN_WAIT_1, CLOSING, LAST_ACK):
        if flags & FIN:
            step(endpoints, y, RECEIVED_FIN, 1, frame, time_ns)
    elif flags & FIN:
        step(endpoints, y, RECEIVED_FIN_AND_ACK, 1, frame, time_ns)
    else:
        if y_state == FIN_WAIT_1 and 0 <= wide[x * WIDE + FIN_END] <= end:
            step(endpoints, y, RECEIVED_FIN, 1, frame, time_ns)  # X's FIN, sent before, came before this
        step(endpoints, y, RECEIVED_ACK_OF_FIN, 1, frame, time_ns)


def tell(
    endpoints: Endpoints,
    x: int,
    y: int,
    flags: int,
    position: int,
    length: int,
    ack: int,
    bound_ns: int,
    frame: int,
    time_ns: int,
) -> None:
    """All that one segment tells: timers that ran out before it, then X's sending, then Y's receipt."""
    wide, narrow = endpoints.wide, endpoints.narrow
    if time_ns != NO_TIME:
        expire(endpoints, x, time_ns)
        expire(endpoints, y, time_ns)
    if flags & RST:
        on_reset(endpoints, x, y, flags, position, ack, frame, time_ns)
        return
    if flags & SYN:
        if not is_old_syn_ack(endpoints, x, y, position, ack):
            on_syn(endpoints, x, y, flags, ack, frame, time_ns)
        return
    end = position + length + (1 if flags & FIN else 0)
    if narrow[x * NARROW + STATE] == CLOSED and narrow[x * NARROW + BEFORE_RESET] >= 0:
        if not survives_reset(endpoints, x, y, end, ack, bound_ns, time_ns):
            return
        narrow[x * NARROW + NOTES] &= ~NOTE_RESET
        narrow[y * NARROW + NOTES] &= ~NOTE_RESET
        restore(endpoints, x, frame, time_ns)
    if ack >= 0:
        infer_unseen_fin(endpoints, x, y, flags, length, ack, frame, time_ns)
        tell_opening(endpoints, x, y, flags, ack, frame, time_ns)
    tell_closing(endpoints, x, y, flags, end, ack, frame, time_ns)
    narrow[x * NARROW + NOTES] |= NOTE_PAST_SYN
    if narrow[x * NARROW + STATE] == TIME_WAIT:
        wide[x * WIDE + SINCE_NS] = max(wide[x * WIDE + SINCE_NS], time_ns)


def is_copy(endpoints: Endpoints, x: int, via: int, flags: int, end: int, ack: int) -> bool:
    """Whether a segment met at another interface than X's last news shows nothing new: the same frame again.

    A capture on several interfaces holds a forwarded segment once for each; copies are no repeats.
    """
    wide, narrow = endpoints.wide, endpoints.narrow
    if narrow[x * NARROW + VIA] == via:
        return False
    if end > wide[x * WIDE + NEXT] or ack > wide[x * WIDE + ACKED]:
        return False
    return flags & RST == 0 or narrow[x * NARROW + STATE] == CLOSED


def is_plain(endpoints: Endpoints, x: int, y: int, flags: int) -> bool:
    """Whether a segment can tell nothing new: no SYN, FIN or RST, and both ends seen and known to be established."""
    narrow = endpoints.narrow
    established = narrow[x * NARROW + STATE] == ESTABLISHED and narrow[y * NARROW + STATE] == ESTABLISHED
    heard = narrow[x * NARROW + NOTES] & NOTE_PAST_SYN != 0 and endpoints.wide[y * WIDE + NEXT] >= 0
    return established and heard and flags & (SYN | FIN | RST) == 0
