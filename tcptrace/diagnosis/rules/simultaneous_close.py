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
In Wireshark: tcp.stream == N && tcp.flags.fin == 1
Neither FIN acknowledges the other's sequence number + 1.

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
from tcptrace.rows import distinct
from tcptrace.schema import I64, KINDS, STATES, Bools, Notable

RULE = Rule(
    name="simultaneous-close",
    family="close",
    severity="info",
)

CLOSING = STATES.index("CLOSING")
TOLD_SINGLY = 3
"""Flows of one listener that are each a finding; more are one."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow with two FINs that did not know of each other."""
    steps, flows = evidence.transitions, evidence.flows
    closing = np.isin(flows.flow, steps.flow[steps.to_state == CLOSING]) & ~flows_with_reset(evidence)
    rows = np.flatnonzero(closing & _cross(evidence) & ~np.isin(flows.flow, evidence.explained))
    listener = flows.server[rows].astype(np.int64) << 16 | flows.server_port[rows]
    for alike in (rows[listener == key] for key in distinct(listener)):
        for group in [alike] if len(alike) > TOLD_SINGLY else alike.reshape(-1, 1):
            story = evidence.story(int(group[0]))
            yield _finding(story, story.kind("fin", CLIENT)[0], story.kind("fin", SERVER)[0], flows.flow[group])


def _cross(evidence: Evidence) -> Bools:
    """Whether each flow has two FINs, each sent before the other was known; a busy server has thousands of them."""
    told = evidence.notable
    fins = np.flatnonzero(told.kinds >> KINDS.index("fin") & 1 == 1)
    first_of = [fins[told.side[fins] == side] for side in (CLIENT, SERVER)]
    (clients, at), (servers, beside) = (np.unique(told.flow[rows], return_index=True) for rows in first_of)
    both, of_client, of_server = np.intersect1d(clients, servers, assume_unique=True, return_indices=True)
    client, server = first_of[CLIENT][at[of_client]], first_of[SERVER][beside[of_server]]
    cross = _unaware(told, client, server) & _unaware(told, server, client)
    found: Bools = np.isin(evidence.flows.flow, both[cross])
    return found


def _unaware(told: Notable, fin: I64, other: I64) -> Bools:
    """Whether a FIN was sent before the other was known."""
    unaware: Bools = (told.ack[fin] >= 0) & (told.ack[fin] <= told.seq[other] + told.len[other])
    return unaware


def _finding(story: Story, first: Told, second: Told, flows: I64) -> Finding:
    frames = numbers([first, second])
    many = f"{len(flows):,} flows alike. One of them: " if len(flows) > 1 else ""
    return RULE.finding(
        confidence=0.9,
        flows=tuple(flows.tolist()),
        frames=frames,
        alike=story.server,
        summary=(
            f"{many}{story.client} and {story.server} closed within {elapsed(abs(apart_ns(first, second)))} (frames"
            f" {first.frame}, {second.frame}): their FINs crossed, and both go through CLOSING to TIME_WAIT."
        ),
        cause="both programs closed within the time a segment travels",
        evidence=("neither FIN acknowledges the other",),
        disproof="an ACK of the first FIN, sent before the second, that the capture lacks",
        confirm=f"Wireshark: {frames_filter(frames)}   both sides: ss -tn state time-wait",
        fix="nothing to do",
    )
