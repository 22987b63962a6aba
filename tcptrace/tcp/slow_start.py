"""How the flights of a direction grow, and when they stop (a kernel module).

The congestion window is not observable, bytes in flight are. A round is a flight, what acknowledges it, and what that
releases; in slow start each flight is up to twice the one before (RFC 5681 section 3.1, RFC 3465). That flights
stop growing tells of the sender's window only where this is what it waits for: acknowledgements release full segments
at once, the application does not run dry, and the receiver's window has room. It cannot be seen near the receiver.
"""

from tcptrace.schema import I64
from tcptrace.tcp.round_trips import MIN_NS, SRTT_NS
from tcptrace.tcp.sending_rows import (
    CROSSED,
    DRY,
    FILLED,
    FIRST_DATA_NS,
    FULL,
    GROWN_TO,
    LARGEST,
    LAST_LEN,
    MARKS,
    MSS,
    NEXT,
    RAISED_NS,
    ROUND_END,
    ROUND_MAX,
    ROUND_TRIPS,
    SLOW_START_BYTES,
    SLOW_START_END_NS,
    WATCHED,
    WINDOW,
    WINDOW_BOUND,
)

TIMESTAMP_BYTES = 12  # of each segment that has one


def note_new(rows: I64, x: int, length: int, tsval: int, time_ns: int) -> None:
    """Take the payload of a segment that moved NEXT: whether it is full, and released by an acknowledgement."""
    marks = rows[x + MARKS]
    rows[x + LAST_LEN] = length
    if marks & WATCHED == 0 or length == 0:
        return
    full = rows[x + MSS] if tsval < 0 else rows[x + MSS] - TIMESTAMP_BYTES
    if length != full and (length < full or length % full != 0):
        rows[x + MARKS] = marks & ~FULL
        return
    raised_ns = rows[x + RAISED_NS]
    is_released = raised_ns >= rows[x + FIRST_DATA_NS] and marks & DRY == 0
    if is_released and time_ns - raised_ns <= rows[x + ROUND_TRIPS + SRTT_NS] >> 1:
        marks |= FILLED | WINDOW_BOUND
    rows[x + MARKS] = marks | FULL


def end_slow_start(rows: I64, x: int, y: int, end_ns: int) -> None:
    """The flights of X grow no longer from `end_ns` on, if that can be told of its sender; Y is the other way."""
    is_near = rows[x + ROUND_TRIPS + MIN_NS] >= rows[y + ROUND_TRIPS + MIN_NS]
    if rows[x + MARKS] & WATCHED != 0 and rows[x + MARKS] & WINDOW_BOUND != 0 and is_near:
        rows[x + SLOW_START_END_NS] = end_ns + 1
        rows[x + SLOW_START_BYTES] = max(rows[x + ROUND_MAX], rows[x + GROWN_TO])
    rows[x + MARKS] &= ~WATCHED


def end_round(rows: I64, x: int, y: int, time_ns: int) -> None:
    """Compare a round's flight with those before: two that are no larger end slow start, from the first one on."""
    most, grown, marks, window = rows[x + ROUND_MAX], rows[x + GROWN_TO], rows[x + MARKS], rows[y + WINDOW]
    has_room = window < 0 or most + rows[x + LARGEST] <= window
    tells = marks & (FILLED | DRY) == FILLED and has_room
    perhaps_ns = rows[x + SLOW_START_END_NS]
    rows[x + SLOW_START_END_NS] = 0
    rows[x + MARKS] = marks & ~(FILLED | DRY | CROSSED)
    if not tells or grown * 3 > most * 4 or most * 4 >= grown * 5:
        rows[x + GROWN_TO] = most if tells else max(most, grown)
    elif perhaps_ns < 0:
        end_slow_start(rows, x, y, -perhaps_ns - 1)
    else:
        rows[x + SLOW_START_END_NS] = -time_ns - 1
    rows[x + ROUND_MAX] = 0
    rows[x + ROUND_END] = rows[x + NEXT]


def note_round(rows: I64, x: int, y: int, ack: int, time_ns: int) -> None:
    """Follow the rounds of X by its acknowledgements; one lasts until the ACK after that of all its flight."""
    if rows[x + MARKS] & WATCHED == 0:
        return
    if rows[x + MARKS] & CROSSED != 0:
        end_round(rows, x, y, time_ns)
    if ack >= rows[x + ROUND_END]:
        is_dry = ack >= rows[x + NEXT] and rows[x + MARKS] & FULL == 0
        rows[x + MARKS] |= CROSSED | DRY if is_dry else CROSSED


def note_flight(rows: I64, x: int, out: int, time_ns: int) -> None:
    """Take the bytes in flight after a segment with payload."""
    rows[x + ROUND_MAX] = max(rows[x + ROUND_MAX], out)
    if rows[x + FIRST_DATA_NS] == 0:
        rows[x + FIRST_DATA_NS] = time_ns + 1
        rows[x + ROUND_END] = rows[x + NEXT]
        if rows[x + MSS] > TIMESTAMP_BYTES:
            rows[x + MARKS] |= CROSSED | WATCHED
