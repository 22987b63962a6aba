"""The order in which a stream's segments pass the points, each way, whatever the points' clocks say.

Evidence is locked in, the strongest first, as far as nothing stronger says otherwise (ranked pairs); the order in
which the user gave the points settles what is left. Streams share their evidence with those that do not contradict
them, above all with those seen at the same points: of thousands, a few may have nothing of their own to show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from tcptrace.correlation.directions import DIRECTIONS, NOWHERE, REPLY, REQUEST
from tcptrace.correlation.order_evidence import KINDS, answering_ns, sample, votes
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Points
from tcptrace.schema import I8, I64, Bools

RST = 0x04
CLEARLY = 0.5
"""An end takes less than this part of the time that the way beyond it takes."""
ENDS = "who answers the handshake at once is an end"
GIVEN = "as given"
UNTOLD = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Route:
    """The points that a stream's segments pass, in order."""

    request: tuple[int, ...]
    reply: tuple[int, ...]
    evidence: tuple[str, ...]
    """Of each two neighbours, what tells their order."""
    resets: tuple[tuple[int, ...], tuple[int, ...]]
    """Request and reply again, with the points in them that saw nothing but RSTs: where something on the way answers
    in an end's name, these need not have passed what lies before it."""


def routes(passages: Passages, points: Points) -> list[Route]:
    """The route of every stream, by its number."""
    count = int(passages.stream.max(initial=-1)) + 1
    if not count:
        return []
    of = sample(passages)
    seen, carried = _seen(passages, count)
    told = votes(of, count)
    answers = np.stack([answering_ns(of, count, direction) for direction in (REQUEST, REPLY)], axis=1)
    faces, alike = np.unique(
        np.hstack([x.reshape(count, int(np.prod(x.shape[1:]))) for x in (seen, carried, told)]),
        axis=0,
        return_inverse=True,
    )
    alike = alike.reshape(-1)
    least = np.full((len(faces), *answers.shape[1:]), np.iinfo(np.int64).max)
    np.minimum.at(least, alike, answers)
    pool = _Pool(points, faces, np.bincount(alike, minlength=len(faces)), least)
    found = [pool.route(face) for face in range(len(faces))]
    return [found[face] for face in alike.tolist()]


def _seen(passages: Passages, count: int) -> tuple[I8, I8]:
    """(streams, 2, points) whether a point saw the direction, and whether it saw more of it than RSTs.

    Where a direction is nothing but RSTs, these count as well.
    """
    key = passages.stream * 2 + passages.direction
    is_rst = (passages.flags & RST) != 0
    only = np.bincount(key, ~is_rst, minlength=2 * count) == 0
    is_carried = ~is_rst | only[key]
    seen, carried = np.zeros((2, 2 * count, len(passages.points)), np.int8)
    for point in range(len(passages.points)):
        has = passages.row[:, point] != NOWHERE
        seen[:, point] = np.bincount(key[has], minlength=2 * count) > 0
        carried[:, point] = np.bincount(key[has & is_carried], minlength=2 * count) > 0
    shape = (count, 2, len(passages.points))
    return seen.reshape(shape), carried.reshape(shape)


class _Precedence:
    """What comes before what: a strict order that grows as far as it stays free of contradiction."""

    def __init__(self, points: Points) -> None:
        self._hosts = [point.host for point in points]
        self.before: Bools = np.zeros((len(points), len(points)), np.bool_)
        self.told: dict[tuple[int, int], str] = {}

    def lock(self, first: int, second: int, told: str) -> None:
        """Let `first` come before `second`, unless the reverse is known."""
        if self.before[second, first]:
            return
        self.told.setdefault((first, second), told)
        earlier = self.before[:, first].copy()
        later = self.before[second].copy()
        earlier[first] = later[second] = True
        self.before |= np.outer(earlier, later)

    def sorted(self, members: Sequence[int]) -> tuple[int, ...]:
        """Members in order: the points of a host together as far as may be, else as in the sequence."""
        left: list[int] = list(members)
        found: list[int] = []
        while left:
            free = [i for i in left if not any(self.before[j, i] for j in left)]
            stays = (i for i in free if found and self._hosts[i] == self._hosts[found[-1]])
            undivided = (i for i in free if not self._divides(free, self._hosts[i], left))
            found.append(next(stays, next(undivided, free[0])))
            left.remove(found[-1])
        return tuple(found)

    def _divides(self, free: Sequence[int], host: str, left: Sequence[int]) -> bool:
        """Whether a point of another host that may come next has to come before one of this host."""
        return any(self.before[i, j] for i in free if self._hosts[i] != host for j in left if self._hosts[j] == host)


class _Pool:
    """Streams that look alike, once each, and what they tell one another."""

    def __init__(self, points: Points, faces: I8, weight: I64, least: I64) -> None:
        size = 2 * len(points)
        self._points = points
        self._pairs = list(combinations(range(len(points)), 2))
        self._seen = faces[:, :size]
        self._carried = faces[:, size : 2 * size]
        self._told = faces[:, 2 * size :].astype(np.int64)
        self._weight = weight
        self._least = least

    def route(self, face: int) -> Route:
        """The route of the streams that look like this."""
        fitting = ((self._told * self._told[face]) >= 0).all(axis=1)
        kin = fitting & (self._seen == self._seen[face]).all(axis=1)
        near, far = ((self._weight * members) @ self._told for members in (kin, fitting))
        shape = (len(KINDS), 2, len(self._pairs))
        pooled = np.where(near != 0, near, far).reshape(shape)
        least = self._least[kin].min(axis=0)
        seen = self._seen[face].reshape(2, -1).astype(np.bool_)
        carried = self._carried[face].reshape(2, -1).astype(np.bool_)
        whole, evidence = [], []
        for direction in (REQUEST, REPLY):
            precedence = self._locked(direction, pooled[:, direction], seen, carried, least)
            members = np.flatnonzero(seen[direction]).tolist()
            order = precedence.sorted(members if direction == REQUEST else members[::-1])
            whole.append(order)
            evidence += [
                f"{DIRECTIONS[direction]} {self._points[a].name} → {self._points[b].name}: "
                + precedence.told.get((a, b), GIVEN)
                for a, b in pairwise(order)
            ]
        request, reply = (tuple(p for p in order if carried[d, p]) for d, order in enumerate(whole))
        return Route(request, reply, tuple(evidence), (whole[REQUEST], whole[REPLY]))

    def _locked(self, direction: int, pooled: I64, seen: Bools, carried: Bools, least: I64) -> _Precedence:
        """All evidence on one direction."""
        precedence = _Precedence(self._points)
        for kind, total in zip(KINDS, pooled, strict=True):
            for q in np.argsort(-abs(total), kind="stable").tolist():
                a, b = self._pairs[q]
                if total[q] and seen[direction, a] and seen[direction, b]:
                    first, second = (a, b) if total[q] > 0 else (b, a)
                    precedence.lock(first, second, kind.told)
        self._lock_ends(direction, precedence, seen, carried, least)
        return precedence

    def _lock_ends(self, direction: int, precedence: _Precedence, seen: Bools, carried: Bools, least: I64) -> None:
        """What passes one way only lies between the ends: of the hosts that see both ways, the outermost.

        Such a host is an end where the peer's side takes much longer to answer than what lies beyond the host.
        """
        both = carried.copy()
        for i, point in enumerate(self._points):
            both[:, i] = carried[:, [other.host == point.host for other in self._points]].any(axis=1)
        two_way = np.flatnonzero(both.all(axis=0) & seen[direction])
        middle = np.flatnonzero(seen[direction] & ~both.all(axis=0)).tolist()
        outer = precedence.sorted(two_way.tolist())
        sends, answers = least[direction], least[1 - direction]
        for end in dict.fromkeys((outer[0], outer[-1]) if outer else ()):
            for one in middle:
                if sends[end] < _way_ns(answers, sends, end, two_way) * CLEARLY:
                    precedence.lock(end, one, ENDS)
                elif answers[end] < _way_ns(sends, answers, end, two_way) * CLEARLY:
                    precedence.lock(one, end, ENDS)


def _way_ns(far: I64, near: I64, end: int, among: I64) -> int:
    """How long the way to the far side and back is at least: it answers, or others see the near side answer later."""
    known = [int(near[i]) for i in among if near[i] != UNTOLD]
    later = max(known, default=0) - int(near[end])
    return max(later, int(far[end]) if far[end] != UNTOLD else 0)
