"""What Wireshark calls a segment (a kernel module).

The conditions are those of Wireshark 4.0 (packet-tcp.c, tcp_analyze_sequence_number), its oddities
included: numbers are raw and compared modulo 2**32, a number of 0 counts as none, no SACK is looked
at. What this makes of segments better is elsewhere. Labels are bits, in the order of schema.LABELS.
"""

from tcptrace.flows import ACK, ANNOUNCED, FIN, PREVIOUS, RST, SEEN, SEEN_RFB, SYN
from tcptrace.flows import WIDTH as FLOW_WIDTH
from tcptrace.schema import I64, NO_TIME, Directions, FlowRows, Packets, Segments
from tcptrace.tcp.endpoint_rows import NO_SCALE, WINDOW_SCALE_MAX
from tcptrace.tcp.sequence import MASK

RETRANSMISSION = 1 << 0
FAST_RETRANSMISSION = 1 << 1
SPURIOUS_RETRANSMISSION = 1 << 2
OUT_OF_ORDER = 1 << 3
DUPLICATE_ACK = 1 << 4
LOST_SEGMENT = 1 << 5
ACK_LOST_SEGMENT = 1 << 6
ZERO_WINDOW = 1 << 7
ZERO_WINDOW_PROBE = 1 << 8
ZERO_WINDOW_PROBE_ACK = 1 << 9
WINDOW_FULL = 1 << 10
WINDOW_UPDATE = 1 << 11
KEEP_ALIVE = 1 << 12
KEEP_ALIVE_ACK = 1 << 13
REUSED_PORTS = 1 << 14
CLOSED = 1 << 15  # no label, kept beside them: it has sent a FIN or RST, so its next SYN begins its numbers anew

REPEATS = (
    SPURIOUS_RETRANSMISSION | RETRANSMISSION,
    FAST_RETRANSMISSION | RETRANSMISSION,
    OUT_OF_ORDER,
    RETRANSMISSION,
)
"""What a segment that does not advance may be; the first that holds. Two are never shown without the general one."""

FAST_NS = 20_000_000
REORDERING_NS = 3_000_000

NEXT = 0  # one past the highest number sent, raw; 0: none yet
NEXT_NS = 1
LAST_ACK = 2
LAST_NS = 3  # when its last segment was seen
WINDOW = 4  # plus 1; 0: none yet
DUPLICATES = 5  # duplicate ACKs in a row; -1: it acknowledged what was not seen, which Wireshark counts as many
TO_BE_ACKED = 6  # highest number up to which nothing is missing; 0: none yet
LAST_LABELS = 7
SCALE = 8  # window scale plus 1; 0 unknown, NOT_SCALED
SYN_WINDOW = 9  # 1: WINDOW is that of its SYN, which is never scaled
BASE = 10  # ISN plus 1, or the first number seen; 0 unknown
SYN_NS = 11  # of the flow, in the row of side 0: time of the last SYN plus 1
FIRST_RTT_NS = 12  # of the flow, in the row of side 0: from there to the first ACK; 0 unknown
COMPLETENESS = 13  # of the flow, in the row of side 0: bits below
WIDTH = 14

NOT_SCALED = -1

SYN_SENT = 1  # tcp.completeness
SYN_ACK_SENT = 2
ACK_SENT = 4
DATA_SENT = 8
FIN_SENT = 16
RST_SENT = 32
SEEN_BITS = 63
LATER = 8  # shift of what counts from the second segment on


def is_below(a: int, b: int) -> bool:
    """Whether a comes before b, modulo 2**32."""
    return (a - b) & MASK > MASK >> 1


def note_scale(rows: I64, x: int, y: int, flags: int, scale: int) -> None:
    """What a SYN's window scale, or its absence, means for both ends."""
    if scale != NO_SCALE:
        rows[x + SCALE] = min(scale, WINDOW_SCALE_MAX) + 1
        if flags & ACK and rows[y + SCALE] == NOT_SCALED:
            rows[x + SCALE] = NOT_SCALED
    elif rows[x + SCALE] <= 0:
        rows[x + SCALE] = NOT_SCALED
        rows[y + SCALE] = NOT_SCALED


def window_edge(rows: I64, y: int) -> int:
    """The number at the edge of the window that Y offered last."""
    scale = 0 if rows[y + SYN_WINDOW] != 0 else max(0, rows[y + SCALE] - 1)
    return int((rows[y + LAST_ACK] + (max(rows[y + WINDOW] - 1, 0) << scale)) & MASK)


def of_window(rows: I64, x: int, y: int, flags: int, seq: int, ack: int, length: int, window: int) -> int:
    """Labels by number and window; the acknowledgements of probes exclude what comes after them."""
    following = rows[x + NEXT]
    if length == 1 and seq == following and rows[y + WINDOW] == 1:
        return ZERO_WINDOW_PROBE
    found = 0
    quiet = flags & (SYN | FIN | RST) == 0
    if window == 0 and quiet:
        found |= ZERO_WINDOW
    if following != 0 and is_below(following, seq) and flags & RST == 0:
        found |= LOST_SEGMENT
    return found | of_quiet(rows, x, y, seq, ack, length, window) if quiet else found


def of_quiet(rows: I64, x: int, y: int, seq: int, ack: int, length: int, window: int) -> int:
    """Labels that no SYN, FIN or RST can have."""
    found, following = 0, rows[x + NEXT]
    if length <= 1 and seq == (following - 1) & MASK:
        found |= KEEP_ALIVE
    if length > 0:
        if rows[y + SCALE] != 0 and (seq + length) & MASK == window_edge(rows, y):
            found |= WINDOW_FULL
        return found
    if seq != following or ack != rows[x + LAST_ACK]:
        return found
    if window + 1 != rows[x + WINDOW]:
        return found | WINDOW_UPDATE if window != 0 else found
    if window != 0:
        return found | (KEEP_ALIVE_ACK if rows[y + LAST_LABELS] & KEEP_ALIVE else DUPLICATE_ACK)
    return found | ZERO_WINDOW_PROBE_ACK if rows[y + LAST_LABELS] & ZERO_WINDOW_PROBE else found


def of_ack(rows: I64, y: int, flags: int, ack: int) -> int:
    """Whether the segment acknowledges what of Y was not seen; told once for each gap."""
    sent = rows[y + TO_BE_ACKED]
    if sent == 0 or flags & ACK == 0 or not is_below(sent, ack):
        return 0
    if is_below(sent, rows[y + NEXT]):
        rows[y + TO_BE_ACKED] = rows[y + NEXT]
        return ACK_LOST_SEGMENT
    found = ACK_LOST_SEGMENT if rows[y + DUPLICATES] == 0 else 0
    rows[y + DUPLICATES] = -1
    return found


def of_repeat(rows: I64, x: int, y: int, flags: int, seq: int, length: int, time_ns: int) -> int:
    """The label of a segment with payload, SYN or FIN that does not advance; 0 for one that does."""
    following, acked = rows[x + NEXT], rows[y + LAST_ACK]
    end = (seq + length) & MASK
    stays = following != 0 and is_below(seq, following) and not (length > 1 and seq == (following - 1) & MASK)
    holds = RETRANSMISSION if stays else 0
    if length > 0 and acked != 0 and not is_below(acked, end):
        holds |= SPURIOUS_RETRANSMISSION | RETRANSMISSION
    elif stays:
        told = rows[y + DUPLICATES] >= 2 or rows[y + DUPLICATES] < 0
        if told and acked == seq and 0 <= time_ns - rows[y + LAST_NS] < FAST_NS:
            holds |= FAST_RETRANSMISSION
        end = (end + 1) & MASK if flags & (SYN | FIN) else end
        limit_ns = rows[(min(x, y)) + FIRST_RTT_NS]
        late_ns = time_ns - rows[x + NEXT_NS]
        if 0 <= late_ns < (limit_ns if limit_ns != 0 else REORDERING_NS) or (limit_ns < 0 <= late_ns):
            holds |= OUT_OF_ORDER if following != end else 0
    for labels in REPEATS:
        if holds & labels == labels:
            return labels
    return 0


def note_sent(rows: I64, x: int, flags: int, seq: int, length: int, labels: int, time_ns: int) -> None:
    """Advance what X has sent."""
    end = (seq + length + (1 if flags & (SYN | FIN) else 0)) & MASK
    following = rows[x + NEXT]
    if labels & ZERO_WINDOW_PROBE:
        return
    anew = flags & (SYN | ACK) == SYN and rows[x + LAST_LABELS] & CLOSED
    if following == 0 or is_below(following, end) or anew:
        rows[x + NEXT] = end
        rows[x + NEXT_NS] = time_ns
    if seq == rows[x + TO_BE_ACKED] or rows[x + TO_BE_ACKED] == 0:
        rows[x + TO_BE_ACKED] = rows[x + NEXT]


def note_handshake(rows: I64, x: int, y: int, flags: int, scale: int, cut: int, time_ns: int) -> None:
    """Keep what SYNs say of windows, and the flow's first round trip: last SYN to first ACK."""
    flow = min(x, y)
    if flags & SYN:
        if flags & ACK == 0:
            rows[flow + SYN_NS] = time_ns + 1
        rows[x + SYN_WINDOW] = 1
        if cut != 1:
            note_scale(rows, x, y, flags, scale)
    elif flags & ACK:
        if rows[flow + SYN_NS] != 0 and rows[flow + FIRST_RTT_NS] == 0:
            rows[flow + FIRST_RTT_NS] = time_ns + 1 - rows[flow + SYN_NS]
        rows[x + SYN_WINDOW] = 0


def note_completeness(rows: I64, flow: int, flags: int, length: int, is_first: bool, is_reuse: bool) -> None:
    """What was seen of a connection's life; a bare SYN counts as its first segment only, anything else there later.

    Wireshark adds up in both of its passes, and only in the second for a first segment that is no SYN. What a SYN
    carries that ends another lifetime of its tuple it leaves out.
    """
    found = 0
    if flags & (SYN | ACK) == SYN | ACK:
        found = SYN_ACK_SENT
    elif flags & ACK:
        found = DATA_SENT if length > 0 else ACK_SENT
    if flags & (FIN | ACK) == FIN | ACK:
        found |= FIN_SENT
    found |= RST_SENT if flags & RST else 0
    if is_first:
        syn = SYN_SENT | (DATA_SENT if length > 0 and not is_reuse else 0) if flags & (SYN | ACK) == SYN else 0
        rows[flow + COMPLETENESS] = found << LATER | syn
    else:
        rows[flow + COMPLETENESS] |= found | rows[flow + COMPLETENESS] >> LATER


def was_announced(flows: FlowRows, flow: int) -> bool:
    """Whether FTP announced a flow: for Wireshark its conversation was there before its first segment."""
    return bool(flows.rows[flow * FLOW_WIDTH + SEEN] & ANNOUNCED)


def is_another_isn(rows: I64, x: int, y: int, flags: int, seq: int, ack: int) -> bool:
    """Whether a SYN-ACK starts from another number than X did before; keeps where both start."""
    base = rows[x + BASE]
    another = flags & (SYN | ACK) == SYN | ACK and base != 0 and base - 1 != seq
    if base == 0 or another:
        rows[x + BASE] = (seq if flags & SYN else (seq - 1) & MASK) + 1
    if rows[y + BASE] == 0 and flags & ACK:
        rows[y + BASE] = ((ack - 1) & MASK) + 1
    return another


def of_segment(
    rows: I64, x: int, y: int, flags: int, seq: int, ack: int, length: int, window: int, time_ns: int
) -> int:
    """All labels of one segment but REUSED_PORTS; x and y are where the rows of its sender and the other begin."""
    found = of_window(rows, x, y, flags, seq, ack, length, window)
    if found & DUPLICATE_ACK:
        rows[x + DUPLICATES] = max(rows[x + DUPLICATES], 0) + 1
    if ack != rows[x + LAST_ACK]:
        rows[x + DUPLICATES] = 0
    found |= of_ack(rows, y, flags, ack)
    if (length > 0 or flags & (SYN | FIN)) and found & KEEP_ALIVE == 0:
        found |= of_repeat(rows, x, y, flags, seq, length, time_ns)
    note_sent(rows, x, flags, seq, length, found, time_ns)
    rows[x + WINDOW] = window + 1
    rows[x + LAST_ACK] = ack
    rows[x + LAST_NS] = time_ns
    closed = CLOSED if flags & (FIN | RST) else rows[x + LAST_LABELS] & CLOSED
    rows[x + LAST_LABELS] = found | closed
    return found


def of_first(flows: FlowRows, flow: int, flags: int) -> int:
    """Labels of a flow's first segment: a SYN that ends another lifetime of its tuple.

    Wireshark compares it with the SYN of the conversation it finds; the one a VNC version message opened has none.
    """
    previous = flows.rows[flow * FLOW_WIDTH + PREVIOUS]
    if flags < 0 or flags & (SYN | ACK) != SYN or previous < 0:
        return 0
    return 0 if flows.rows[previous * FLOW_WIDTH + SEEN] & SEEN_RFB else REUSED_PORTS


def label(packets: Packets, count: int, segments: Segments, flows: FlowRows, directions: Directions) -> None:
    """Fill `labels` of `count` rows; those without numbers or of unknown length have none."""
    rows, row_of, labels = directions.labels, segments.direction, segments.labels
    for i in range(count):
        labels[i] = 0
        row, flags = row_of[i], packets.flags[i]
        if row < 0 and segments.flow[i] >= 0 and packets.quoted[i] == 0:
            labels[i] = of_first(flows, segments.flow[i], flags)
        if row < 0:
            continue
        x, y = row * WIDTH, (row ^ 1) * WIDTH
        time_ns = 0 if packets.time_ns[i] == NO_TIME else packets.time_ns[i]
        seq, ack, length = packets.seq[i], max(0, packets.ack[i]), packets.len[i]
        counts_as_first, is_reuse = False, False
        if rows[x + BASE] == 0 and rows[y + BASE] == 0:
            labels[i] = of_first(flows, segments.flow[i], flags)
            is_reuse = labels[i] != 0
            counts_as_first = rows[min(x, y) + COMPLETENESS] == 0 and not was_announced(flows, segments.flow[i])
        if seq >= 0 and length >= 0:
            if is_another_isn(rows, x, y, flags, seq, ack):
                labels[i] = REUSED_PORTS
            labels[i] |= of_segment(rows, x, y, flags, seq, ack, length, max(0, packets.window[i]), time_ns)
        note_handshake(rows, x, y, flags, packets.window_scale[i], packets.options_cut[i], time_ns)
        note_completeness(rows, min(x, y), flags, length, counts_as_first, is_reuse)
