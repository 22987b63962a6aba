"""Requests and replies of a connection take different ways.

What it detects
---------------
Points that saw requests of a connection and none of its replies, or the reverse, although segments arrived in both
directions. In LVS DR and TUN that is right, and said so; elsewhere it is worth knowing, as what keeps state on one of
the ways sees half of every connection.

Why it happens
--------------
Direct return: a director in DR or TUN mode passes requests on, the realserver answers the client itself. Routing:
server and client choose their ways apart (several uplinks, ECMP, a server with two interfaces whose default route is
the other one). Or the capture at a point holds one direction only, by its filter.

How to confirm
--------------
At the server: ip route get CLIENT; ip rule show; at a director: ipvsadm -ln (Route is DR, Tunnel is TUN, Masq is NAT).
In Wireshark, at each point: ip.src == CLIENT, then ip.dst == CLIENT: which of them shows nothing?

How to fix
----------
Nothing, where direct return is meant. Stateful firewalls and NAT need both directions: give the server a route back by
the same way (policy routing: ip rule add from ADDRESS table N), and set rp_filter = 2 on hosts in between.

When it stays silent
--------------------
One direction is missing everywhere, or its segments were lost before they could come by; both take the same points.

References
----------
RFC 3704; Linux Virtual Server via direct routing (LVS documentation); ipvsadm(8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import counted

if TYPE_CHECKING:
    from tcptrace.correlation.order import Route
    from tcptrace.correlation.result import Connection, Stream

RULE = Rule(name="asymmetric-path", family="path", severity="info")

RETURNING = {"dr": "DR", "tun": "TUN"}
"""Modes in which replies bypass the director."""


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Each two ways that differ in their points, with all connections that take them."""
    alike: dict[tuple[object, ...], list[tuple[Connection, Stream]]] = defaultdict(list)
    ends = _ends(evidence)
    for connection in evidence.connections:
        for stream in connection.streams:
            route = evidence.route(stream.stream)
            if any(_apart(evidence, route, ends)):
                alike[route.request, route.reply, connection.mode].append((connection, stream))
                break
    yield from (_finding(evidence, several, ends) for several in alike.values())


def _ends(evidence: PathEvidence) -> set[int]:
    """Where a direction of some connection begins and its other direction passes as well: nothing bypasses these."""
    routes = [evidence.route(stream.stream) for connection in evidence.connections for stream in connection.streams]
    first = {point for route in routes for way in (route.request, route.reply) for point in way[:1]}
    return first & {point for route in routes for point in {*route.request} & {*route.reply}}


def _apart(evidence: PathEvidence, route: Route, ends: set[int]) -> tuple[list[int], list[int]]:
    """The points that requests alone pass, if replies reach the client, and those that replies alone do.

    Where a direction arrives at an end, the other began there, though the capture may have missed it.
    """
    if not route.request or not route.reply:
        return [], []
    is_answered = evidence.host(route.reply[-1]) == evidence.host(route.request[0])
    arrivals = {route.request[-1], route.reply[-1]} & ends
    only_request = [point for point in route.request if is_answered and point not in (*route.reply, *arrivals)]
    return only_request, [point for point in route.reply if point not in (*route.request, *arrivals)]


def _finding(evidence: PathEvidence, several: Sequence[tuple[Connection, Stream]], ends: set[int]) -> Finding:
    connection, stream = several[0][0], several[0][1].stream
    route = evidence.route(stream)
    only_request, only_reply = _apart(evidence, route, ends)
    more = f" and in {counted(len(several) - 1, 'other connection')}" if len(several) > 1 else ""
    host = connection.director.host if connection.director and connection.mode in RETURNING else ""
    expected = f": right for {RETURNING[connection.mode]}" if host else ""
    request, reply = (evidence.rows(stream, direction) for direction in (0, 1))
    shown = [(point, evidence.frames(request, point)[:1]) for point in only_request]
    shown += [(point, evidence.frames(reply, point)[:1]) for point in only_reply]
    sides = [f"requests alone pass {evidence.names(only_request)}"] if only_request else []
    sides += [f"replies alone pass {evidence.names(only_reply)}"] if only_reply else []
    client = connection.client.rpartition(":")[0].strip("[]")
    return RULE.finding(
        confidence=0.95 if host else 0.85,
        connections=tuple(one.connection for one, _ in several),
        point=evidence.name(shown[0][0]),
        frames=shown[0][1],
        evidence_frames=evidence.at(*shown),
        summary=f"Between {connection.client} and {connection.server}{more} {', '.join(sides)}{expected}.",
        cause=(
            f"{host} forwards requests by {RETURNING[connection.mode]}; the server answers the client itself"
            if host
            else "server and client choose their routes apart, or the server answers by another interface"
        ),
        evidence=(
            f"request: {' → '.join(map(evidence.name, route.request))}",
            f"reply: {' → '.join(map(evidence.name, route.reply))}",
        ),
        disproof="a capture filter that left one direction out at these points",
        confirm=(
            f"Wireshark at each point: {'ipv6' if ':' in client else 'ip'}.addr == {client}   column: ip.src"
            f"   server: ip route get {client}" + (f"   {host}: ipvsadm -ln" if host else "")
        ),
        fix=(
            f"nothing: so it should be in {RETURNING[connection.mode]}"
            if host
            else "nothing, unless something that keeps state sees one direction only: then route both the same way"
        ),
    )
