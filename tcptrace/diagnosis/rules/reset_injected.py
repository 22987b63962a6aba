"""A RST does not fit the machine in whose name it came: a third party sent it.

What it detects
---------------
A connection's first RST that its receiver heeds, whose TTL (hop limit) no other segment of its claimed sender had; or a
RST+ACK whose IP ID is neither 0 nor near those that its sender counts up.

Why it happens
--------------
A firewall, intrusion prevention system, balancer, NAT or censor ends a connection it does not like by RSTs in the name
of the ends: iptables -j REJECT --reject-with tcp-reset, nft reject with tcp reset, snort's reject, an idle entry that
has run out. It sits nearer to the receiver than the sender does, or starts from another TTL (64, 128, 255). An attacker
who guesses sequence numbers looks the same. Linux gives a genuine bare RST IP ID 0 and the default TTL, which all else
has too unless the program set another (IP_TTL; BGP: 255 or 1); a genuine RST+ACK continues the socket's IP ID. A bare
RST's IP ID alone proves nothing: Linux before 2018 (commit 431280eebed9) and other kernels draw it from another counter
than the socket's.

How to confirm
--------------
Capture at both ends at the same time: the claimed sender never sent it (tcptrace correlate names the place where it
was born). On Linux in between: nft list ruleset; iptables -S | grep REJECT; ipvsadm -lnc; conntrack -L -d SERVER.
In Wireshark: tcp.stream == N && ip.src == SENDER
Make ip.ttl and ip.id columns.

How to fix
----------
Find the machine by its TTL: 64, 128 or 255 less what arrived is its distance in hops. Change its rule, its time-out or
its notion of the connection (asymmetric routes make stateful firewalls refuse what they have not seen open).

When it stays silent
--------------------
The RST fits its sender, or is a bare one with IP ID 0 and the default TTL where all else has TTL 255 or 1; nothing else
of its sender is in the flow (connection-refused); the handshake was not complete (the SYN may have gone through a NAT
that the RST does not pass: synack-source-mismatch); or the TTLs of the sender vary so that the RST's lies between them;
a fitting RST came first, or both sides had closed. Where a connection had been idle before, idle-timeout tells it.

References
----------
RFC 3360; RFC 9293 section 3.5.2; Weaver, Sommer, Paxson: Detecting Forged TCP Reset Packets (NDSS 2009);
iptables-extensions(8), REJECT.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import NEAR, Reset, endings, resets
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import ACK, CLIENT, frames_filter, numbers
from tcptrace.rows import chosen
from tcptrace.schema import KINDS, Bools

RULE = Rule(
    name="reset-injected",
    family="reset",
    severity="error",
    thresholds={"ttl_hops": Threshold(1, "hops", "least difference of TTL to the sender's other segments")},
    explains=("first-data-reset", "abortive-close", "sidecar-reset", "write-after-close"),
)

FAR_HOPS = 5
"""No change of route makes a difference as large."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow whose first heeded RST does not fit its sender."""
    for story in evidence.stories(_suspects(evidence)):
        found = list(resets(story))
        first = next(endings(story), found[0])
        if not first.was_over and _is_strange(first, thresholds["ttl_hops"]):
            strange = [reset for reset in found if _is_strange(reset, thresholds["ttl_hops"])]
            yield _finding(first, strange)


def _suspects(evidence: Evidence) -> Bools:
    """The flows with a RST of another TTL or IP ID than the last other segment of its sender."""
    told, flows = evidence.notable, evidence.flows.flow
    rsts = chosen(told, np.flatnonzero(told.kinds >> KINDS.index("rst") & 1))
    rows = np.searchsorted(flows, rsts.flow)
    client, server = evidence.sides
    ttl = np.where(rsts.side == CLIENT, client.ttl[rows], server.ttl[rows])
    steps = (rsts.ip_id - np.where(rsts.side == CLIENT, client.ip_id[rows], server.ip_id[rows])) % 65536
    other_id = (rsts.flags & ACK != 0) & (rsts.ip_id > 0) & (steps > NEAR) & (steps < 65536 - NEAR)
    return np.isin(flows, rsts.flow[(ttl >= 0) & ((rsts.ttl != ttl) | other_id)])


def _is_strange(reset: Reset, ttl_hops: float) -> bool:
    misfit = _hops(reset) >= max(ttl_hops, 1) or not reset.fits_ip_id
    return misfit and len(reset.others) > 0 and reset.was_open


def _hops(reset: Reset) -> int:
    """How far its TTL lies from those of its sender's other segments."""
    if reset.fits_ttl:
        return 0
    return min(abs(reset.rst.ttl - ttl) for ttl in reset.ttls)


def _finding(reset: Reset, strange: list[Reset]) -> Finding:
    story, rst = reset.story, reset.rst
    frames = numbers(reset.rst for reset in strange)
    return RULE.finding(
        confidence=_confidence(reset),
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {reset.side}",
        summary=(
            f"{story.end(reset.peer)} got a RST in the name of {story.end(reset.side)} that another machine sent"
            f" (frame {rst.frame}, {story.at(rst.time_ns)} into the flow)."
        ),
        cause="a firewall, balancer, NAT or attacker between the ends reset the connection in the other's name",
        evidence=tuple(_evidence(reset)),
        disproof=f"the same RST in a capture at {story.end(reset.side)}, leaving it",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   columns: ip.ttl, ip.id"
            f"   capture at {story.end(reset.side)} as well: tcptrace correlate"
        ),
        fix="find the machine by its TTL; change the rule or the time-out by which it resets",
    )


def _confidence(reset: Reset) -> float:
    """Sure where TTL and IP ID agree, or the claimed sender knew nothing of it."""
    if reset.fits_ttl:
        return 0.65
    if not reset.fits_ip_id or reset.goes_on:
        return 0.95
    return 0.85 if _hops(reset) >= FAR_HOPS else 0.7


def _evidence(reset: Reset) -> Iterator[str]:
    sender, last = reset.story.end(reset.side), reset.others[-1]
    yield reset.form
    if not reset.fits_ttl:
        yield f"{sender} sent all else with TTL {' or '.join(map(str, reset.ttls))} (frame {last.frame})"
    if not reset.fits_ip_id:
        yield f"{sender} counts its IP IDs: {last.ip_id} in frame {last.frame}"
    if reset.goes_on:
        yield f"{sender} went on as if it knew nothing of it"
