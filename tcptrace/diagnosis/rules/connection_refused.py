"""A RST answers the SYN: nothing listens there, or something in between says so.

What it detects
---------------
A client's SYN is answered by a RST that acknowledges it, and by nothing else, so that the client's connect() fails with
ECONNREFUSED. More than three such calls of one listener are told as one, and so are those of one client to
`scan_targets` listeners or more. Whether a firewall answered in the server's name is told by the RST's TTL, where
other segments of that server are in the capture: it came from nearer.

Why it happens
--------------
The server's kernel has no socket in LISTEN for that address and port (RFC 9293 section 3.10.7.1; Linux: tcp_v4_rcv,
no_tcp_socket, tcp_v4_send_reset): the program is down, has not started yet, listens on another port or on 127.0.0.1
only. A firewall can answer in the server's name (iptables -j REJECT --reject-with tcp-reset, nft reject with tcp
reset): that RST differs from the server's own by its TTL only, and not even by that on the server itself.

How to confirm
--------------
On the server: ss -ltn 'sport = :PORT' lists the listeners; nft list ruleset, iptables-save | grep REJECT (there, and on
the routers before it). nstat -az TcpOutRsts grows with each refusal of the server's kernel.
In Wireshark: tcp.flags.reset == 1 && tcp.seq == 1 && tcp.ack == 1
Make ip.ttl a column.

How to fix
----------
Start the service, or make it listen on the address that clients use (0.0.0.0 or ::, not 127.0.0.1). Where a firewall
answers, allow the port there. Health checks should take such a server out of the balancer's pool.

When it stays silent
--------------------
The RST comes after a SYN-ACK, or from the client; it does not acknowledge the SYN (a stale connection's answer).

References
----------
RFC 9293 section 3.10.7.1; Linux net/ipv4/tcp_ipv4.c; iptables-extensions(8), REJECT.
"""

from array import array
from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import (
    ACK,
    CLIENT,
    RST,
    SERVER,
    Story,
    Told,
    counted,
    elapsed,
    frames_filter,
    numbers,
    times,
)
from tcptrace.diagnosis.vantage import hops, ttls_of
from tcptrace.rows import distinct
from tcptrace.schema import I64, Bools

RULE = Rule(
    name="connection-refused",
    family="handshake",
    severity="error",
    thresholds={"scan_targets": Threshold(10, "", "listeners that refuse one client to be told as one")},
)

SEEN, ONLY_RESET = 1 | 2 | 32, 1 | 32
"""In FlowMeasures.completeness: SYN and RST were seen, and no SYN-ACK."""

TOLD_SINGLY = 20
"""Calls that one listener refused and that are each a finding; more are one."""

EXAMPLES = 5


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows whose SYN got a RST and nothing else from the server."""
    index = np.flatnonzero(_refused(evidence) & ~np.isin(evidence.flows.flow, evidence.explained))
    if not len(index):
        return
    calls, known = c.of_flows(evidence, index, evidence.count("syn", CLIENT)[index]), c.speaking(evidence)
    many, others = c.scans(calls, thresholds["scan_targets"])
    for group in c.groups(calls.listener[others]):
        if len(group) > TOLD_SINGLY:
            many.append(others[group])
            continue
        ttls = ttls_of(evidence, int(calls.listener[others[group[0]]]) >> c.PORT_BITS)
        for row in index[others[group]].tolist():
            yield from _one(evidence.story(row), ttls, known)
    yield from (_many(evidence, calls, rows) for rows in many)


def _refused(evidence: Evidence) -> Bools:
    refused: Bools = evidence.measures.completeness & SEEN == ONLY_RESET
    if not refused.any():
        return refused
    notable = evidence.notable
    answers = (notable.flags & (RST | ACK) == RST | ACK) & (notable.side == SERVER) & (notable.ack >= 1)
    silent = (evidence.count("syn", SERVER) == 0) & (evidence.count("first", SERVER) == 0)
    called = (evidence.count("syn", CLIENT) > 0) & (evidence.flows.midstream == 0)
    refused &= silent & called & np.isin(evidence.flows.flow, notable.flow[answers])
    return refused


def _one(story: Story, ttls: list[int], known: c.Speaking) -> Iterator[Finding]:
    syns = [told for told in story.of(CLIENT) if told.is_syn]
    rsts = [told for told in story.of(SERVER) if told.is_rst and told.has_ack]
    rst = next((told for told in rsts if told.ack in (1, 1 + syns[0].len)), None)
    if rst and syns[0].frame < rst.frame:
        yield _finding(story, syns, rst, ttls, known)


def _finding(story: Story, syns: list[Told], rst: Told, ttls: list[int], known: c.Speaking) -> Finding:
    frames = numbers([*syns, rst])
    asked = next(told for told in reversed(syns) if told.frame < rst.frame)
    answered = known.answers(int(story.flow.server) << c.PORT_BITS | int(story.flow.server_port))
    far, own = hops([rst.ttl]), hops(ttls)
    is_foreign = bool(far and own) and far[0] < min(own)
    again = f" (and {times(len(syns) - 1)} more, as it asked again)" if len(syns) > 1 else ""
    return RULE.finding(
        confidence=0.95,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {is_foreign}",
        summary=(
            f"{story.server} was called by {story.client} and refused (frame {rst.frame}),"
            f" {elapsed(rst.time_ns - asked.time_ns)} after the SYN{again}."
        ),
        cause=_cause(is_foreign, answered),
        evidence=(
            _ttl(rst, ttls),
            f"it answered {counted(answered, 'other call')} in this capture" if answered else "it answered none",
        ),
        disproof=f"a listener on {story.server} that was there at that time",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   server: ss -ltn 'sport = :{story.flow.server_port}'"
            + ("   routers before it: nft list ruleset; iptables-save | grep REJECT" if is_foreign else "")
        ),
        fix=(
            "allow the port at the firewall that answers"
            if is_foreign
            else "start the service, or let it listen on the address that is called"
        ),
    )


def _cause(is_foreign: bool, answered: int) -> str:
    if is_foreign:
        return "a firewall on the way answers in the server's name: the RST came from nearer than the server is"
    if answered:
        return "the service was down for a while, or is on one of several servers behind that address"
    return "nothing listens on that address and port, or a firewall on the server answers in its name"


def _ttl(rst: Told, ttls: list[int]) -> str:
    ip = [f"{name} {value}" for name, value in (("TTL", rst.ttl), ("IP ID", rst.ip_id)) if value >= 0]
    form = ", ".join(["the RST acknowledges the SYN", *ip])
    return f"{form}; TTL of the server's other segments: {', '.join(map(str, ttls))}" if ttls else form


def _many(evidence: Evidence, calls: c.Calls, rows: I64) -> Finding:
    flows = evidence.all_flows.flow[calls.row[rows]]
    clients, listeners = distinct(calls.client[rows]), distinct(calls.listener[rows])
    is_scan = len(listeners) > 1
    server = c.endpoint(evidence, int(listeners[0]))
    called = f"{len(listeners):,} listeners ({server} and others)" if is_scan else server
    callers = evidence.book.text(int(clients[0])) if len(clients) == 1 else f"{len(clients):,} clients"
    return RULE.finding(
        severity="warning" if is_scan else "error",
        confidence=0.9,
        flows=array("q", flows.tobytes()),
        frames=evidence.first_frames(flows[:EXAMPLES]),
        summary=f"{len(rows):,} calls of {callers} to {called} were refused.",
        cause="a scan, or a client that tries one port after the other" if is_scan else _cause(False, 0),
        evidence=("each SYN was answered by a RST that acknowledges it",),
        disproof="listeners that were there at that time",
        confirm="Wireshark: tcp.flags.reset == 1 && tcp.seq == 1 && tcp.ack == 1   server: ss -ltn",
        fix="see what the caller is"
        if is_scan
        else "start the service, or let it listen on the address that is called",
    )
