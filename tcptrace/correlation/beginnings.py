"""Where the two sequence spaces of every leg begin, as its sightings tell."""

import numpy as np

from tcptrace.correlation.numbering import numbered
from tcptrace.flows import ACK, RST, SYN
from tcptrace.schema import I32, I64, UNKNOWN, Sightings
from tcptrace.tcp.sequence import CYCLE

HANDSHAKE = SYN | ACK | RST


def lives(seen: Sightings, flow: I32) -> I32:
    """Row for row the number of its leg, where `flow` numbers the flows of all points.

    A SYN with another ISN is a new flow already. Where only answers pass, a SYN-ACK with another ISN that
    acknowledges another client's ISN begins a new life of the tuple.
    """
    rows = np.flatnonzero(seen.flags & HANDSHAKE == SYN | ACK)
    rows = rows[np.argsort(flow[rows], kind="stable")]
    same = flow[rows[1:]] == flow[rows[:-1]]
    begins = rows[1:][same & (np.diff(seen.start[rows]) != 0) & (np.diff(seen.ack[rows]) != 0)]
    if not len(begins):
        return flow
    reused = np.zeros(int(flow.max()) + 1, np.bool_)
    reused[flow[begins]] = True
    places = np.flatnonzero(reused[flow])
    places = places[np.argsort(flow[places], kind="stable")]
    life = np.zeros(len(flow), np.int32)
    life[places] = np.cumsum(np.isin(places, begins))  # goes up from flow to flow too, which does no harm
    return numbered(flow, life).astype(np.int32)


def beginnings(seen: Sightings, leg: I32, count: int) -> tuple[I64, I64]:
    """Of each leg's client and server the position its stream begins at, and its initial sequence number.

    A SYN tells its sender's, and a SYN-ACK that of the side it answers; that of a silent server is what the
    client's first segment after its SYN acknowledges.
    """
    end = leg.astype(np.int64) * 2 + seen.side
    base, known = np.full(count * 2, UNKNOWN), np.zeros(count * 2, np.bool_)

    def tell(ends: I64, start: I64) -> None:
        base[ends], known[ends] = start, True

    syn = np.flatnonzero((seen.flags & (SYN | RST) == SYN) & (seen.inferred == 0))
    answer = syn[(seen.flags[syn] & ACK != 0) & (seen.ack[syn] >= 0)]
    tell(end[answer] ^ 1, seen.ack[answer] - 1)
    tell(end[syn], seen.start[syn])
    _of_first_acks(seen, end, base, known)
    late = np.flatnonzero(~known[end] | ~known[end ^ 1])
    lowest = np.full(count * 2, np.iinfo(np.int64).max)
    np.minimum.at(lowest, end[late], seen.start[late])
    acks = late[seen.ack[late] >= 0]
    np.minimum.at(lowest, end[acks] ^ 1, seen.ack[acks])
    unknown = ~known & (lowest < np.iinfo(np.int64).max)
    base[unknown] = lowest[unknown] - 1
    isn = np.where(known, base & (CYCLE - 1), UNKNOWN)
    return base.reshape(-1, 2), isn.reshape(-1, 2)


def _of_first_acks(seen: Sightings, end: I64, base: I64, known: np.ndarray) -> None:
    """Fill in what the first segment after a SYN acknowledges: the ISN of a peer that sent none here, plus one."""
    open_ends = known & ~known.reshape(-1, 2)[:, ::-1].ravel()
    rows = np.flatnonzero(open_ends[end] & (seen.ack >= 0) & (seen.flags & (SYN | RST) == 0))
    rows = rows[::-1].copy()  # what is written last stays
    first = np.full(len(base), UNKNOWN)
    first[end[rows]] = rows
    heard = np.zeros(len(base), np.bool_)
    heard[end] = True
    told = np.flatnonzero(first >= 0)
    told = told[~heard[told ^ 1] & (seen.start[first[told]] == base[told] + 1)]
    base[told ^ 1] = seen.ack[first[told]] - 1
    known[told ^ 1] = True
