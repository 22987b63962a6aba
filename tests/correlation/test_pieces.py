"""Segments that points saw in other sizes, against the obvious way: byte by byte."""

from itertools import product
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.correlation.pieces import Spans, find_pieces

POINTS = 3


class Span(NamedTuple):
    channel: int
    start: int
    end: int
    seen: tuple[bool, ...]

    @property
    def bytes(self) -> set[int]:
        return set(range(self.start, self.end))


spans = st.builds(
    lambda channel, start, size, seen: Span(channel, start, start + size, seen),
    st.integers(0, 1),
    st.integers(0, 8),
    st.integers(0, 4),
    st.tuples(*[st.booleans()] * POINTS).filter(any),
)


def naive(several: list[Span]) -> dict[tuple[int, int], int]:
    """Of a span and a point that lacks it the span that holds its last byte there."""
    found: dict[tuple[int, int], int] = {}
    data = [(i, span) for i, span in enumerate(several) if span.end > span.start]
    ways = sorted({span.seen for _, span in data}, key=lambda seen: [int(one) for one in seen])
    for channel, here, point in product((0, 1), ways, range(POINTS)):
        whole = [(i, span) for i, span in data if span.channel == channel and span.seen == here]
        pieces = [
            (i, span)
            for i, span in data
            if span.channel == channel and span.seen[point] and not any(map(all, zip(here, span.seen, strict=True)))
        ]
        held = set().union(*(span.bytes for _, span in pieces))
        for i, span in whole:
            times = sum(span.end - 1 in piece.bytes for _, piece in pieces)
            sent_later = sum(other.end == span.end and j > i for j, other in whole)
            if span.bytes <= held and sent_later < times:
                in_order = sorted(pieces, key=lambda pair: pair[1].start)
                found[i, point] = next(j for j, piece in in_order if piece.end >= span.end)
    return found


@given(st.lists(spans, max_size=14))
def test_every_byte_is_accounted_for(several: list[Span]) -> None:
    row = np.array([[i if seen else -1 for seen in span.seen] for i, span in enumerate(several)], np.int32)
    row = row.reshape(-1, POINTS)
    before, partly = row.copy(), np.zeros(row.shape, np.bool_)
    columns = [np.array([getattr(span, name) for span in several], np.int64) for name in ("channel", "start", "end")]
    find_pieces(Spans(*columns, row, partly), columns[2] - columns[1])
    found = {(i, point): int(row[i, point]) for i, point in zip(*np.nonzero(partly), strict=True)}
    assert found == naive(several)
    assert np.array_equal(row[~partly], before[~partly])
