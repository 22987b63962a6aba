"""Where along a flow's path a capture was taken, inferred from the halves of the handshake.

SYN to SYN-ACK is the way to the server and back, SYN-ACK to ACK the way to the client and back.
"""

import numpy as np

from tcptrace.schema import I8, I64, TAKEN_NEAR, UNKNOWN, Flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.round_trips import SAMPLES
from tcptrace.tcp.sending import WIDTH
from tcptrace.tcp.sending_rows import ROUND_TRIPS

NEAR = 10
"""A half below one part in so many of the handshake is that of the end the capture was taken near."""
TELLS_NS = 100_000
"""What an end itself may take to answer: two halves below that tell of no path."""


def taken_near(measured: Measured, flows: Flows) -> I8:
    """For every flow, all of one capture, an index into TAKEN_NEAR.

    Unknown where a half is, where both are too short to tell, or where one may hold a wait: only a SYN and a SYN-ACK
    sent once tell (Karn's rule).
    """
    server_half, client_half = flows.syn_to_synack_ns, flows.synack_to_ack_ns
    whole = server_half + client_half
    known = (server_half >= 0) & (client_half >= 0) & (np.maximum(server_half, client_half) >= TELLS_NS)
    for side, half in enumerate((server_half, client_half)):
        known &= _first_round_trip(measured, flows.flow, side) == half
    found = np.full(len(whole), TAKEN_NEAR.index("between"), np.int8)
    found[server_half * NEAR < whole] = TAKEN_NEAR.index("server")
    found[client_half * NEAR < whole] = TAKEN_NEAR.index("client")
    found[~known] = TAKEN_NEAR.index("unknown")
    return found


def _first_round_trip(measured: Measured, flows: I64, side: int) -> I64:
    """The first round trip of what one side sent, which is that of its SYN if that gave one; -1 unknown."""
    directions = measured.tracker.directions
    pairs = directions.of_flow[flows].astype(np.int64) - 1
    has = pairs >= 0
    rows = pairs[has] * 2 + (measured.client[flows[has]] ^ side)
    first = np.full(len(flows), UNKNOWN, np.int64)
    first[has] = directions.sending[rows * WIDTH + ROUND_TRIPS + SAMPLES]
    return first
