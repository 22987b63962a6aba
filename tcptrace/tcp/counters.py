"""What a direction's segments add up to (a kernel module).

The quantities are those of `tcptrace -l` by Shawn Ostermann, version 6.6.7, except where
docs/tcptrace_c.md says why not. A row is all zero before its first segment; a number or a time
that is 0 while unknown is kept plus 1. Copies of a frame at another interface add nothing.
"""

from tcptrace.flows import ACK, FIN, RST, SYN
from tcptrace.schema import I64, NO_TIME, SACK_BLOCKS_MAX, Directions, Packets, Segments
from tcptrace.tcp.labels import is_below
from tcptrace.tcp.sequence import MASK

PACKETS = 0
SYNS = 1
FINS = 2
RESETS = 3
ACKS = 4  # segments with an ACK
PURE_ACKS = 5  # nothing but an ACK
SACKS = 6
DSACKS = 7  # whose first block reports a duplicate (RFC 2883)
BLOCKS_MAX = 8  # most SACK blocks in a segment
DATA_PACKETS = 9
DATA_BYTES = 10
PUSHED = 11
URGENT = 12
SEGMENT_MAX = 13
SEGMENT_MIN = 14
REPEATED_PACKETS = 15  # holding a number sent before: of a payload byte, SYN or FIN
REPEATED_BYTES = 16  # such numbers
OUT_OF_ORDER = 17
PROBES = 18  # sent into a closed window
PROBE_BYTES = 19
PROBED = 20  # bytes that so far only probes have sent
WINDOW_MAX = 21
WINDOW_MIN = 22  # above 0
WINDOW_SUM = 23
WINDOWS = 24
ZERO_WINDOWS = 25
WINDOW = 26  # last one offered
INITIAL_PACKETS = 27
INITIAL_BYTES = 28
DATA_START_NS = 29  # plus 1
DATA_END_NS = 30  # plus 1
LAST_NS = 31  # plus 1
IDLE_MAX_NS = 32
ISN = 33  # raw, plus 1
FIN_NUMBER = 34  # raw, plus 1
NEXT = 35  # one past the highest number sent; raw, plus 1
LAST_ACK = 36  # raw, plus 1; the peer's ISN before it is acknowledged
DUPLICATES = 37  # pure ACKs in a row that repeat number and window
TRIPLES = 38  # third ones among those that the peer sent
FLIGHT_MAX = 39
FLIGHT_MIN = 40  # above 0
FLIGHT_SUM = 41
FLIGHTS = 42
NOTES = 43
URGENT_BYTES = 44  # pointers added up
CUT_PACKETS = 45  # payload of which the capture did not keep
CUT_BYTES = 46
DUPLICATE_ACKS = 47  # those that the peer sent
RTT_SQUARES = 48  # of its round trips in ns, added up: below 2**SQUARE_BITS
RTT_SQUARES_HIGH = 49  # and above
SMOOTHED_NS = 50  # its round trip, as SRTT of RFC 6298
STALLED_NS = 51  # of the flow, in the row of side 0: silences while something was unacknowledged
STALL_MAX_NS = 52  # of the flow, likewise: the longest
WIDTH = 53

OFFERS_SCALE = 1  # its SYN did
SCALED = 2  # windows are counted since scaling is in force
PAST_INITIAL = 4  # the peer has acknowledged more than the SYN

PSH = 8
URG = 32

STALL_MIN_NS = 200_000_000  # TCP_RTO_MIN and TCP_DELACK_MAX of Linux: no endpoint that is not held up waits longer
STALL_ROUND_TRIPS = 2
SQUARE_BITS = 40
SQUARED_MAX_NS = (1 << 41) - 1  # longer round trips, of half an hour, count as this: squares stay below 2**63


def note_syn(rows: I64, x: int, y: int, seq: int, offers_scale: int) -> None:
    """Keep where X begins."""
    rows[x + ISN] = seq + 1
    rows[y + LAST_ACK] = seq + 1
    if offers_scale != 0:
        rows[x + NOTES] |= OFFERS_SCALE


def note_time(rows: I64, x: int, length: int, time_ns: int) -> None:
    """When X sent, and how long it had sent nothing."""
    if rows[x + LAST_NS] != 0:
        rows[x + IDLE_MAX_NS] = max(rows[x + IDLE_MAX_NS], time_ns + 1 - rows[x + LAST_NS])
    rows[x + LAST_NS] = time_ns + 1
    if length > 0:
        if rows[x + DATA_START_NS] == 0:
            rows[x + DATA_START_NS] = time_ns + 1
        rows[x + DATA_END_NS] = time_ns + 1


def note_data(rows: I64, x: int, flags: int, length: int) -> None:
    """Sizes of payloads."""
    rows[x + DATA_PACKETS] += 1
    rows[x + DATA_BYTES] += length
    if flags & PSH:
        rows[x + PUSHED] += 1
    if flags & URG:
        rows[x + URGENT] += 1
    rows[x + SEGMENT_MAX] = max(rows[x + SEGMENT_MAX], length)
    if rows[x + SEGMENT_MIN] == 0 or length < rows[x + SEGMENT_MIN]:
        rows[x + SEGMENT_MIN] = length


def note_oddities(rows: I64, x: int, length: int, cut: int, urgent: int) -> None:
    """Payload the capture did not keep, and urgent pointers."""
    if cut > 0:
        rows[x + CUT_PACKETS] += 1
        rows[x + CUT_BYTES] += cut
    if length > 0 and urgent > 0:
        rows[x + URGENT_BYTES] += urgent


def note_numbers(rows: I64, x: int, flags: int, seq: int, length: int, new_bytes: int) -> int:
    """Tell repeated and late numbers from new ones; 1 for a segment that may move what is outstanding."""
    start = seq + 1 if flags & SYN else seq
    fin_number = ((start + length) & MASK) + 1
    end = (start + length + (1 if flags & FIN else 0)) & MASK
    repeated = length - new_bytes
    known = min(repeated, rows[x + PROBED])
    if known > 0:
        rows[x + PROBED] -= known
        repeated -= known
    if flags & SYN and rows[x + ISN] == seq + 1:
        repeated += 1
    if flags & FIN:
        if rows[x + FIN_NUMBER] == fin_number:
            repeated += 1
        rows[x + FIN_NUMBER] = fin_number
    following = rows[x + NEXT] - 1
    late = following >= 0 and not is_below(following, end) and new_bytes > 0
    if late:
        rows[x + OUT_OF_ORDER] += 1
    elif following < 0 or is_below(following, end):
        rows[x + NEXT] = end + 1
    if repeated > 0:
        rows[x + REPEATED_PACKETS] += 1
        rows[x + REPEATED_BYTES] += repeated
    return 0 if late or repeated > 0 else 1


def note_window(rows: I64, x: int, y: int, flags: int, window: int) -> None:
    """Windows offered; where both ends offer scales, those of their SYNs are forgotten."""
    may_scale = rows[x + NOTES] & rows[y + NOTES] & OFFERS_SCALE != 0
    if may_scale and flags & SYN == 0 and rows[x + NOTES] & SCALED == 0 and window > 0:
        rows[x + NOTES] |= SCALED
        rows[x + WINDOW_MAX] = 0
        rows[x + WINDOW_MIN] = 0
        rows[x + WINDOW_SUM] = 0
        rows[x + WINDOWS] = 0
    rows[x + WINDOW_MAX] = max(rows[x + WINDOW_MAX], window)
    if window > 0 and (rows[x + WINDOW_MIN] == 0 or window < rows[x + WINDOW_MIN]):
        rows[x + WINDOW_MIN] = window
    rows[x + WINDOW_SUM] += window
    rows[x + WINDOWS] += 1
    rows[x + WINDOW] = window
    if window == 0 and flags & ACK:
        rows[x + ZERO_WINDOWS] += 1


def note_ack(rows: I64, x: int, y: int, flags: int, ack: int, length: int, window: int) -> None:
    """Acknowledgements that X sends, and duplicates among them; to be called before their window is noted."""
    rows[x + ACKS] += 1
    pure = length == 0 and flags & (SYN | FIN | RST) == 0
    if pure:
        rows[x + PURE_ACKS] += 1
    if pure and rows[x + LAST_ACK] == ack + 1 and rows[x + WINDOW] == window and rows[y + FLIGHTS] > 0:
        rows[x + DUPLICATES] += 1
        rows[y + DUPLICATE_ACKS] += 1
        if rows[x + DUPLICATES] == 3:
            rows[y + TRIPLES] += 1
    else:
        rows[x + DUPLICATES] = 0
    if flags & RST == 0:
        rows[x + LAST_ACK] = ack + 1
        if rows[y + ISN] & MASK != ack:
            rows[y + NOTES] |= PAST_INITIAL


def is_duplicate_report(sack: I64, at: int, blocks: int, ack: int) -> bool:
    """Whether the first SACK block reports what has arrived twice (RFC 2883 section 4)."""
    left, right = sack[at], sack[at + 1]
    if not is_below(ack, right):
        return True
    if blocks < 2:
        return False
    return is_below(left, sack[at + 3]) and is_below(sack[at + 2], right)


def note_sack(rows: I64, x: int, sack: I64, at: int, blocks: int, ack: int) -> None:
    """SACK blocks that X sends."""
    rows[x + SACKS] += 1
    rows[x + BLOCKS_MAX] = max(rows[x + BLOCKS_MAX], blocks)
    if is_duplicate_report(sack, at, blocks, ack):
        rows[x + DSACKS] += 1


def note_flight(rows: I64, x: int, y: int, end: int, length: int) -> None:
    """What X has outstanding after a segment that went on."""
    acked = rows[y + LAST_ACK] - 1
    flight = (end - acked) & MASK if acked >= 0 else length
    if flight > MASK >> 1:
        flight = 0
    rows[x + FLIGHT_MAX] = max(rows[x + FLIGHT_MAX], flight)
    if flight > 0 and (rows[x + FLIGHT_MIN] == 0 or flight < rows[x + FLIGHT_MIN]):
        rows[x + FLIGHT_MIN] = flight
    rows[x + FLIGHT_SUM] += flight
    rows[x + FLIGHTS] += 1


def note_waits(rows: I64, x: int, y: int, silence_ns: int, round_trip_ns: int) -> None:
    """A silence in which X or Y waited for the other (-1: none), and the round trip that X shows Y (-1: none)."""
    expected_ns = max(STALL_MIN_NS, STALL_ROUND_TRIPS * max(rows[x + SMOOTHED_NS], rows[y + SMOOTHED_NS]))
    if silence_ns >= expected_ns:
        flow = min(x, y)
        rows[flow + STALLED_NS] += silence_ns
        rows[flow + STALL_MAX_NS] = max(rows[flow + STALL_MAX_NS], silence_ns)
    if round_trip_ns < 0:
        return
    before_ns = rows[y + SMOOTHED_NS]
    rows[y + SMOOTHED_NS] = round_trip_ns if before_ns == 0 else before_ns + (round_trip_ns - before_ns) // 8
    squared_ns = min(round_trip_ns, SQUARED_MAX_NS)
    high, low = squared_ns >> (SQUARE_BITS >> 1), squared_ns & ((1 << (SQUARE_BITS >> 1)) - 1)
    total = rows[y + RTT_SQUARES] + (high * low << (SQUARE_BITS >> 1) + 1) + low * low
    rows[y + RTT_SQUARES] = total & ((1 << SQUARE_BITS) - 1)
    rows[y + RTT_SQUARES_HIGH] += high * high + (total >> SQUARE_BITS)


def of_numbers(rows: I64, x: int, y: int, flags: int, seq: int, length: int, new_bytes: int) -> int:
    """What the numbers of a segment are: of a probe, repeated, or late; 1 for one that may move what is outstanding."""
    if flags & (SYN | FIN) == 0 and length == 0:
        return 1
    if flags & SYN == 0 and rows[y + PACKETS] > 0 and rows[y + WINDOW] == 0:
        rows[x + PROBES] += 1
        rows[x + PROBE_BYTES] += length
        rows[x + PROBED] += new_bytes
        return 1
    return note_numbers(rows, x, flags, seq, length, new_bytes)


def note_flags(rows: I64, x: int, flags: int) -> None:
    """Count a segment by its flags."""
    rows[x + PACKETS] += 1
    if flags & SYN:
        rows[x + SYNS] += 1
    if flags & FIN:
        rows[x + FINS] += 1
    if flags & RST:
        rows[x + RESETS] += 1


def of_segment(
    rows: I64, x: int, y: int, flags: int, seq: int, ack: int, length: int, new_bytes: int, window: int, scale: int
) -> None:
    """Add a segment, but for its time and its SACK blocks; `window` is 0 where the segment offers none."""
    note_flags(rows, x, flags)
    if length > 0:
        note_data(rows, x, flags, length)
    if flags & RST:
        if flags & ACK:
            note_ack(rows, x, y, flags, ack, length, window)
        return
    repeated_before = rows[x + REPEATED_PACKETS]
    goes_on = of_numbers(rows, x, y, flags, seq, length, new_bytes)
    if flags & SYN:
        note_syn(rows, x, y, seq, 0 if scale < 0 else 1)
    if flags & ACK:
        note_ack(rows, x, y, flags, ack, length, window)
    if flags & (ACK | SYN):
        note_window(rows, x, y, flags, window)
    rows[x + WINDOW] = window
    if length > 0 and rows[x + NOTES] & PAST_INITIAL == 0 and rows[x + REPEATED_PACKETS] == repeated_before:
        rows[x + INITIAL_PACKETS] += 1
        rows[x + INITIAL_BYTES] += length
    if goes_on != 0 and flags & SYN == 0:
        note_flight(rows, x, y, (seq + length) & MASK, length)


def count(packets: Packets, count: int, segments: Segments, directions: Directions) -> None:
    """Add `count` rows, already taken through the endpoints, to their directions."""
    rows, row_of, new_bytes_of = directions.counters, segments.direction, segments.new_bytes
    flags_of, seq_of, ack_of, len_of, time_of = packets.flags, packets.seq, packets.ack, packets.len, packets.time_ns
    window_bytes, raw_window, scale_of = segments.window_bytes, packets.window, packets.window_scale
    sack_count, cut, urgent = packets.sack_count, packets.len_cut, packets.urgent
    idle, stalled, round_trip = segments.idle_ns, segments.stalled, segments.rtt_ns
    for i in range(count):
        row, new_bytes, seq = row_of[i], new_bytes_of[i], seq_of[i]
        x, y = row * WIDTH, (row ^ 1) * WIDTH
        if stalled[i] != 0 or round_trip[i] >= 0:
            note_waits(rows, x, y, idle[i] if stalled[i] != 0 else -1, round_trip[i])
        if row < 0 or new_bytes < 0 or seq < 0:
            continue
        flags, ack, length, time_ns = flags_of[i], ack_of[i], max(0, len_of[i]), time_of[i]
        if time_ns != NO_TIME:
            note_time(rows, x, length, time_ns)
        window = 0
        if flags & (ACK | SYN):
            window = window_bytes[i] if window_bytes[i] >= 0 else max(0, raw_window[i])
        if cut[i] > 0 or urgent[i] > 0:
            note_oddities(rows, x, length, cut[i], urgent[i])
        of_segment(rows, x, y, flags, seq, ack, length, new_bytes, window, scale_of[i])
        if sack_count[i] > 0 and flags & (ACK | RST) == ACK:
            note_sack(rows, x, packets.sack, i * 2 * SACK_BLOCKS_MAX, sack_count[i], ack)
