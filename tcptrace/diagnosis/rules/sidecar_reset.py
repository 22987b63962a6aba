"""A proxy took the connection and its request, then reset it without a byte of answer.

What it detects
---------------
A handshake that completes at once, a first request that is acknowledged, no byte of answer, and a RST from the
server's side soon after: something accepted in the name of a server that could not be reached.

Why it happens
--------------
A sidecar (Envoy under Istio or Linkerd's proxy) gets every connection by iptables REDIRECT to port 15006, so its own
listener completes the handshake before it has tried the application. Only then it connects to the application on
127.0.0.6 or the pod's address; when that is refused, it closes its side, and as a request lies unread in its receive
buffer, the kernel sends a RST instead of a FIN (Linux: tcp_close, data_was_unread). The application is not listening,
listens on another port than the Service's targetPort, or on an address that the proxy does not use.

How to confirm
--------------
In the pod: ss -ltn (does the application listen, and where?); tcpdump -i lo 'tcp port PORT' shows the refused leg.
istioctl proxy-config listeners POD --port 15006; kubectl logs POD -c istio-proxy: response flags UF, UC.
In Wireshark: tcp.stream == N && (tcp.flags.reset == 1 || tcp.len > 0)

How to fix
----------
Let the application listen on the port and address that the Service names; start it before traffic arrives (a
readinessProbe; holdApplicationUntilProxyStarts); correct targetPort.

When it stays silent
--------------------
The server sent any payload, or a FIN first; the request was not acknowledged (first-data-reset); the RST came from
the client; the answer took so long that a timeout is more likely than a refusal.

References
----------
Envoy access log response flags; Istio application requirements; Linux net/ipv4/tcp.c, __tcp_close.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers

RULE = Rule(
    name="sidecar-reset",
    family="reset",
    severity="error",
    thresholds={"wait_s": Threshold(30, "s", "longest time from the first request to the RST")},
    explains=("abortive-close", "write-after-close", "first-data-reset"),
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow in which the server's side acknowledged payload, sent none, and reset."""
    flows = evidence.flows
    silent = (flows.client_payload_bytes > 0) & (flows.server_payload_bytes == 0) & (evidence.count("rst", SERVER) > 0)
    for story in evidence.stories(silent & (evidence.count("fin", SERVER) == 0)):
        request, rst = story.first("data", CLIENT), story.first("rst", SERVER)
        if request and rst and _is_one(story, request, rst, thresholds["wait_s"]):
            yield _finding(story, request, rst)


def _is_one(story: Story, request: Told, rst: Told, wait_s: float) -> bool:
    acknowledged = story.sides[CLIENT].acked > request.seq
    in_time = 0 <= rst.time_ns - request.time_ns <= wait_s * 1e9
    return acknowledged and in_time and rst.frame > request.frame and not story.before(rst, CLIENT)[-1].is_rst


def _finding(story: Story, request: Told, rst: Told) -> Finding:
    ack = next((told for told in story.after(request, SERVER) if told.ack > request.seq), rst)
    frames = numbers([request, ack, rst])
    took = elapsed(rst.time_ns - request.time_ns)
    is_seen_open = story.flow.midstream == 0
    return RULE.finding(
        confidence=0.85 if is_seen_open else 0.5,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.server} took the connection of {story.client} and {request.len} bytes of request"
            f" (frames {request.frame}, {ack.frame}), then reset it after {took} without a byte of answer"
            f" (frame {rst.frame})."
        ),
        cause="a proxy in front of the application accepted what its upstream refused",
        evidence=(
            f"the request was acknowledged: {story.sides[CLIENT].acked - 1} bytes",
            f"no payload from {story.server}; RST{'+ACK' if rst.has_ack else ''} with IP ID {rst.ip_id}, TTL {rst.ttl}",
        ),
        disproof="the application itself read the request and aborted (SO_LINGER 0): its own log says so",
        confirm=f"Wireshark: {frames_filter(frames)}   pod: ss -ltn; tcpdump -i lo; istioctl proxy-config listeners",
        fix="let the application listen on the port and address that the proxy calls",
    )
