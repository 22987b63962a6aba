"""A way is one direction of one stream: what is known of each as a whole."""

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.passages import Passages
from tcptrace.flows import ACK, RST
from tcptrace.schema import I16, I64, Bools


def ways(passages: Passages) -> I64:
    """(N,) a number for each stream and direction."""
    return passages.stream * 2 + passages.direction


def highest_acknowledged(passages: Passages, streams: int) -> I64:
    """(2 * streams,) by way: the highest position that its receiver acknowledged; -1 none.

    A RST may be a middlebox's: see `reset_at`.
    """
    highest = np.full(2 * streams, NOWHERE, np.int64)
    telling = (passages.ack >= 0) & (passages.flags & RST == 0)
    np.maximum.at(highest, ways(passages)[telling] ^ 1, passages.ack[telling])
    return highest


def reset_at(passages: Passages, along: I16, last: I64) -> I64:
    """(N,) the farthest place on its route, not before its last, where a RST was that acknowledges it; NOWHERE none.

    `along` is (2 * streams, L), the points of every way; `last` the place of the last point that has it. Whoever makes
    a RST+ACK got what it acknowledges (RFC 9293 section 3.10.7.1); nothing is known of what lies beyond its maker. At
    a host behind, any point tells: answers may leave by another interface.
    """
    found = np.full(len(last), NOWHERE)
    resets = np.flatnonzero((passages.flags & (RST | ACK) == RST | ACK) & (passages.ack >= 0))
    if not len(resets):
        return found
    way, peer = ways(passages), ways(passages)[resets] ^ 1
    names = [point.host for point in passages.points]
    host = np.array([names.index(name) for name in names])
    has_it = passages.row[resets] >= 0
    host_has_it = np.stack([has_it[:, host == one].any(axis=1) for one in host], axis=1)
    is_numbered = (passages.end > passages.start) & (last >= 0)
    for place in range(along.shape[1]):
        here = along[way, place]
        is_other_host = (last < place) & (host[here] != host[along[way, last]])
        for seen, those in ((has_it, last <= place), (host_has_it, is_other_host)):
            at = (along[peer, place] >= 0) & seen[np.arange(len(resets)), along[peer, place]]
            highest = np.full(len(along), NOWHERE)
            np.maximum.at(highest, peer[at], passages.ack[resets[at]])
            found[is_numbered & (here >= 0) & those & (passages.end <= highest[way])] = place
    return found


def counted_at(passages: Passages, rows: Bools, streams: int) -> I64:
    """(streams, points) how many of some passages were seen."""
    columns = [
        np.bincount(passages.stream[rows & (passages.row[:, point] >= 0)], minlength=streams)
        for point in range(len(passages.points))
    ]
    found: I64 = np.stack(columns, axis=1)
    return found
