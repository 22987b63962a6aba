"""A load balancer forwards calls to a server that refuses them or is silent, while others answer.

What it detects
---------------
Calls of one virtual service that a director passed on to the same server and that got a RST or nothing there, every one
of them, while calls of the same service that went to other servers were taken.

Why it happens
--------------
The program on that server is down or not ready, listens on another port or address, or lacks the virtual address on its
lo (DR and TUN: its kernel drops or refuses what is not its own); the server itself, its link or its packet filter drops
the calls. The balancer goes on dealing calls to it, since nothing checks its health, or the check asks something else:
IPVS itself checks nothing, that is the work of keepalived, ldirectord or kube-proxy's endpoints.

How to confirm
--------------
Director: ipvsadm -ln --stats (that server: connections, but no outgoing packets with NAT); ipvsadm -lnc shows its
entries in SYN_RECV or CLOSE. Server: ss -ltn 'sport = :PORT'; ip addr show lo (DR, TUN: the virtual address);
nstat -az TcpExtListenDrops; nft list ruleset.
In Wireshark at the server: tcp.flags.syn == 1 || tcp.flags.reset == 1

How to fix
----------
Start or repair that server, or take it out (ipvsadm -e -t VIP:PORT -r SERVER -w 0); let health checks ask what clients
ask, and remove what fails (keepalived: TCP_CHECK or HTTP_GET with inhibit_on_failure).

When it stays silent
--------------------
No other server of that service took a call: the service is down, not one of its backends (connection-refused,
syn-unanswered); the server took some calls (syn-dropped-by-server); what went to it was lost on its way (lost-between);
a proxy that takes calls itself is upstream-refused.

References
----------
ipvsadm(8); keepalived.conf(5); Linux net/netfilter/ipvs/ip_vs_rr.c.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.diagnosis.paths import FRAMES_MAX, PathEvidence, in_frames
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import RST, SYN, counted
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection

RULE = Rule(
    name="backend-down",
    family="path",
    severity="error",
    thresholds={
        "calls": Threshold(1, "", "fewest calls that one server failed"),
        "wait_s": Threshold(3, "s", "age at which a SYN that was not repeated counts as unanswered"),
    },
    explains=(
        "connection-refused",
        "syn-unanswered",
        "syn-dropped-by-server",
        "half-open",
        "handshake-slow",
        "stale-connection",
    ),
)

REFUSED, SILENT, TAKEN = "refused", "not answered", "taken"
DIRECTING = ("dr", "tun", "nat", "fullnat")

Backend = tuple[str, str]
"""The end that calls were forwarded to, and the host where they were seen last."""


class _Call(NamedTuple):
    """A connection as a call."""

    connection: Connection
    outcome: str
    """REFUSED, SILENT, TAKEN, or empty: it cannot be told."""


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """For each virtual service, the servers that failed all calls while others took theirs."""
    wait_ns = int(thresholds["wait_s"] * 1e9)
    services: dict[str, dict[Backend, list[_Call]]] = defaultdict(lambda: defaultdict(list))
    for connection in evidence.connections:
        if connection.mode in DIRECTING and (backend := _backend(evidence, connection)):
            call = _Call(connection, _outcome(evidence, connection, wait_ns))
            services[connection.server][backend].append(call)
    for backends in services.values():
        able = [backend for backend, calls in backends.items() if any(call.outcome == TAKEN for call in calls)]
        for backend, calls in backends.items():
            failed = [call for call in calls if call.outcome in (REFUSED, SILENT)]
            others = [other for other in able if other != backend]
            if backend not in able and others and len(failed) >= max(thresholds["calls"], 1):
                taken = sum(call.outcome == TAKEN for other in others for call in backends[other])
                yield _finding(evidence, backend, failed, others, taken)


def _backend(evidence: PathEvidence, connection: Connection) -> Backend | None:
    """Who got the call: by the address behind the director, and where its requests were seen last."""
    stream = connection.streams[0]
    way = evidence.route(stream.stream).request
    director = connection.director.host if connection.director else ""
    if not way:
        return None
    last = way[-1]
    server = next(leg.server for leg in reversed(stream.legs) if leg.point == last)
    seen_there = evidence.host(last) != director
    return (server, evidence.host(last) if seen_there else "") if seen_there or server != connection.server else None


def _outcome(evidence: PathEvidence, connection: Connection, wait_ns: int) -> str:
    passages, number = evidence.passages, connection.streams[0].stream
    told = evidence.rows(number, REPLY)
    resets = passages.flags[told] & RST != 0
    if not resets.all():
        return TAKEN
    if len(told):
        origin = connection.reset_origin
        return REFUSED if origin is None or origin.side == "server" else ""
    asked = evidence.rows(number, REQUEST)
    if not (passages.flags[asked] & SYN).any() or (passages.flags[asked] & (SYN | RST) == 0).any():
        return ""
    times = evidence.reference_ns[asked]
    first_ns = times[times != NO_TIME].min(initial=2**62)
    is_old = evidence.last_ns.max(initial=NO_TIME) - first_ns >= wait_ns
    return SILENT if len(asked) > 1 or is_old else ""


def _finding(
    evidence: PathEvidence, backend: Backend, failed: Sequence[_Call], others: Sequence[Backend], taken: int
) -> Finding:
    server, host = backend
    first = failed[0].connection
    point = evidence.route(first.streams[0].stream).request[-1]
    frames = _frames(evidence, failed, point)
    outcomes = " or ".join(dict.fromkeys(call.outcome for call in failed))
    director = first.director.host if first.director else "a director"
    name = f"{server} at {host}" if host else server
    front = evidence.route(first.streams[0].stream).request[0]
    clients = ", ".join(call.connection.client for call in failed[:3])
    return RULE.finding(
        confidence=0.95 if len(failed) > 1 and taken > 1 else 0.85,
        connections=tuple(call.connection.connection for call in failed),
        point=evidence.name(point),
        frames=frames,
        evidence_frames=evidence.at((point, frames), (front, _frames(evidence, failed, front))),
        summary=(
            f"{director} forwarded {counted(len(failed), 'call')} of {first.server} to {name}, {outcomes} there"
            f" ({in_frames(frames)} at {evidence.name(point)}), while"
            f" {' and '.join(_named(other) for other in others)} took {taken:,}."
        ),
        cause=(
            "no program listens there for that address and port, and the balancer does not know"
            if outcomes == REFUSED
            else "the server or its filter drops the calls, or it is down, and the balancer does not know"
        ),
        evidence=(
            f"its clients: {clients}{' and others' if len(failed) > 3 else ''}",
            *(f"{_named(other)} takes calls of the same service" for other in others),
        ),
        disproof=f"a call of {first.server} that {name} took",
        confirm=(
            f"{director}: ipvsadm -ln --stats; ipvsadm -lnc   {host or server}: ss -ltn; ip addr show lo"
            f"   Wireshark at {evidence.name(point)}: frame.number in {{{', '.join(map(str, frames))}}}"
        ),
        fix="repair that server or set its weight to 0, and let the balancer check its servers' health",
    )


def _named(backend: Backend) -> str:
    server, host = backend
    return host or server


def _frames(evidence: PathEvidence, failed: Sequence[_Call], point: int) -> tuple[int, ...]:
    """The first of these calls at a point, and what refused them."""
    rows = np.concatenate([evidence.rows(call.connection.streams[0].stream) for call in failed[:FRAMES_MAX]])
    return evidence.frames(rows, point)
