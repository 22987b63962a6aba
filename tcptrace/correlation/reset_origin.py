"""Where a stream's first RST came into being: who sent it, whatever it says.

A RST carries its claimed sender's address, and so is told apart by where it was seen. The first point that has it, in
order from the claimed sender, is the origin; where a point nearer to the sender, on the way that its other segments
take, saw nothing of it, the host of that first point made it: a middlebox. TTL and form of the RST are told as further
evidence, and decide where no point lies nearer.

A capture may have missed it. At the sender's own TTL, a RST is the sender's where it goes on with its IP
identifications (only its socket knows where these stand), looks like other RSTs that left it, or answers (RFC 9293
section 3.10.7.1) what came there, and one host alone lacks it. At a TTL that what leaves a host nearer to the sender
would have here, it is that host's.
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
from tcptrace.schema import I64, NO_TIME, SIDES, UNKNOWN

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
        self.host: str = passages.points[self.point].host

    @cached_property
    def nearer(self) -> list[int]:
        """Points that the claimed sender's other segments pass, sooner than the first that has this one."""
        others = self._others
        place = self.order.index(self.point)
        return [point for point in self.order[:place] if (self.passages.row[others, point] >= 0).any()]

    @cached_property
    def _others(self) -> I64:
        """The claimed sender's segments that are no RST."""
        found: I64 = self._plain[self.passages.direction[self._plain] == self.direction]
        return found

    @cached_property
    def _back(self) -> I64:
        """The segments to the claimed sender that are no RST."""
        found: I64 = self._plain[self.passages.direction[self._plain] != self.direction]
        return found

    @cached_property
    def _plain(self) -> I64:
        found: I64 = self._stream[self.passages.flags[self._stream] & RST == 0]
        return found

    @cached_property
    def _stream(self) -> I64:
        return self.passages.rows(self.passages.stream[self.row])

    def origin(self) -> ResetOrigin:
        side, host = self._sender
        claimed = SIDES[self.direction]
        frame = int(self.passages.frame[self.row, self.point])
        return ResetOrigin(self.point, side, host, frame, tuple(self._evidence(claimed)), self.direction)

    @cached_property
    def _sender(self) -> tuple[str, str]:
        """Which side sent it, and its host."""
        claimed, nearer = SIDES[self.direction], self.nearer
        end = self.passages.points[self.order[0]].host
        if nearer and self._missed:
            return claimed, end if self._is_original(nearer[0]) else ""
        if nearer:
            inside = [point for point in nearer if self.passages.points[point].host == self.host]
            is_end = self.host == end and not (inside and self.point in self.own)
            return (claimed, self.host) if is_end else ("middlebox", self._maker(forwards=bool(inside)))
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

    def _maker(self, *, forwards: bool) -> str:
        """The host of a middlebox: the first that has it, or one nearer whose capture missed it, as its TTL tells.

        What has lost hops was not made here, nor, if this host only begins the other direction, what comes to it.
        """
        ttl = self._ttl(self.row)
        is_called = not forwards and bool(self._ttls(self.point, self._back) & {*FIRST_TTLS})
        if ttl < 0 or (ttl in FIRST_TTLS and not is_called):
            return self.host
        points = self.passages.points
        fitting = {points[point].host for point in self.nearer if self._would_leave(point) == ttl}
        fitting.discard(points[self.order[0]].host)
        return fitting.pop() if len(fitting) == 1 else ""

    def _would_leave(self, point: int) -> int:
        """The TTL at the RST's point of what a stack had sent at another; UNKNOWN if nothing passed both."""
        row, ttl = self.passages.row[self._others], self.passages.sightings.ttl
        both = row[(row[:, point] >= 0) & (row[:, self.point] >= 0)]
        hops = set((ttl[both[:, point]].astype(np.int64) - ttl[both[:, self.point]]).tolist())
        own = self._ttl(self.row)
        first = next((first for first in FIRST_TTLS if first >= own), UNKNOWN)
        return first - hops.pop() if len(hops) == 1 else UNKNOWN

    @cached_property
    def _missed(self) -> str:
        """What shows that the captures nearer to the claimed sender missed its own RST; empty: nothing."""
        if self._ttl(self.row) not in self._ttls(self.point):
            return ""
        if self._continues:
            return "the next IP ID"
        if self._has_alike:
            return "the form of other RSTs"
        lacking = {self.passages.points[point].host for point in self.nearer}
        return "the form of an answer" if self._answers and len(lacking) == 1 else ""

    @cached_property
    def _continues(self) -> bool:
        """Whether it is the next of the claimed sender's own segments at this point, by its IP ID."""
        seen, told = self.passages.sightings, self.passages.row
        rows = told[self._others, self.point]
        own = int(told[self.row, self.point])
        before = np.sort(rows[(rows >= 0) & (rows < own)])
        numbers = seen.ip_id[before].astype(np.int64)
        numbers = np.append(numbers[numbers > 0], seen.ip_id[own])
        steps = np.diff(numbers) % (1 << 16)
        return len(steps) >= RUN_MIN and numbers[-1] > 0 and bool(((steps > 0) & (steps <= RUN_STEP)).all())

    @property
    def _has_alike(self) -> bool:
        """Whether the claimed sender's nearest point has another RST that is like this one wherever both were seen."""
        told, ttl, ip_id = self.passages, self.passages.sightings.ttl, self.passages.sightings.ip_id
        rows = self._stream
        resets = rows[(told.direction[rows] == self.direction) & (told.flags[rows] == told.flags[self.row])]
        both = resets[(told.row[resets, self.nearer[0]] >= 0) & (told.row[resets, self.point] >= 0)]
        here, own = told.row[both, self.point], told.row[self.row, self.point]
        return bool(((ttl[here] == ttl[own]) & (ip_id[here] == ip_id[own]) & (ip_id[own] <= 0)).any())

    @property
    def _answers(self) -> bool:
        """Whether it has the form of an answer to what was sent last, and that came to the claimed sender's host.

        Such a RST is bare, has no IP ID, and begins with what the segment acknowledges.
        """
        told, back = self.passages, self._back
        frame = told.frame[back, self.point]
        asked = back[(frame >= 0) & (frame < told.frame[self.row, self.point])]
        if told.flags[self.row] & ACK or told.sightings.ip_id[told.row[self.row, self.point]] > 0 or not len(asked):
            return False
        last = asked[told.frame[asked, self.point].argmax()]
        return bool(told.ack[last] == told.start[self.row] and (told.row[last, self.nearer] >= 0).any())

    def _is_foreign(self) -> bool:
        """Whether its TTL is one that no other segment of its claimed sender has at this point."""
        others = self._ttls(self.point)
        return len(others) > 0 and self._ttl(self.row) >= 0 and self._ttl(self.row) not in others

    def _ttl(self, row: int) -> int:
        return int(self.passages.sightings.ttl[self.passages.row[row, self.point]])

    def _ttls(self, point: int, those: I64 | None = None) -> set[int]:
        """Those of the claimed sender's other segments at a point, unless others are asked for."""
        rows = self.passages.row[self._others if those is None else those, point]
        return set(self.passages.sightings.ttl[rows[rows >= 0]].tolist()) - {-1}

    def _evidence(self, claimed: str) -> Iterator[str]:
        told = self.passages
        name = told.points[self.point].name
        yield f"{name} is the first point, from the {claimed}, that has it (frame {told.frame[self.row, self.point]})"
        if self.nearer:
            names = ", ".join(told.points[point].name for point in self.nearer)
            yield f"{names} saw nothing of it, nearer to the {claimed}, whose other segments pass there"
            maker = self._sender[1]
            if maker not in ("", self.host) and not self._missed:
                yield f"its TTL is that of what leaves {maker}, whose capture missed it"
            if self._missed:
                yield f"it has the TTL of the {claimed}'s own segments and {self._missed}: missed there, not made later"
        sighting = told.row[self.row, self.point]
        ip_id = int(told.sightings.ip_id[sighting])
        form = "RST+ACK" if told.flags[self.row] & ACK else "bare RST"
        facts = [f"{word} {value}" for word, value in (("TTL", self._ttl(self.row)), ("IP ID", ip_id)) if value >= 0]
        yield ", ".join([form, *facts])
        if self._is_foreign():
            ttls = " or ".join(map(str, sorted(self._ttls(self.point))))
            yield f"the {claimed}'s other segments have TTL {ttls} at {name}"
