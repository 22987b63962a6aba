"""Both sides closed at once: their FINs crossed.

What it detects
---------------
A FIN from each side, neither of which acknowledges the other.

Why it happens
--------------
Both programs closed within the time a segment travels. Each side goes through CLOSING instead of FIN_WAIT_2, and both
end in TIME_WAIT (RFC 9293 section 3.6, case 3). It is legal and complete; both hold the 4-tuple for 2MSL.

How to confirm
--------------
Right after it: ss -tn state closing; ss -tn state time-wait on both sides.
In Wireshark: tcp.stream == N && tcp.flags.fin == 1, neither acknowledges the other's sequence number + 1

How to fix
----------
Nothing. If it happens often, two idle time-outs of the same length race: let one be shorter.

When it stays silent
--------------------
One FIN acknowledges the other (the four- or three-segment close), one is not in the capture, or a RST ended it.

References
----------
RFC 9293 sections 3.3.2 and 3.6.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, frames_filter, numbers
from tcptrace.schema import STATES

RULE = Rule(
    name="simultaneous-close",
    family="close",
    severity="info",
)

CLOSING = STATES.index("CLOSING")


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow with two FINs that did not know of each other."""
    steps = evidence.transitions
    closing = np.isin(evidence.flows.flow, steps.flow[steps.to_state == CLOSING])
    for story in evidence.stories(closing & ~flows_with_reset(evidence)):
        first, second = story.first("fin", CLIENT), story.first("fin", SERVER)
        if first and second and _cross(first, second) and _cross(second, first):
            yield _finding(story, first, second)


def _cross(fin: Told, other: Told) -> bool:
    """Whether a FIN was sent before the other was known."""
    return 0 <= fin.ack <= other.seq + other.len


def _finding(story: Story, first: Told, second: Told) -> Finding:
    frames = numbers([first, second])
    return RULE.finding(
        confidence=0.9,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.client} and {story.server} closed within {elapsed(abs(apart_ns(first, second)))} (frames"
            f" {first.frame}, {second.frame}): their FINs crossed, and both go through CLOSING to TIME_WAIT."
        ),
        cause="both programs closed within the time a segment travels",
        evidence=("neither FIN acknowledges the other",),
        disproof="an ACK of the first FIN, sent before the second, that the capture lacks",
        confirm=f"Wireshark: {frames_filter(frames)}   both sides: ss -tn state time-wait",
        fix="nothing to do",
    )
