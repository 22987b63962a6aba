"""The server answers data by a RST, mostly the connection's first: it knows no such connection.

What it detects
---------------
A handshake that completes, a first segment of data from the client, and in answer a bare RST (no ACK flag) from where
the SYN-ACK left off: not one byte was acknowledged, so no socket was there to take it. Or the same later, on a
connection in use: data from the client, nothing of it acknowledged, and a bare RST at what the client had acknowledged
last.

Why it happens
--------------
A kernel answers a segment for which it has no socket by a RST whose sequence number is the segment's acknowledgement
(RFC 9293 section 3.10.7.1; Linux: tcp_v4_rcv, no_tcp_socket, tcp_v4_send_reset, IP ID 0). The handshake was done by
something else, or what it made is gone: the server restarted or its address moved in between; a balancer chose another
server for the data than for the SYN; a proxy or firewall answered the SYN in the server's name (SYN proxy); the accept
queue was full and net.ipv4.tcp_abort_on_overflow = 1, and the ACK of the handshake came together with the data.

How to confirm
--------------
On the server: nstat -az TcpOutRsts TcpExtListenOverflows; ss -tn 'sport = :PORT' lists no such connection.
On an LVS director: ipvsadm -lnc | grep CLIENT shows which server the connection is given to.
In Wireshark: tcp.flags.reset == 1 && tcp.flags.ack == 0 && tcp.seq == 1

How to fix
----------
Find who sent the SYN-ACK: capture at the server and compare. Let the balancer keep a connection on one server
(persistence, synchronised connection tables: ipvsadm --start-daemon); drain servers before they restart.

When it stays silent
--------------------
The data was acknowledged (sidecar-reset, abortive-close), the RST carries an ACK and so comes from a socket (abortive-
close), the server had sent a FIN (write-after-close) or repeated its SYN-ACK (accept-queue-overflow), the RST came too
soon to be an answer to the data, the handshake is not in the capture. After a pause idle-timeout tells it.

References
----------
RFC 9293 sections 3.5.2 and 3.10.7.1; Linux net/ipv4/tcp_ipv4.c, tcp_v4_send_reset.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset, endings, flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, frames_filter, numbers

RULE = Rule(
    name="first-data-reset",
    family="reset",
    severity="error",
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow whose server sent a SYN-ACK, a RST and nothing else, or a bare RST in answer to later data."""
    flows = evidence.flows
    in_use = flows_with_reset(evidence) & (flows.client_payload_bytes > 0) & (flows.server_payload_bytes > 0)
    for story in evidence.stories(in_use & (flows.midstream == 0)):
        reset = next(endings(story), None)
        if reset and reset.side == SERVER and _forgot(reset):
            yield _finding_in_use(reset)
    refused = flows_with_reset(evidence) & (flows.client_payload_bytes > 0) & (flows.server_payload_bytes == 0)
    for story in evidence.stories(refused & (flows.midstream == 0)):
        data, reset = story.first("data", CLIENT), next(endings(story, SERVER), None)
        if data and reset and len(story.kind("syn", SERVER)) == 1 and _answers(reset, data):
            yield _finding(reset, data)


def _answers(reset: Reset, data: Told) -> bool:
    """Whether the RST is a kernel's answer to the data, and the data was news to it."""
    story, rst = reset.story, reset.rst
    unknown = story.sides[CLIENT].acked <= data.seq and reset.sent_before("fin", SERVER) is None
    in_time = apart_ns(data, rst) * 2 >= story.flow.syn_to_synack_ns
    exact = reset.is_bare and rst.seq == data.ack and rst.frame > data.frame
    return unknown and in_time and exact and reset.is_first


def _forgot(reset: Reset) -> bool:
    """Whether the RST is a kernel's answer to data on a connection that had worked, of which it knew nothing."""
    client, server = reset.story.sides
    asked = client.acked < client.sent and server.last_frame == reset.rst.frame > client.last_data_frame
    in_time = (reset.rst.time_ns - client.last_data_ns) * 2 >= reset.story.flow.syn_to_synack_ns
    exact = reset.is_bare and reset.rst.seq == server.acked and not reset.is_unasked
    return bool(asked and in_time and exact) and reset.is_first and not reset.sent_before("fin", SERVER)


def _finding_in_use(reset: Reset) -> Finding:
    story, rst = reset.story, reset.rst
    client, server = story.sides
    frames = tuple(sorted({int(server.last_data_frame), int(client.last_data_frame), rst.frame}))
    return RULE.finding(
        confidence=0.8 if rst.ip_id <= 0 else 0.65,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} in use",
        summary=(
            f"{story.server} had answered {story.client} until frame {server.last_data_frame}, then answered its next"
            f" data (frame {client.last_data_frame}) after {elapsed(rst.time_ns - client.last_data_ns)} by a RST"
            f" (frame {rst.frame}): it no longer knew the connection."
        ),
        cause=(
            "the kernel that got the data had no socket for it: the server restarted, its address moved to another"
            " machine (failover), or a balancer gave the connection to another server"
        ),
        evidence=(f"nothing of the data was acknowledged; {reset.form}, at what the data acknowledged",),
        disproof=f"a socket for the connection on {story.server} at that time, or a RST that it sent of its own accord",
        confirm=f"Wireshark: {frames_filter(frames)}   server: uptime; ip monitor address; director: ipvsadm -lnc",
        fix="synchronise connection tables, drain servers before they restart, and let clients connect again",
    )


def _finding(reset: Reset, data: Told) -> Finding:
    story, rst = reset.story, reset.rst
    frames = numbers([*story.kind("syn"), data, rst])
    return RULE.finding(
        confidence=0.9 if reset.rst.ip_id <= 0 else 0.75,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.server} completed the handshake of {story.client}, then answered its first data ({data.len} bytes,"
            f" frame {data.frame}) after {elapsed(apart_ns(data, rst))} by a RST (frame {rst.frame}):"
            " it knew no such connection."
        ),
        cause=(
            "the kernel that got the data had no socket for it: another machine answered the SYN, the server lost the"
            " connection, or its accept queue was full (tcp_abort_on_overflow)"
        ),
        evidence=(
            f"nothing of the data was acknowledged; {reset.form}, at what the data acknowledged",
            _waited(story, data),
        ),
        disproof=f"an acknowledgement of the data, or a socket for it on {story.server} at that time",
        confirm=f"Wireshark: {frames_filter(frames)}   server: nstat -az TcpOutRsts TcpExtListenOverflows",
        fix="find who answered the SYN; let the balancer send SYN and data to the same server",
    )


def _waited(story: Story, data: Told) -> str:
    return f"the data came {story.at(data.time_ns)} after the SYN"
