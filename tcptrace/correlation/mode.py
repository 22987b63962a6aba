"""The forwarding mode of a stream: what became of its addresses and of its way, and at which host.

What was rewritten comes first: both ends' addresses (fullnat) or one end's (nat). Where nothing was, the way of the
replies tells: a host that passes requests on while the replies reach the client without it is a director, that of DR,
or of TUN if it also encapsulates. Plain routing, where the replies pass another interface of the same host or were
seen by nobody, is direct, and so is an overlay that carries both directions. A connection of several streams goes
through a proxy, which proxies.py tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Points, Rewrite, Stream
from tcptrace.correlation.ways import counted_at, highest_acknowledged
from tcptrace.flows import RST
from tcptrace.schema import I64, Bools

OUTER_BYTES = 20
"""Least that a tunnel puts before the innermost IP header."""
ENCAPSULATED_AT = 34
"""Where that header then lies: behind an Ethernet header at least, and an IPv4 header."""


UNANSWERED = 0.9
"""How sure it is that what nobody answered goes the way of the others."""
UNSEEN = 0.6
"""How sure a mode is that other ends alone tell."""


class Mode(NamedTuple):
    """How a stream is forwarded."""

    mode: str
    """One of MODES, not `proxy`."""
    confidence: float
    evidence: tuple[str, ...]
    director: str
    """The host that does it; empty: none, or none that was captured at."""


@dataclass(frozen=True)
class _Ways:
    """What is known of one stream's ways."""

    points: Points
    route: Route
    rewrites: Sequence[Rewrite]
    requests: I64
    """(points,) requests seen there; RSTs count in neither direction."""
    replies: I64
    encapsulated: Bools
    """(points,) whether requests were seen in a tunnel there."""
    decremented: frozenset[str]
    """Hosts within which requests lost a TTL: they forward."""
    has_answer: bool
    """Whether the client acknowledged anything."""
    ends: frozenset[frozenset[str]]
    """Between which two ends it was seen, whichever is the client."""

    def host(self, point: int) -> str:
        return self.points[point].host

    def names(self, seen: I64 | Bools) -> str:
        return ", ".join(self.points[point].name for point in np.flatnonzero(seen).tolist())

    @property
    def hosts(self) -> list[str]:
        """Those that requests pass, in order."""
        return list(dict.fromkeys(self.host(point) for point in self.route.request))

    def rewritten(self, end: str) -> Rewrite | None:
        """What shows that an end, `client` or `server`, was rewritten."""
        fields = (f"{end} address", f"{end} port")
        found = sorted(self.rewrites, key=lambda rewrite: rewrite.direction)
        return next((rewrite for rewrite in found if rewrite.field in fields), None)

    @property
    def bypassed(self) -> str:
        """The host that passes requests on and that replies reach the client without; empty: none."""
        sees_reply = {self.host(point) for point in np.flatnonzero(self.replies).tolist()}
        hosts = self.hosts
        if not sees_reply or not hosts:
            return ""
        reach_client = self.has_answer or hosts[0] in sees_reply
        middle = [host for place, host in enumerate(hosts) if 0 < place < len(hosts) - 1 or host in self.decremented]
        return next((host for host in middle if reach_client and host not in sees_reply), "")


def modes(
    passages: Passages,
    routes: Sequence[Route],
    rewrites: Sequence[Sequence[Rewrite]],
    streams: Sequence[Stream],
) -> list[Mode]:
    """Of every stream; one that nobody answered is taken to go the way of the others to its server."""
    plain = passages.flags & RST == 0
    counts = [counted_at(passages, plain & (passages.direction == way), len(routes)) for way in (REQUEST, REPLY)]
    encapsulated = _encapsulated(passages, len(routes))
    decremented = _decremented(passages, routes)
    answered = highest_acknowledged(passages, len(routes))[1::2] >= 0
    ways = [
        _Ways(
            passages.points,
            route,
            rewrites[stream],
            counts[REQUEST][stream],
            counts[REPLY][stream],
            encapsulated[stream],
            decremented[stream],
            bool(answered[stream]),
            frozenset(frozenset((leg.client, leg.server)) for leg in streams[stream].legs),
        )
        for stream, route in enumerate(routes)
    ]
    return _completed([_judged(one) for one in ways], ways, streams)


def _completed(found: list[Mode], ways: Sequence[_Ways], streams: Sequence[Stream]) -> list[Mode]:
    """The modes, those of streams without replies by the others that call the same server by the same host."""
    called = [{leg.server for leg in stream.legs} for stream in streams]
    known = {
        (server, mode.director): mode
        for mode, servers in zip(found, called, strict=True)
        for server in servers
        if mode.mode in ("dr", "tun")
    }
    for stream, (mode, one) in enumerate(zip(found, ways, strict=True)):
        if mode.mode in ("direct", "unknown") and not one.replies.any():
            keys = ((server, host) for server in called[stream] for host in one.hosts)
            if (other := next((known[key] for key in keys if key in known), None)) is not None:
                evidence = f"nobody answered; others that call the same server go by {other.director}"
                found[stream] = Mode(other.mode, UNANSWERED * other.confidence, (evidence,), other.director)
    return found


def _encapsulated(passages: Passages, streams: int) -> Bools:
    """(streams, points) whether requests have an IP header more there than at another point."""
    rows = np.flatnonzero(passages.direction == REQUEST)
    row = passages.row[rows]
    ip_at = np.where(row >= 0, passages.sightings.ip_at[row], -1) if len(rows) else row
    deepest = np.full((streams, len(passages.points)), -1)
    np.maximum.at(deepest, passages.stream[rows], ip_at)
    plain = np.where(deepest >= 0, deepest, np.iinfo(np.int64).max).min(axis=1, keepdims=True)
    found: Bools = (deepest >= ENCAPSULATED_AT) & (deepest - plain >= OUTER_BYTES)
    return found


def _decremented(passages: Passages, routes: Sequence[Route]) -> list[frozenset[str]]:
    """Of each stream the hosts between whose points requests lost a TTL."""
    rows = np.flatnonzero(passages.direction == REQUEST)
    row = passages.row[rows]
    ttl = np.where(row >= 0, passages.sightings.ttl[row], -1).astype(np.int64) if len(rows) else row
    found: list[set[str]] = [set() for _ in routes]
    points = passages.points
    for a in range(len(points)):
        for b in range(len(points)):
            if a != b and points[a].host == points[b].host:
                fell = (ttl[:, b] >= 0) & (ttl[:, a] == ttl[:, b] + 1)
                for stream in np.unique(passages.stream[rows[fell]]).tolist():
                    found[stream].add(points[a].host)
    return [frozenset(hosts) for hosts in found]


def _judged(ways: _Ways) -> Mode:
    return next(mode for judge in JUDGES if (mode := judge(ways)) is not None)


def _fullnat(ways: _Ways) -> Mode | None:
    client, server = ways.rewritten("client"), ways.rewritten("server")
    if client is None or server is None:
        return None
    evidence = [_told(ways, client), _told(ways, server)]
    evidence += [
        _told(ways, rewrite) for rewrite in ways.rewrites if rewrite.field in ("TOA", "initial sequence number")
    ]
    return Mode("fullnat", 0.95, tuple(evidence), _translator(ways, server))


def _nat(ways: _Ways) -> Mode | None:
    rewrite = ways.rewritten("server") or ways.rewritten("client")
    if rewrite is None:
        return None
    return Mode("nat", 0.95, (_told(ways, rewrite),), _translator(ways, rewrite))


def _nat_unseen(ways: _Ways) -> Mode | None:
    """Its legs have other ends, though no segment was seen on both sides of what rewrites them."""
    if len(ways.ends) < 2:
        return None
    kept = frozenset.intersection(*ways.ends)
    changed = sorted(frozenset.union(*ways.ends) - kept)
    return Mode("nat" if kept else "fullnat", UNSEEN, (f"seen with {', '.join(changed)} as ends",), "")


def _tun(ways: _Ways) -> Mode | None:
    host, tunnel = ways.bypassed, ways.names(ways.encapsulated)
    if not host or not tunnel:
        return None
    return Mode("tun", 0.95, (f"requests lie in a tunnel at {tunnel}", *_bypass(ways, host)), host)


def _dr(ways: _Ways) -> Mode | None:
    host = ways.bypassed
    if not host:
        return None
    inside = host not in (ways.hosts[0], ways.hosts[-1])
    return Mode("dr", 0.9 if inside else 0.8, ("same addresses and ports at all points", *_bypass(ways, host)), host)


def _direct(ways: _Ways) -> Mode | None:
    if np.count_nonzero(ways.requests + ways.replies) < 2:
        return None
    evidence = ["same addresses and ports at all points"]
    if tunnel := ways.names(ways.encapsulated):
        evidence.append(f"the tunnel at {tunnel} changes nothing of them")
    both = ways.requests.any() and ways.replies.any()
    return Mode("direct", 0.95 if both else 0.7, tuple(evidence), "")


def _unknown(ways: _Ways) -> Mode | None:
    return Mode("unknown", 0.0, ("seen at one point only",), "")


JUDGES: tuple[Callable[[_Ways], Mode | None], ...] = (_fullnat, _nat, _nat_unseen, _tun, _dr, _direct, _unknown)
"""The first that applies decides."""


def _bypass(ways: _Ways, host: str) -> tuple[str, ...]:
    return (f"requests pass {host}, replies were seen at {ways.names(ways.replies)} only",)


def _told(ways: _Ways, rewrite: Rewrite) -> str:
    names = (ways.points[point].name for point in (rewrite.source, rewrite.target))
    return f"{rewrite.field} {rewrite.before} → {rewrite.after} between {' and '.join(names)}"


def _translator(ways: _Ways, rewrite: Rewrite) -> str:
    """The host within which it is rewritten."""
    host = ways.host(rewrite.source)
    return host if host == ways.host(rewrite.target) else ""
