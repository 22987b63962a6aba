"""When streams were seen, by the clocks of the points that saw them: whether two can have been there at one time."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from tcptrace.correlation.clock_limits import reference_ns
from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.passages import Passages
from tcptrace.schema import NO_TIME


class _Life(NamedTuple):
    """The first and last segment of a stream at a point, by the reference clock."""

    point: int
    first_ns: int
    last_ns: int


class Lifetimes:
    """What is found of a stream is kept."""

    def __init__(self, passages: Passages, alignment: Alignment) -> None:
        self._passages, self._alignment = passages, alignment
        self._known: dict[int, tuple[_Life, ...]] = {}

    def are_apart(self, a: int, b: int) -> bool:
        """Whether one stream had ended before the other began, whatever the clocks leave open."""
        pairs = product(self._of(a), self._of(b))
        return any(self._is_before(one, other) or self._is_before(other, one) for one, other in pairs)

    def _is_before(self, one: _Life, other: _Life) -> bool:
        least_ns, _ = self._alignment.delay_error_ns(self._passages.points, one.point, other.point)
        return least_ns is not None and other.first_ns - one.last_ns + least_ns > 0

    def _of(self, stream: int) -> tuple[_Life, ...]:
        if stream not in self._known:
            self._known[stream] = tuple(self._lives(stream))
        return self._known[stream]

    def _lives(self, stream: int) -> Iterator[_Life]:
        told = self._passages
        rows = told.rows(stream)
        for number, point in enumerate(told.points):
            clock = self._alignment.clocks[point.host]
            times = reference_ns(clock, number, told.frame[rows, number], told.time_ns[rows, number])
            times = times[times != NO_TIME]
            if len(times):
                yield _Life(number, int(times.min()), int(times.max()))
