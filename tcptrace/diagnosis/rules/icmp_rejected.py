"""A router, firewall or host says by ICMP that a segment does not get through, and the connection comes to nothing.

What it detects
---------------
An ICMP error (destination unreachable, or communication prohibited; type 3 without code 4, in IPv6 type 1) that
quotes a segment of the flow, where nothing of what that side sent from there on was ever acknowledged. The finding
says who reported it, and what that code means. Errors of one reporter about one host, or of one without
routes, are told as one.

Why it happens
--------------
A firewall rejects (iptables -j REJECT says icmp-port-unreachable unless told otherwise, nft reject likewise;
icmp-admin-prohibited is code 13), a router has no route (code 0), or the last router gets no answer to its ARP or
neighbour solicitations (code 1 or 3 of IPv6; on Linux after about 3 s: mcast_solicit = 3, retrans_time_ms = 1000).
Port unreachable (code 3) comes from a firewall too: a kernel without a listener sends a RST. A Linux client whose SYN
is rejected fails at once (tcp_v4_err) with EHOSTUNREACH, ENETUNREACH or ECONNREFUSED; an established connection only
notes the error and repeats until it times out (RFC 1122 section 4.2.3.9), net.ipv4.tcp_retries2 = 15.

How to confirm
--------------
At the reporter: ip route get ADDRESS; ip neigh show ADDRESS; nft list ruleset; iptables -vnL | grep REJECT.
At the sender: nstat -az IcmpInDestUnreachs Icmp6InDestUnreachs; ss -tno state syn-sent.
In Wireshark: (icmp.type == 3 && icmp.code != 4) || icmpv6.type == 1

How to fix
----------
By code: allow the port where a firewall rejects; add the route where there is none; start the host, or correct its
address or VLAN, where the last router cannot find it.

When it stays silent
--------------------
What was quoted, or sent after it, was acknowledged later: the path was broken for a moment only, or the error came
late. Fragmentation needed and packet too big belong to pmtu-black-hole, an expired TTL to routing-loop. An error that
quotes a RST or a bare acknowledgement stops nothing.

References
----------
RFC 792; RFC 1812 section 5.2.7.1; RFC 4443 section 3.1; RFC 1122 section 4.2.3.9; RFC 5461; Linux
net/ipv4/tcp_ipv4.c, net/ipv4/icmp.c.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.capture.context import IcmpError
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, RST, SERVER, SYN, Story, Told, elapsed, frames_filter, numbers
from tcptrace.schema import NO_TIME

RULE = Rule(
    name="icmp-rejected",
    family="handshake",
    severity="error",
    explains=(
        "syn-unanswered",
        "syn-dropped-by-server",
        "handshake-slow",
        "half-open",
        "accept-queue-overflow",
        "idle-timeout",
        "rto-stall",
        "high-retransmission",
        "fin-retransmission",
        "keepalive-timeout",
    ),
)

NAMED_MAX = 3
"""Segments, and errors, that are named of a flow."""


class Meaning(NamedTuple):
    """What a code says."""

    says: str
    cause: str
    fix: str


_FIREWALL = Meaning(
    "prohibited", "a firewall rejects it", "allow the port, or the client, in the firewall that reports"
)
_NO_ROUTE = Meaning("no route", "a router has no route to it", "give the router that reports a route to it")
_NO_HOST = Meaning(
    "host unreachable",
    "the last router gets no answer from the host (it is down, or has another address or VLAN), or has no route",
    "start the host, or correct its address; look at ip neigh on the router that reports",
)
_NO_PORT = Meaning(
    "port unreachable",
    "a firewall rejects it as iptables and nft do unless told otherwise; a kernel without a listener sends a RST",
    "allow the port in the firewall that reports, and see that the service listens",
)
_NO_PROTOCOL = Meaning("protocol unreachable", "that host takes no TCP", "see which host has that address")
_OTHER = Meaning("unreachable", "a router or firewall on the way turns it away", "look at routes and filters there")

MEANINGS = {
    **{(4, code): _NO_ROUTE for code in (0, 6, 11)},
    **{(4, code): _NO_HOST for code in (1, 7, 12)},
    (4, 2): _NO_PROTOCOL,
    (4, 3): _NO_PORT,
    **{(4, code): _FIREWALL for code in (9, 10, 13)},
    (6, 0): _NO_ROUTE,
    (6, 1): _FIREWALL,
    (6, 3): _NO_HOST,
    (6, 4): _NO_PORT,
    **{(6, code): _FIREWALL for code in (5, 6)},
}
"""By IP version and code."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows that an ICMP error is about and that never got on."""
    explained = set(evidence.explained.tolist())
    lone = set(evidence.all_flows.flow[evidence.lone_syns].tolist()) if evidence.icmp else set()
    for flow, errors in evidence.icmp_by_flow.items():
        fatal = [error for error in errors if error.is_unreachable]
        if not fatal or flow in explained:
            continue
        if flow in lone:
            yield _of_lone_syn(evidence, flow, fatal)
        elif (row := evidence.row_of(flow)) >= 0:
            story = evidence.story(row)
            if rejected := [error for error in fatal if _stops(story, error)]:
                yield _of_story(story, rejected)


def _stops(story: Story, error: IcmpError) -> bool:
    """Whether nothing that the quoted side sent from there on was ever acknowledged, nor refused by its peer."""
    if error.flags >= 0 and error.flags & RST:
        return False
    side, peer = story.sides[error.side], story.sides[1 - error.side]
    if error.seq < 0:
        return bool(side.acked < side.sent and peer.last_frame < error.frame)
    refused = any(told.is_rst and told.frame > error.frame for told in story.of(1 - error.side))
    return bool(side.acked <= error.seq < side.sent and not refused)


def _of_lone_syn(evidence: Evidence, flow: int, errors: list[IcmpError]) -> Finding:
    row = int(np.searchsorted(evidence.all_flows.flow, flow))
    flows = evidence.all_flows
    syn = evidence.lone_syn(row)
    client = evidence.book.endpoint(int(flows.client[row]), int(flows.client_port[row]))
    server = evidence.book.endpoint(int(flows.server[row]), int(flows.server_port[row]))
    return _finding(errors, (client, server), [syn], "SYN")


def _of_story(story: Story, errors: list[IcmpError]) -> Finding:
    side = errors[0].side
    segments = [told for told in story.of(side) if told.frame < errors[-1].frame and told.seq >= errors[0].seq]
    what = "segments" if story.sides[side].acked > 0 else "SYN-ACK" if side == SERVER else "SYN"
    return _finding(errors, (story.client, story.server), segments, what)


def _finding(errors: list[IcmpError], ends: tuple[str, str], segments: list[Told], what: str) -> Finding:
    first = errors[0]
    sender, receiver = ends if first.side == CLIENT else ends[::-1]
    meaning = MEANINGS.get((first.version, first.code), _OTHER)
    named = *numbers(segments)[:NAMED_MAX], *(error.frame for error in errors[:NAMED_MAX])
    host = receiver.rpartition(":")[0].strip("[]")
    who = "it" if first.reporter == host else first.reporter
    name = "ICMP" if first.version == 4 else "ICMPv6"
    later = f", {elapsed(first.time_ns - segments[0].time_ns)} later" if segments and first.time_ns != NO_TIME else ""
    return RULE.finding(
        confidence=_confidence(first),
        flows=(first.flow,),
        frames=tuple(sorted(named)),
        alike=f"{first.reporter} {meaning.says} {'' if meaning is _NO_ROUTE else host}",
        summary=(
            f"{sender} sent {receiver} {'its ' if what == 'segments' else 'a '}{what}; {who} said by {name}:"
            f" {meaning.says} (frame {first.frame}{later}). Nothing came of it."
        ),
        cause=meaning.cause,
        evidence=(
            f"{name} type {first.type}, code {first.code}, from {first.reporter}, {len(errors)} in all",
            _quote(first),
        ),
        disproof="the error is forged: it came from nobody on the way, and the path works",
        confirm=f"Wireshark: {frames_filter(named)}   {first.reporter}: ip route get {host}; nft list ruleset",
        fix=meaning.fix,
    )


def _quote(error: IcmpError) -> str:
    if error.seq < 0:
        return "which segment it quotes is not printed"
    return "it quotes the SYN" if error.flags >= 0 and error.flags & SYN else f"it quotes sequence number {error.seq:,}"


def _confidence(error: IcmpError) -> float:
    """Lower where the flow was found by addresses alone, or the connection stood already."""
    if error.sport < 0 or error.dport < 0:
        return 0.7
    return 0.95 if error.seq == 0 else 0.85
