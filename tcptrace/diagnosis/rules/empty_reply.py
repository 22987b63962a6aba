"""The server took the request and closed without a byte of answer.

What it detects
---------------
A complete handshake, a request that the server acknowledged, and the server's FIN as its first word: it closed before
the client did.

Why it happens
--------------
A proxy or sidecar accepted the connection and could not reach what stands behind it (Envoy reads first and then closes
in order; HAProxy with no server up and no error file); the program crashed or a worker ended while it handled the
request; nginx was told return 444; the server ended an idle or incomplete request (keepalive_timeout,
client_header_timeout); client and server speak different protocols (plain text to a TLS port, HTTP/2 to HTTP/1). curl
says: (52) Empty reply from server. Where it came after a second or more of silence, a time-out or a protocol without
answers is as likely, and the confidence is 0.65.

How to confirm
--------------
The server's or proxy's log at that time (Envoy: response flags UF, UH, UC; HAProxy: termination state, SC or sC; nginx:
status 444); ss -ltn on what stands behind it.
In Wireshark: tcp.flags.fin == 1 && tcp.seq == 1 && tcp.srcport == PORT

How to fix
----------
Make the upstream reachable, or let the proxy answer 503; find the crash; use the protocol and port that match.

When it stays silent
--------------------
The server sent any payload; the client closed first (a protocol without answers); no request was sent (a health check);
it ended by a RST (sidecar-reset); the start of the connection is not in the capture, or nothing of the server is.

References
----------
RFC 9293 section 3.6; RFC 9112 section 9.6; curl(1), exit status 52; Envoy access log response flags.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, frames_filter, numbers
from tcptrace.schema import CLOSED_BY

RULE = Rule(
    name="empty-reply",
    family="close",
    severity="warning",
    explains=("half-close",),
)

BY_SERVER = CLOSED_BY.index("server")


QUIET_NS = 1_000_000_000
"""Who closes so long after the request had time to answer: it gave up, or the protocol has no answer."""

ONE_WAY_NS = 5_000_000_000
"""Who writes for so long and hears nothing may expect no answer: logs and metrics are told one way."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow whose client sent payload and whose server sent a FIN, but nothing else."""
    flows = evidence.flows
    empty = (flows.client_payload_bytes > 0) & (flows.server_payload_bytes == 0) & (flows.midstream == 0)
    for story in evidence.stories(empty & (flows.closed_by == BY_SERVER)):
        request, fin = story.first("data", CLIENT), story.first("fin", SERVER)
        if request and fin and _is_one(story, request, fin):
            yield _finding(story, request, fin)


def _is_one(story: Story, request: Told, fin: Told) -> bool:
    """Whether the FIN is the server's first word, and acknowledges the request."""
    first_word = fin.seq == 1 and fin.len == 0 and fin.ack > request.seq and request.frame < fin.frame
    return first_word and not any(told.is_fin or told in story.endings() for told in story.before(fin))


def _finding(story: Story, request: Told, fin: Told) -> Finding:
    frames = numbers([request, fin])
    spoke_ns = story.sides[CLIENT].last_data_ns - request.time_ns
    one_way = (
        [f"the client went on writing for {elapsed(spoke_ns)} without an answer"] if spoke_ns >= ONE_WAY_NS else []
    )
    is_quiet = fin.idle_ns >= QUIET_NS
    return RULE.finding(
        confidence=0.5 if one_way else 0.65 if is_quiet else 0.9,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.server} took {fin.ack - 1} bytes of request from {story.client} (frame {request.frame}) and closed"
            f" {elapsed(apart_ns(request, fin))} later without a byte of answer (frame {fin.frame})."
        ),
        cause=(
            "a proxy that gave up on its upstream, a time-out, a program that ended, or one with nothing to say"
            if is_quiet
            else "a proxy could not reach its upstream, the program crashed or gave up, or the protocols do not match"
        ),
        evidence=(
            f"the FIN stands at the server's first byte and acknowledges {fin.ack - 1} bytes of the client",
            *([f"{elapsed(fin.idle_ns)} without a segment before it"] if is_quiet else []),
            *one_way,
        ),
        disproof="a protocol in which the server has nothing to say",
        confirm=f"Wireshark: {frames_filter(frames)}   the log of {story.server}; ss -ltn behind it",
        fix="make the upstream reachable, or let the proxy answer with an error; find the crash",
    )
