"""What each direction sends and how long its acknowledgement takes (a kernel module).

One pass over the segments of a chunk, after their positions are known: bytes in flight, repeats and
their causes, recovery, round trips.
"""

from tcptrace.flows import RST, SYN
from tcptrace.schema import I64, SACK_BLOCKS_MAX, UNKNOWN, Directions, Packets, Segments
from tcptrace.tcp.directions import FIRST, FRAME, MASK, SEQ, TIME_NS
from tcptrace.tcp.labels import DUPLICATE_ACK, KEEP_ALIVE, ZERO_WINDOW_PROBE
from tcptrace.tcp.limits import attribute
from tcptrace.tcp.repeats import (
    COPY,
    NO_REPEAT,
    REORDERED_SEGMENT,
    SPURIOUS_REPEAT,
    TIMEOUT,
    kind_of_repeat,
    was_made_earlier,
)
from tcptrace.tcp.round_trips import SUMS_WIDTH, add_sample, add_up
from tcptrace.tcp.round_trips import WIDTH as ROUND_TRIPS_WIDTH
from tcptrace.tcp.sending_rows import (
    ACKED,
    ACKED_NS,
    BACKOFF,
    BEGUN,
    COPIES,
    DSACKS,
    DUPLICATES,
    FIRST_DATA_NS,
    FIRST_NODE,
    GROWN_TO,
    HIGH_IP_ID,
    HIGH_NS,
    HIGH_TSVAL,
    IN_FLIGHT_MAX,
    LARGEST,
    LAST_KIND,
    LAST_NS,
    LAST_REPEAT_END,
    NEXT,
    PREVIOUS_NS,
    RAISED_NS,
    RECOVER,
    RECOVERED_NS,
    RECOVERIES,
    RECOVERY_NS,
    REORDERED,
    REPEATS,
    ROUND_END,
    ROUND_MAX,
    ROUND_TRIPS,
    SACKED,
    SAME_ID,
    SEEN,
    SEEN_0,
    SEEN_NEXT,
    SENT_BELOW_NS,
    SLOW_START_BYTES,
    SLOW_START_END_NS,
    SPURIOUS,
    SYN_AT,
    TIMEOUTS,
    WINDOW,
)
from tcptrace.tcp.sequence import CYCLE, unwrap
from tcptrace.tcp.unacked import END, FIRST_NS, NODE, SENT, SENT_NS, START, append, drop_all, drop_first, send_again
from tcptrace.tcp.unacked import TSVAL as NODE_TSVAL

BY_TIMESTAMP = ROUND_TRIPS + ROUND_TRIPS_WIDTH
WIDTH = BY_TIMESTAMP + SUMS_WIDTH
SPURIOUS_MIN_NS = 10_000_000  # ticks of timestamps are no longer than this; a repeat sooner has its original's


def begin(rows: I64, x: int) -> None:
    """A direction of which nothing is known."""
    rows[x + BEGUN] = 1
    for field in (NEXT, HIGH_IP_ID, HIGH_TSVAL, ACKED, RECOVER, LAST_REPEAT_END, WINDOW, SYN_AT):
        rows[x + field] = UNKNOWN


def begin_pair(rows: I64, first: I64, nodes: I64, pair: int) -> None:
    """Both directions; a lone SYN that came before the pair was given is told first."""
    x, at = pair * 2 * WIDTH, pair * FIRST
    begin(rows, x)
    begin(rows, x + WIDTH)
    if first[at + FRAME] != 0:
        position, time_ns = first[at + SEQ] + CYCLE, max(0, first[at + TIME_NS])
        rows[x + SYN_AT] = position
        rows[x + PREVIOUS_NS] = time_ns + 1
        advance(rows, x, nodes, position, position + 1, UNKNOWN, UNKNOWN, first[at + FRAME], time_ns)


def is_out(rows: I64, x: int) -> bool:
    """Whether anything of a direction is unacknowledged."""
    return bool(rows[x + NEXT] > rows[x + ACKED] >= 0)


def is_copy(rows: I64, x: int, ip_id: int, flags: int, position: int, end: int, ack: int) -> bool:
    """Whether one of the last segments was the same, IP identification included: the capture holds it twice."""
    if ip_id <= 0 or rows[x + SAME_ID] != 0:
        return False
    key = ((position & MASK) << 24) ^ ((ack & MASK) << 16) ^ ((end & MASK) << 8) ^ (flags << 48) ^ ip_id
    for place in range(SEEN):
        if rows[x + SEEN_0 + place] == key:
            return True
    rows[x + SEEN_0 + rows[x + SEEN_NEXT]] = key
    rows[x + SEEN_NEXT] = (rows[x + SEEN_NEXT] + 1) & (SEEN - 1)
    return False


def advance(
    rows: I64, x: int, nodes: I64, start: int, end: int, ip_id: int, tsval: int, frame: int, time_ns: int
) -> None:
    """Take what lies beyond all that was sent before."""
    append(rows, x, nodes, start, end, time_ns, frame, tsval)
    rows[x + NEXT] = end
    rows[x + HIGH_NS] = time_ns
    if ip_id > 0 and rows[x + HIGH_IP_ID] == ip_id:
        rows[x + SAME_ID] = 1
    rows[x + HIGH_IP_ID] = ip_id
    rows[x + HIGH_TSVAL] = tsval
    rows[x + LAST_NS] = time_ns


def end_slow_start(rows: I64, x: int, time_ns: int) -> None:
    """The flights of X, which have grown so far, do so no longer."""
    if rows[x + FIRST_DATA_NS] != 0 and rows[x + SLOW_START_END_NS] == 0:
        rows[x + SLOW_START_END_NS] = time_ns + 1
        rows[x + SLOW_START_BYTES] = max(rows[x + ROUND_MAX], rows[x + GROWN_TO])


def note_round(rows: I64, x: int, ack: int, time_ns: int) -> None:
    """Where an acknowledgement ends a round: in slow start each flight is half as large again as the last."""
    if rows[x + SLOW_START_END_NS] != 0 or rows[x + FIRST_DATA_NS] == 0 or ack < rows[x + ROUND_END]:
        return
    if rows[x + ROUND_MAX] * 2 < rows[x + GROWN_TO] * 3:
        end_slow_start(rows, x, time_ns)
    rows[x + GROWN_TO] = rows[x + ROUND_MAX]
    rows[x + ROUND_MAX] = 0
    rows[x + ROUND_END] = rows[x + NEXT]


def note_repeat(rows: I64, x: int, kind: int, end: int, time_ns: int) -> None:
    """Count a repeat, and begin a recovery where it is no mistake."""
    rows[x + REPEATS] += 1
    rows[x + LAST_KIND] = kind
    rows[x + LAST_REPEAT_END] = end
    if kind == SPURIOUS_REPEAT:
        rows[x + SPURIOUS] += 1
        return
    if kind == TIMEOUT:
        rows[x + TIMEOUTS] += 1
        rows[x + BACKOFF] += 1
    if rows[x + RECOVER] < 0:
        end_slow_start(rows, x, time_ns)
        rows[x + RECOVER] = rows[x + NEXT]
        rows[x + RECOVERY_NS] = time_ns
        rows[x + RECOVERIES] += 1


def send_below(
    rows: I64, x: int, nodes: I64, start: int, end: int, ip_id: int, tsval: int, frame: int, time_ns: int
) -> tuple[int, int, int, int]:
    """Take a segment that begins below the highest: kind, frame it repeats, when that was sent, ranges beyond."""
    acked = rows[x + ACKED]
    original, first_ns, last_ns, beyond = 0, 0, 0, 0
    if end > acked:
        from_ = max(start, acked)
        original, first_ns, last_ns, beyond = send_again(rows, x, nodes, from_, end, time_ns, frame, tsval)
    elif time_ns > rows[x + SENT_BELOW_NS]:
        rows[x + SENT_BELOW_NS] = time_ns
    if original == 0 and end > acked and was_made_earlier(rows, x, ip_id, tsval, time_ns):
        rows[x + REORDERED] += 1
        return REORDERED_SEGMENT, 0, 0, beyond
    kind = kind_of_repeat(rows, x, start, end, last_ns, time_ns)
    note_repeat(rows, x, kind, end, time_ns)
    rows[x + LAST_NS] = time_ns
    return kind, original, first_ns, beyond


def note_acked(rows: I64, x: int, nodes: I64, ack: int, tsecr: int, time_ns: int) -> tuple[int, int]:
    """Drop what the peer of X acknowledges; the round trips that shows, by acknowledgement and by timestamp (-1: none).

    Only the range that ends at the acknowledgement gives a sample, and only if it was sent once and
    nothing before it later (Karn's rule as Ostermann's tcptrace has it).
    """
    by_ack, by_timestamp = UNKNOWN, UNKNOWN
    newest_ns = rows[x + SENT_BELOW_NS]
    while rows[x + FIRST_NODE] != 0:
        at = rows[x + FIRST_NODE] * NODE
        if nodes[at + START] >= ack:
            break
        newest_ns = max(newest_ns, nodes[at + SENT_NS])
        if nodes[at + END] > ack:
            nodes[at + SENT] += 1
            break
        if tsecr >= 0 and nodes[at + NODE_TSVAL] == tsecr and by_timestamp < 0:
            by_timestamp = max(0, time_ns - nodes[at + FIRST_NS])
            if nodes[at + SENT] > 1 and nodes[at + SENT_NS] - nodes[at + FIRST_NS] >= SPURIOUS_MIN_NS:
                rows[x + SPURIOUS] += 1
        if nodes[at + END] == ack and nodes[at + SENT] == 1 and nodes[at + SENT_NS] >= newest_ns:
            by_ack = max(0, time_ns - nodes[at + SENT_NS])
        drop_first(rows, x, nodes)
    rows[x + SENT_BELOW_NS] = newest_ns
    return by_ack, by_timestamp


def raise_acked(rows: I64, x: int, ack: int, time_ns: int) -> None:
    """The peer of X acknowledges more than before."""
    rows[x + ACKED] = ack
    rows[x + RAISED_NS] = time_ns
    rows[x + DUPLICATES] = 0
    rows[x + BACKOFF] = 0
    note_round(rows, x, ack, time_ns)
    if 0 <= rows[x + RECOVER] <= ack:
        rows[x + RECOVER] = UNKNOWN
        rows[x + RECOVERED_NS] += max(0, time_ns - rows[x + RECOVERY_NS])


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


def acknowledge(
    rows: I64,
    x: int,
    nodes: I64,
    histograms: I64,
    used: I64,
    ack: int,
    sacked: int,
    tsecr: int,
    again: bool,
    time_ns: int,
) -> tuple[int, int]:
    """What an acknowledgement does to direction X; the round trips it shows (-1: none)."""
    by_ack, by_timestamp = UNKNOWN, UNKNOWN
    if ack > rows[x + ACKED]:
        by_ack, by_timestamp = note_acked(rows, x, nodes, ack, tsecr, time_ns)
        raise_acked(rows, x, ack, time_ns)
        if by_ack >= 0:
            add_sample(rows, x + ROUND_TRIPS, histograms, used, by_ack)
        if by_timestamp >= 0:
            add_up(rows, x + BY_TIMESTAMP, by_timestamp)
    elif again:
        rows[x + DUPLICATES] += 1
    if ack >= rows[x + ACKED]:
        rows[x + SACKED] = sacked
    rows[x + ACKED_NS] = time_ns
    return by_ack, by_timestamp


def send(
    rows: I64,
    x: int,
    nodes: I64,
    flags: int,
    start: int,
    end: int,
    length: int,
    ip_id: int,
    tsval: int,
    frame: int,
    time_ns: int,
) -> tuple[int, int, int, int]:
    """What a segment with payload, SYN or FIN does to its sender's direction.

    Returns its kind, the frame it repeats, the time since that, and how many segments overtook it.
    """
    if flags & SYN:
        if rows[x + SYN_AT] >= 0 and rows[x + SYN_AT] != start:
            drop_all(rows, x, nodes)
            begin(rows, x)
        rows[x + SYN_AT] = start
    following = rows[x + NEXT]
    kind, original, since_ns, beyond = NO_REPEAT, 0, UNKNOWN, 0
    if start < following:
        below = min(end, following)
        kind, original, first_ns, beyond = send_below(rows, x, nodes, start, below, ip_id, tsval, frame, time_ns)
        if kind == REORDERED_SEGMENT:
            since_ns = max(0, time_ns - rows[x + HIGH_NS])
        elif original != 0:
            since_ns = max(0, time_ns - first_ns)
    if end > following:
        advance(rows, x, nodes, max(start, following), end, ip_id, tsval, frame, time_ns)
    rows[x + LARGEST] = max(rows[x + LARGEST], length)
    return kind, original, since_ns, beyond


def in_flight(rows: I64, x: int, time_ns: int) -> int:
    """Bytes that direction X has out: sent, not acknowledged, not SACKed; -1 while nothing was acknowledged."""
    if rows[x + FIRST_DATA_NS] == 0:
        rows[x + FIRST_DATA_NS] = time_ns + 1
        rows[x + ROUND_END] = rows[x + NEXT]
    if rows[x + ACKED] < 0:
        return UNKNOWN
    out = max(0, rows[x + NEXT] - rows[x + ACKED] - rows[x + SACKED])
    rows[x + IN_FLIGHT_MAX] = max(rows[x + IN_FLIGHT_MAX], out)
    rows[x + ROUND_MAX] = max(rows[x + ROUND_MAX], out)
    return int(out)


def measure(
    packets: Packets, count: int, segments: Segments, directions: Directions, nodes: I64, histograms: I64
) -> None:
    """Fill the columns of Segments from `bytes_in_flight` on, of `count` rows.

    The caller has room for two nodes and a histogram a row.
    """
    rows, used, first, row_of = directions.sending, directions.used, directions.first, segments.direction
    flags_of, len_of, time_of, frame_of = packets.flags, packets.len, packets.time_ns, packets.frame
    ip_id, tsval, tsecr = packets.ip_id, packets.tsval, packets.tsecr
    sack, sack_count, labels, window = packets.sack, packets.sack_count, segments.labels, segments.window_bytes
    starts, ends, acks, copy = segments.position, segments.end_position, segments.ack_position, segments.copy
    flight, rtt, timestamp_rtt = segments.bytes_in_flight, segments.rtt_ns, segments.timestamp_rtt_ns
    repeat, original, since, backoff = segments.repeat, segments.original, segments.since_original_ns, segments.backoff
    beyond, sacked, dsack = segments.reordered_by, segments.sacked_bytes, segments.dsack
    idle, stalled = segments.idle_ns, segments.stalled
    for i in range(count):
        flight[i], rtt[i], timestamp_rtt[i] = UNKNOWN, UNKNOWN, UNKNOWN
        repeat[i], original[i], since[i], backoff[i] = NO_REPEAT, 0, UNKNOWN, 0
        beyond[i], sacked[i], dsack[i], idle[i], stalled[i] = 0, 0, 0, UNKNOWN, 0
        row, start = row_of[i], starts[i]
        if row < 0 or start < 0:
            continue
        x, y = row * WIDTH, (row ^ 1) * WIDTH
        time_ns = max(0, time_of[i])
        if rows[x + BEGUN] == 0:
            begin_pair(rows, first, nodes, row >> 1)
        stalled[i] = 1 if is_out(rows, x) or is_out(rows, y) else 0
        idle[i] = attribute(rows, x, y, time_ns)
        if copy[i] != 0 or is_copy(rows, x, ip_id[i], flags_of[i], start, ends[i], acks[i]):
            repeat[i] = COPY
            rows[x + COPIES] += 1
            continue
        flags, end, length, ack = flags_of[i], ends[i], len_of[i], acks[i]
        probes = labels[i] & ZERO_WINDOW_PROBE != 0 or (labels[i] & KEEP_ALIVE != 0 and end <= rows[x + ACKED])
        if end != start and flags & RST == 0 and not probes:
            repeat[i], original[i], since[i], beyond[i] = send(
                rows, x, nodes, flags, start, end, length, ip_id[i], tsval[i], frame_of[i], time_ns
            )
            flight[i] = in_flight(rows, x, time_ns) if length > 0 else UNKNOWN
            backoff[i] = rows[x + BACKOFF] if repeat[i] == TIMEOUT else 0
        if ack >= 0:
            total = 0
            if sack_count[i] > 0:
                total, duplicate = sacked_bytes(sack, i, sack_count[i], ack)
                sacked[i], dsack[i] = total, duplicate
                rows[y + DSACKS] += duplicate
            again = labels[i] & DUPLICATE_ACK != 0 or (total > 0 and length == 0)
            rtt[i], timestamp_rtt[i] = acknowledge(
                rows, y, nodes, histograms, used, ack, total, tsecr[i], again, time_ns
            )
        if flags & RST == 0:
            rows[x + WINDOW] = window[i]
