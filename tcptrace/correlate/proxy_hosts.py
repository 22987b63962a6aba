"""Where a proxy may be: hosts at which one stream ends while another begins, and those two streams."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlate.passages import Passages
from tcptrace.correlate.presence import LATEST, Presence, presences
from tcptrace.correlate.proxy_evidence import address_of, is_loopback
from tcptrace.correlate.result import Stream

RIVALS_MAX = 32
"""Clients connected at a time that are compared with an upstream: the last to come before it, the first after."""
NEARER_NS = 100_000
"""What an end may take to answer: halves of a handshake that differ by less do not tell which end is near."""


class Ends(NamedTuple):
    """The hosts that saw a stream nearest to its client and nearest to its server."""

    client: str
    server: str


class Encounter(NamedTuple):
    """A client's stream and what may be its upstream, at a host."""

    down: Presence
    up: Presence
    tries: Sequence[Presence]
    """What was opened there for the same service while the client waited, up to an answer; `up` is among it."""

    @property
    def streams(self) -> tuple[int, int]:
        """Their numbers."""
        return self.down.stream, self.up.stream


def encounters(streams: Sequence[Stream], passages: Passages, ends: Sequence[Ends]) -> Iterator[Encounter]:
    """All that were at one host at a time, one ending and one beginning there; `ends` has one entry a stream."""
    for host in dict.fromkeys(point.host for point in passages.points):
        there = [one for one in presences(passages, host) if not one.is_forwarded]
        downs = [one for one in there if ends[one.stream].server == host and not _is_near_client(one)]
        ups = [one for one in there if ends[one.stream].client == host and not _is_near_server(one)]
        met: dict[tuple[int, str, str, int], list[tuple[Presence, Presence]]] = defaultdict(list)
        for down, up in _overlapping(downs, ups):
            if _could_meet(streams[down.stream], streams[up.stream]):
                leg = streams[up.stream].legs[0]
                turn = int(np.searchsorted(down.told_ns, up.begin_ns))
                met[down.stream, address_of(leg.client), leg.server.rpartition(":")[2], turn].append((down, up))
        for pairs in met.values():
            yield from _with_tries(sorted(pairs, key=lambda pair: pair[1].begin_ns))


def _is_near_client(one: Presence) -> bool:
    """Whether a host is clearly nearer to a stream's client than to its server, by the halves of the handshake."""
    return _is_less(one.client_half_ns, one.server_half_ns)


def _is_near_server(one: Presence) -> bool:
    return _is_less(one.server_half_ns, one.client_half_ns)


def _is_less(half_ns: int | None, other_ns: int | None) -> bool:
    return half_ns is not None and other_ns is not None and half_ns + NEARER_NS < other_ns


def _overlapping(downs: Sequence[Presence], ups: Sequence[Presence]) -> Iterator[tuple[Presence, Presence]]:
    """Pairs that were there at a time."""
    downs = sorted(downs, key=lambda one: one.begin_ns)
    begin_ns = np.array([one.begin_ns for one in downs], np.int64)
    end_ns = np.array([one.end_ns for one in downs], np.int64)
    for up in ups:
        before = np.flatnonzero((begin_ns <= up.begin_ns) & (end_ns >= up.begin_ns))[-RIVALS_MAX:]
        after = np.flatnonzero((begin_ns > up.begin_ns) & (begin_ns <= up.last_ns))[:RIVALS_MAX]
        yield from ((downs[place], up) for place in (*before.tolist(), *after.tolist()))


def _could_meet(down: Stream, up: Stream) -> bool:
    """Whether addresses allow it: two calls of one client, or to one service, are not each other's upstream."""
    if down.stream == up.stream:
        return False
    clients = {address_of(leg.client) for leg in down.legs}, {address_of(leg.client) for leg in up.legs}
    if any(map(is_loopback, clients[1])):
        return True
    if {leg.server for leg in down.legs} & {leg.server for leg in up.legs}:
        return False
    return clients[0].isdisjoint(clients[1]) or bool(clients[1] & {address_of(leg.server) for leg in down.legs})


def _with_tries(pairs: Sequence[tuple[Presence, Presence]]) -> Iterator[Encounter]:
    """Runs of upstreams for one service in one wait of a client: each but the last of a run had no answer."""
    run: list[tuple[Presence, Presence]] = []
    for place, pair in enumerate(pairs):
        run.append(pair)
        if pair[1].answer_ns != LATEST or place == len(pairs) - 1:
            tries = [up for _, up in run]
            for down, up in run:
                yield Encounter(down, up, tries if up.answer_ns == LATEST else [up])
            run = []
