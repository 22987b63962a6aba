"""Segments of which nobody can say that they were lost, though no point behind has them.

A capture that begins in the middle of a connection does not tell when it began: what comes before its first segment may
have passed. Bare acknowledgements are not acknowledged themselves. Offload and devices that thin them out keep the last
of several back, and where a capture missed what is known to have arrived, it may lack acknowledgements too.
"""

import numpy as np

from tcptrace.correlation.numbering import numbered
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.ways import ways
from tcptrace.flows import RST, SYN
from tcptrace.schema import I16, I64, Bools

THINNED_MIN = 8
"""Bare acknowledgements that end at one point, before that may be called thinning ..."""
THINNED_SHARE = 0.3
"""... and their share of those that reach it."""
NEVER = np.iinfo(np.int64).max


def is_bare(passages: Passages) -> Bools:
    """(N,) whether it takes up no sequence numbers and is no RST."""
    found: Bools = (passages.end == passages.start) & (passages.flags & RST == 0)
    return found


def unproven(passages: Passages, point: I16, seen: Bools, lost: I16, missed: Bools) -> Bools:
    """(N,) which of the segments lost behind a place of their routes are of that kind.

    `point`, `seen`, `lost` and `missed` as in Fates.
    """
    found = is_bare(passages) & _is_thinned(passages, point, seen, lost)
    for place in range(1, point.shape[1]):
        rows = np.flatnonzero(seen[:, place - 1] & (point[:, place] >= 0))
        if (lost[rows] == place - 1).any():
            source, target = point[rows, place - 1], point[rows, place]
            found[rows] |= _is_in_a_gap(passages, rows, source, target, missed[rows, place])
    return (lost >= 0) & found


def _is_thinned(passages: Passages, point: I16, seen: Bools, lost: I16) -> Bools:
    """Whether offload or a device may have kept it back for a later one."""
    bare, way, places = is_bare(passages), ways(passages), np.arange(point.shape[1])
    last = np.where(seen, places, -1).max(axis=1, initial=-1)
    behind = np.take_along_axis(point, np.minimum(last + 1, places[-1])[:, None], axis=1)[:, 0]
    is_offloaded: Bools = np.asarray(passages.partly.any(axis=0))
    found: Bools = is_offloaded[behind]
    for place in places[:-1].tolist():
        ending, reaching = way[bare & (lost == place)], way[bare & (last >= place)]
        ended = np.bincount(ending, minlength=int(way.max(initial=0)) + 1)
        reached = np.bincount(reaching, minlength=len(ended))
        thinned = (ended >= THINNED_MIN) & (ended >= THINNED_SHARE * reached)
        found |= (lost == place) & thinned[way]
    return found


def _is_in_a_gap(passages: Passages, rows: I64, source: I16, target: I16, missed: Bools) -> Bools:
    """Of rows that a source saw, which lie before the target's first, or among some that its capture missed.

    It had begun if it has what they acknowledge. A SYN begins a connection: only where others were missed as well may
    it have passed.
    """
    order = np.lexsort((passages.frame[rows, source], target, source))
    is_there = (passages.row[rows, target] >= 0)[order]
    hop = numbered(source[order], target[order])
    stretch = numbered(hop, np.cumsum(is_there))
    begun, misses, ever = (
        np.bincount(number[those], minlength=len(rows))[number] > 0
        for number, those in ((stretch, is_there), (stretch, missed[order]), (hop, is_there))
    )
    is_late, among = np.zeros((2, len(rows)), np.bool_)
    is_late[order], among[order] = ever & ~begun, misses
    is_late &= among | ~_has_what_is_acknowledged(passages, rows, target) & (passages.flags[rows] & SYN == 0)
    return is_late | among & is_bare(passages)[rows]


def _has_what_is_acknowledged(passages: Passages, rows: I64, target: I16) -> Bools:
    """Whether the target has a segment that these acknowledge: it had begun to record before them."""
    way = ways(passages)
    first_end = np.full((int(way.max()) + 2, len(passages.points)), NEVER)
    for point in range(len(passages.points)):
        has = (passages.row[:, point] >= 0) & (passages.end > passages.start)
        np.minimum.at(first_end[:, point], way[has], passages.end[has])
    found: Bools = first_end[way[rows] ^ 1, target] <= passages.ack[rows]
    return found
