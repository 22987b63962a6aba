"""Where a stream's first RST came into being: who sent it, whatever it says.

A RST carries its claimed sender's address, and so is told apart by where it was seen. The first point that has it, in
order from the claimed sender, is the origin; where a point nearer to the sender, on the way that its other segments
take, saw nothing of it, the host of that first point made it: a middlebox. TTL and form of the RST are told as further
evidence, and decide where no point lies nearer. A RST that goes on with the sender's own IP identifications, at its own
TTL, was missed by the captures that lack it: only the sender's socket knows where these stand.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.directions import REPLY
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import ResetOrigin
from tcptrace.flows import ACK, RST
from tcptrace.schema import I64, NO_TIME, SIDES

FIRST_TTLS = (64, 128, 255)
"""What stacks send with; no router has passed such a segment on."""
RUN_MIN = 2
"""So many of a sender's segments, or more, show that its IP identifications count up."""
RUN_STEP = 64
"""The most that they go up from one segment to the next that was captured."""


def reset_origins(passages: Passages, routes: Sequence[Route], alignment: Alignment) -> dict[int, ResetOrigin]:
    """By stream, for those that have a RST."""
    rows = np.flatnonzero(passages.flags & RST)
    time_ns = alignment.reference_ns(passages)[rows]
    earliest = np.where(time_ns == NO_TIME, np.iinfo(np.int64).max, time_ns).min(axis=1, initial=2**63 - 1)
    rows = rows[np.lexsort((earliest, passages.stream[rows]))]
    streams, first = np.unique(passages.stream[rows], return_index=True)
    return {
        stream: _Birth(passages, row, routes[stream]).origin()
        for stream, row in zip(streams.tolist(), rows[first].tolist(), strict=True)
    }


def from_sender(route: Route, direction: int) -> tuple[int, ...]:
    """All points of a stream in order from a direction's sender: the direction's own, and the other's backwards."""
    own, back = route.resets[direction], route.resets[1 - direction]
    found = list(dict.fromkeys(reversed(back)))
    before = -1
    for point in own:
        if point not in found:
            found.insert(before + 1, point)
        before = found.index(point)
    return tuple(found)


class _Birth:
    """One RST and where it was seen."""

    def __init__(self, passages: Passages, row: int, route: Route) -> None:
        self.passages, self.row = passages, row
        self.direction = int(passages.direction[row])
        self.own = route.reply if self.direction == REPLY else route.request
        order = [*from_sender(route, self.direction), *range(len(passages.points))]
        has_it = passages.row[row] >= 0
        self.order = list(dict.fromkeys(order))
        self.point = next(point for point in self.order if has_it[point])
        self.host = passages.points[self.point].host

    @property
    def nearer(self) -> list[int]:
        """Points that the claimed sender's other segments pass, sooner than the first that has this one."""
        others = self._others
        place = self.order.index(self.point)
        return [point for point in self.order[:place] if (self.passages.row[others, point] >= 0).any()]

    @property
    def _others(self) -> I64:
        """The claimed sender's segments that are no RST."""
        told = self.passages
        rows = np.arange(*np.searchsorted(told.stream, (told.stream[self.row], told.stream[self.row] + 1)))
        found: I64 = rows[(told.direction[rows] == self.direction) & (told.flags[rows] & RST == 0)]
        return found

    def origin(self) -> ResetOrigin:
        side, host = self._sender()
        claimed = SIDES[self.direction]
        frame = int(self.passages.frame[self.row, self.point])
        return ResetOrigin(self.point, side, host, frame, tuple(self._evidence(claimed)), self.direction)

    def _sender(self) -> tuple[str, str]:
        """Which side sent it, and its host."""
        claimed, nearer = SIDES[self.direction], self.nearer
        end = self.passages.points[self.order[0]].host
        if nearer and self._continues:
            return claimed, end if self._is_original(nearer[0]) else ""
        if nearer:
            inside = [point for point in nearer if self.passages.points[point].host == self.host]
            is_end = self.host == end and not (inside and self.point in self.own)
            return (claimed, self.host) if is_end else ("middlebox", self.host)
        if self._is_foreign():
            return "middlebox", ""
        return claimed, self.host if self._is_first() else ""

    def _is_first(self) -> bool:
        """Whether the point lies at the sender: no router has taken from the TTL, as far as it is known."""
        ttl = self._ttl(self.row)
        opposite = self.order[-1]
        return ttl in FIRST_TTLS or (ttl < 0 and self.point != opposite)

    def _is_original(self, point: int) -> bool:
        """Whether the claimed sender's other segments come to a point as stacks send them."""
        ttls = self._ttls(point)
        return not ttls or bool(ttls & {*FIRST_TTLS})

    @cached_property
    def _continues(self) -> bool:
        """Whether it is the next of the claimed sender's own segments at this point, by its IP ID and TTL."""
        seen, told = self.passages.sightings, self.passages.row
        rows = told[self._others, self.point]
        own = int(told[self.row, self.point])
        before = np.sort(rows[(rows >= 0) & (rows < own)])
        numbers = seen.ip_id[before].astype(np.int64)
        numbers = np.append(numbers[numbers > 0], seen.ip_id[own])
        steps = np.diff(numbers) % (1 << 16)
        is_run = len(steps) >= RUN_MIN and numbers[-1] > 0 and bool(((steps > 0) & (steps <= RUN_STEP)).all())
        return is_run and self._ttl(self.row) in self._ttls(self.point)

    def _is_foreign(self) -> bool:
        """Whether its TTL is one that no other segment of its claimed sender has at this point."""
        others = self._ttls(self.point)
        return len(others) > 0 and self._ttl(self.row) >= 0 and self._ttl(self.row) not in others

    def _ttl(self, row: int) -> int:
        return int(self.passages.sightings.ttl[self.passages.row[row, self.point]])

    def _ttls(self, point: int) -> set[int]:
        rows = self.passages.row[self._others, point]
        return set(self.passages.sightings.ttl[rows[rows >= 0]].tolist()) - {-1}

    def _evidence(self, claimed: str) -> Iterator[str]:
        told = self.passages
        name = told.points[self.point].name
        yield f"{name} is the first point, from the {claimed}, that has it (frame {told.frame[self.row, self.point]})"
        if self.nearer:
            names = ", ".join(told.points[point].name for point in self.nearer)
            yield f"{names} saw nothing of it, nearer to the {claimed}, whose other segments pass there"
            if self._continues:
                yield f"it has the TTL and the next IP ID of the {claimed}'s own segments: missed there, not made later"
        sighting = told.row[self.row, self.point]
        ip_id = int(told.sightings.ip_id[sighting])
        form = "RST+ACK" if told.flags[self.row] & ACK else "bare RST"
        facts = [f"{word} {value}" for word, value in (("TTL", self._ttl(self.row)), ("IP ID", ip_id)) if value >= 0]
        yield ", ".join([form, *facts])
        if self._is_foreign():
            ttls = " or ".join(map(str, sorted(self._ttls(self.point))))
            yield f"the {claimed}'s other segments have TTL {ttls} at {name}"
