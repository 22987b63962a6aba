"""Segments that a point saw in other sizes: an offload joins them on receipt, or cuts them when they are sent."""

import numpy as np
import numpy.typing as npt

from tcptrace.correlation.result import NOWHERE
from tcptrace.schema import I32, I64

Bools = npt.NDArray[np.bool_]


def find_pieces(channel: I64, start: I64, end: I64, length: I64, row: I32, partly: Bools) -> None:
    """Fill `row` and `partly` (both (N, points)) where a segment's bytes were seen in segments of other sizes.

    `channel` numbers one direction of a stream. Only what was not seen where a segment was counts as a piece of it,
    or as its whole: a repeat that passed both points does not stand for an original that was lost between them.
    """
    weights = 1 << np.arange(row.shape[1], dtype=np.int64)
    mask = ((row != NOWHERE) * weights).sum(axis=1)
    data = np.flatnonzero(length > 0)
    pairs = np.unique(np.stack((channel[data], mask[data])), axis=1)
    several = np.flatnonzero(np.bincount(np.searchsorted(np.unique(pairs[0]), pairs[0])) > 1)
    if not len(several):
        return
    order = data[np.argsort(channel[data], kind="stable")]
    for number in np.unique(pairs[0])[several].tolist():
        rows = order[slice(*np.searchsorted(channel[order], (number, number + 1)))]
        masks = np.unique(mask[rows]).tolist()
        for a in masks:
            for b in masks:
                if a & b == 0:
                    _cover(rows[mask[rows] == a], rows[mask[rows] == b], b, start, end, row, partly)


def _cover(whole: I64, pieces: I64, seen_at: int, start: I64, end: I64, row: I32, partly: Bools) -> None:
    """Of `whole`, what `pieces` cover without a hole was seen where these were, at the points of the bits `seen_at`."""
    pieces = pieces[np.argsort(start[pieces], kind="stable")]
    reach = np.maximum.accumulate(end[pieces])
    begins = np.concatenate(([True], start[pieces][1:] > reach[:-1]))
    island_start = start[pieces][begins]  # an island: bytes without a hole
    island_end = np.maximum.reduceat(reach, np.flatnonzero(begins))
    place = np.searchsorted(island_start, start[whole], "right") - 1
    covered = (place >= 0) & (island_end[place] >= end[whole])
    found = whole[covered]
    last = pieces[np.searchsorted(reach, end[found])]
    for point in range(row.shape[1]):
        if seen_at >> point & 1:
            row[found, point] = row[last, point]
            partly[found, point] = True
