"""What is kept for Zeek's conn.log of both directions of a connection, and its history (a kernel module).

Facts from Zeek 8 (TCP_Endpoint.cc, Session.cc, Conn.cc). Zeek's originator and responder are roles that may be
swapped while a connection goes on; sides are ours and stay. In the functions x is where the row of a segment's
sender begins, c where that of side 0 does: there lies what belongs to the connection.
"""

from tcptrace.schema import I64

STATE = 0  # state now | state before << BEFORE_SHIFT | bits below
START = 1  # ISN, or one before the first number seen
LAST = 2  # end of the last segment that advanced: times the number space was passed << 32 | raw
ACKED = 3  # highest acknowledgement of it, likewise
FIN_END = 4  # position after its FIN
LAST_SYN = 5  # position of the last SYN, end of data of the last FIN, position of the last RST: for the history
LAST_FIN = 6
LAST_RST = 7
COUNTS = 8  # retransmissions, zero windows and gaps, COUNT_BITS each
GAPS = 9  # two fields of zeek_gaps
LETTERS = 11  # two words of the history; side 0's come first
CONNECTION = 13  # in the row of side 0: number of letters | bits below
WIDTH = 14

INACTIVE = 0
SYN_SENT = 1
SYN_ACK_SENT = 2
PARTIAL = 3
ESTABLISHED = 4
CLOSED = 5
RESET = 6
STATE_MASK = 7
BEFORE_SHIFT = 3
SENT_FIN = 1 << 6
GAVE_UP = 1 << 7  # too much came beyond a hole: no more gaps are told

COUNT_BITS = 20
REPEATS_SHIFT = 0
ZERO_WINDOWS_SHIFT = 20
GAPS_SHIFT = 40

LETTER_COUNT = 63
BEGUN = 1 << 6
SIDE_1_ORIGINATES = 1 << 7
IS_PARTIAL = 1 << 8
ORIGINATOR_SEEN = 1 << 9
RESPONDER_SEEN = 1 << 10
TOLD_SHIFT = 11  # letters that were told once, of the originator and then of the responder
TOLD_SYN = 1 << 0
TOLD_FIN = 1 << 1
TOLD_RST = 1 << 2
TOLD_INCONSISTENT = 1 << 3
TOLD_DATA = 1 << 4
TOLD_ACK = 1 << 5
TOLD_MULTIPLE = 1 << 6
TOLD_BITS = 7

LETTER_S = 1  # of the originator; one more: of the responder
LETTER_H = 3
LETTER_A = 5
LETTER_D = 7
LETTER_F = 9
LETTER_R = 11
LETTER_G = 13
LETTER_T = 15
LETTER_W = 17
LETTER_I = 19
LETTER_Q = 21
LETTER_FLIP = 23
LETTER_BITS = 5
LETTERS_A_WORD = 12
LETTERS_MAX = 4 * LETTERS_A_WORD


def role(rows: I64, c: int, side: int) -> int:
    """0 if a side is the originator now, 1 if it is the responder."""
    return side ^ (1 if rows[c + CONNECTION] & SIDE_1_ORIGINATES else 0)


def write(rows: I64, c: int, letter: int) -> None:
    """Append a letter to the history, if there is room."""
    count = int(rows[c + CONNECTION] & LETTER_COUNT)
    if count < LETTERS_MAX:
        word, place = count // LETTERS_A_WORD, count % LETTERS_A_WORD
        rows[c + LETTERS + (word & 1) + (word >> 1) * WIDTH] |= letter << (LETTER_BITS * place)
        rows[c + CONNECTION] += 1


def write_once(rows: I64, c: int, side: int, told: int, letter: int) -> bool:
    """Append a letter unless its sender's role has it; whether it has."""
    of_role = role(rows, c, side)
    bit = told << (TOLD_SHIFT + TOLD_BITS * of_role)
    if rows[c + CONNECTION] & bit:
        return True
    rows[c + CONNECTION] |= bit
    write(rows, c, letter + of_role)
    return False


def write_when_new(rows: I64, c: int, side: int, told: int, letter: int, last: int, position: int) -> None:
    """Append a letter, again only at another position than the last; `last` is the field that keeps that."""
    if write_once(rows, c, side, told, letter) and rows[last] != position:
        write(rows, c, letter + role(rows, c, side))
    rows[last] = position


def write_at_powers(rows: I64, c: int, x: int, side: int, shift: int, letter: int) -> None:
    """Append a letter the first, tenth, hundredth time, up to the millionth."""
    count = (rows[x + COUNTS] >> shift & ((1 << COUNT_BITS) - 1)) + 1
    if count >> COUNT_BITS:
        return
    rows[x + COUNTS] += 1 << shift
    power = 1
    while power < count:
        power *= 10
    if power == count:
        write(rows, c, letter + role(rows, c, side))


def flip(rows: I64, c: int) -> None:
    """Swap originator and responder. What letters were told stays with the roles, as in Zeek."""
    bits = rows[c + CONNECTION]
    seen = (RESPONDER_SEEN if bits & ORIGINATOR_SEEN else 0) | (ORIGINATOR_SEEN if bits & RESPONDER_SEEN else 0)
    rows[c + CONNECTION] = (bits & ~(ORIGINATOR_SEEN | RESPONDER_SEEN | IS_PARTIAL) | seen) ^ SIDE_1_ORIGINATES
    write(rows, c, LETTER_FLIP)


def flip_syn_ack(rows: I64, c: int) -> None:
    """The first thing seen was a SYN-ACK, and now goes traffic: its sender was the responder."""
    flip(rows, c)
    rows[c + LETTERS] = LETTER_FLIP | (LETTER_H + 1) << LETTER_BITS
    rows[c + CONNECTION] |= ORIGINATOR_SEEN
