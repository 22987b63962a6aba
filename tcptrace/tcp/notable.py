"""Which segments tell a flow's story, and the little that must be known of all others (a kernel module).

A diagnosis names segments, so those it may name are kept: what opens and ends a flow, the first of
each direction, what came again, what breaks a silence, and what answers any of these; of each kind
the first few. A verdict may hang on the end: so each silence longer than all before it is kept as well, each RST that
changed a state, and two notes a direction that later ones overwrite: of the latest silence that something new broke,
and of the latest segment that was sent again, a probe, or sent after the other side's FIN.
How they are written down, `notes` says; their kinds are bits in the order of schema.KINDS.
"""

from tcptrace.flows import FIN, RST, SYN
from tcptrace.schema import I64, Directions, Endpoints, Packets, Segments
from tcptrace.tcp.labels import ACK_LOST_SEGMENT, KEEP_ALIVE, LOST_SEGMENT, ZERO_WINDOW_PROBE
from tcptrace.tcp.notes import ACK, IDLE_MS, LABELS, LEN, NS_PER_MS, REPEAT, SEQ, TSVAL, WAITED_MS, put
from tcptrace.tcp.notes import IP_ID as NOTE_IP_ID
from tcptrace.tcp.notes import TTL as NOTE_TTL
from tcptrace.tcp.notes import WINDOW as NOTE_WINDOW
from tcptrace.tcp.notes import begin as begin_note
from tcptrace.tcp.repeats import COPY, NO_REPEAT, REORDERED_SEGMENT, TIMEOUT
from tcptrace.tcp.transition_log import FRAME as STEP_FRAME
from tcptrace.tcp.transition_log import STEP

SYN_KIND = 0  # a SYN or SYN-ACK, again or not
FIN_KIND = 1
RST_KIND = 2
FIRST_KIND = 3  # the first segment of its direction that is no SYN
DATA_KIND = 4  # the first payload of its direction
ANSWER_KIND = 5  # the first segment after one of the other direction that is a SYN, FIN, RST, DATA or RESUMED
REPEAT_KIND = 6  # sent again
RESUMED_KIND = 7  # the flow was silent for RESUMED_NS before
WINDOW_KIND = 8  # it closes its sender's window, or opens it again
PROBE_KIND = 9  # a zero window probe or a keep-alive
GAP_KIND = 10  # it shows that the capture lacks a segment: numbers skipped, or acknowledged and never seen
REORDERED_KIND = 11  # overtaken by a later one
COPY_KIND = 12  # the capture holds the frame twice
AFTER_FIN_KIND = 13  # payload sent after the other side's FIN
STALL_KIND = 14  # a small write that had waited for a delayed acknowledgement of the one before
TIMEOUT_KIND = 15  # sent again once its sender's timer had run out
KINDS = 16

CALLS = 1 << SYN_KIND | 1 << FIN_KIND | 1 << RST_KIND | 1 << DATA_KIND | 1 << RESUMED_KIND
LATEST_KINDS = 1 << REPEAT_KIND | 1 << PROBE_KIND | 1 << AFTER_FIN_KIND
KEPT_MAX = 7  # of a kind and direction
REPEATS_KEPT = 3  # at least, after each silence that is longer than all before it
COUNT_BITS = 4  # 16 counts of at most 7 fill a word and leave its sign alone

RESUMED_NS = 1_000_000_000
DELAYED_MIN_NS = 30_000_000  # Linux: TCP_DELACK_MIN is 40 ms
DELAYED_MAX_NS = 250_000_000  # RFC 1122 section 4.2.3.2 allows 500 ms; others wait 200 ms
NOT_DELAYED = -1
PROMPT_NS = 20_000_000  # after the acknowledgement that a write waited for
FULL_MAX = 1448  # and a larger one may be several (offload)
FULL_MIN = 500  # no segment below this is full: hosts take at least 536 bytes, less options (RFC 9293 section 3.7.1)

NOTED = 0  # how many of each kind are kept, COUNT_BITS each
MARKS = 1  # bits, named below, and the longest silence
LAST_FRAME = 2
LAST_NS = 3
LAST_DATA_FRAME = 4  # 0: no payload yet
LAST_DATA_NS = 5
UNHEARD = 6  # segments with payload it has sent since the other side last sent anything
CLOSED_NS = 7  # when it closed its window, plus 1; 0: open
CLOSED_MAX_NS = 8  # longest time its window was closed
CLOSURES = 9
PROBES = 10  # zero window probes and keep-alives sent; from HIGH_SHIFT on, while the other side's window was closed
DELAYED_NS = 11  # how long the first bare acknowledgement of all it sent took, while nothing followed; 0: none yet
DELAYED_AT_NS = 12
DELAYED_WRITES = 13
DELAYED_WRITES_NS = 14  # of those together
IP = 15  # of its last segment without RST: TTL plus 1 (0: none, or not said), from IP_ID_SHIFT on IP ID plus 1
LATEST = 16  # place + 1 of the latest silence's note, from PLACE_BITS on that of the latest of LATEST_KINDS; 0: none
ALERT_FRAME = 17  # its first TLS alert; 0: none
UNSEEN = 18  # acknowledgements it sent for what the capture lacks
LARGEST = 19  # payload of the largest segment
LARGEST_AT = 20  # position of the first of that size; -1 unknown
UNANSWERED = 21  # probes since the other side last sent anything; from HIGH_SHIFT on, what it sent again since then
SENT_END = 22  # position after all it has sent
WIDTH = 23

CALLED = 1  # in MARKS: what answers the other side is yet to come from here
FIN_SENT = 2
PAUSE_SHIFT = 2  # the bits above are the longest silence that it broke, in ms
HIGH_SHIFT = 32
IP_ID_SHIFT = 9
PLACE_BITS = 31


def kinds_by_verdict(cause: int, labels: int) -> int:
    """Kinds by what the segment repeats and by what it shows to be missing."""
    kinds = 0
    if cause == COPY:
        kinds |= 1 << COPY_KIND
    elif cause == REORDERED_SEGMENT:
        kinds |= 1 << REORDERED_KIND
    elif cause != NO_REPEAT:
        kinds |= 1 << REPEAT_KIND | (1 << TIMEOUT_KIND if cause == TIMEOUT else 0)
    if labels & (LOST_SEGMENT | ACK_LOST_SEGMENT):
        kinds |= 1 << GAP_KIND
    if labels & (KEEP_ALIVE | ZERO_WINDOW_PROBE):
        kinds |= 1 << PROBE_KIND
    return kinds


def note_window(rows: I64, x: int, flags: int, window: int, time_ns: int) -> int:
    """Follow whether X's window is closed; the kind of a segment that closes or opens it."""
    if window < 0 or flags & (SYN | FIN | RST):
        return 0
    since = rows[x + CLOSED_NS]
    if since != 0:
        rows[x + CLOSED_MAX_NS] = max(rows[x + CLOSED_MAX_NS], time_ns + 1 - since)
        if window == 0:
            return 0
        rows[x + CLOSED_NS] = 0
        return 1 << WINDOW_KIND
    if window > 0:
        return 0
    rows[x + CLOSED_NS] = time_ns + 1
    rows[x + CLOSURES] += 1
    return 1 << WINDOW_KIND


def make_room(rows: I64, x: int, kind: int, places: int) -> None:
    """Let so many more of a kind be kept, whatever their number."""
    shift = kind * COUNT_BITS
    beyond = (rows[x + NOTED] >> shift & ((1 << COUNT_BITS) - 1)) + places - KEPT_MAX
    if beyond > 0:
        rows[x + NOTED] -= beyond << shift


def note_pause(rows: I64, x: int, idle_ns: int) -> None:
    """Follow the longest silence that X broke by something new, and keep what did, and what becomes of it."""
    idle_ms, marks = idle_ns // NS_PER_MS, rows[x + MARKS]
    if idle_ms > marks >> PAUSE_SHIFT:
        rows[x + MARKS] = idle_ms << PAUSE_SHIFT | marks & ((1 << PAUSE_SHIFT) - 1)
        make_room(rows, x, RESUMED_KIND, 1)
        make_room(rows, x, REPEAT_KIND, REPEATS_KEPT)


def note_delay(rows: I64, x: int, y: int, length: int, acks_all: bool, time_ns: int) -> int:
    """Follow small writes that wait for the acknowledgement of the one before, which the peer delays.

    Nagle's rule (RFC 1122 section 4.2.3.4): no small segment leaves while one is unacknowledged.
    """
    if length == 0:
        waited_ns = time_ns - rows[y + LAST_DATA_NS]
        one_way = rows[y + LAST_DATA_FRAME] != 0 and rows[x + LAST_DATA_NS] <= rows[y + LAST_DATA_NS]
        if acks_all and one_way and rows[y + UNHEARD] == 1 and rows[y + DELAYED_NS] == 0:
            rows[y + DELAYED_NS] = waited_ns if DELAYED_MIN_NS <= waited_ns <= DELAYED_MAX_NS else NOT_DELAYED
            rows[y + DELAYED_AT_NS] = time_ns
        return 0
    delayed_ns = rows[x + DELAYED_NS]
    rows[x + DELAYED_NS] = 0
    rows[y + DELAYED_NS] = 0
    small = length < max(min(rows[x + LARGEST], FULL_MAX), FULL_MIN)
    if delayed_ns <= 0 or not small or time_ns - rows[x + DELAYED_AT_NS] > PROMPT_NS:
        return 0
    rows[x + DELAYED_WRITES] += 1
    rows[x + DELAYED_WRITES_NS] += delayed_ns
    return 1 << STALL_KIND


def note_payload(rows: I64, x: int, y: int, position: int, length: int, frame: int, time_ns: int) -> int:
    """Kinds of a segment with payload that is not sent again."""
    kinds = 1 << DATA_KIND if rows[x + LAST_DATA_FRAME] == 0 else 0
    if rows[y + MARKS] & FIN_SENT:
        kinds |= 1 << AFTER_FIN_KIND
    rows[x + UNHEARD] += 1
    rows[x + LAST_DATA_FRAME] = frame
    rows[x + LAST_DATA_NS] = time_ns
    if length > rows[x + LARGEST]:
        rows[x + LARGEST] = length
        rows[x + LARGEST_AT] = position
    return kinds


def is_wanted(rows: I64, x: int, kinds: int) -> bool:
    """Whether a segment of these kinds is kept, and counts it if so."""
    wanted = False
    for kind in range(KINDS):
        if kinds >> kind & 1:
            shift = kind * COUNT_BITS
            if rows[x + NOTED] >> shift & ((1 << COUNT_BITS) - 1) < KEPT_MAX:
                rows[x + NOTED] += 1 << shift
                wanted = True
    return wanted


def place_of(rows: I64, x: int, kinds: int, used: I64) -> int:
    """The place for the note of a segment of these kinds, one to be overwritten where there are enough; -1: none."""
    if is_wanted(rows, x, kinds):
        used[2] += 1
        return int(used[2]) - 1
    shift = 0 if kinds & (1 << RESUMED_KIND | 1 << REPEAT_KIND) == 1 << RESUMED_KIND else PLACE_BITS
    if shift != 0 and kinds & LATEST_KINDS == 0:
        return -1
    if rows[x + LATEST] >> shift & ((1 << PLACE_BITS) - 1) == 0:
        used[2] += 1
        rows[x + LATEST] |= used[2] << shift
    return int(rows[x + LATEST] >> shift & ((1 << PLACE_BITS) - 1)) - 1


def kinds_by_flags(rows: I64, x: int, flags: int) -> int:
    """Kinds that the flags alone give."""
    kinds = 0
    if flags & (SYN | FIN | RST):
        kinds = (1 << SYN_KIND if flags & SYN else 0) | (1 << FIN_KIND if flags & FIN else 0)
        kinds |= 1 << RST_KIND if flags & RST else 0
    if flags & (SYN | RST) == 0 and rows[x + NOTED] >> FIRST_KIND * COUNT_BITS & ((1 << COUNT_BITS) - 1) == 0:
        kinds |= 1 << FIRST_KIND
    return kinds


def note_seen(rows: I64, x: int, y: int, kinds: int, flags: int, ttl: int, ip_id: int, frame: int, time_ns: int) -> int:
    """Keep what X must know of any segment; with the kind of one that answers."""
    if rows[x + MARKS] & CALLED:
        kinds |= 1 << ANSWER_KIND
        rows[x + MARKS] &= ~CALLED
    if kinds & CALLS:
        rows[y + MARKS] |= CALLED
    if kinds & 1 << PROBE_KIND:
        rows[x + UNANSWERED] += 1
        rows[x + PROBES] += 1 if rows[y + CLOSED_NS] == 0 else 1 | 1 << HIGH_SHIFT
    if kinds & 1 << REPEAT_KIND:
        rows[x + UNANSWERED] += 1 << HIGH_SHIFT
    rows[y + UNANSWERED] = 0
    rows[y + UNHEARD] = 0
    rows[x + LAST_FRAME] = frame
    rows[x + LAST_NS] = time_ns
    if flags & FIN:
        rows[x + MARKS] |= FIN_SENT
    if flags & RST == 0:
        rows[x + IP] = ttl + 1 | (ip_id + 1) << IP_ID_SHIFT
    return kinds


def note_sent(rows: I64, x: int, flags: int, end: int) -> None:
    """Follow how far X has sent; a SYN begins anew."""
    if flags & SYN or end > rows[x + SENT_END]:
        rows[x + SENT_END] = end


def kinds_of(packets: Packets, segments: Segments, i: int, rows: I64, x: int, y: int) -> int:
    """The kinds of row `i`."""
    flags, length, frame = packets.flags[i], max(0, packets.len[i]), packets.frame[i]
    cause, labels, time_ns = segments.repeat[i], segments.labels[i], max(0, packets.time_ns[i])
    if cause == COPY:
        return 1 << COPY_KIND
    kinds = kinds_by_flags(rows, x, flags)
    if cause != NO_REPEAT or labels != 0:
        kinds |= kinds_by_verdict(cause, labels)
        rows[x + UNSEEN] += 1 if labels & ACK_LOST_SEGMENT else 0
    if segments.idle_ns[i] >= RESUMED_NS:
        kinds |= 1 << RESUMED_KIND
        if kinds & 1 << REPEAT_KIND == 0:
            note_pause(rows, x, segments.idle_ns[i])
    if kinds & 1 << PROBE_KIND:
        length = 0
    kinds |= note_window(rows, x, flags, packets.window[i], time_ns)
    if flags & (SYN | RST) == 0:
        kinds |= note_delay(rows, x, y, length, segments.ack_position[i] >= rows[y + SENT_END], time_ns)
    if length > 0 and kinds & 1 << REPEAT_KIND == 0:
        kinds |= note_payload(rows, x, y, segments.position[i], length, frame, time_ns)
        if packets.alert[i] != 0 and rows[x + ALERT_FRAME] == 0:
            rows[x + ALERT_FRAME] = frame
    note_sent(rows, x, flags, segments.end_position[i])
    return note_seen(rows, x, y, kinds, flags, packets.ttl[i], packets.ip_id[i], frame, time_ns)


def note(
    packets: Packets, count: int, segments: Segments, directions: Directions, endpoints: Endpoints, notes: I64
) -> None:
    """Keep the notable ones of `count` rows, whose steps `endpoints` has; there is room for two more notes a row."""
    rows, used, row_of = directions.notable, directions.used, segments.direction
    step, steps = 0, endpoints.used[1]
    for i in range(count):
        frame = packets.frame[i]
        while step < steps and endpoints.steps[step * STEP + STEP_FRAME] < frame:
            step += 1
        row = row_of[i]
        if row < 0 or packets.flags[i] < 0:
            continue
        x, y = row * WIDTH, (row ^ 1) * WIDTH
        end = segments.flow[i] << 1 | segments.side[i]
        kinds = kinds_of(packets, segments, i, rows, x, y)
        if kinds & 1 << RST_KIND and step < steps and endpoints.steps[step * STEP + STEP_FRAME] == frame:
            make_room(rows, x, RST_KIND, 1)
        at = place_of(rows, x, kinds, used) if kinds != 0 else -1
        if at < 0:
            continue
        begin_note(notes, at, frame, packets.time_ns[i], end, kinds, packets.flags[i])
        put(notes, at, REPEAT, segments.repeat[i])
        put(notes, at, SEQ, segments.seq_relative[i])
        put(notes, at, NOTE_TTL, packets.ttl[i])
        put(notes, at, LABELS, segments.labels[i])
        put(notes, at, ACK, segments.ack_relative[i])
        put(notes, at, NOTE_IP_ID, packets.ip_id[i])
        put(notes, at, LEN, packets.len[i])
        put(notes, at, NOTE_WINDOW, segments.window_bytes[i])
        put(notes, at, TSVAL, packets.tsval[i])
        put(notes, at, IDLE_MS, max(0, segments.idle_ns[i]) // NS_PER_MS)
        put(notes, at, WAITED_MS, segments.waited_ns[i] // NS_PER_MS)
