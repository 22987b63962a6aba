"""The one pass over all segments: positions, unique bytes, windows, states (a kernel module)."""

from tcptrace.flows import ACK, CONTINUES, FIN, HANDSHAKE_ACK_NS, KEY_0, PREVIOUS, RST, SEEN, SYN
from tcptrace.flows import WIDTH as FLOW_WIDTH
from tcptrace.schema import I64, NO_TIME, Endpoints, FlowRows, Packets, Segments
from tcptrace.tcp.endpoint import CLOSED, LISTEN, SYN_SENT, TIME_WAIT, TUPLE_REUSED
from tcptrace.tcp.endpoint_rows import (
    ACKED,
    FIN_END,
    HANDSHAKE_NS,
    HOLES,
    MSS,
    NARROW,
    NEXT,
    NO_SCALE,
    NOTE_PAST_SYN,
    NOTE_SACK_PERMITTED,
    NOTE_SYN,
    NOTE_TIMESTAMPS,
    NOTES,
    PAYLOAD,
    SCALE,
    START,
    STATE,
    SYN_UNSEEN,
    VIA,
    WIDE,
    WINDOW,
    WINDOW_SCALE_MAX,
    begin,
)
from tcptrace.tcp.holes import drop_holes, fill_holes, open_hole
from tcptrace.tcp.segment_events import (
    ROUND_TRIP_UNKNOWN_NS,
    UNSCALED_WINDOW_MAX,
    expire,
    is_copy,
    is_fin_due,
    is_old_syn_ack,
    is_plain,
    is_syn_acked,
    tell,
)
from tcptrace.tcp.sequence import CYCLE, unwrap
from tcptrace.tcp.transition_log import step

WINDOW_CAP = 0x7FFFFFFF


def position_in(endpoints: Endpoints, x: int, y: int, number: int) -> int:
    """The position of a raw number in X's stream; an unprinted one (-1) is taken for X's next, -1 if unknown too."""
    near = endpoints.wide[x * WIDE + NEXT]
    if near < 0:
        near = endpoints.wide[y * WIDE + ACKED]
    return int(unwrap(number, near)) if number >= 0 else int(near)


def note_syn(endpoints: Endpoints, x: int, y: int, nodes: I64, position: int, scale: int) -> None:
    """Keep what a SYN tells of its sender; another ISN begins its stream anew."""
    wide, narrow = endpoints.wide, endpoints.narrow
    narrow[x * NARROW + SCALE] = NO_SCALE if scale < 0 else min(scale, WINDOW_SCALE_MAX)
    if wide[x * WIDE + START] != position:
        wide[x * WIDE + START] = position
        wide[x * WIDE + HANDSHAKE_NS] = NO_TIME
        wide[x * WIDE + NEXT] = -1
        wide[x * WIDE + FIN_END] = -1
        wide[x * WIDE + ACKED] = -1
        wide[y * WIDE + ACKED] = -1
        drop_holes(endpoints, x, nodes)
        narrow[x * NARROW + NOTES] &= ~NOTE_PAST_SYN


def note_options(endpoints: Endpoints, x: int, sack_permitted: int, tsval: int) -> None:
    """Keep which options a SYN offers."""
    notes = endpoints.narrow[x * NARROW + NOTES] & ~(NOTE_SACK_PERMITTED | NOTE_TIMESTAMPS)
    notes |= NOTE_SACK_PERMITTED if sack_permitted == 1 else 0
    endpoints.narrow[x * NARROW + NOTES] = notes | (NOTE_TIMESTAMPS if tsval >= 0 else 0)


def first_states(endpoints: Endpoints, x: int, y: int, flags: int) -> None:
    """What both ends were before the first segment of a flow: known only where it is a SYN."""
    if flags & SYN and flags & RST == 0:
        endpoints.narrow[x * NARROW + STATE] = LISTEN if flags & ACK else CLOSED
        if flags & ACK == 0:
            endpoints.narrow[y * NARROW + STATE] = LISTEN


def window_of(endpoints: Endpoints, x: int, y: int, flags: int, raw: int) -> int:
    """The window in bytes, -1 where the scale is unknown (RFC 7323 section 2.2: both offer it or none scales)."""
    scale, other = endpoints.narrow[x * NARROW + SCALE], endpoints.narrow[y * NARROW + SCALE]
    if raw < 0 or flags & SYN or scale == NO_SCALE or other == NO_SCALE:
        return raw
    if scale == SYN_UNSEEN or other == SYN_UNSEEN:
        return -1
    return raw << scale


def note_sent(endpoints: Endpoints, x: int, nodes: I64, flags: int, position: int, length: int) -> int:
    """Advance what X has sent, and count the payload bytes that are new; returns how many are.

    Where the position is unknown nothing advances, but payload is payload.
    """
    wide = endpoints.wide
    if position < 0:
        wide[x * WIDE + PAYLOAD] += length
        return length
    following = wide[x * WIDE + NEXT]
    left = position + (1 if flags & SYN else 0)
    right = left + length
    end = right + (1 if flags & FIN else 0)
    if following < 0:
        following = left
    new_bytes = 0
    if length > 0:
        new_bytes = max(0, right - max(left, following))
        if left < following and endpoints.narrow[x * NARROW + HOLES] != 0:
            new_bytes += fill_holes(endpoints, x, nodes, left, min(right, following))
        wide[x * WIDE + PAYLOAD] += new_bytes
    if left > following:
        open_hole(endpoints, x, nodes, following, left)
    wide[x * WIDE + NEXT] = max(following, end)
    return int(new_bytes)


def end_previous(flows: FlowRows, endpoints: Endpoints, flow: int, src_key: int, frame: int, time_ns: int) -> None:
    """A SYN or SYN-ACK on a reused tuple: its sender's wait in the lifetime before is over."""
    row = flows.rows[flow * FLOW_WIDTH + PREVIOUS]
    if row >= 0:
        side = 0 if flows.rows[row * FLOW_WIDTH + KEY_0] == src_key else 1
        if time_ns != NO_TIME:
            expire(endpoints, int(row) * 2 + side, time_ns)
        if endpoints.narrow[(row * 2 + side) * NARROW + STATE] == TIME_WAIT:
            step(endpoints, int(row) * 2 + side, TUPLE_REUSED, 0, frame, time_ns)


def note_handshake(flows: FlowRows, endpoints: Endpoints, x: int, y: int, flags: int, ack: int, time_ns: int) -> None:
    """Keep the times of the handshake's last SYN, the first SYN-ACK after it and the first ACK.

    From the last SYN counts Wireshark's iRTT. Of a repeated SYN-ACK the first tells how fast the server answers.
    """
    wide, narrow = endpoints.wide, endpoints.narrow
    row = (x >> 1) * FLOW_WIDTH
    done = flows.rows[row + HANDSHAKE_ACK_NS] != NO_TIME
    if flags & RST:
        return
    sent_syn = narrow[x * NARROW + NOTES] & NOTE_SYN
    if flags & SYN:
        unanswered = wide[x * WIDE + HANDSHAKE_NS] < wide[y * WIDE + HANDSHAKE_NS] and not sent_syn
        if wide[x * WIDE + HANDSHAKE_NS] == NO_TIME or (not done and (flags & ACK == 0 or unanswered)):
            wide[x * WIDE + HANDSHAKE_NS] = time_ns
        narrow[x * NARROW + NOTES] |= NOTE_SYN if flags & ACK == 0 else 0
        return
    if not done and sent_syn and ack > wide[y * WIDE + START] and wide[x * WIDE + HANDSHAKE_NS] != NO_TIME:
        flows.rows[row + HANDSHAKE_ACK_NS] = time_ns


def inherit(flows: FlowRows, endpoints: Endpoints, flow: int) -> None:
    """Let both ends of a flow that continues another stand where they stood there, their handshake done."""
    previous = flows.rows[flow * FLOW_WIDTH + PREVIOUS]
    flows.rows[flow * FLOW_WIDTH + HANDSHAKE_ACK_NS] = flows.rows[previous * FLOW_WIDTH + HANDSHAKE_ACK_NS]
    turned = flows.rows[flow * FLOW_WIDTH + KEY_0] != flows.rows[previous * FLOW_WIDTH + KEY_0]
    for side in range(2):
        e = flow * 2 + side
        before = previous * 2 + (1 - side if turned else side)
        for field in range(WIDE):
            endpoints.wide[e * WIDE + field] = endpoints.wide[before * WIDE + field]
        for field in range(NARROW):
            endpoints.narrow[e * NARROW + field] = endpoints.narrow[before * NARROW + field]
        endpoints.wide[e * WIDE + PAYLOAD] = 0
        endpoints.narrow[e * NARROW + HOLES] = 0


def begin_flow(flows: FlowRows, endpoints: Endpoints, x: int, y: int, flags: int) -> None:
    """Where both ends stand before the first segment of a flow."""
    if flows.rows[(x >> 1) * FLOW_WIDTH + SEEN] & CONTINUES:
        inherit(flows, endpoints, x >> 1)
    else:
        first_states(endpoints, x, y, flags)


def round_trip_ns(flows: FlowRows, endpoints: Endpoints, x: int, y: int) -> int:
    """A bound for how long segments of before may still arrive: two round trips of the handshake.

    SYN to ACK is a whole round trip wherever the capture was taken.
    """
    done = flows.rows[(x >> 1) * FLOW_WIDTH + HANDSHAKE_ACK_NS]
    first, other = endpoints.wide[x * WIDE + HANDSHAKE_NS], endpoints.wide[y * WIDE + HANDSHAKE_NS]
    if other != NO_TIME and (first == NO_TIME or other < first):
        first = other
    return ROUND_TRIP_UNKNOWN_NS if done == NO_TIME or first == NO_TIME else 2 * abs(done - first)


def acked_by(endpoints: Endpoints, x: int, y: int, ack: int) -> int:
    """X's highest acknowledgement, this one included if Y can have sent so much (RFC 9293 section 3.10.7.4)."""
    wide, narrow = endpoints.wide, endpoints.narrow
    sent = wide[y * WIDE + NEXT]
    if narrow[y * NARROW + STATE] != SYN_SENT or is_syn_acked(endpoints, x, y):
        sent += max(narrow[x * NARROW + WINDOW], UNSCALED_WINDOW_MAX)  # the capture may lack segments
    if wide[y * WIDE + NEXT] >= 0 and ack > sent:
        return int(wide[x * WIDE + ACKED])
    return int(max(wide[x * WIDE + ACKED], ack))


def place(
    endpoints: Endpoints, x: int, y: int, nodes: I64, flags: int, position: int, ack: int, scale: int, mss: int
) -> None:
    """Fix where both streams start, as far as this segment tells."""
    wide = endpoints.wide
    if flags & SYN and flags & RST == 0 and not is_old_syn_ack(endpoints, x, y, position, ack):
        note_syn(endpoints, x, y, nodes, position, scale)
        endpoints.narrow[x * NARROW + MSS] = mss
    if wide[x * WIDE + START] < 0 and position >= 0:
        wide[x * WIDE + START] = position - 1
    if wide[y * WIDE + START] < 0 and ack >= 0:
        wide[y * WIDE + START] = ack - 1


def forget(segments: Segments, i: int) -> None:
    """A row of which no position is known."""
    segments.position[i] = -1
    segments.end_position[i] = -1
    segments.ack_position[i] = -1
    segments.copy[i] = 0


def advance(
    packets: Packets, count: int, segments: Segments, flows: FlowRows, nodes: I64, endpoints: Endpoints
) -> None:
    """Take `count` rows, already assigned to flows, through both endpoints' states.

    The caller has room in `steps` for STEPS_PER_SEGMENT rows and in `nodes` for two nodes a row.
    """
    wide, narrow = endpoints.wide, endpoints.narrow
    flow_of, side_of, flags_of, quoted = segments.flow, segments.side, packets.flags, packets.quoted
    seq_of, ack_of, len_of, window = packets.seq, packets.ack, packets.len, packets.window
    frame_of, time_of, interface, if_index = packets.frame, packets.time_ns, packets.interface, packets.if_index
    seq_relative, ack_relative, window_bytes = segments.seq_relative, segments.ack_relative, segments.window_bytes
    new_bytes = segments.new_bytes
    begin(endpoints, int(flows.used[0]))
    for i in range(count):
        seq_relative[i] = -1
        ack_relative[i] = -1
        window_bytes[i] = -1
        forget(segments, i)
        new_bytes[i] = -1
        flow, flags = flow_of[i], flags_of[i]
        if flow < 0 or flags < 0 or quoted[i] != 0:
            continue
        x = int(flow * 2 + side_of[i])
        y = x ^ 1
        seq, raw_ack, time_ns, length = seq_of[i], ack_of[i], time_of[i], max(0, len_of[i])
        if narrow[x * NARROW + VIA] < 0 and narrow[y * NARROW + VIA] < 0:
            begin_flow(flows, endpoints, x, y, flags)
        position = position_in(endpoints, x, y, seq)
        ack = position_in(endpoints, y, x, raw_ack) if flags & ACK and raw_ack >= 0 else -1
        end = position + length + (flags & FIN) + (flags & SYN) // SYN
        if flags & FIN and (position < 0 or not is_fin_due(endpoints, x, y, position, end)):
            flags -= FIN
            end -= 1
        place(endpoints, x, y, nodes, flags, position, ack, packets.window_scale[i], packets.mss[i])
        size = window_of(endpoints, x, y, flags, window[i])
        via = ((interface[i] + 1) << 16) ^ (if_index[i] + 1)
        if narrow[x * NARROW + VIA] < 0 or not is_copy(endpoints, x, via, flags, end, ack):
            if flags & SYN:
                note_options(endpoints, x, packets.sack_permitted[i], packets.tsval[i])
                src_key = flows.rows[flow * FLOW_WIDTH + KEY_0 + side_of[i]]
                end_previous(flows, endpoints, int(flow), src_key, frame_of[i], time_ns)
            note_handshake(flows, endpoints, x, y, flags, ack, time_ns)
            if not is_plain(endpoints, x, y, flags):
                bound_ns = round_trip_ns(flows, endpoints, x, y)
                tell(endpoints, x, y, flags, position, length, ack, bound_ns, frame_of[i], time_ns)
            new_bytes[i] = 0
            if flags & RST == 0:
                new_bytes[i] = note_sent(endpoints, x, nodes, flags, position, length)
                wide[x * WIDE + ACKED] = acked_by(endpoints, x, y, ack)
                narrow[x * NARROW + WINDOW] = min(max(size, 0), WINDOW_CAP)
            elif narrow[x * NARROW + STATE] == CLOSED and wide[x * WIDE + NEXT] >= 0:
                note_sent(endpoints, x, nodes, 0, position, 0)  # a RST's number tells how far X has sent
            narrow[x * NARROW + VIA] = via
        else:
            segments.copy[i] = 1
        segments.position[i] = position
        segments.end_position[i] = end if position >= 0 else -1
        segments.ack_position[i] = ack
        window_bytes[i] = size
        seq_relative[i] = (seq - wide[x * WIDE + START]) & (CYCLE - 1) if seq >= 0 else -1
        ack_relative[i] = (raw_ack - wide[y * WIDE + START]) & (CYCLE - 1) if ack >= 0 else -1


def finish(endpoints: Endpoints, first: int, last: int, end_ns: int) -> None:
    """End every TIME_WAIT of flows first..last-1 that was over when the capture ended."""
    if end_ns == NO_TIME:
        return
    for e in range(first * 2, last * 2):
        expire(endpoints, e, end_ns)
