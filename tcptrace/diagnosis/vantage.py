"""Where a capture was taken, and how far from there hosts are."""

from collections.abc import Iterable

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.story import CLIENT, SERVER
from tcptrace.rows import distinct
from tcptrace.schema import Bools

HOPS_MAX = 32
"""No path of today is longer; some programs send with a TTL of 1 (BGP)."""


def at_server(evidence: Evidence) -> Bools:
    """For each address, whether the capture was taken at that host or beside it.

    There a SYN-ACK follows its SYN at once, and the client's ACK comes a round trip later.
    """
    flows, size = evidence.flows, len(evidence.book)
    known = (flows.syn_to_synack_ns >= 0) & (flows.synack_to_ack_ns >= 0)
    near = known & (flows.syn_to_synack_ns * 4 <= flows.synack_to_ack_ns)
    of_all, of_near = (np.bincount(flows.server[rows], minlength=size) for rows in (known, near))
    there: Bools = (of_near > 0) & (of_near * 4 >= of_all * 3)
    return there


def ttls_of(evidence: Evidence, address: int) -> list[int]:
    """TTLs with which an address sent anything but RSTs."""
    flows = evidence.flows
    ends = ((flows.client, evidence.sides[CLIENT].ttl), (flows.server, evidence.sides[SERVER].ttl))
    known: list[int] = distinct(np.concatenate([ttl[end == address] for end, ttl in ends])).tolist()
    return [ttl for ttl in known if ttl >= 0]


def hops(ttls: Iterable[int]) -> list[int]:
    """How far segments came, if their sender began with 64, 128 or 255; without those that must have begun lower."""
    known = (next(first for first in (64, 128, 255) if ttl <= first) - ttl for ttl in ttls if 0 <= ttl <= 255)
    return [number for number in known if number <= HOPS_MAX]
