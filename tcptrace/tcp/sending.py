"""What each direction sends and how long its acknowledgement takes (a kernel module).

One pass over the segments of a chunk, after their positions are known: bytes in flight, repeats and
their causes, recovery, round trips.
"""

from tcptrace.flows import FIN, RST, SYN
from tcptrace.schema import I64, UNKNOWN, Directions, Packets, Segments
from tcptrace.tcp.copies import is_copy, key_of, remember, rest_of, word_of
from tcptrace.tcp.labels import DUPLICATE_ACK, KEEP_ALIVE, ZERO_WINDOW_PROBE
from tcptrace.tcp.limits import attribute, backdate_loss, cause_of_flow, since_previous_ns
from tcptrace.tcp.repeats import (
    COPY,
    FAST,
    NO_REPEAT,
    REORDERED_SEGMENT,
    SPURIOUS_REPEAT,
    TAIL_LOSS_PROBE,
    TIMEOUT,
    UNCLEAR,
    is_first_answer,
    kind_of_repeat,
    was_made_earlier,
    was_probe,
)
from tcptrace.tcp.round_trips import SUMS_WIDTH, add_sample, add_up, elapsed_ns
from tcptrace.tcp.round_trips import WIDTH as ROUND_TRIPS_WIDTH
from tcptrace.tcp.scoreboard import prove_needless, sacked_bytes, take_blocks
from tcptrace.tcp.sending_rows import (
    ACKED,
    ACKED_NS,
    BACKOFF,
    BEGUN,
    COPIES,
    DSACKS,
    DUPLICATES,
    FIRST_NODE,
    HIGH_IP_ID,
    HIGH_NS,
    HIGH_TSVAL,
    ID_STEPS,
    IN_FLIGHT_MAX,
    LARGEST,
    LAST_NS,
    MARKS,
    MSS,
    NEXT,
    NODES,
    RAISED_NS,
    RECOVER,
    RECOVERED_MAX_NS,
    RECOVERED_NS,
    RECOVERIES,
    RECOVERY_KIND,
    RECOVERY_NS,
    REORDERED,
    REPEATED,
    REPEATS,
    ROUND_TRIPS,
    SACKED,
    SEEN_LAST,
    SENT_BELOW_NS,
    SPOKEN,
    SPURIOUS,
    SYN_AT,
    TIMEOUTS,
    WINDOW,
)
from tcptrace.tcp.slow_start import end_slow_start, note_flight, note_new, note_round
from tcptrace.tcp.unacked import (
    END,
    FIRST_NS,
    FOLLOWING,
    NODE,
    NODES_MAX,
    ONCE,
    PARTLY,
    REPORTED,
    RESTAMPED,
    SENT,
    SENT_NS,
    START,
    append,
    drop_acked,
    drop_all,
    drop_repeated,
    find,
    insert,
    send_again,
)
from tcptrace.tcp.unacked import FRAME as NODE_FRAME
from tcptrace.tcp.unacked import TSVAL as NODE_TSVAL

BY_TIMESTAMP = ROUND_TRIPS + ROUND_TRIPS_WIDTH
WIDTH = BY_TIMESTAMP + SUMS_WIDTH
DEFAULT_MSS = 536  # of a SYN without that option, over IPv4: RFC 9293 section 3.7.1
ID_STEP_MAX = 256  # segments that a sender which counts IP identifications may send meanwhile, to others too


def begin(rows: I64, x: int) -> None:
    """A direction of which nothing is known."""
    rows[x + MARKS] = BEGUN
    for field in (NEXT, HIGH_IP_ID, HIGH_TSVAL, ACKED, RECOVER, WINDOW, SYN_AT, HIGH_NS, LAST_NS, RAISED_NS, ACKED_NS):
        rows[x + field] = UNKNOWN


def out(rows: I64, x: int) -> int:
    """Bytes that are unacknowledged; 0 while nothing was acknowledged."""
    return int(rows[x + NEXT] - rows[x + ACKED]) if rows[x + ACKED] >= 0 else 0


def advance(
    rows: I64, x: int, nodes: I64, start: int, end: int, ip_id: int, tsval: int, frame: int, time_ns: int
) -> None:
    """Take what lies beyond all that was sent before."""
    append(rows, x, nodes, start, end, time_ns, frame, tsval)
    rows[x + NEXT] = end
    rows[x + HIGH_NS] = time_ns
    if ip_id > 0 and rows[x + HIGH_IP_ID] > 0 and rows[x + ID_STEPS] >= 0:
        step = (ip_id - rows[x + HIGH_IP_ID]) & 0xFFFF
        rows[x + ID_STEPS] = -1 if step == 0 else rows[x + ID_STEPS] + 1 if step <= ID_STEP_MAX else 0
    rows[x + HIGH_IP_ID] = ip_id
    rows[x + HIGH_TSVAL] = tsval
    rows[x + LAST_NS] = time_ns


def note_repeat(rows: I64, x: int, y: int, kind: int, time_ns: int) -> None:
    """Count a repeat, and begin a recovery where it is no mistake."""
    rows[x + REPEATS] += 1
    if kind == SPURIOUS_REPEAT:
        rows[x + SPURIOUS] += 1
        return
    if kind == UNCLEAR:
        return
    if rows[x + RECOVER] < 0:
        end_slow_start(rows, x, y, time_ns)
        rows[x + RECOVERY_KIND] = kind
        rows[x + RECOVERY_NS] = time_ns
        rows[x + RECOVERIES] += 1
        rows[x + RECOVER] = rows[x + NEXT]
    elif kind == TIMEOUT:
        rows[x + RECOVERY_KIND] = kind
        rows[x + RECOVER] = rows[x + NEXT]


def send_below(
    rows: I64,
    x: int,
    y: int,
    nodes: I64,
    start: int,
    end: int,
    ip_id: int,
    tsval: int,
    frame: int,
    time_ns: int,
    idle_ns: int,
) -> tuple[int, int, int, int, int]:
    """Take what a segment holds below the highest; the same as `send` returns."""
    acked = rows[x + ACKED]
    original, since_ns, waited_ns, sent_ns, node, before, beyond = 0, UNKNOWN, UNKNOWN, rows[x + LAST_NS], 0, 0, 0
    opened_ns = UNKNOWN
    if end > acked:
        node, before, beyond = find(rows, x, nodes, max(start, acked), end)
        if node == 0:
            following = nodes[before * NODE + FOLLOWING] if before != 0 else rows[x + FIRST_NODE]
            opened_ns = nodes[following * NODE + FIRST_NS] if following != 0 else rows[x + HIGH_NS]
            if rows[x + NODES] < NODES_MAX:
                insert(rows, x, nodes, before, max(start, acked), end, time_ns, frame, tsval)
            if was_made_earlier(rows, x, y, opened_ns, ip_id, tsval, time_ns):
                rows[x + REORDERED] += 1
                return REORDERED_SEGMENT, 0, elapsed_ns(rows[x + HIGH_NS], time_ns), waited_ns, beyond
        else:
            original, sent_ns = nodes[node * NODE + NODE_FRAME], nodes[node * NODE + SENT_NS]
            since_ns = elapsed_ns(nodes[node * NODE + FIRST_NS], time_ns)
    else:
        rows[x + SENT_BELOW_NS] = max(time_ns, rows[x + SENT_BELOW_NS])
        prove_needless(rows, x, nodes, start, end)
    kind = kind_of_repeat(rows, x, y, start, end, sent_ns, time_ns)
    lost_ns = elapsed_ns(opened_ns, time_ns) if kind == FAST else UNKNOWN  # near the receiver: since there was a hole
    if kind in (TIMEOUT, TAIL_LOSS_PROBE):
        waited_ns = elapsed_ns(max(rows[x + LAST_NS], rows[x + RAISED_NS]), time_ns)
        lost_ns = waited_ns
    if lost_ns >= 0:
        cause = cause_of_flow(rows, x, y, out(rows, x), out(rows, y))
        backdate_loss(rows, min(x, y), cause, idle_ns, lost_ns)
    if kind == TIMEOUT and not was_probe(rows, x, nodes, node, time_ns):
        rows[x + TIMEOUTS] += 1
        rows[x + BACKOFF] += 1
    note_repeat(rows, x, y, kind, time_ns)
    send_again(rows, x, nodes, node, end, time_ns, tsval)
    rows[x + LAST_NS] = time_ns
    return kind, original, since_ns, waited_ns, beyond


def note_acked(rows: I64, x: int, nodes: I64, ack: int, tsecr: int, time_ns: int) -> tuple[int, int]:
    """Drop what the peer of X acknowledges; the round trips that shows, by acknowledgement and by timestamp (-1: none).

    Only the range that ends at the acknowledgement gives a sample, and only if it was sent once and
    nothing before it later (Karn's rule as Ostermann's tcptrace has it). That an acknowledgement echoes the
    first transmission, whose repeats had other timestamps, proves those needless (RFC 3522).
    """
    by_ack, by_timestamp, echoed = UNKNOWN, UNKNOWN, tsecr
    newest_ns = rows[x + SENT_BELOW_NS]
    if rows[x + REPEATED] != 0 and nodes[rows[x + REPEATED] * NODE + REPORTED] < rows[x + ACKED]:
        drop_repeated(rows, x, nodes, 0)
    while rows[x + FIRST_NODE] != 0:
        at = rows[x + FIRST_NODE] * NODE
        if nodes[at + START] >= ack:
            break
        sent, sent_ns = nodes[at + SENT], nodes[at + SENT_NS]
        newest_ns = max(newest_ns, sent_ns)
        if nodes[at + END] > ack:
            nodes[at + SENT] = sent | PARTLY
            rows[x + SACKED] -= nodes[at + REPORTED]
            nodes[at + REPORTED] = 0
            break
        proven = False
        if echoed >= 0 and nodes[at + NODE_TSVAL] == echoed:
            echoed = UNKNOWN
            proven = sent & RESTAMPED != 0
            if proven or sent < 2 * ONCE:
                by_timestamp = elapsed_ns(nodes[at + FIRST_NS], time_ns)
            rows[x + SPURIOUS] += 1 if proven else 0
        if nodes[at + END] == ack and sent == ONCE and sent_ns >= newest_ns:
            by_ack = elapsed_ns(sent_ns, time_ns)
        drop_acked(rows, x, nodes, proven)
    rows[x + SENT_BELOW_NS] = newest_ns
    return by_ack, by_timestamp


def raise_acked(rows: I64, x: int, y: int, ack: int, time_ns: int) -> None:
    """The peer of X acknowledges more than before."""
    note_round(rows, x, y, ack, time_ns)
    rows[x + ACKED] = ack
    rows[x + RAISED_NS] = time_ns
    rows[x + DUPLICATES] = 0
    rows[x + BACKOFF] = 0
    if 0 <= rows[x + RECOVER] <= ack:
        rows[x + RECOVER] = UNKNOWN
        took_ns = max(0, time_ns - rows[x + RECOVERY_NS])
        rows[x + RECOVERED_NS] += took_ns
        rows[x + RECOVERED_MAX_NS] = max(rows[x + RECOVERED_MAX_NS], took_ns)


def is_never_sent(rows: I64, y: int, flags: int, ack: int) -> bool:
    """Whether nothing of Y can have been sent that an acknowledgement tells of: it is stale or forged.

    RFC 9293 section 3.10.7.4 has it dropped. While only its SYN was sent that is certain; later the capture may lack
    what was sent, but a RST is not believed.
    """
    sent = rows[y + NEXT]
    if sent < 0 or ack <= sent:
        return False
    return flags & RST != 0 or (rows[y + ACKED] < 0 and rows[y + SYN_AT] + 1 == sent)


def acknowledge(
    rows: I64, x: int, y: int, nodes: I64, histograms: I64, used: I64, ack: int, tsecr: int, again: bool, time_ns: int
) -> tuple[int, int]:
    """What an acknowledgement by Y does to direction X; the round trips it shows (-1: none)."""
    by_ack, by_timestamp = UNKNOWN, UNKNOWN
    if ack > rows[x + ACKED]:
        by_ack, by_timestamp = note_acked(rows, x, nodes, ack, tsecr, time_ns)
        raise_acked(rows, x, y, ack, time_ns)
        if by_ack >= 0:
            add_sample(rows, x + ROUND_TRIPS, histograms, used, by_ack)
        if by_timestamp >= 0:
            add_up(rows, x + BY_TIMESTAMP, by_timestamp)
    elif again:
        rows[x + DUPLICATES] += 1
    rows[x + ACKED_NS] = time_ns
    return by_ack, by_timestamp


def send(
    rows: I64,
    x: int,
    y: int,
    nodes: I64,
    flags: int,
    start: int,
    end: int,
    length: int,
    ip_id: int,
    tsval: int,
    frame: int,
    time_ns: int,
    idle_ns: int,
) -> tuple[int, int, int, int, int]:
    """What a segment with payload, SYN or FIN does to its sender's direction.

    Returns its kind, the frame it repeats, the time since that, how long its sender had waited for the timer that
    ran out, how many segments overtook it.
    """
    is_answer = False
    if flags & SYN:
        if rows[x + SYN_AT] >= 0 and rows[x + SYN_AT] != start:
            drop_all(rows, x, nodes)
            begin(rows, x)
        rows[x + SYN_AT] = start
        is_answer = is_first_answer(rows, x, flags)
    following = rows[x + NEXT]
    kind, original, since_ns, waited_ns, beyond = NO_REPEAT, 0, UNKNOWN, UNKNOWN, 0
    if start < following and not is_answer:
        below = min(end, following)
        kind, original, since_ns, waited_ns, beyond = send_below(
            rows, x, y, nodes, start, below, ip_id, tsval, frame, time_ns, idle_ns
        )
    if end > following:
        advance(rows, x, nodes, max(start, following), end, ip_id, tsval, frame, time_ns)
        note_new(rows, x, 0 if flags & FIN else length, tsval, time_ns)
    rows[x + LARGEST] = max(rows[x + LARGEST], length)
    return kind, original, since_ns, waited_ns, beyond


def in_flight(rows: I64, x: int, time_ns: int) -> int:
    """Bytes that direction X has out: sent, not acknowledged, not SACKed; -1 while nothing was acknowledged."""
    flight = UNKNOWN
    if rows[x + ACKED] >= 0:
        flight = max(0, rows[x + NEXT] - rows[x + ACKED] - rows[x + SACKED])
        rows[x + IN_FLIGHT_MAX] = max(rows[x + IN_FLIGHT_MAX], flight)
    note_flight(rows, x, flight, time_ns)
    return int(flight)


def measure(  # noqa: C901  one loop, so that what is common needs few calls
    packets: Packets, count: int, segments: Segments, directions: Directions, nodes: I64, histograms: I64
) -> None:
    """Fill the columns of Segments from `bytes_in_flight` on, of `count` rows.

    The caller has room for two nodes and a histogram a row.
    """
    rows, used, row_of = directions.sending, directions.used, segments.direction
    flags_of, len_of, time_of, frame_of = packets.flags, packets.len, packets.time_ns, packets.frame
    raw_window, ttl, mss, tsval, tsecr = packets.window, packets.ttl, packets.mss, packets.tsval, packets.tsecr
    ip_id, sack, sack_count = packets.ip_id, packets.sack, packets.sack_count
    labels, window = segments.labels, segments.window_bytes
    starts, ends, acks, copy = segments.position, segments.end_position, segments.ack_position, segments.copy
    flight, rtt, timestamp_rtt = segments.bytes_in_flight, segments.rtt_ns, segments.timestamp_rtt_ns
    repeat, original, since, backoff = segments.repeat, segments.original, segments.since_original_ns, segments.backoff
    beyond, sacked, dsack = segments.reordered_by, segments.sacked_bytes, segments.dsack
    waited, idle, stalled = segments.waited_ns, segments.idle_ns, segments.stalled
    for i in range(count):
        flight[i], rtt[i], timestamp_rtt[i] = UNKNOWN, UNKNOWN, UNKNOWN
        repeat[i], original[i], since[i], waited[i], backoff[i] = NO_REPEAT, 0, UNKNOWN, UNKNOWN, 0
        beyond[i], sacked[i], dsack[i], idle[i], stalled[i] = 0, 0, 0, UNKNOWN, 0
        row, start = row_of[i], starts[i]
        if row < 0 or start < 0:
            continue
        x, y = row * WIDTH, (row ^ 1) * WIDTH
        time_ns = max(UNKNOWN, time_of[i])
        if rows[x + MARKS] == 0:
            begin(rows, x)
            begin(rows, y)
        out_x, out_y, acked, following = out(rows, x), out(rows, y), rows[y + ACKED], rows[x + NEXT]
        stalled[i] = 1 if out_x > 0 or out_y > 0 else 0
        if copy[i] != 0:
            repeat[i], idle[i] = COPY, since_previous_ns(rows, min(x, y), time_ns)
            rows[x + COPIES] += 1
            continue
        idle[i] = attribute(rows, x, y, out_x, out_y, time_ns)
        flags, end, length = flags_of[i], ends[i], len_of[i]
        ack = UNKNOWN if is_never_sent(rows, y, flags, acks[i]) else acks[i]
        has_id = ip_id[i] > 0 and rows[x + ID_STEPS] >= 0
        key = key_of(start, flags, ip_id[i], raw_window[i], has_id)
        rest = rest_of(length if end != start else ack, time_ns)
        word = 0
        if not has_id:
            word = word_of(ack, ttl[i], tsval[i])
        shows_news = ack > acked or (end > following and end != start) or time_ns < 0
        could_be_told = length >= 0 or has_id  # what a line of text was cut off may tell them apart
        if not shows_news and could_be_told and is_copy(rows, x, y, end - start, sack_count[i], key, rest, word):
            repeat[i] = COPY
            rows[x + COPIES] += 1
            continue
        if not has_id:
            rows[x + SEEN_LAST] = word
        remember(rows, x, key, rest)
        probes = labels[i] & ZERO_WINDOW_PROBE != 0 or (labels[i] & KEEP_ALIVE != 0 and end <= rows[x + ACKED])
        if end != start and flags & RST == 0 and not probes:
            if flags & SYN:
                rows[y + MSS] = mss[i] if mss[i] > 0 else DEFAULT_MSS
            repeat[i], original[i], since[i], waited[i], beyond[i] = send(
                rows, x, y, nodes, flags, start, end, length, ip_id[i], tsval[i], frame_of[i], time_ns, idle[i]
            )
            flight[i] = in_flight(rows, x, time_ns) if length > 0 else UNKNOWN
            backoff[i] = rows[x + BACKOFF] if repeat[i] == TIMEOUT else 0
        if ack >= 0:
            if sack_count[i] > 0:
                sacked[i], dsack[i] = sacked_bytes(sack, i, sack_count[i], ack)
                rows[y + DSACKS] += dsack[i]
            again = labels[i] & DUPLICATE_ACK != 0 or (sacked[i] > 0 and length == 0)
            rtt[i], timestamp_rtt[i] = acknowledge(rows, y, x, nodes, histograms, used, ack, tsecr[i], again, time_ns)
            if sack_count[i] > 0:
                take_blocks(rows, y, nodes, sack, i, sack_count[i], ack, dsack[i])
        if flags & RST == 0:
            rows[x + WINDOW] = 0 if raw_window[i] == 0 else window[i]
        if flags & (SYN | RST) == 0 and rows[x + MARKS] & SPOKEN == 0:
            rows[x + MARKS] |= SPOKEN
