"""One side ended the connection by a RST where a FIN belongs.

What it detects
---------------
An established connection that one side ends by a RST of its own accord: it had not sent a FIN, and the other side had
not asked for it. Linux and most others send RST+ACK then; a bare RST counts (older Windows, macOS) where it can be no
answer.

Why it happens
--------------
Two ways on Linux (net/ipv4/tcp.c, __tcp_close): the program set SO_LINGER with a linger time of 0 and called close()
(TCPAbortOnData), or it called close(), or exited, while data lay unread in the receive buffer (TCPAbortOnClose; RFC
1122 section 4.2.2.13, RFC 2525 section 2.17). Either way what was not yet sent or read is thrown away and the other
side gets ECONNRESET. Some clients and health checks do so on purpose, to save themselves TIME_WAIT. The wire tells the
two apart only where the other side never sent payload, or the RST acknowledges none of it (then nothing could be
unread), or the sender's window was closed (then much was unread). Else the likelier one is named first: unread data
where the other side had just spoken, SO_LINGER where the program had the last word or time to read. A RST with payload
is neither: no common kernel sends one, so that something in between, or a stack of its own kind, made it.

How to confirm
--------------
On the side that reset: nstat -az TcpExtTCPAbortOnData TcpExtTCPAbortOnClose TcpEstabResets, before and after;
strace -f -e trace=setsockopt,close -p PID shows SO_LINGER {onoff=1, linger=0}. While it lasts: ss -tn, Recv-Q > 0.
In Wireshark: tcp.flags.reset == 1 && tcp.flags.ack == 1

How to fix
----------
Remove SO_LINGER 0; read to the end of the data before close(), or shutdown(SHUT_WR) first and read what still comes. A
server that answers an error before it has read a large request should read the rest (nginx: lingering_close).

When it stays silent
--------------------
The side had closed by FIN, or went on after the RST; a bare RST answers a segment, so that a kernel without a socket
sent it (first-data-reset, write-after-close, idle-timeout); its repeats or keep-alives had gone unanswered
(keepalive-timeout); it does not fit its sender (reset-injected); no byte of answer to an acknowledged request
(sidecar-reset); nothing had been said for minutes (idle-timeout). Where nothing could be lost it is info: the other
side had closed by FIN, all acknowledged but for a farewell (TLS close_notify), or had closed or refused by a TLS alert,
or the client connected and said nothing.

References
----------
RFC 9293 section 3.6; RFC 1122 section 4.2.2.13; RFC 2525 section 2.17; socket(7), SO_LINGER; Linux net/ipv4/tcp.c.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset, endings, flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, Story, elapsed, frames_filter, numbers

RULE = Rule(
    name="abortive-close",
    family="reset",
    severity="warning",
    thresholds={
        "farewell_bytes": Threshold(100, "bytes", "most that may be lost without harm where the other side had closed"),
        "read_ms": Threshold(1000, "ms", "time after which a program has read what it wants of what came"),
    },
)

SYN_ACK_OR_DATA = 2 | 8
"""In FlowMeasures.completeness."""

LINGER = "SO_LINGER with time 0: the program asked for a RST instead of a FIN"
UNREAD = "close() while data of the other side lay unread in the receive buffer"
FOREIGN = "something in between, or a stack of its own kind, made this RST: no common kernel puts payload into one"
SURE = 0.85
UNSURE = 0.6
"""Most where the wire does not tell the two causes apart."""
DOUBTFUL = 0.4
"""Where it may be no close of that side at all."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow whose first RST is a socket's own."""
    refused = (evidence.measures.completeness & SYN_ACK_OR_DATA == 0) & (evidence.flows.midstream == 0)
    for story in evidence.stories(flows_with_reset(evidence) & ~refused):
        reset = next(endings(story), None)
        if reset and _aborts(reset):
            yield _finding(reset, thresholds)


def _aborts(reset: Reset) -> bool:
    own = (reset.rst.has_ack or reset.is_unasked) and reset.was_open and not reset.goes_on and not reset.is_stale
    return own and reset.sent_before("fin", reset.side) is None and not _gave_up(reset)


def _gave_up(reset: Reset) -> bool:
    """Whether the sender had asked twice in vain before."""
    before = reset.story.before(reset.rst)
    heard = max((told.frame for told in before if told.side == reset.peer), default=0)
    asked = [told for told in before if told.side == reset.side and told.frame > heard]
    return sum(told.is_kind("probe") or told.repeats == "timeout" for told in asked) > 1


def _cause(reset: Reset, read_ms: float) -> tuple[str, float]:
    """What made the kernel send a RST, the likelier cause first, and how sure that is."""
    story = reset.story
    if reset.has_payload:
        return FOREIGN, DOUBTFUL
    own, peer = story.sides[reset.side], story.sides[reset.peer]
    if story.flow.midstream == 0 and _readable(reset) == 0 and peer.last_frame > 0:
        return LINGER, SURE
    if own.is_closed:
        return UNREAD, SURE
    if own.last_data_frame < peer.last_data_frame and reset.rst.idle_ns < read_ms * 1e6:
        return f"{UNREAD}; or {LINGER}", UNSURE
    return f"{LINGER}; or {UNREAD}", UNSURE


def _payload(story: Story) -> tuple[int, int]:
    return story.flow.client_payload_bytes, story.flow.server_payload_bytes


def _taken(reset: Reset) -> int:
    """Payload of the other side that the sender acknowledged."""
    story, rst = reset.story, reset.rst
    acked = max(rst.ack if rst.has_ack else 0, int(story.sides[reset.peer].acked))
    got = _payload(story)[reset.peer]
    return got if story.flow.midstream or acked <= 0 else min(got, acked - 1)


def _readable(reset: Reset) -> int:
    """Payload that had come to the sender: its RST acknowledges all that had; a bare one leaves that open."""
    return _taken(reset) if reset.rst.has_ack else _payload(reset.story)[reset.peer]


def _loses_nothing(reset: Reset, farewell_bytes: float) -> bool:
    """Whether the other side had closed and all but a farewell was taken, or the client had come only to look."""
    story, fin = reset.story, reset.sent_before("fin", reset.peer)
    if reset.alert:
        return True
    if fin:
        lost = reset.rst.seq - story.sides[reset.side].acked
        taken = max(reset.rst.ack, int(story.sides[reset.peer].acked))
        return taken >= fin.seq + fin.len and bool(lost <= farewell_bytes)
    is_mute = _payload(story)[CLIENT] == 0 and story.flow.midstream == 0
    return reset.side == CLIENT and is_mute and _readable(reset) == 0


def _is_partial(reset: Reset) -> bool:
    """Whether its form leaves a doubt, or something is missing of the connection."""
    return reset.is_bare or reset.story.flow.midstream == 1 or reset.story.sides[reset.peer].last_frame == 0


def _finding(reset: Reset, thresholds: Thresholds) -> Finding:
    story, rst = reset.story, reset.rst
    closer, other = story.end(reset.side), story.end(reset.peer)
    cause, confidence = _cause(reset, thresholds["read_ms"])
    harmless = _loses_nothing(reset, thresholds["farewell_bytes"])
    frames = _frames(reset)
    sent, got = _payload(story)[reset.side], _taken(reset)
    did = "reset" if not reset.has_payload else "is said, by a RST with payload, to have reset"
    return RULE.finding(
        severity="info" if harmless else "warning",
        confidence=confidence - (0.1 if _is_partial(reset) else 0),
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {reset.side} {harmless} {cause}",
        summary=(
            f"{closer} {did} the connection with {other} {story.at(rst.time_ns)} into it (frame {rst.frame}) instead"
            f" of closing it, after {sent} bytes sent and {got} received."
        ),
        cause=cause,
        evidence=tuple(_evidence(reset, thresholds["read_ms"])),
        disproof=f"TcpExtTCPAbortOnData and TcpExtTCPAbortOnClose of {closer} did not count it",
        confirm=f"Wireshark: {frames_filter(frames)}   {closer}: nstat -az TcpExtTCPAbortOnData TcpExtTCPAbortOnClose",
        fix=_fix(reset, harmless),
    )


def _frames(reset: Reset) -> tuple[int, ...]:
    """The RST, and before it what the other side said last: its last payload, its FIN."""
    said, fin = int(reset.story.sides[reset.peer].last_data_frame), reset.sent_before("fin", reset.peer)
    return tuple(
        sorted({*([said] if 0 < said < reset.rst.frame else []), *numbers([fin] if fin else []), reset.rst.frame})
    )


def _evidence(reset: Reset, read_ms: float) -> Iterator[str]:
    closer, other, rst = reset.story.end(reset.side), reset.story.end(reset.peer), reset.rst
    whose = "" if reset.has_payload else "which nobody asked for, " if reset.is_bare else "the form of a socket's own, "
    yield f"{reset.form}, {whose}at byte {rst.seq} of {closer}"
    yield f"no FIN of {closer} before it" + (f"; {other} had closed" if reset.sent_before("fin", reset.peer) else "")
    if _payload(reset.story)[reset.peer] and _readable(reset) == 0:
        yield f"none of the {_payload(reset.story)[reset.peer]} bytes that {other} sent had come: it acknowledges none"
    if reset.alert:
        yield f"{other} had closed, or refused, by a TLS alert (frame {reset.alert})"
    if rst.idle_ns >= read_ms * 1e6:
        yield f"{elapsed(rst.idle_ns)} without a segment before it: a time-out, or the end of the program"


def _fix(reset: Reset, harmless: bool) -> str:
    if reset.has_payload:
        return "find what made it: capture at both ends and compare, and read its payload"
    return "nothing to do" if harmless else "no SO_LINGER 0; read to the end before close()"
