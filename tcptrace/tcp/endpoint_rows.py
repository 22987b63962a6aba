"""What is kept of an endpoint while its flow is read (a kernel module: names of fields).

Endpoint `flow * 2 + side` owns WIDE values of 64 bits and NARROW ones of 32. Positions are
unwrapped sequence numbers (see `sequence`), -1 while unknown.
"""

from tcptrace.schema import NO_TIME, Endpoints
from tcptrace.tcp.endpoint import UNKNOWN_STATE

START = 0  # position of the SYN, or one before the first number seen
NEXT = 1  # snd_nxt: one past the highest sequence number sent
ACKED = 2  # highest acknowledgement sent: rcv_nxt as this side last proved it
FIN_END = 3  # position after the FIN
PAYLOAD = 4  # unique payload bytes sent
SINCE_NS = 5  # when the state was entered, or TIME_WAIT begun anew
HANDSHAKE_NS = 6  # when it sent its last SYN, or its first SYN-ACK after the peer's
WIDE = 7

STATE = 0
SCALE = 1  # window scale; NO_SCALE: its SYN had none; SYN_UNSEEN
WINDOW = 2  # latest window in bytes, as far as it is known, capped
HOLES = 3  # first hole in what it sent, 0 for none (see `holes`)
BEFORE_RESET = 4  # state before a reset, -1
NOTES = 5  # bits: below NOTE_PAST_SYN one an unexpected event that was recorded
VIA = 6  # interface of its last segment with news: pcapng number + 1 << 16 ^ number in the cooked header + 1
MSS = 7  # of its SYN in bytes, -1 without
NARROW = 8

NOTE_PAST_SYN = 1 << 16  # has sent something after its SYN
NOTE_CLOSED_FIRST = 1 << 17  # sent its FIN before it had the peer's
NOTE_RESET = 1 << 18  # its RST ended the flow
NOTE_ONE_MORE = 1 << 19  # its last acknowledgement advanced by exactly one
NOTE_SACK_PERMITTED = 1 << 20  # its SYN said so
NOTE_TIMESTAMPS = 1 << 21  # its SYN had one
NOTE_SYN = 1 << 22  # has sent a SYN without ACK

NO_SCALE = -1
WINDOW_SCALE_MAX = 14  # RFC 7323 section 2.3: what is more counts as that
SYN_UNSEEN = -2


def begin(endpoints: Endpoints, flows: int) -> None:
    """Set up the endpoints of all flows that have none yet."""
    wide, narrow, used = endpoints.wide, endpoints.narrow, endpoints.used
    for e in range(used[0] * 2, flows * 2):
        for field in range(WIDE):
            wide[e * WIDE + field] = -1
        wide[e * WIDE + PAYLOAD] = 0
        wide[e * WIDE + SINCE_NS] = NO_TIME
        wide[e * WIDE + HANDSHAKE_NS] = NO_TIME
        narrow[e * NARROW + STATE] = UNKNOWN_STATE
        narrow[e * NARROW + SCALE] = SYN_UNSEEN
        narrow[e * NARROW + WINDOW] = 0
        narrow[e * NARROW + HOLES] = 0
        narrow[e * NARROW + BEFORE_RESET] = -1
        narrow[e * NARROW + NOTES] = 0
        narrow[e * NARROW + VIA] = -1
        narrow[e * NARROW + MSS] = -1
    used[0] = flows
