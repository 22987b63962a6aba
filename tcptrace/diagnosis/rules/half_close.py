"""One side closed its half only, and went on reading what the other sent.

What it detects
---------------
A FIN that the other side acknowledged, payload which that side sent knowing it, and acknowledgements of that payload.

Why it happens
--------------
shutdown(SHUT_WR) ends one direction and leaves the other (RFC 9293 section 3.6.1): the program says that it has no more
to ask and reads the answer to its end. rsh, netcat (-N), HTTP/1.0 clients and some RPC protocols do so; so does a
server that stops sending and lets the client finish. Firewalls and balancers count it as closing: their short time-outs
for that (LVS: 120 s, ipvsadm --set, the second number; nf_conntrack_tcp_timeout_close_wait, 60 s) may end it early.

How to confirm
--------------
While it lasts: ss -tn state fin-wait-2 on the side that closed, state close-wait on the other.
In Wireshark: tcp.stream == N && (tcp.flags.fin == 1 || tcp.len > 0)

How to fix
----------
Nothing where it is meant. Where it is not: a program that forgot its close().

When it stays silent
--------------------
The payload was answered by a RST (write-after-close); it was sent before the FIN was known; the other side only closed,
or did nothing at all (close-wait-stuck).

References
----------
RFC 9293 section 3.6.1; shutdown(2); ipvsadm(8).
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import Story, Told, apart_ns, elapsed, frames_filter, numbers

RULE = Rule(
    name="half-close",
    family="close",
    severity="info",
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow in which payload came after the other side's FIN, and was taken."""
    for story in evidence.stories((evidence.count("after_fin") > 0) & ~flows_with_reset(evidence)):
        for written in story.kind("after_fin"):
            fin = story.first("fin", 1 - written.side)
            if fin and fin.frame < written.frame and _was_taken(story, fin, written):
                yield _finding(story, fin, written)
                break


def _was_taken(story: Story, fin: Told, written: Told) -> bool:
    """Whether the writer knew of the FIN, and its payload was acknowledged."""
    return written.ack > fin.seq + fin.len and story.sides[written.side].acked >= written.seq + written.len


def _finding(story: Story, fin: Told, written: Told) -> Finding:
    closer, writer = story.end(fin.side), story.end(written.side)
    frames = numbers([fin, *story.kind("after_fin", written.side)])
    facts, has_closed = story.sides[written.side], story.first("fin", written.side) is not None
    taken = min(facts.acked, facts.sent - has_closed) - written.seq
    return RULE.finding(
        confidence=0.9,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {fin.side}",
        summary=(
            f"{closer} closed its half (frame {fin.frame}) and read on: {writer} sent {taken} bytes more, the"
            f" first {elapsed(apart_ns(fin, written))} later (frame {written.frame})."
        ),
        cause=f"{closer} called shutdown(SHUT_WR), not close()",
        evidence=(f"{writer} had acknowledged the FIN, {closer} acknowledged what came after it",),
        disproof="a RST in answer to that payload",
        confirm=f"Wireshark: {frames_filter(frames)}   {closer}: ss -tn state fin-wait-2",
        fix="nothing to do where it is meant",
    )
