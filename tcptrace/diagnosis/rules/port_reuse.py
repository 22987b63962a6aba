"""A new connection takes the addresses and ports of one that is still in TIME_WAIT.

What it detects
---------------
A SYN with a new initial sequence number on a 4-tuple that one side still holds in TIME_WAIT, and a SYN-ACK that accepts
it. All of one client's address to one server are told as one. It is a note: nothing is wrong, but who reads the capture
must not take the two connections for one.

Why it happens
--------------
The side that closed first waits for 2MSL, on Linux 60 s (TCP_TIMEWAIT_LEN, no sysctl). When the server closed first,
the client's port is free at once; its SYN meets the server's TIME_WAIT, which accepts it if its sequence number or its
timestamp is newer than the old connection's (tcp_timewait_state_process, RFC 6191 section 2). When the client closed
first, its own kernel takes the port again after one second if net.ipv4.tcp_tw_reuse = 1 (default 2: only on loopback)
and both sides use timestamps (tcp_twsk_unique), or at once for a program that binds it with SO_REUSEADDR.

How to confirm
--------------
ss -tan state time-wait on both hosts; sysctl net.ipv4.tcp_tw_reuse on the client; nstat -az TcpExtTWRecycled.
In Wireshark: tcp.analysis.reused_ports

How to fix
----------
Nothing needs to be done. A client that binds a fixed source port meets its old connections often: let the kernel
choose. Keep net.ipv4.tcp_timestamps = 1, which makes this safe.

When it stays silent
--------------------
The old connection ended by RST, or 2MSL had passed, or it was still open (stale-connection); the SYN was not accepted;
the old connection's close is not in the capture.

References
----------
RFC 6191 section 2; RFC 9293 section 3.6.1; Linux net/ipv4/tcp_minisocks.c; Linux
Documentation/networking/ip-sysctl.rst.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import SERVER, elapsed
from tcptrace.rows import chosen, stable_order
from tcptrace.schema import I8, I64
from tcptrace.tcp.endpoint import SENT_SYN, SENT_SYN_ACK, TIME_WAIT, TUPLE_REUSED

RULE = Rule(
    name="port-reuse",
    family="handshake",
    severity="info",
)

EXAMPLES = 5


class Reuse(NamedTuple):
    """Accepted connections on a tuple in TIME_WAIT, a row each."""

    flow: I64
    """Of the new connection."""
    previous: I64
    """Of the old one."""
    side: I8
    """Which side was in TIME_WAIT."""
    frame: I64
    """The segment that ended it."""
    time_ns: I64


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Each client and listener of which a TIME_WAIT was ended by a SYN that was then answered."""
    reuse = _accepted(evidence, _reused(evidence))
    rows = np.searchsorted(evidence.flows.flow, reuse.flow)
    for group in c.by_caller(c.of_flows(evidence, rows, np.ones_like(rows))):
        yield _finding(evidence, chosen(reuse, group))


def _reused(evidence: Evidence) -> Reuse:
    """Every TIME_WAIT that a new connection ended, with the flow of that connection, once a flow."""
    steps = evidence.transitions
    ended = np.flatnonzero((steps.event == TUPLE_REUSED) & (steps.from_state == TIME_WAIT))
    opens = (steps.event == SENT_SYN) | (steps.event == SENT_SYN_ACK)
    opened = np.flatnonzero(opens) if len(ended) else ended
    opened = opened[stable_order(steps.frame[opened])]
    place = np.searchsorted(steps.frame[opened], steps.frame[ended])
    known = place < len(opened)
    known[known] = steps.frame[opened][place[known]] == steps.frame[ended[known]]
    ended, opened = ended[known], opened[place[known]]
    _, first = np.unique(steps.flow[opened], return_index=True)
    ended, opened = ended[first], opened[first]
    return Reuse(steps.flow[opened], steps.flow[ended], steps.side[ended], steps.frame[ended], steps.time_ns[ended])


def _accepted(evidence: Evidence, reuse: Reuse) -> Reuse:
    answered = evidence.flows.flow[evidence.measures.completeness & c.SYN_ACK_SEEN > 0]
    return chosen(reuse, np.flatnonzero(np.isin(reuse.flow, answered) & ~np.isin(reuse.flow, evidence.explained)))


def _finding(evidence: Evidence, reuse: Reuse) -> Finding:
    new = evidence.story(evidence.row_of(int(reuse.flow[0])))
    old = evidence.story(evidence.row_of(int(reuse.previous[0])))
    side, count = int(reuse.side[0]), len(reuse.flow)
    began = old.entered(side, TIME_WAIT)
    waited = f" {elapsed(int(reuse.time_ns[0]) - began.time_ns)} into it" if began else ""
    holder = "server" if side == SERVER else "client"
    many = f"{count:,} connections like this. The first: " if count > 1 else ""
    return RULE.finding(
        confidence=0.9,
        flows=tuple(reuse.flow.tolist()),
        frames=(*evidence.first_frames(reuse.flow[:EXAMPLES]),),
        summary=(
            f"{many}{new.client} opened a connection to {new.server} (frame {new.segments[0].frame}) on the tuple of"
            f" flow {old.number}, which the {holder} still held in TIME_WAIT,{waited}; it was accepted."
        ),
        cause=CAUSES[side],
        evidence=(f"flow {old.number} was closed by the {holder}, and 2MSL (60 s) had not passed",),
        disproof="the flows are of different hosts behind one translated address, or 2MSL is shorter there (BSD: 30 s)",
        confirm=f"Wireshark: tcp.analysis.reused_ports && tcp.port == {new.flow.client_port}   {holder}: ss -tan state"
        " time-wait",
        fix="nothing is wrong; keep net.ipv4.tcp_timestamps = 1, which makes this safe",
    )


CAUSES = (
    "the client closed first and takes its port out of TIME_WAIT: net.ipv4.tcp_tw_reuse, or a port that it binds",
    "the server closed first, so the client's port was free; a newer SYN ends the server's TIME_WAIT (RFC 6191)",
)
"""By the side that was in TIME_WAIT."""
