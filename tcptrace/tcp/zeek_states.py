"""Zeek's states of the two endpoints of a connection (a kernel module).

Facts from Zeek 8 (TCPSessionAdapter.cc, Update...State; TCP_Reassembler.cc, is_clean). x and y are where the rows of
a segment's sender and of the other begin, c where that of side 0 does.
"""

from tcptrace.flows import ACK, FIN, RST, SYN
from tcptrace.schema import I64
from tcptrace.tcp.zeek_rows import (
    BEFORE_SHIFT,
    CLOSED,
    CONNECTION,
    ESTABLISHED,
    GAVE_UP,
    INACTIVE,
    IS_PARTIAL,
    ORIGINATOR_SEEN,
    PARTIAL,
    RESET,
    RESPONDER_SEEN,
    SENT_FIN,
    STATE,
    STATE_MASK,
    SYN_ACK_SENT,
    SYN_SENT,
    flip,
)


def set_state(rows: I64, x: int, state: int) -> None:
    """Enter a state, keeping the one before."""
    before = rows[x + STATE] & STATE_MASK
    if state != before:
        rows[x + STATE] = (rows[x + STATE] & (SENT_FIN | GAVE_UP)) | before << BEFORE_SHIFT | state


def begins_anew(state: int, start: int, seq: int) -> bool:
    """Whether a SYN sets where a stream starts: not after a FIN, nor where the number is the same."""
    now, before = state & STATE_MASK, state >> BEFORE_SHIFT & STATE_MASK
    if now == RESET:
        return before == INACTIVE
    return now != CLOSED and not (now in (SYN_SENT, SYN_ACK_SENT) and seq == start)


def advance_inactive(rows: I64, c: int, x: int, y: int, of_role: int, flags: int, length: int) -> None:
    """The state after the first segment of X."""
    if flags & SYN and of_role == 0:
        set_state(rows, x, SYN_ACK_SENT if flags & ACK else SYN_SENT)
    elif flags & SYN:
        if flags & ACK == 0 and rows[y + STATE] & STATE_MASK == SYN_ACK_SENT:
            flip(rows, c)
            rows[c + CONNECTION] |= ORIGINATOR_SEEN
            set_state(rows, y, ESTABLISHED)
        if rows[y + STATE] & STATE_MASK == SYN_SENT:
            set_state(rows, y, ESTABLISHED)
        set_state(rows, x, ESTABLISHED)
    if flags & FIN:
        set_state(rows, x, CLOSED)
    if flags & RST:
        set_state(rows, x, RESET)
    if flags & (SYN | FIN | RST):
        return
    other = rows[y + STATE] & STATE_MASK
    if of_role == 1 and length == 0 and other == SYN_SENT:
        return
    if flags & ACK and other == ESTABLISHED:
        set_state(rows, x, ESTABLISHED)
        rows[c + CONNECTION] = rows[c + CONNECTION] & ~IS_PARTIAL | (RESPONDER_SEEN if of_role else ORIGINATOR_SEEN)
    else:
        set_state(rows, x, PARTIAL)


def advance(rows: I64, x: int, y: int, flags: int) -> None:
    """The state after a SYN, FIN or RST of X that is not its first segment."""
    state = rows[x + STATE] & STATE_MASK
    other = rows[y + STATE] & STATE_MASK
    if flags & (SYN | ACK) == SYN and state == PARTIAL and other == INACTIVE:
        set_state(rows, x, SYN_SENT)
    if flags & FIN and state in (SYN_SENT, SYN_ACK_SENT):
        set_state(rows, x, CLOSED)
    elif flags & (FIN | RST) == FIN and state in (PARTIAL, ESTABLISHED):
        set_state(rows, x, CLOSED)
        if rows[y + STATE] & ~(SENT_FIN | GAVE_UP) == RESET | CLOSED << BEFORE_SHIFT:
            set_state(rows, y, CLOSED)
    if flags & RST and (state < CLOSED or (state == CLOSED and other != CLOSED)):
        set_state(rows, x, RESET)


def is_clean(state: int) -> bool:
    """Whether an endpoint is established, or closed from there."""
    now, before = state & STATE_MASK, state >> BEFORE_SHIFT & STATE_MASK
    return now == ESTABLISHED or (now == CLOSED and before == ESTABLISHED)
