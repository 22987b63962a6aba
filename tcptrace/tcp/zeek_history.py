"""What Zeek makes of each segment: endpoint states and history (a kernel module).

Facts from Zeek 8 (TCPSessionAdapter.cc, TCP.cc), its oddities included; docs/zeek.md says which rule is whose.
`zeek` makes words of it. x and y are where the rows of a segment's sender and of the other begin, c where that
of side 0 does.
"""

from tcptrace.flows import ACK, FIN, RST, SYN
from tcptrace.schema import I64, Directions, Packets, Segments
from tcptrace.tcp.sequence import MASK
from tcptrace.tcp.zeek_gaps import add_block, drop_blocks, give_up, waiting
from tcptrace.tcp.zeek_rows import (
    ACKED,
    BEGUN,
    CLOSED,
    CONNECTION,
    FIN_END,
    GAPS,
    GAPS_SHIFT,
    GAVE_UP,
    INACTIVE,
    IS_PARTIAL,
    LAST,
    LAST_FIN,
    LAST_RST,
    LAST_SYN,
    LETTER_A,
    LETTER_D,
    LETTER_F,
    LETTER_G,
    LETTER_H,
    LETTER_I,
    LETTER_Q,
    LETTER_R,
    LETTER_S,
    LETTER_T,
    LETTER_W,
    LETTERS,
    ORIGINATOR_SEEN,
    REPEATS_SHIFT,
    RESET,
    RESPONDER_SEEN,
    SENT_FIN,
    SIDE_1_ORIGINATES,
    START,
    STATE,
    STATE_MASK,
    TOLD_ACK,
    TOLD_DATA,
    TOLD_FIN,
    TOLD_INCONSISTENT,
    TOLD_MULTIPLE,
    TOLD_RST,
    TOLD_SYN,
    WIDTH,
    ZERO_WINDOWS_SHIFT,
    flip,
    flip_syn_ack,
    role,
    write_at_powers,
    write_once,
    write_when_new,
)
from tcptrace.tcp.zeek_states import advance, advance_inactive, begins_anew, is_clean

TOO_FAR = 1 << 20
"""A SYN or RST further than this from what its sender sent last does not count as advancing (TOO_LARGE_SEQ_DELTA)."""
MOST_BEYOND_HOLE = 16384
"""tcp_max_above_hole_without_any_acks, bytes."""

SERVER_PORTS = (
    *(21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 389, 443, 445, 465, 502, 514, 563, 585, 587, 614, 631, 636),
    *(989, 990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379),
    *(6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000),
)
"""likely_server_ports of TCP, as Zeek's own scripts fill it."""


def signed(difference: int) -> int:
    """A difference of raw numbers, from -2**31."""
    return ((difference + 0x80000000) & MASK) - 0x80000000


def position_of(start: int, near: int, number: int) -> int:
    """Where a raw number lies from the start of its stream; negative: before it (or 2**31 beyond an unpassed end)."""
    last, passed = near & MASK, near >> 32
    difference = signed(number - last)
    if difference < 0 and passed > 0 and number > last:
        passed -= 1
    elif difference > 0 and number < last:
        passed += 1
    return (passed << 32) + number - start if passed > 0 else signed(number - start)


def moved_to(near: int, number: int) -> int:
    """LAST or ACKED once a raw number is taken for it."""
    return (((near >> 32) + (1 if number < near & MASK else 0)) << 32) | number


def is_server_port(port: int) -> bool:
    """Whether Zeek expects servers at a port."""
    return port in SERVER_PORTS


def begin(rows: I64, c: int, side: int, flags: int, sport: int, dport: int) -> None:
    """The connection's first segment: its sender originates, unless it goes on midstream and comes from a server."""
    rows[c + GAPS] = 1
    rows[c + WIDTH + GAPS] = 1
    rows[c + CONNECTION] = BEGUN | (SIDE_1_ORIGINATES if side else 0)
    if flags & (SYN | ACK) != SYN and is_server_port(sport):
        if is_server_port(dport):
            if flags & SYN == 0 and sport < dport:
                flip(rows, c)
        else:
            flip(rows, c)


def note_role(rows: I64, c: int, of_role: int, flags: int) -> None:
    """Whether the connection is partial, as its first segment each way says."""
    bits = rows[c + CONNECTION]
    if of_role == 0 and bits & ORIGINATOR_SEEN == 0:
        partial = flags & (SYN | ACK) != SYN
        rows[c + CONNECTION] = bits & ~IS_PARTIAL | (IS_PARTIAL if partial else 0)
    elif of_role == 1 and bits & RESPONDER_SEEN == 0 and flags & SYN == 0:
        rows[c + CONNECTION] = bits | IS_PARTIAL


def note_start(rows: I64, x: int, flags: int, seq: int, end: int) -> None:
    """Where a stream starts: at a SYN, else before the first number seen."""
    if flags & SYN:
        if not begins_anew(rows[x + STATE], rows[x + START], seq):
            return
        start = seq
    elif rows[x + STATE] & STATE_MASK == INACTIVE:
        start, end = (seq - 1) & MASK, seq
    else:
        return
    rows[x + START] = start
    rows[x + ACKED] = rows[x + ACKED] >> 32 << 32 | start
    rows[x + LAST] = rows[x + LAST] >> 32 << 32 | end


def note_letters(rows: I64, c: int, x: int, side: int, flags: int, position: int, length: int) -> None:
    """The letter of a segment's flags or payload."""
    kind = flags & (SYN | FIN | RST)
    if kind == 0:
        if length == 0 and flags & ACK == 0:
            return
        if rows[c + LETTERS] == LETTER_H:
            flip_syn_ack(rows, c)
        if length > 0:
            write_once(rows, c, side, TOLD_DATA, LETTER_D)
        else:
            write_once(rows, c, side, TOLD_ACK, LETTER_A)
    elif kind == SYN:
        letter = LETTER_H if flags & ACK else LETTER_S
        write_when_new(rows, c, side, TOLD_SYN, letter, x + LAST_SYN, position)
    elif kind == FIN:
        write_when_new(rows, c, side, TOLD_FIN, LETTER_F, x + LAST_FIN, position + length)
    elif kind == RST:
        write_when_new(rows, c, side, TOLD_RST, LETTER_R, x + LAST_RST, position)
    elif kind & (FIN | RST) == FIN | RST:
        write_once(rows, c, side, TOLD_INCONSISTENT, LETTER_I)
    else:
        write_once(rows, c, side, TOLD_MULTIPLE, LETTER_Q)


def note_ack(rows: I64, y: int, flags: int, ack: int) -> int:
    """Keep what is acknowledged of Y; its position, 0 for what lies before the start."""
    if rows[y + STATE] & STATE_MASK == INACTIVE:
        start = (ack - 1) & MASK
        rows[y + START] = start
        rows[y + LAST] = rows[y + LAST] >> 32 << 32 | start
        rows[y + ACKED] = rows[y + ACKED] >> 32 << 32 | start
        return 1
    acked = rows[y + ACKED]
    position = position_of(rows[y + START], acked, ack)
    if position < 0:
        return 0
    ahead = signed(ack - (acked & MASK))
    if flags & RST == 0 and ahead > 0 and not (ack == 0 and ahead > TOO_FAR):
        rows[y + ACKED] = moved_to(acked, ack)
    return position


def is_repeat(rows: I64, x: int, flags: int, end: int, length: int) -> bool:
    """Keep how far X has sent; whether it sent payload without getting further."""
    last = rows[x + LAST]
    ahead = signed(end - (last & MASK))
    if flags & (SYN | RST) and (ahead > TOO_FAR or ahead < -TOO_FAR):
        return False
    if not (flags & FIN and last & MASK == (rows[x + START] + 1) & MASK):
        if rows[x + STATE] & STATE_MASK == RESET:
            return False
        if ahead <= 0:
            return length > 0
    rows[x + LAST] = moved_to(last, end)
    return False


def note_gaps(rows: I64, nodes: I64, c: int, y: int, side: int, acked: int) -> None:
    """What Y sent up to a position is there or will not come; `side` is that of Y."""
    if rows[y + STATE] & SENT_FIN and 0 <= rows[y + FIN_END] <= acked:
        acked = int(rows[y + FIN_END]) - 1
    if acked <= rows[y + GAPS] or (acked <= 2 and rows[c + CONNECTION] & IS_PARTIAL):
        return
    found = give_up(rows, y + GAPS, nodes, acked)
    other = c + WIDTH if y == c else c
    if rows[y + STATE] & GAVE_UP == 0 and is_clean(rows[y + STATE]) and is_clean(rows[other + STATE]):
        for _ in range(found):
            write_at_powers(rows, c, y, side, GAPS_SHIFT, LETTER_G)


def note_payload(rows: I64, nodes: I64, x: int, position: int, length: int) -> None:
    """Payload of X for the reassembler."""
    if rows[x + STATE] & GAVE_UP:
        return
    acked = rows[x + ACKED] - rows[x + START]
    if position + length <= acked:
        return
    add_block(rows, x + GAPS, nodes, max(position, acked), position + length)
    if 0 <= acked <= 1 and waiting(rows, x + GAPS, nodes) > MOST_BEYOND_HOLE:
        rows[x + STATE] |= GAVE_UP
        drop_blocks(rows, x + GAPS, nodes)


def tell(
    rows: I64, nodes: I64, c: int, side: int, flags: int, seq: int, ack: int, length: int, window: int, cut: int
) -> None:
    """One segment of a side, in the order of TCPSessionAdapter::Process; `cut` bytes of it are not in the capture."""
    x, y = (c + WIDTH, c) if side else (c, c + WIDTH)
    of_role = role(rows, c, side)
    note_role(rows, c, of_role, flags)
    size = (0 if flags & RST else length) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
    end = (seq + size) & MASK
    if flags & SYN or rows[x + STATE] & STATE_MASK == INACTIVE:
        note_start(rows, x, flags, seq, end)
    position = position_of(rows[x + START], rows[x + LAST], seq)
    note_letters(rows, c, x, side, flags, position, length)
    state = rows[x + STATE] & STATE_MASK
    if window == 0 and flags & RST == 0 and state != RESET and rows[y + STATE] & STATE_MASK != CLOSED:
        write_at_powers(rows, c, x, side, ZERO_WINDOWS_SHIFT, LETTER_W)
    if flags & FIN:
        rows[x + STATE] |= SENT_FIN
        rows[x + FIN_END] = position + size
    acked = note_ack(rows, y, flags, ack) if flags & ACK else 0
    if is_repeat(rows, x, flags, end, length):
        write_at_powers(rows, c, x, side, REPEATS_SHIFT, LETTER_T)
    if state == INACTIVE:
        advance_inactive(rows, c, x, y, of_role, flags, length)
    elif flags & (SYN | FIN | RST):
        advance(rows, x, y, flags)
    if flags & ACK:
        note_gaps(rows, nodes, c, y, side ^ 1, acked)
    rows[c + CONNECTION] |= RESPONDER_SEEN if of_role != 0 else ORIGINATOR_SEEN
    if length > 0 and cut <= 0 and flags & RST == 0 and position >= 0:
        note_payload(rows, nodes, x, position + (1 if flags & SYN else 0), length)


def note(packets: Packets, count: int, segments: Segments, directions: Directions) -> None:
    """Tell `count` rows to their connections; those without numbers or of unknown length are left out."""
    rows, nodes, row_of = directions.history, directions.blocks, segments.direction
    for i in range(count):
        row, flags, seq, length = row_of[i], packets.flags[i], packets.seq[i], packets.len[i]
        if row < 0 or seq < 0 or length < 0:
            continue
        c, side = (row >> 1) * 2 * WIDTH, row & 1
        if rows[c + CONNECTION] == 0:
            begin(rows, c, side, flags, packets.sport[i], packets.dport[i])
        tell(rows, nodes, c, side, flags, seq, max(0, packets.ack[i]), length, packets.window[i], packets.len_cut[i])
