"""Segments that a point saw in other sizes: an offload joins them on receipt, or cuts them when they are sent."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.numbering import ranked
from tcptrace.schema import I32, I64, Bools


class Spans(NamedTuple):
    """Passages by their bytes, each an array of N rows."""

    channel: I64
    """One direction of a stream."""
    start: I64
    end: I64
    row: I32
    """(N, points) row in the sightings."""
    partly: Bools
    """(N, points)"""


def find_pieces(spans: Spans, length: I64) -> None:
    """Fill `row` and `partly` where a segment's bytes were seen in segments of other sizes.

    Only what was not seen where a segment was counts as a piece of it, or as its whole: a repeat that passed both
    points does not stand for an original that was lost between them. A point's pieces are all that it saw, also those
    that another point lacks.
    """
    seen = spans.row != NOWHERE
    rows = np.flatnonzero((length > 0) & ~seen.all(axis=1))
    ways, way = np.unique(seen[rows], axis=0, return_inverse=True)
    key = spans.channel[rows] * len(ways) + way.ravel()
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    bounds = np.flatnonzero(np.diff(key, prepend=-1, append=-1))
    channel, mask = key[bounds[:-1]] // max(len(ways), 1), ways[key[bounds[:-1]] % max(len(ways), 1)]
    for first, stop in pairwise(np.flatnonzero(np.diff(channel, prepend=-1, append=-1)).tolist()):
        groups = [rows[bounds[group] : bounds[group + 1]] for group in range(first, stop)]
        for whole, here in zip(groups, mask[first:stop], strict=True):
            is_apart = ~(mask[first:stop] & here).any(axis=1)
            for point in np.flatnonzero(mask[first:stop][is_apart].any(axis=0)).tolist():
                fits = is_apart & mask[first:stop, point]
                _cover(spans, whole, np.concatenate([groups[i] for i in np.flatnonzero(fits)]), seen, point)


def _cover(spans: Spans, whole: I64, pieces: I64, seen: Bools, point: int) -> None:
    """Of `whole`, what `pieces` cover without a hole was seen at their point.

    Of segments sent several times as many count as the pieces hold their last byte, the latest first.
    """
    start, end = spans.start, spans.end
    pieces = pieces[np.lexsort((pieces, start[pieces]))]
    reach = np.maximum.accumulate(end[pieces])
    begins = np.flatnonzero(np.concatenate(([True], start[pieces][1:] > reach[:-1])))
    island_start, island_end = start[pieces][begins], np.maximum.reduceat(reach, begins)  # bytes without a hole
    whole = whole[np.argsort(-spans.row[whole, seen[whole[0]].argmax()], kind="stable")]
    place = np.searchsorted(island_start, start[whole], "right") - 1
    covered = (place >= 0) & (island_end[place] >= end[whole])
    last_byte = end[whole] - 1
    times = np.searchsorted(start[pieces], last_byte, "right") - np.searchsorted(
        np.sort(end[pieces]), last_byte, "right"
    )
    found = whole[covered & (ranked(last_byte) < times)]
    last = pieces[np.searchsorted(reach, end[found])]
    spans.row[found, point] = spans.row[last, point]
    spans.partly[found, point] = True
