"""Every flow at every point: who talks, and where the two sequence spaces begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from tcptrace.correlation.beginnings import beginnings, lives
from tcptrace.correlation.midstream import Shared, shared_numbers, turned
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.result import Points
from tcptrace.schema import I32, I64, Sightings

PROFILE = 24
"""Segments with payload of each side that two legs are compared by."""


@dataclass(frozen=True)
class Legs:
    """L legs, by point and flow; side 0 is the client.

    A flow is two legs where a point saw the second of two lives of its tuple begin with the server's answer only.
    """

    sightings: Sightings
    """Of all points, in order of point and frame."""
    leg: I32
    """Row for row beside `sightings`: its leg."""
    order: I64
    """The rows of `sightings` leg by leg."""
    point: I64
    """(L,) index into the points."""
    flow: I64
    """(L,) number in the point's recording."""
    client: Sequence[str]
    """`10.0.0.1:40000`."""
    server: Sequence[str]
    base: I64
    """(L, 2) position where each side's stream begins: of its SYN, or one before the lowest number known; -1 none."""
    isn: I64
    """(L, 2) raw initial sequence numbers, as a SYN or its acknowledgement tells; -1 unknown."""
    shared: Sequence[Shared]
    """Of legs whose beginning was not seen: which others hold the same raw numbers."""

    @cached_property
    def first(self) -> list[int]:
        """Where each leg's rows begin in `order`, and the end."""
        return [0, *np.cumsum(np.bincount(self.leg, minlength=len(self.point))).tolist()]

    def rows(self, leg: int) -> I64:
        """Its sightings."""
        return self.order[self.first[leg] : self.first[leg + 1]]

    @cached_property
    def toa_ports(self) -> dict[int, list[int]]:
        """Of legs with TOA options the client ports these carry."""
        rows = np.flatnonzero(self.sightings.toa >= 0)
        found: dict[int, list[int]] = {}
        for leg, port in sorted(set(zip(self.leg[rows].tolist(), self.sightings.toa[rows].tolist(), strict=True))):
            found.setdefault(leg, []).append(port)
        return found

    @cached_property
    def _profiles(self) -> tuple[list[tuple[int, int]], list[int]]:
        """Beginnings and ends of the first segments with payload of all legs and sides; where each one's begin."""
        seen = self.sightings
        rows = self.order[seen.len[self.order] > 0]
        end = self.leg[rows].astype(np.int64) * 2 + seen.side[rows]
        by_end = np.argsort(end, kind="stable")
        rows, end = rows[by_end], end[by_end]
        chosen = np.arange(len(rows)) - np.searchsorted(end, end) < PROFILE
        rows, end = rows[chosen], end[chosen]
        base = self.base.ravel()[end]
        segments = list(zip((seen.start[rows] - base).tolist(), (seen.end[rows] - base).tolist(), strict=True))
        return segments, [0, *np.cumsum(np.bincount(end, minlength=2 * len(self.point))).tolist()]

    def profile(self, leg: int, side: int) -> frozenset[tuple[int, int]]:
        """Where the first segments with payload of a side begin and end, counted from its base."""
        segments, first = self._profiles
        return frozenset(segments[first[leg * 2 + side] : first[leg * 2 + side + 1]])


def legs_of(points: Points, recordings: Sequence[Recording]) -> Legs:
    """The legs of all recordings, which were read together."""
    sightings = recordings[0].sightings
    leg = lives(sightings, _flows(sightings, len(points)))
    order = np.argsort(leg, kind="stable")
    first = order[np.flatnonzero(np.diff(leg[order], prepend=-1))]
    point, flow = sightings.point[first].astype(np.int64), sightings.flow[first]
    client, server = _ends(points, recordings, point, flow)
    base, isn = beginnings(sightings, leg, len(first))
    shared = shared_numbers(sightings, leg, order, isn)
    _turn(turned(shared, isn, server), sightings, leg, client, server, base)
    _turn(_turned_by_ends(client, server, isn, {one.leg for one in shared}), sightings, leg, client, server, base)
    return Legs(sightings, leg, order, point, flow, client, server, base, isn, shared)


def _flows(seen: Sightings, points: int) -> I32:
    """Row for row a number of its flow among those of all points, in order of point and flow."""
    found = np.empty(len(seen.flow), np.int32)
    bounds = np.searchsorted(seen.point, np.arange(points + 1)).tolist()
    before = 0
    for start, stop in pairwise(bounds):
        present = np.bincount(seen.flow[start:stop]) > 0
        found[start:stop] = (np.cumsum(present) + before - 1)[seen.flow[start:stop]]
        before += int(present.sum())
    return found


def _ends(points: Points, recordings: Sequence[Recording], point: I64, flow: I64) -> tuple[list[str], list[str]]:
    """Client and server of every leg."""
    client: list[str] = []
    server: list[str] = []
    for number, one in enumerate(points):
        flows, endpoint = recordings[one.recording].flows, recordings[one.recording].book.endpoint
        rows = np.searchsorted(flows.flow, flow[point == number])
        client += map(endpoint, flows.client[rows].tolist(), flows.client_port[rows].tolist())
        server += map(endpoint, flows.server[rows].tolist(), flows.server_port[rows].tolist())
    return client, server


def _turned_by_ends(client: list[str], server: list[str], isn: I64, known: set[int]) -> list[int]:
    """Where neither handshake nor numbers tell who is the client, another leg between the same ends may know."""
    told = {(client[row], server[row]) for row in np.flatnonzero((isn >= 0).any(axis=1)).tolist()}
    guessed = np.flatnonzero((isn < 0).all(axis=1)).tolist()
    pairs = ((row, (server[row], client[row])) for row in guessed if row not in known)
    return [row for row, pair in pairs if pair in told and pair[::-1] not in told]


def _turn(rows: list[int], seen: Sightings, leg: I32, client: list[str], server: list[str], base: I64) -> None:
    """Let the clients of some legs be servers."""
    if not rows:
        return
    for row in rows:
        client[row], server[row] = server[row], client[row]
    base[rows] = base[rows, ::-1]
    is_turned = np.zeros(len(base), np.bool_)
    is_turned[rows] = True
    seen.side[:] ^= is_turned[leg]
