"""The request's destination was translated on its way, and the reply was not translated back.

What it detects
---------------
The client called one address or port, a hop put another in its place, and the answer reached the client with that
other one: it bypassed the host that translates, or passed it unchanged. The client's kernel knows no such connection.
This is the cause of synack-source-mismatch, told by the points at which the addresses changed and did not.

Why it happens
--------------
Translation keeps state where the request passed (IPVS NAT, nftables dnat, kube-proxy, Cilium's socket or tc programs);
the reply must pass there too. It does not when the server's route to the client leads past the translator (its default
gateway is another, or client and server share a network), when both are pods of one node behind a bridge whose frames
never reach netfilter (net.bridge.bridge-nf-call-iptables = 0) or hairpin without masquerading, when a direct server
return mode is on that the server was not set up for, or when the entry is gone (conntrack table full, node restarted).

How to confirm
--------------
Server: ip route get CLIENT must lead to the translator. Translator: conntrack -L -d VIP shows the entry UNREPLIED;
ipvsadm -lnc shows SYN_RECV. Node: sysctl net.bridge.bridge-nf-call-iptables; cilium service list; cilium bpf nat list.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.ack_raw == ISN+1
ISN is the SYN's tcp.seq_raw. Do so at every point, with ip.src as a column.

How to fix
----------
Make the translator the server's gateway to its clients, or let it translate the source too (masquerade, FULLNAT;
kube-proxy --masquerade-all, hairpinMode): then replies must come back. On a bridged node set
net.bridge.bridge-nf-call-iptables = 1. For direct return use DR or TUN, with the VIP on the server's lo.

When it stays silent
--------------------
The reply reaches the client with the called address; the request was not translated at any point
(synack-source-mismatch may still tell of a server that answers by another address); the client was not captured at.

References
----------
RFC 3022; Linux net/netfilter/ipvs/ip_vs_core.c, handle_response; Kubernetes, Virtual IPs and Service Proxies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.diagnosis.paths import PathEvidence, in_frames
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import RST, SYN
from tcptrace.schema import I64

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Rewrite, Stream

RULE = Rule(
    name="untranslated-reply",
    family="path",
    severity="error",
    explains=(
        "synack-source-mismatch",
        "asymmetric-path",
        "syn-unanswered",
        "half-open",
        "accept-queue-overflow",
        "handshake-slow",
        "abortive-close",
        "reset-injected",
        "backend-down",
    ),
)


class _Reply(NamedTuple):
    """An answer that came from another end than was called."""

    stream: int
    point: int
    """Where the client sends and receives."""
    called: str
    answered: str
    requests: I64
    """Rows that went to the called end there."""
    replies: I64
    """Rows that came from the other."""


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every stream whose replies reach its client from an end that its requests were rewritten to."""
    for connection in evidence.connections:
        for stream in connection.streams:
            if len({leg.server for leg in stream.legs}) > 1 and (reply := _reply(evidence, stream)):
                hops = [r for r in connection.rewrites if r.direction == REQUEST and r.field.startswith("server")]
                yield _finding(evidence, connection, reply, hops)


def _reply(evidence: PathEvidence, stream: Stream) -> _Reply | None:
    """The untranslated answer where the client's end saw one, and that end is where requests were rewritten to."""
    request = evidence.route(stream.stream).request
    if not request:
        return None
    point, passages = request[0], evidence.passages
    server = {leg.flow: leg.server for leg in stream.legs if leg.point == point}
    plain = evidence.rows(stream.stream)
    plain = evidence.seen(plain[passages.flags[plain] & RST == 0], point)
    asked, told = (plain[passages.direction[plain] == way] for way in (REQUEST, REPLY))
    if not len(asked) or not len(told) or len(set(server.values())) < 2:
        return None
    called, answered = (server[_flow(evidence, int(rows[0]), point)] for rows in (asked, told))
    behind = {leg.server for leg in stream.legs if leg.point != point}
    if called == answered or answered not in behind or not passages.flags[told[0]] & SYN:
        return None
    return _Reply(stream.stream, point, called, answered, asked, told)


def _flow(evidence: PathEvidence, row: int, point: int) -> int:
    return int(evidence.passages.sightings.flow[evidence.passages.row[row, point]])


def _finding(evidence: PathEvidence, connection: Connection, reply: _Reply, hops: Sequence[Rewrite]) -> Finding:
    way = evidence.route(reply.stream).reply
    frames = [sorted({*evidence.frames(reply.requests, p), *evidence.frames(reply.replies, p)}) for p in (reply.point,)]
    shown = [(reply.point, frames[0]), *((p, evidence.frames(reply.replies, p)) for p in way if p != reply.point)]
    translated = dict.fromkeys((r.source, r.target, r.frames) for r in hops)
    shown += [(source, pair[:1]) for source, _, pair in translated if source not in dict(shown)]
    shown += [(target, pair[1:]) for _, target, pair in translated if target not in dict(shown)]
    where, host = _translator(evidence, hops)
    answered = in_frames(evidence.frames(reply.replies, reply.point))
    return RULE.finding(
        confidence=0.95 if hops else 0.8,
        connections=(connection.connection,),
        point=evidence.name(reply.point),
        frames=tuple(frames[0]),
        evidence_frames=evidence.at(*shown),
        alike=f"{reply.called} {reply.answered}",
        summary=(
            f"{connection.client} called {reply.called}, which became {reply.answered} {where}; the answer came back as"
            f" {reply.answered} ({answered} at {evidence.name(reply.point)}): {_missed(evidence, way, host)}."
        ),
        cause="the reply does not pass the host that translated the request, or that has no entry for it any more",
        evidence=(
            f"request: {reply.called} → {reply.answered} {where}",
            f"reply: {' → '.join(map(evidence.name, way))}, from {reply.answered} at every point",
        ),
        disproof=f"{reply.called} as source of that SYN-ACK at {evidence.name(reply.point)}",
        confirm=(
            "Wireshark at every point: tcp.flags.syn == 1 && tcp.flags.ack == 1"
            f" && tcp.ack_raw == {_isn(evidence, reply) + 1}"
            f"   {reply.answered}: ip route get {connection.client.rpartition(':')[0].strip('[]')}"
            f"   {host or 'translator'}: conntrack -L; ipvsadm -lnc"
        ),
        fix="route replies through the host that translates, or let it translate the source too (masquerade, FULLNAT)",
    )


def _translator(evidence: PathEvidence, hops: Sequence[Rewrite]) -> tuple[str, str]:
    """Where the request was translated, and the host that did it; empty where no point shows."""
    if not hops:
        return "on its way", ""
    source, target = hops[0].source, hops[0].target
    host = evidence.host(target) if evidence.host(source) == evidence.host(target) else ""
    if evidence.name(source) == evidence.name(target):
        return f"at {evidence.name(source)}", host
    return f"between {evidence.name(source)} and {evidence.name(target)}", host


def _missed(evidence: PathEvidence, way: Sequence[int], host: str) -> str:
    if host and host not in map(evidence.host, way):
        return f"it bypassed {host}"
    return f"it passed {host} unchanged" if host else "nothing on its way translated it back"


def _isn(evidence: PathEvidence, reply: _Reply) -> int:
    passages = evidence.passages
    return int(passages.sightings.seq[passages.row[reply.requests[0], reply.point]])
