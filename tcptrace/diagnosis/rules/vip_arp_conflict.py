"""Two hosts answer ARP for one address that clients call, so that calls bypass the director.

What it detects
---------------
ARP replies (or announcements) by which two MAC addresses claim one address within a second of each other at one point,
where connections call that address. Or: of the connections that call it, some pass the director and some reach a
server without it.

Why it happens
--------------
In DR every realserver has the virtual address on its lo or a dummy interface. Linux answers ARP for any address of its
own on any interface (net.ipv4.conf.all.arp_ignore = 0), unless it is told not to: whoever answers last or first is
believed, and calls go to one realserver past the director until the entry is renewed. Also: two directors that are both
master (VRRP split brain), an address given twice, a failed director that comes back.

How to confirm
--------------
Router or client: ip neigh show VIP changes its MAC; arping -c 3 -I IFACE VIP prints answers of two MACs. Realserver:
sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce. Director: ipvsadm -lnc lacks the connections.
In Wireshark: arp.opcode == 2 && arp.src.proto_ipv4 == VIP || arp.duplicate-address-detected

How to fix
----------
On every realserver net.ipv4.conf.all.arp_ignore = 1 and net.ipv4.conf.all.arp_announce = 2 before the address is added
to lo (with /32); flush the neighbour entry at the router (ip neigh flush to VIP). For VRRP see that both directors hear
each other's advertisements.

When it stays silent
--------------------
One MAC claims the address; a second one claims it later than the threshold (a failover); no connection calls it;
no ARP was captured and all connections take one way.

References
----------
RFC 826; RFC 5227; Linux Documentation/networking/ip-sysctl.rst, arp_ignore and arp_announce; ipvsadm(8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.capture.context import AddressClaim
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import elapsed
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection

RULE = Rule(
    name="vip-arp-conflict",
    family="path",
    severity="error",
    thresholds={"apart_ms": Threshold(1000, "ms", "longest time between two claims of one address that conflict")},
)

DIRECTED = ("dr", "tun")


class _Conflict(NamedTuple):
    """Two claims of one address by different hosts."""

    point: str
    first: AddressClaim
    second: AddressClaim


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every address that connections call, and that two hosts claim or that is reached by two ways."""
    called: dict[str, list[Connection]] = defaultdict(list)
    for connection in evidence.connections:
        called[connection.server.rpartition(":")[0].strip("[]")].append(connection)
    conflicts = _conflicts(evidence, called, int(thresholds["apart_ms"] * 1e6))
    for address, connections in called.items():
        passing = [one for one in connections if one.mode in DIRECTED and one.director]
        past = _past(evidence, connections, passing)
        if address in conflicts:
            yield _by_arp(evidence, address, conflicts[address], past or connections, bool(past and passing))
        elif past and passing:
            yield _by_ways(evidence, address, past, passing)


def _conflicts(
    evidence: PathEvidence, called: Mapping[str, Sequence[Connection]], apart_ns: int
) -> dict[str, _Conflict]:
    """By address, the first two claims of different hosts that follow one another closely at one point."""
    found: dict[str, _Conflict] = {}
    for number, capture in enumerate(evidence.captures):
        last: dict[tuple[str, int], AddressClaim] = {}
        for claim in (claim for claim in capture.arp if claim.address in called):
            before = last.get((claim.address, claim.interface))
            if before and before.mac != claim.mac and _apart_ns(before, claim) <= apart_ns:
                name = next(point.name for point in evidence.points if point.recording == number)
                found.setdefault(claim.address, _Conflict(name, before, claim))
            last[claim.address, claim.interface] = claim
    return found


def _apart_ns(before: AddressClaim, claim: AddressClaim) -> int:
    return 0 if NO_TIME in (before.time_ns, claim.time_ns) else claim.time_ns - before.time_ns


def _past(evidence: PathEvidence, connections: Sequence[Connection], passing: Sequence[Connection]) -> list[Connection]:
    """The connections that reached a server without the host that directs others, or that was captured at idle."""
    directors = {one.director.host for one in passing if one.director}
    ends = {evidence.host(one.path[0][-1]) for one in passing if one.path[0]} - directors
    return [
        one
        for one in connections
        if one.path[0]
        and evidence.host(one.path[0][-1]) in ends
        and directors.isdisjoint(map(evidence.host, one.path[0]))
    ]


def _by_arp(
    evidence: PathEvidence, address: str, conflict: _Conflict, connections: Sequence[Connection], is_shown: bool
) -> Finding:
    first, second = conflict.first, conflict.second
    apart = elapsed(_apart_ns(first, second))
    reached = list(dict.fromkeys(evidence.host(one.path[0][-1]) for one in connections if one.path[0]))
    return RULE.finding(
        confidence=0.95 if is_shown else 0.85,
        connections=tuple(one.connection for one in connections),
        point=conflict.point,
        frames=(first.frame, second.frame),
        evidence_frames=(
            (conflict.point, (first.frame, second.frame)),
            *evidence.at(*_requests(evidence, connections)),
        ),
        summary=(
            f"{address} was claimed by {first.mac} (frame {first.frame} at {conflict.point}) and {apart} later by"
            f" {second.mac} (frame {second.frame}): two hosts answer ARP for it; {_calls(connections)} reached"
            f" {' and '.join(reached) or 'one of them'}."
        ),
        cause="a realserver that has the virtual address on lo answers ARP for it, or two directors are both master",
        evidence=(
            f"{address} is at {first.mac} and at {second.mac}, {apart} apart",
            *(f"{one.client}: {' → '.join(map(evidence.name, one.path[0]))}" for one in connections[:3]),
        ),
        disproof="both MAC addresses are interfaces of one host",
        confirm=(
            f"Wireshark at {conflict.point}: arp.src.proto_ipv4 == {address}   router: ip neigh show {address}"
            "   realservers: sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce"
        ),
        fix="arp_ignore = 1 and arp_announce = 2 on every realserver, then flush the router's neighbour entry",
    )


def _by_ways(
    evidence: PathEvidence, address: str, past: Sequence[Connection], passing: Sequence[Connection]
) -> Finding:
    director = passing[0].director.host if passing[0].director else "the director"
    ways = [" → ".join(map(evidence.name, one.path[0])) for one in (past[0], passing[0])]
    shown = evidence.at(*_requests(evidence, past), *_requests(evidence, passing))
    return RULE.finding(
        confidence=0.7,
        connections=tuple(one.connection for one in past),
        point=shown[0][0],
        frames=shown[0][1],
        evidence_frames=shown,
        summary=(
            f"{director} directs {_calls(passing)} to {address}, and {_calls(past)} reached"
            f" {evidence.host(past[0].path[0][-1])} without it."
        ),
        cause="a realserver answers ARP for the virtual address, so that some clients send to it past the director",
        evidence=(f"past {director}: {ways[0]}", f"by {director}: {ways[1]}"),
        disproof=f"a route to that server that these clients take by design, or {director} seen to direct them",
        confirm=f"arping -c 3 {address}   Wireshark: arp.src.proto_ipv4 == {address}",
        fix="arp_ignore = 1 and arp_announce = 2 on every realserver, then flush the router's neighbour entry",
    )


def _calls(connections: Sequence[Connection]) -> str:
    return f"{len(connections):,} calls" if len(connections) > 1 else f"the call of {connections[0].client}"


def _requests(evidence: PathEvidence, connections: Sequence[Connection]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Where the first of these was seen last, and its first frame there."""
    for connection in connections[:1]:
        for point in connection.path[0][-1:]:
            rows = evidence.rows(connection.streams[0].stream, 0)
            yield point, evidence.frames(rows, point)[:1]
