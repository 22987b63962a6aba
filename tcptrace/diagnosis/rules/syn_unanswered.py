"""A client asks for a connection, again and again, and hears nothing.

What it detects
---------------
A SYN that was repeated, or that was `wait_s` old when the capture ended, without any segment in return. The times
between its repeats stand in the evidence: Linux since 6.5 repeats after 1, 2, 3, 4, 5, 7, 11 s, older kernels after 1,
3, 7, 15 s. A SYN that was not repeated although it had time may as well be a call that the caller gave up: that is a
warning at a confidence of 0.5. A client that called `scan_targets` listeners or more in vain is told once.

Why it happens
--------------
The SYN, or the SYN-ACK, is lost on its way: the host is down or has another address, a route is missing, a firewall
or security group drops without a word, a reverse path filter (net.ipv4.conf.*.rp_filter) drops what comes in by the
wrong interface. Or the server's kernel drops the SYN: its accept queue is full (Linux: tcp_conn_request,
sk_acceptq_is_full; listen() backlog, net.core.somaxconn = 4096), or its half-open connections are too many while
net.ipv4.tcp_syncookies = 0. The client gives up after net.ipv4.tcp_syn_retries = 6 repeats with ETIMEDOUT.

How to confirm
--------------
Client: ss -tn state syn-sent; nstat -az TcpExtTCPSynRetrans; ip route get ADDRESS.
Server: tcpdump -ni any 'tcp[tcpflags] & tcp-syn != 0 and port PORT' (do the SYNs arrive, do SYN-ACKs leave?);
nstat -az TcpExtListenOverflows TcpExtListenDrops TcpExtIPReversePathFilter; ss -ltn 'sport = :PORT' (Recv-Q at
Send-Q: the accept queue is full).
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.analysis.retransmission

How to fix
----------
Find the point where the SYN or its answer is last seen (tcptrace correlate with captures from the hosts between),
and open the filter, mend the route or restart the host there. Where the listener's queue overflows, accept faster
or raise its backlog.

When it stays silent
--------------------
The server said anything at all, a RST included (connection-refused). A single SYN where the capture shows nothing
that its server sent or its client got: the answers may pass another way; a repeated SYN tells of itself.
syn-dropped-by-server and paws-nat-drop say more where the capture was taken at the server.

References
----------
RFC 9293 section 3.8.1; RFC 6298 section 5; Linux Documentation/networking/ip-sysctl.rst (tcp_syn_retries,
tcp_syn_linear_timeouts); tcp(7).
"""

from array import array
from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import SERVER, counted, elapsed, frames_filter
from tcptrace.rows import chosen, distinct
from tcptrace.schema import I64, NO_TIME

RULE = Rule(
    name="syn-unanswered",
    family="handshake",
    severity="error",
    thresholds={
        "wait_s": Threshold(3, "s", "age at which a SYN that was not repeated counts as unanswered"),
        "scan_targets": Threshold(10, "", "listeners that one client calls in vain to be told as one"),
    },
    explains=("rto-stall", "high-retransmission"),
)

TOLD_SINGLY = 20
"""Calls to one listener that are each a finding; more are one."""

LISTENERS_MAX = 50
"""Listeners told apart; those with the fewest calls beyond are one finding."""

EXAMPLES = 5

GIVEN_UP = "the caller gave the call up before it was due to repeat the SYN; or "


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Calls without an answer: those of a scan as one, of other clients by listener."""
    calls = c.unanswered(evidence, int(thresholds["wait_s"] * 1e9))
    if not len(calls.row):
        return
    known = c.speaking(evidence)
    scanned, others = c.scans(calls, thresholds["scan_targets"])
    by_listener = [others[group] for group in c.groups(calls.listener[others])]
    for rows in by_listener[:LISTENERS_MAX]:
        if len(rows) <= TOLD_SINGLY:
            yield from (_one(evidence, known, calls, row) for row in rows.tolist())
        else:
            scanned.append(rows)
    if len(by_listener) > LISTENERS_MAX:
        scanned.append(np.sort(np.concatenate(by_listener[LISTENERS_MAX:])))
    yield from (_many(evidence, known, calls, rows) for rows in scanned)


def _one(evidence: Evidence, known: c.Speaking, calls: c.Calls, row: int) -> Finding:
    flow = int(evidence.all_flows.flow[calls.row[row]])
    frames, times = c.syn_frames(evidence, int(calls.row[row]))
    client, server = c.ends(evidence, int(calls.row[row]))
    listener, syns = int(calls.listener[row]), int(calls.syns[row])
    asked = f"{syns} SYNs (frames {frames[0]} to {frames[-1]})" if syns > 1 else f"one SYN (frame {frames[0]})"
    given_up = GIVEN_UP if syns == 1 else ""
    return RULE.finding(
        severity="warning" if given_up else "error",
        confidence=_confidence(evidence, syns),
        flows=(flow,),
        frames=tuple(frames),
        alike=server,
        summary=f"{client} called {server} by {asked}{_span(times)} and heard nothing.",
        cause=given_up + _cause(known, chosen(calls, np.array([row]))),
        evidence=(_backoff(times, syns), _neighbours(known, listener, server)),
        disproof="answers that pass another way than this capture sees",
        confirm=f"Wireshark: {frames_filter(frames)}   {_at_hosts(listener)}",
        fix="capture at the server too and see where the SYN or its answer ends: filter, route, host, or full queue",
    )


def _many(evidence: Evidence, known: c.Speaking, calls: c.Calls, rows: I64) -> Finding:
    some = chosen(calls, rows)
    flows = evidence.all_flows.flow[some.row]
    clients, listeners = distinct(some.client), distinct(some.listener)
    is_scan = len(clients) == 1 and len(listeners) > 1
    repeated = int((some.syns > 1).sum())
    server = c.endpoint(evidence, int(listeners[0]))
    called = server if len(listeners) == 1 else f"{len(listeners):,} listeners ({server} and others)"
    callers = evidence.book.text(int(clients[0])) if len(clients) == 1 else f"{len(clients):,} clients"
    return RULE.finding(
        severity="warning" if is_scan and repeated * 2 < len(rows) else "error",
        confidence=0.9 if repeated else 0.7,
        flows=array("q", flows.tobytes()),
        frames=evidence.first_frames(flows[:EXAMPLES]),
        summary=f"{len(rows):,} calls of {callers} to {called} got no answer.",
        cause="a scan, or the caller's way out is broken" if is_scan else _cause(known, some),
        evidence=(f"{repeated:,} of the SYNs were repeated, {len(rows) - repeated:,} were not",),
        disproof="answers that pass another way than this capture sees",
        confirm=f"Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0   {_at_hosts(int(listeners[0]))}",
        fix="see what the caller is and what it means to reach; capture nearer to what it calls",
    )


def _confidence(evidence: Evidence, syns: int) -> float:
    if syns == 1:
        return 0.5
    sure = 0.95 if syns > 2 else 0.8
    return sure if evidence.sees[SERVER] else round(sure - 0.15, 2)


def _cause(known: c.Speaking, calls: c.Calls) -> str:
    """Of the first of these calls."""
    listener = int(calls.listener[0])
    if known.answers(listener) and known.answers_to(int(c.pairs(calls)[0])):
        return (
            "lost on the way, or dropped by the server, whose queue was full: this client was answered before or after"
        )
    if known.answers(listener):
        return "a filter drops this client, or the server drops SYNs, as its queue is full: others are answered"
    if known.hosts[listener >> c.PORT_BITS]:
        return "a filter drops what goes to this port, or it is lost on the way: the host is there"
    return "the host is down or unreachable, or a filter drops the SYN or its answer"


def _neighbours(known: c.Speaking, listener: int, server: str) -> str:
    if number := known.answers(listener):
        return f"{server} answered {counted(number, 'other call')} in this capture"
    there = "no call, but its host sent something" if known.hosts[listener >> c.PORT_BITS] else "no call"
    return f"{server} answered {there} in this capture"


def _backoff(times: list[int], syns: int) -> str:
    if len(times) < 2 or NO_TIME in times:
        return f"{syns} SYNs" if syns > 1 else "the SYN was not repeated"
    since = ", ".join(elapsed(time - times[0]) for time in times[1:])
    return f"repeated after {since}{' …' if syns > len(times) else ''}"


def _span(times: list[int]) -> str:
    return f" in {elapsed(times[-1] - times[0])}" if len(times) > 1 and NO_TIME not in times else ""


def _at_hosts(listener: int) -> str:
    port = listener & 0xFFFF
    return f"client: ss -tn state syn-sent   server: ss -ltn 'sport = :{port}'; nstat -az TcpExtListenDrops"
