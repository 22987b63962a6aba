"""A RST that lay inside the window but not exactly at its start was answered by a challenge ACK, and changed nothing.

What it detects
---------------
A RST beyond what its receiver had acknowledged, inside the receiver's window, and the receiver's answer: an ACK that
repeats what it acknowledged before.

Why it happens
--------------
RFC 5961 section 3: only a RST whose sequence number is exactly the next one expected ends a connection; any other
inside the window is answered by an ACK, so that a genuine peer repeats its RST with the right number and a forger has
to guess all 32 bits (Linux: tcp_validate_incoming, tcp_send_challenge_ack; at most one per socket and 500 ms,
net.ipv4.tcp_invalid_ratelimit). The RST was forged or comes from a stale connection, or the segments before it were
lost.

How to confirm
--------------
On the receiver: nstat -az TcpExtTCPChallengeACK counts them.
In Wireshark: tcp.flags.reset == 1 || tcp.analysis.duplicate_ack

How to fix
----------
Nothing at the receiver: this is the defence. Look for who sends such RSTs (reset-injected).

When it stays silent
--------------------
The RST is exact (it ends the connection) or outside the window (it is dropped without a word), what follows
acknowledges something new or carries payload, or the RST stands where its sender stood and the sender fell silent.

References
----------
RFC 5961 section 3; RFC 9293 section 3.10.7.4; Linux net/ipv4/tcp_input.c, Documentation/networking/ip-sysctl.rst.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset, flows_with_reset, resets
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import Told, apart_ns, elapsed, frames_filter, numbers
from tcptrace.schema import KINDS, LABELS, Bools

RULE = Rule(
    name="challenge-ack",
    family="reset",
    severity="info",
)

WINDOW_UNSCALED = 65535
"""Bytes of window that any receiver may have; more only where its scale is known."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow with a RST that its receiver answered by a repeated ACK."""
    for story in evidence.stories(flows_with_reset(evidence) & _flows_with_repeated_answer(evidence)):
        for reset in resets(story):
            answer = next((told for told in story.after(reset.rst, reset.peer) if told.is_kind("answer")), None)
            if answer and _challenges(reset, answer):
                yield _finding(reset, answer)
                break


def _flows_with_repeated_answer(evidence: Evidence) -> Bools:
    told = evidence.notable
    repeated = (told.labels >> LABELS.index("duplicate_ack") & 1 == 1) & (told.kinds >> KINDS.index("answer") & 1 == 1)
    return np.isin(evidence.flows.flow, told.flow[repeated])


def _challenges(reset: Reset, answer: Told) -> bool:
    """Whether the answer only repeats what was acknowledged, to a RST that was inside the window but not exact."""
    beyond = reset.rst.seq - answer.ack
    window = answer.window_bytes if answer.window_bytes > 0 else WINDOW_UNSCALED
    repeated = answer.len == 0 and answer.ack >= 0 and answer.has_label("duplicate_ack")
    believed = not reset.goes_on and reset.rst.seq <= reset.story.sides[reset.side].sent
    return repeated and 0 < beyond < window and not believed


def _finding(reset: Reset, answer: Told) -> Finding:
    story, rst = reset.story, reset.rst
    frames = numbers([rst, answer])
    return RULE.finding(
        confidence=0.9 if reset.goes_on else 0.8,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {reset.side}",
        summary=(
            f"{story.end(reset.peer)} got a RST in the name of {story.end(reset.side)} (frame {rst.frame}) that was"
            f" {rst.seq - answer.ack} bytes beyond what it expected, and answered after"
            f" {elapsed(apart_ns(rst, answer))} by a challenge ACK (frame {answer.frame})."
        ),
        cause="a forged or stale RST, or segments before a genuine one were lost: RFC 5961 asks back first",
        evidence=(
            f"{reset.form}, inside the window but not at its start",
            "the conversation went on" if reset.goes_on else "the conversation did not go on",
        ),
        disproof="segments of the sender up to the RST's number that the capture lacks",
        confirm=f"Wireshark: {frames_filter(frames)}   {story.end(reset.peer)}: nstat -az TcpExtTCPChallengeACK",
        fix="nothing where the connection lived on; find who sent the RST",
    )
