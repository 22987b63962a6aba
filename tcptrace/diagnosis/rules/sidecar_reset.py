"""A proxy took the connection and its request, then reset it without a byte of answer.

What it detects
---------------
A handshake that completes, a first request that is acknowledged, no byte of answer, and a RST+ACK from the server's
side soon after: something accepted in the name of a server that could not be reached. Where addresses differ by
direction, so that the capture shows two flows, both halves are read together, and the finding is no surer than that
they are one conversation.

Why it happens
--------------
A sidecar (Envoy under Istio or Linkerd's proxy) gets every connection by iptables REDIRECT to port 15006, so its own
listener completes the handshake before it has tried the application. Only then it connects to the application on
127.0.0.6 or the pod's address; when that is refused, it closes its side, and as a request lies unread in its receive
buffer, the kernel sends a RST instead of a FIN (Linux: __tcp_close, data_was_unread, TCPAbortOnClose). The application
is not listening, listens on another port than targetPort, or on an address that the proxy does not use; or
it does not answer SYNs and the proxy's connect timeout runs out. An application that reads a request and aborts without
an answer looks the same; the later the RST, the likelier that is.

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
The server sent any payload, or either side a FIN first; the request was not acknowledged or the RST is bare
(first-data-reset); the RST came from the client; the answer took longer than the threshold; the handshake is not in the
capture.

References
----------
Envoy access log response flags; Istio application requirements; Linux net/ipv4/tcp.c, __tcp_close.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset, endings, flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, frames_filter, numbers

RULE = Rule(
    name="sidecar-reset",
    family="reset",
    severity="error",
    thresholds={
        "wait_s": Threshold(30, "s", "longest time from the first request to the RST"),
        "refused_ms": Threshold(50, "ms", "time in which a refusal comes; later it may as well be the application"),
    },
    explains=("abortive-close", "write-after-close", "first-data-reset"),
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow in which the server's side acknowledged payload, sent none, and reset."""
    flows = evidence.flows
    silent = flows_with_reset(evidence) & (flows.client_payload_bytes > 0) & (flows.server_payload_bytes == 0)
    for story in evidence.stories(silent & (flows.midstream == 0)):
        request, reset = story.first("data", CLIENT), next(endings(story), None)
        if request and reset and reset.side == SERVER and _is_one(reset, request, thresholds["wait_s"]):
            yield _finding(reset, request, thresholds["refused_ms"])
    for call, answer, certainty in _halves(evidence):
        request, reset = call.first("data", CLIENT), next(endings(answer, SERVER), None)
        if request and reset and _is_one_of_two(call, reset, request, thresholds["wait_s"]):
            yield _of_two(call, _finding(reset, request, thresholds["refused_ms"]), certainty)


def _halves(evidence: Evidence) -> Iterator[tuple[Story, Story, float]]:
    """The call and the answer of conversations whose halves are flows of their own, those that were reset."""
    joined, flows = evidence.joined, evidence.flows
    mute = flows_with_reset(evidence) & (flows.server_payload_bytes == 0) & (flows.client_frames == 0)
    places = np.flatnonzero((joined.flow < joined.joined_with) & np.isin(joined.joined_with, flows.flow[mute]))
    for place in places.tolist():
        rows = [evidence.row_of(int(flow[place])) for flow in (joined.flow, joined.joined_with)]
        if min(rows) >= 0:
            yield evidence.story(rows[0]), evidence.story(rows[1]), float(joined.confidence[place])


def _is_one_of_two(call: Story, reset: Reset, request: Told, wait_s: float) -> bool:
    """The same of two halves; in that of the server the client's numbers begin where the SYN-ACK says."""
    syn_ack = next((told for told in reset.story.of(SERVER) if told.is_syn_ack), None)
    closed = any(told.is_fin for told in (*call.segments, *reset.story.segments))
    if syn_ack is None or call.flow.server_frames or closed:
        return False
    acknowledged = reset.rst.has_ack and reset.rst.ack - syn_ack.ack + 1 > request.seq
    return acknowledged and request.frame < reset.rst.frame and apart_ns(request, reset.rst) <= wait_s * 1e9


def _of_two(call: Story, finding: Finding, certainty: float) -> Finding:
    """The finding about the server's half as one about both."""
    flows = (call.number, *finding.flows)
    whole = f"flows {flows[0]} and {flows[1]} are one conversation, by ports and numbers, with confidence {certainty:g}"
    return replace(
        finding, flows=flows, confidence=min(finding.confidence, certainty), evidence=(whole, *finding.evidence)
    )


def _is_one(reset: Reset, request: Told, wait_s: float) -> bool:
    """Whether a socket that had taken the request was reset before either side had closed."""
    acknowledged = reset.story.sides[CLIENT].acked > request.seq and reset.rst.has_ack
    in_time = request.frame < reset.rst.frame and apart_ns(request, reset.rst) <= wait_s * 1e9
    return acknowledged and in_time and not any(told.is_fin for told in reset.story.before(reset.rst))


def _finding(reset: Reset, request: Told, refused_ms: float) -> Finding:
    story, rst = reset.story, reset.rst
    ack = next((told for told in story.of(SERVER) if told.frame > request.frame and told.ack > request.seq), rst)
    frames = numbers([request, ack, rst])
    took_ns = apart_ns(request, rst)
    return RULE.finding(
        confidence=0.85 if took_ns <= refused_ms * 1e6 else 0.65,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.server} took the connection of {story.client} and {request.len} bytes of request"
            f" (frames {request.frame}, {ack.frame}), then reset it after {elapsed(took_ns)} without a byte of answer"
            f" (frame {rst.frame})."
        ),
        cause=(
            "a proxy in front of the application accepted what its upstream refused, or did not answer in time;"
            " or the application itself aborted"
        ),
        evidence=(
            f"the request was acknowledged: {request.len} bytes",
            f"no payload from {story.server}; {reset.form}: a socket's own",
        ),
        disproof="the application itself read the request and aborted (SO_LINGER 0): its own log says so",
        confirm=f"Wireshark: {frames_filter(frames)}   pod: ss -ltn; tcpdump -i lo; istioctl proxy-config listeners",
        fix="let the application listen on the port and address that the proxy calls",
    )
