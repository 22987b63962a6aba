"""The endpoint's state table: whose view it is, what it knows, and what cannot be seen.

This is the view of an observer between two endpoints, not of an endpoint. The observer sees what
each side sends, never what it receives; it concludes receipts. A receipt that shows in what the
receiver sends next is proven; one that does not is inferred from the segment having passed, is
marked so, and is withdrawn when the receiver's own segments say otherwise. Hence cells that RFC
9293 (section 3.3.2, figure 5) does not have: a repeated SYN-ACK takes a server back to SYN_RCVD,
a repeated FIN takes its sender back to the state before the acknowledgement.

One receipt is never inferred from passing: that of a SYN-ACK. A client that got it says so at
once by its ACK; one that stays silent, or answers with RST, never left SYN_SENT.

Across: the state before. Down: what happened. In a cell: the state after, `.` for no change,
`!` for a combination that no sound endpoint shows: the state stays, and the fact is recorded.
"""

from typing import NamedTuple

import numpy as np

from tcptrace.schema import I8, STATES

TABLE = """
                            UN  CL  LI  SS  SR  ES  F1  F2  CW  CG  LA  TW
sent SYN                    SS  SS  SS  .   .   .   .   .   .   .   .   .
sent SYN-ACK                SR  SR  SR  SR  .   SR  !   !   SR  !   !   !
sent past SYN               ES  .   ES  ES  ES  .   .   .   .   .   .   .
sent FIN                    F1  !   !   !   F1  F1  .   F1  F1  .   .   F1
sent FIN after FIN          LA  LA  !   !   LA  LA  CG  CG  LA  .   .   CG
sent ACK of FIN             CW  .   !   !   CW  CW  CG  TW  .   .   .   .
sent RST                    CL  .   CL  CL  CL  CL  CL  CL  CL  CL  CL  CL
received ACK of SYN         ES  .   ES  ES  ES  .   .   .   .   .   .   .
received segment            ES  .   .   .   .   .   .   .   .   .   .   .
received FIN                CW  .   CW  !   CW  CW  CG  TW  .   .   .   .
received ACK of FIN         !   .   !   !   !   !   F2  .   !   TW  CL  .
received FIN and ACK of FIN !   .   !   !   !   !   TW  TW  !   TW  CL  .
received RST                CL  .   .   CL  CL  CL  CL  CL  CL  CL  CL  CL
2MSL timeout                !   !   !   !   !   !   !   !   !   !   !   CL
tuple reused                .   .   .   .   .   .   .   .   .   .   .   CL
"""

REASONS = {
    ("sent SYN", "LISTEN"): "simultaneous open: this side was no listener",
    ("sent SYN-ACK", "SYN_SENT"): "simultaneous open: it has the peer's SYN",
    ("sent SYN-ACK", "CLOSED"): "the listener opens again after a reset",
    ("sent SYN-ACK", "ESTABLISHED"): "repeated: the ACK that seemed to complete the handshake never arrived",
    ("sent SYN-ACK", "CLOSE_WAIT"): "repeated: neither the ACK nor the FIN arrived",
    ("sent past SYN", "SYN_SENT"): "it has the SYN-ACK",
    ("sent past SYN", "SYN_RCVD"): "only an established side sends more than its SYN-ACK",
    ("sent past SYN", "LISTEN"): "its SYN-ACK is not in the capture",
    ("sent past SYN", "UNKNOWN"): "midstream",
    ("sent FIN", "FIN_WAIT_2"): "repeated: the acknowledgement never arrived",
    ("sent FIN", "CLOSE_WAIT"): "simultaneous close: sent before the peer's FIN arrived",
    ("sent FIN", "TIME_WAIT"): "repeated: the peer's FIN and ACK never arrived",
    ("sent FIN after FIN", "CLOSED"): "repeated: the last ACK never arrived",
    ("sent FIN after FIN", "FIN_WAIT_1"): "repeated, and the peer's FIN has come meanwhile",
    ("sent FIN after FIN", "FIN_WAIT_2"): "repeated: the acknowledgement never arrived, the peer's FIN did",
    ("sent FIN after FIN", "TIME_WAIT"): "repeated: the acknowledgement never arrived",
    ("received ACK of SYN", "SYN_SENT"): "the peer went on: its SYN-ACK was answered outside the capture",
    ("received ACK of SYN", "LISTEN"): "its SYN-ACK is not in the capture",
    ("received RST", "TIME_WAIT"): "RFC 1337: assassinated, unless net.ipv4.tcp_rfc1337 is set",
    ("tuple reused", "TIME_WAIT"): "a new incarnation ends the wait (RFC 6191)",
}
"""Why a cell is what it is, where RFC 9293 does not say."""

STILL_SENDING = "still sending"
"""The one event outside the table: a side believed reset goes on sending; its old state returns."""

_ABBREVIATIONS = dict(zip("UN CL LI SS SR ES F1 F2 CW CG LA TW".split(), range(len(STATES)), strict=True))
_LINES = [line for line in TABLE.splitlines()[2:] if line]
_NAME_WIDTH = TABLE.splitlines()[1].index("UN")

EVENTS = [*(line[:_NAME_WIDTH].strip() for line in _LINES), STILL_SENDING]
"""What an observer can know of an endpoint; Transitions.event is an index into it."""

(
    SENT_SYN,
    SENT_SYN_ACK,
    SENT_PAST_SYN,
    SENT_FIN,
    SENT_FIN_AFTER_FIN,
    SENT_ACK_OF_FIN,
    SENT_RST,
    RECEIVED_ACK_OF_SYN,
    RECEIVED_SEGMENT,
    RECEIVED_FIN,
    RECEIVED_ACK_OF_FIN,
    RECEIVED_FIN_AND_ACK,
    RECEIVED_RST,
    TIMEOUT_2MSL,
    TUPLE_REUSED,
    RESTORED,
) = range(len(EVENTS))

(
    UNKNOWN_STATE,
    CLOSED,
    LISTEN,
    SYN_SENT,
    SYN_RCVD,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
) = range(len(STATES))

UNEXPECTED = -1
"""In the compiled table: no sound endpoint shows this event in this state."""


class Cell(NamedTuple):
    """One cell of the table, by name."""

    state: str
    event: str
    next_state: str | None
    """None: unexpected; the state stays."""
    reason: str


def cells() -> list[Cell]:
    """Every cell of the table, event by event."""
    found = []
    for line in _LINES:
        event = line[:_NAME_WIDTH].strip()
        for state, text in zip(STATES, line[_NAME_WIDTH:].split(), strict=True):
            names = {".": state, "!": None}
            after = names[text] if text in names else STATES[_ABBREVIATIONS[text]]
            found.append(Cell(state, event, after, REASONS.get((event, state), "")))
    return found


def next_states() -> I8:
    """The table for the kernels: the state after, at [event * len(STATES) + state]; UNEXPECTED for `!`."""
    return np.array([UNEXPECTED if c.next_state is None else STATES.index(c.next_state) for c in cells()], np.int8)
