"""A RST answers the SYN: nothing listens there, or something in between says so.

What it detects
---------------
A client's SYN is answered by a RST that acknowledges it, so that the client's connect() fails with ECONNREFUSED.
Repeated attempts at one server are told as one.

Why it happens
--------------
The server's kernel has no socket in LISTEN for that address and port (RFC 9293 section 3.10.7.1; Linux:
tcp_v4_rcv, no_tcp_socket, tcp_v4_send_reset): the program is down, has not started yet, listens on another port or
on 127.0.0.1 only. A firewall can answer in the server's name (iptables -j REJECT --reject-with tcp-reset, nft reject
with tcp reset): that RST differs from the server's own by its TTL only.

How to confirm
--------------
On the server: ss -ltn 'sport = :PORT' lists the listeners; nft list ruleset, iptables -S | grep REJECT.
In Wireshark: tcp.flags.reset == 1 && tcp.seq == 1 && tcp.ack == 1

How to fix
----------
Start the service, or make it listen on the address that clients use (0.0.0.0 or ::, not 127.0.0.1). Where a firewall
answers, allow the port. Health checks should take such a server out of the balancer's pool.

When it stays silent
--------------------
The RST comes after a SYN-ACK, or from the client; it does not acknowledge the SYN (a stale connection's answer).

References
----------
RFC 9293 section 3.10.7.1; Linux net/ipv4/tcp_ipv4.c; iptables-extensions(8), REJECT.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers

RULE = Rule(
    name="connection-refused",
    family="handshake",
    severity="error",
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow whose SYN got a RST and nothing else from the server."""
    refused = (evidence.count("syn", SERVER) == 0) & (evidence.count("rst", SERVER) > 0)
    for story in evidence.stories(refused & (evidence.flows.midstream == 0)):
        syns = [told for told in story.of(CLIENT) if told.is_syn]
        rst = next((told for told in story.of(SERVER) if told.is_rst and told.has_ack and told.ack == 1), None)
        if syns and rst and syns[0].frame < rst.frame:
            yield _finding(story, syns, rst)


def _finding(story: Story, syns: list[Told], rst: Told) -> Finding:
    frames = numbers([*syns, rst])
    took = elapsed(rst.time_ns - syns[-1].time_ns)
    return RULE.finding(
        confidence=0.95,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=f"{story.server} was called by {story.client} and refused (frame {rst.frame}), {took} after the SYN.",
        cause="nothing listens on that address and port, or a firewall answers in the server's name",
        evidence=(f"a RST that acknowledges the SYN, TTL {rst.ttl}, IP ID {rst.ip_id}",),
        disproof=f"a listener on {story.server} that was there at that time",
        confirm=f"Wireshark: {frames_filter(frames)}   server: ss -ltn 'sport = :{story.flow.server_port}'",
        fix="start the service, or let it listen on the address that is called",
    )
