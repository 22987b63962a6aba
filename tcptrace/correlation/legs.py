"""Every flow at every point: who talks, and where the two sequence spaces begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tcptrace import flows as f
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.result import Points
from tcptrace.rows import joined
from tcptrace.schema import I64, UNKNOWN, Sightings
from tcptrace.tcp import endpoint_rows as e
from tcptrace.tcp.sequence import CYCLE

PROFILE = 48
"""Segments with payload of each side that two legs are compared by."""


@dataclass(frozen=True)
class Legs:
    """L legs, by point and flow; side 0 is the client."""

    sightings: Sightings
    """Of all points, in order of point and frame."""
    leg: I64
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
    """(L, 2) position at which each side's stream begins: of its SYN, or one before the first number known; -1 none."""
    isn: I64
    """(L, 2) raw initial sequence numbers, as a SYN or its acknowledgement tells; -1 unknown."""

    @cached_property
    def _first(self) -> list[int]:
        """Where each leg's rows begin in `order`, and the end."""
        return [0, *np.cumsum(np.bincount(self.leg, minlength=len(self.point))).tolist()]

    def rows(self, leg: int) -> I64:
        """Its sightings."""
        return self.order[self._first[leg] : self._first[leg + 1]]

    def profile(self, leg: int, side: int) -> frozenset[tuple[int, int]]:
        """Where the first segments with payload of a side begin and end, counted from its base."""
        rows = self.rows(leg)
        seen = self.sightings
        chosen = rows[(seen.side[rows] == side) & (seen.len[rows] > 0)][:PROFILE]
        base = int(self.base[leg, side])
        return frozenset(zip((seen.start[chosen] - base).tolist(), (seen.end[chosen] - base).tolist(), strict=True))


def legs_of(points: Points, recordings: Sequence[Recording]) -> Legs:
    """The legs of all recordings."""
    sightings = joined([recording.sightings for recording in recordings])
    width = int(sightings.flow.max(initial=0)) + 1
    key = sightings.point.astype(np.int64) * width + sightings.flow
    found, leg = np.unique(key, return_inverse=True)
    point, flow = found // width, found % width
    client: list[str] = [""] * len(found)
    server = client.copy()
    base, isn = np.full((2, len(found), 2), UNKNOWN)
    for number, recording in enumerate(recordings):
        rows = np.flatnonzero([points[p].recording == number for p in point.tolist()])
        if len(rows):
            _tell(recording, flow[rows], rows, client, server)
            base[rows], isn[rows] = _beginnings(recording, flow[rows])
    _orient(sightings, leg, client, server, base, isn)
    order = np.argsort(leg, kind="stable")
    return Legs(sightings, leg.astype(np.int64), order, point, flow, client, server, base, isn)


def _orient(sightings: Sightings, leg: I64, client: list[str], server: list[str], base: I64, isn: I64) -> None:
    """Where no handshake tells who is the client, another leg between the same ends may know."""
    told = {(client[row], server[row]) for row in np.flatnonzero((isn >= 0).any(axis=1)).tolist()}
    guessed = np.flatnonzero((isn < 0).all(axis=1)).tolist()
    turned = [row for row in guessed if (server[row], client[row]) in told and (client[row], server[row]) not in told]
    for row in turned:
        client[row], server[row] = server[row], client[row]
    base[turned] = base[turned, ::-1]
    if turned:
        sightings.side[np.isin(leg, turned)] ^= 1


def _tell(recording: Recording, numbers: I64, rows: I64, client: list[str], server: list[str]) -> None:
    flows, endpoint = recording.flows, recording.book.endpoint
    places = np.searchsorted(flows.flow, numbers)
    columns = (flows.client, flows.client_port, flows.server, flows.server_port)
    for row, a, a_port, b, b_port in zip(rows.tolist(), *(c[places].tolist() for c in columns), strict=True):
        client[row], server[row] = endpoint(a, a_port), endpoint(b, b_port)


def _beginnings(recording: Recording, flows: I64) -> tuple[I64, I64]:
    """Of each flow's client and server the position its stream begins at, and its initial sequence number.

    A SYN tells its sender's; that of a side which sent nothing here is what the other acknowledged first.
    """
    tracker, client = recording.measured.tracker, recording.measured.client[flows].astype(np.int64)
    sides = np.stack((client, client ^ 1), axis=1)
    start = tracker.endpoints.wide[(flows[:, None] * 2 + sides) * e.WIDE + e.START]
    rows = tracker.flows.rows[: tracker.flow_count * f.WIDTH].reshape(-1, f.WIDTH)[flows]
    seen = rows[:, f.SEEN, None] >> sides * f.SIDE_SHIFT & f.SEEN_HANDSHAKE
    is_silent = np.take_along_axis(rows[:, [f.FRAMES_0, f.FRAMES_1]], sides, axis=1) == 0
    is_told = (seen != 0) | (is_silent & (seen[:, ::-1] != 0))
    return start, np.where(is_told & (start >= 0), start & (CYCLE - 1), UNKNOWN)
