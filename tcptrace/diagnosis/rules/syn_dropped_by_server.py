"""SYNs reach the server, which answers others to the same listener, but not these.

What it detects
---------------
A capture taken at the server, or beside it, holds SYNs for a listener that got no segment in return, repeated or
`wait_s` old, while the same listener answered others. That the server is near is told by its other handshakes: the
SYN-ACK follows the SYN at once, the client's ACK comes a round trip later. Of several points, the server's own shows
it: SYNs came there, and its answers to other calls begin there.

Why it happens
--------------
The server's kernel drops the SYN without a word (Linux: tcp_conn_request): the accept queue is full as the program
does not accept fast enough (sk_acceptq_is_full: min(listen() backlog, net.core.somaxconn = 4096)), or too many
connections are half open while net.ipv4.tcp_syncookies = 0 (net.ipv4.tcp_max_syn_backlog). Or what comes before the
socket drops it: nftables or iptables rules for some sources, a full conntrack table (nf_conntrack_max), a reverse
path filter (rp_filter), a SYN rate limit. A tap sees the SYN before any of these.

How to confirm
--------------
Server: nstat -az TcpExtListenOverflows TcpExtListenDrops TcpExtTCPReqQFullDrop TcpExtIPReversePathFilter;
ss -ltn 'sport = :PORT' (Recv-Q above Send-Q: the accept queue is full); nft list ruleset; conntrack -S (drop,
insert_failed); dmesg | grep -e "table full" -e "SYN flooding"; dropwatch or perf trace -e skb:kfree_skb name the place.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.analysis.retransmission

How to fix
----------
Accept faster (more workers, no blocking work in the accept loop), raise the program's backlog and
net.core.somaxconn together, keep net.ipv4.tcp_syncookies = 1; or mend the rule that drops these sources.

When it stays silent
--------------------
The capture was not taken at the server, or that cannot be told (syn-unanswered); the listener answered nobody; the
SYN was answered in the end (handshake-slow); a flood (syn-flood); SYNs whose timestamps are older than those that
are answered (paws-nat-drop).

References
----------
Linux net/ipv4/tcp_input.c, tcp_conn_request; Documentation/networking/ip-sysctl.rst; listen(2).
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.paths import PathEvidence, in_frames, leg_at
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import RST, SYN, frames_filter
from tcptrace.diagnosis.vantage import at_server
from tcptrace.rows import chosen
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Stream

RULE = Rule(
    name="syn-dropped-by-server",
    family="handshake",
    severity="error",
    thresholds={"wait_s": Threshold(3, "s", "age at which a SYN that was not repeated counts as dropped")},
    explains=("syn-unanswered",),
)

EXAMPLES = 5


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """For each listener at hand that answers, the calls it did not answer."""
    calls = c.unanswered(evidence, int(thresholds["wait_s"] * 1e9))
    if not len(calls.row):
        return
    near, answered = at_server(evidence), c.answered(evidence)
    dropped = np.flatnonzero(near[calls.listener >> c.PORT_BITS] & np.isin(calls.listener, answered.listener))
    for group in c.groups(calls.listener[dropped]):
        rows = dropped[group]
        others = np.flatnonzero(answered.listener == calls.listener[rows[0]])
        yield _finding(evidence, chosen(calls, rows), chosen(answered, others))


def _finding(evidence: Evidence, dropped: c.Calls, answered: c.Calls) -> Finding:
    flows = evidence.all_flows.flow[dropped.row]
    server = c.endpoint(evidence, int(dropped.listener[0]))
    frames = c.syn_frames(evidence, int(dropped.row[0]))[0] + list(evidence.first_frames(flows[1:EXAMPLES]))
    client = c.ends(evidence, int(dropped.row[0]))[0]
    whose = f"the call of {client}" if len(flows) == 1 else f"{len(flows):,} calls ({client} and others)"
    later = int((answered.start_ns > dropped.start_ns.min()).sum())
    others = not np.isin(dropped.client, answered.client).any()
    repeated = int((dropped.syns > 1).sum())
    return RULE.finding(
        confidence=_confidence(repeated > 0, later > 0),
        flows=array("q", flows.tobytes()),
        frames=tuple(frames),
        summary=(
            f"SYNs of {whose} reached {server} (from frame {frames[0]} on) and got no answer,"
            f" while it answered {len(answered.row):,} others."
        ),
        cause=(
            "a filter on the server for these sources: none of their calls is answered; or its accept queue was full"
            if others
            else "the server's kernel drops SYNs: its accept queue is full, or its half-open connections are too many"
        ),
        evidence=(
            "the capture was taken at the server: its SYN-ACKs follow at once, the clients' ACKs a round trip later",
            f"{later:,} of the calls it answered came after the first that it dropped",
            f"{repeated:,} of {len(flows):,} clients asked again, {int(dropped.syns.sum()):,} SYNs in all",
        ),
        disproof="the answers leave by an interface that was not captured",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   server: nstat -az TcpExtListenOverflows TcpExtListenDrops;"
            f" ss -ltn 'sport = :{int(dropped.listener[0]) & 0xFFFF}'; nft list ruleset"
        ),
        fix="accept faster, or raise the listen() backlog and net.core.somaxconn; mend the rule where a filter drops",
    )


def _confidence(is_repeated: bool, answers_later: bool) -> float:
    return (0.9 if answers_later else 0.75) if is_repeated else 0.6


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """For each listener whose answers begin at a host that was captured at, the calls that came there in vain."""
    answers: dict[tuple[str, str], int] = defaultdict(int)
    dropped: dict[tuple[str, str], list[Connection]] = defaultdict(list)
    for connection in evidence.connections:
        for stream in connection.streams:
            route = evidence.route(stream.stream)
            key = _listener(evidence, stream, route.request)
            if route.reply and evidence.host(route.reply[0]) == key[1]:
                answers[key] += 1
            elif not route.reply and _is_in_vain(evidence, stream, thresholds["wait_s"]):
                dropped[key].append(connection)
    for key, connections in dropped.items():
        if answers[key]:
            yield _at_server(evidence, *key, connections, answers[key])


def _listener(evidence: PathEvidence, stream: Stream, way: Sequence[int]) -> tuple[str, str]:
    """Who was called, as the last point of the requests has it, and that point's host."""
    leg = leg_at(stream, way[-1]) if way else None
    return (leg.server, evidence.host(leg.point)) if leg else ("", "")


def _is_in_vain(evidence: PathEvidence, stream: Stream, wait_s: float) -> bool:
    """Whether it is SYNs alone, repeated or old enough, which nobody answered."""
    passages, rows = evidence.passages, evidence.rows(stream.stream)
    syns = rows[passages.flags[rows] & (SYN | RST) == SYN]
    if not len(syns) or len(syns) < len(rows) or (passages.direction[rows] == REPLY).any():
        return False
    times = evidence.reference_ns[syns]
    first_ns = int(times[times != NO_TIME].min(initial=2**62))
    return len(syns) > 1 or int(evidence.last_ns.max(initial=NO_TIME)) - first_ns >= wait_s * 1e9


def _at_server(
    evidence: PathEvidence, server: str, host: str, connections: Sequence[Connection], answered: int
) -> Finding:
    """The finding at the server's own point."""
    stream = connections[0].streams[-1]
    point = evidence.route(stream.stream).request[-1]
    frames = evidence.frames(evidence.rows(stream.stream, REQUEST), point)
    whose = f"the call of {connections[0].client}"
    if len(connections) > 1:
        whose = f"{len(connections):,} calls ({connections[0].client} and others)"
    return RULE.finding(
        confidence=0.9,
        connections=tuple(connection.connection for connection in connections),
        point=evidence.name(point),
        frames=frames,
        summary=(
            f"SYNs of {whose} to {server} came to {host} ({in_frames(frames)} at"
            f" {evidence.name(point)}) and got no answer, while it answered {answered:,} others."
        ),
        cause="the server's kernel drops SYNs, as a queue is full, or a filter on the server drops these sources",
        evidence=(f"answers of {server} to other calls begin at {host}",),
        disproof=f"the answers leave {host} by an interface that was not captured",
        confirm=(
            f"Wireshark at {evidence.name(point)}: {frames_filter(frames)}   {host}: nstat -az TcpExtListenOverflows"
            " TcpExtListenDrops; ss -ltn; nft list ruleset"
        ),
        fix="accept faster, or raise the listen() backlog and net.core.somaxconn; mend the rule where a filter drops",
    )
