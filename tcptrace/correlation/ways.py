"""A way is one direction of one stream: what is known of each as a whole."""

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.passages import Bools, Passages
from tcptrace.flows import RST
from tcptrace.schema import I64


def ways(passages: Passages) -> I64:
    """(N,) a number for each stream and direction."""
    return passages.stream * 2 + passages.direction


def highest_acknowledged(passages: Passages, streams: int) -> I64:
    """(2 * streams,) by way: the highest position that its receiver acknowledged; -1 none."""
    highest = np.full(2 * streams, NOWHERE, np.int64)
    telling = (passages.ack >= 0) & (passages.flags & RST == 0)
    np.maximum.at(highest, ways(passages)[telling] ^ 1, passages.ack[telling])
    return highest


def counted_at(passages: Passages, rows: Bools, streams: int) -> I64:
    """(streams, points) how many of some passages were seen."""
    columns = [
        np.bincount(passages.stream[rows & (passages.row[:, point] >= 0)], minlength=streams)
        for point in range(len(passages.points))
    ]
    found: I64 = np.stack(columns, axis=1)
    return found
