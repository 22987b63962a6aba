"""Where a direction's way would have gone on, had anything of it arrived.

A route ends at the last point that has anything of its direction. Where the receiver acknowledged nothing of it, that
need not be the way's end: all of it may be lost behind. Then one more point is looked for, the surest first: where
other streams go on from there, if all go to the same point; the other side of a host that it entered and that stands
between the ends; the way that the request came; the client, who sits where requests begin.

Behind a balancer, where other requests to the same address go tells nothing: it may have chosen a server that nobody
captured. So it counts only where no balancer can lie between, or where the stream's own answer came from there.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.reset_origin import FIRST_TTLS
from tcptrace.correlation.result import Stream
from tcptrace.correlation.ways import highest_acknowledged, ways
from tcptrace.flows import RST, SYN

NONE_SENT = 2**62


def onward(passages: Passages, routes: Sequence[Route], streams: Sequence[Stream]) -> list[Route]:
    """The routes; those of which nothing arrived, and whose next point is known, are longer by that."""
    way = ways(passages)
    first = np.full(len(routes) * 2, NONE_SENT, np.int64)
    np.minimum.at(first, way, passages.start)
    in_vain = first >= highest_acknowledged(passages, len(routes))
    is_answered = (passages.direction == REQUEST) & (passages.flags & (SYN | RST) == 0)  # the client was
    in_vain[way[is_answered]] = False
    known = _Known(passages, routes, streams)
    found = list(routes)
    for stream in np.unique(np.flatnonzero(in_vain & (first < NONE_SENT)) >> 1).tolist():
        route = routes[stream]
        if in_vain[stream * 2 + REQUEST] and (more := known.after_request(stream)) not in (NOWHERE, *route.request):
            route = replace(route, request=(*route.request, more))
        if in_vain[stream * 2 + REPLY] and (more := known.after_reply(stream)) not in (NOWHERE, *route.reply):
            route = replace(route, reply=(*route.reply, more))
        found[stream] = route
    return found


class _Known:
    """What the streams together tell of where a way goes on."""

    def __init__(self, passages: Passages, routes: Sequence[Route], streams: Sequence[Stream]) -> None:
        self.passages, self.routes = passages, routes
        self.servers = [{leg.point: leg.server for leg in stream.legs} for stream in streams]
        self.next: dict[tuple[int, int, str], set[int]] = defaultdict(set)
        self.unbalanced: set[tuple[int, int, str]] = set()
        for stream, route in enumerate(routes):
            for here, there in pairwise(route.request):
                onwards = REQUEST, here, self.servers[stream].get(here, "")
                self.next[onwards].add(there)
                if self._is_unbalanced(stream, here, there):
                    self.unbalanced.add(onwards)
            for here, there in pairwise(route.reply):
                self.next[REPLY, here, ""].add(there)

    def after_request(self, stream: int) -> int:
        """Where other clients' requests to the same server go."""
        way, reply = self.routes[stream].request, self.routes[stream].reply
        if not way:
            return NOWHERE
        onwards = REQUEST, way[-1], self.servers[stream].get(way[-1], "")
        there = self._only(self.next[onwards])
        is_answered = there != NOWHERE and self._host(there) in map(self._host, reply)
        return there if is_answered or onwards in self.unbalanced else NOWHERE

    def _is_unbalanced(self, stream: int, here: int, there: int) -> bool:
        """Whether no balancer lies between two neighbours on the way of a request, nor is the first one itself.

        It would give the server another address, or answers would bypass it. Within a host there is no choice.
        """
        if self._host(here) == self._host(there):
            return True
        servers, reply = self.servers[stream], self.routes[stream].reply
        return servers.get(here) == servers.get(there) and (there, here) in pairwise(reply)

    def after_reply(self, stream: int) -> int:
        request, reply = self.routes[stream].request, self.routes[stream].reply
        if not request or not reply or request[0] in reply:
            return NOWHERE
        if (known := self._only(self.next[REPLY, reply[-1], ""])) != NOWHERE:
            return known
        host = self._host(reply[-1])
        entered = next((point for point in request if self._host(point) == host), NOWHERE)
        if entered not in (NOWHERE, reply[-1]) and host != self._host(request[-1]):
            return entered
        if reply[-1] in request:
            return request[request.index(reply[-1]) - 1]
        return request[0] if self._is_client(request[0]) else NOWHERE

    def _only(self, points: set[int]) -> int:
        return next(iter(points)) if len(points) == 1 else NOWHERE

    def _host(self, point: int) -> str:
        return self.passages.points[point].host

    def _is_client(self, point: int) -> bool:
        """Whether requests begin there: no router has passed them on yet."""
        rows = self.passages.row[self.passages.direction == REQUEST, point]
        ttl = self.passages.sightings.ttl[rows[rows >= 0]]
        return len(ttl) > 0 and bool(np.isin(ttl, FIRST_TTLS).all())
