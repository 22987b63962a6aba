"""Segments entered a host that should pass them on, and left it by no interface.

What it detects
---------------
Segments that one interface of a router, balancer or node has, while the interface by which others of that connection
left, or the one towards the other end, has none of them, nor has any later point. The hosts at both ends do not count:
what came there has arrived.

Where bare acknowledgements alone are missing, and nothing came of it, that is a note: a later one says the same.

Why it happens
--------------
The host drops instead of forwarding: its packet filter (nftables or iptables, chain FORWARD, or a policy of DROP that
Docker and Kubernetes set), net.ipv4.ip_forward = 0, the reverse path filter (net.ipv4.conf.*.rp_filter = 1: the packet
came in by another interface than the one towards its source), no route, conntrack that calls it INVALID or whose table
is full (nf_conntrack_max), an IPVS entry or destination that is gone, a TTL that ended, a packet larger than the next
MTU with DF set, a full queue on the way out.

How to confirm
--------------
At that host: nstat -az TcpExtIPReversePathFilter IpForwDatagrams IpInAddrErrors IpOutNoRoutes;
nft list ruleset with counters, or iptables -L FORWARD -nv; conntrack -S (drop, insert_failed); ip route get
DESTINATION from SOURCE iif IFACE; perf trace -e skb:kfree_skb names the function that drops.
In Wireshark: the named frames at the interface they came in by.

How to fix
----------
Let the filter accept what it forwards (for IPVS NAT the replies too: they pass FORWARD); set rp_filter = 2 (loose) on
hosts with asymmetric routes; correct routes; raise nf_conntrack_max; clamp the MSS to the smaller MTU.

When it stays silent
--------------------
The host is the client's or the server's own; it answered by a RST in the other's name (director-timeout,
reset-injected); the capture behind is cut short; a later point or an acknowledgement shows that the segments passed
(capture-loss); nothing tells by which interface they would have left.

References
----------
RFC 3704 (reverse path filtering); Linux net/ipv4/ip_forward.c, fib_frontend.c fib_validate_source;
Documentation/networking/ip-sysctl.rst, rp_filter; ipvsadm(8).
"""

from collections.abc import Iterator

from tcptrace.diagnosis.losses import SYMPTOMS, Loss, losses
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import frames_filter

RULE = Rule(
    name="vanished-in-host",
    family="path",
    severity="error",
    thresholds={"segments": Threshold(1, "", "fewest that a connection lost in one host")},
    explains=SYMPTOMS,
)


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every host within which a connection lost something that the host should have passed on."""
    for loss in losses(evidence, in_host=True):
        if len(loss.rows) >= max(thresholds["segments"], 1):
            yield _finding(loss)


def _finding(loss: Loss) -> Finding:
    host = loss.evidence.host(loss.hop.source)
    return RULE.finding(
        severity=loss.severity,
        confidence=loss.confidence,
        connections=(loss.connection.connection,),
        point=loss.where,
        frames=loss.frames,
        evidence_frames=loss.shown,
        alike=f"{loss.where} {loss.there} {loss.hop.direction}",
        summary=(
            f"{loss.told} entered {host} at {loss.where} and never left by {loss.there} ({loss.others}); {loss.fate}."
        ),
        cause=_cause(loss),
        evidence=(loss.seen, loss.recorded, *_bends(loss)),
        disproof=f"these segments at an interface of {host} that was not captured at",
        confirm=(
            f"Wireshark at {loss.where}: {frames_filter(loss.frames)}"
            f"   {host}: nft list ruleset; iptables -L FORWARD -nv; nstat -az TcpExtIPReversePathFilter; conntrack -S"
        ),
        fix="let the host forward them: its filter, its routes, rp_filter = 2 where routes are asymmetric",
    )


def _cause(loss: Loss) -> str:
    if list(_bends(loss)):
        return (
            "the reverse path filter (rp_filter) drops what comes in by another interface than its source lies behind"
        )
    return "its packet filter, connection tracking or routing dropped them instead of forwarding"


def _bends(loss: Loss) -> Iterator[str]:
    """What speaks for the reverse path filter: the other direction passes other interfaces of that host."""
    route = loss.evidence.route(loss.hop.stream)
    back = (route.reply, route.request)[loss.hop.direction]
    host = loss.evidence.host(loss.hop.source)
    others = [point for point in back if loss.evidence.host(point) == host and point != loss.hop.target]
    if others and loss.hop.source not in back:
        names = loss.evidence.names(others)
        yield f"what goes to that sender leaves {host} by {names}; this came in by {loss.where}"
