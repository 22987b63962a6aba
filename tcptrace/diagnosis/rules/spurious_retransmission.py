"""Segments were sent again that had arrived.

What it detects
---------------
One direction of a flow that sent at least `copies` segments again which its peer had: it had acknowledged them before
the repeat, or reports them as duplicates (DSACK), or acknowledges the timestamp of the first sending.

Why it happens
--------------
The sender takes a delay for a loss: the path stood still for longer than its timer (radio, a paused virtual machine, a
full buffer), segments overtook each other by more than it allows (tcp_reordering = 3, at most tcp_max_reordering = 300;
RACK waits a quarter of a round trip), acknowledgements were lost, or the receiver delayed its ACK for longer than the
tail loss probe waits. A single needless probe is how probes work, and harmless. Linux finds most of it out afterwards
(F-RTO, tcp_frto = 2; tcp_try_undo_loss, tcp_try_undo_recovery) and takes back the reduction of its congestion window.

How to confirm
--------------
On the sender: nstat -az TcpExtTCPDSACKRecv TcpExtTCPDSACKOfoRecv TcpExtTCPSpuriousRTOs TcpExtTCPSACKReorder;
ss -ti dst ADDRESS shows dsack_dups: and reordering:. On the receiver: nstat -az TcpExtTCPDSACKOldSent.
In Wireshark: tcp.stream == N && (tcp.analysis.spurious_retransmission || tcp.options.sack.dsack)

How to fix
----------
Nothing while it is rare. Otherwise find what delays: queues (tc -s qdisc), bonding or ECMP that sprays one flow over
several links, a hypervisor's scheduling. Keep SACK, timestamps, tcp_recovery = 1 and tcp_frto on.

When it stays silent
--------------------
No repeat proved needless: the peer neither reported a duplicate nor had acknowledged before. Keep-alives and probes of
a closed window are no repeats; frames that the capture holds twice neither.

References
----------
RFC 2883; RFC 5682; RFC 8985; Linux net/ipv4/tcp_input.c, tcp_check_dsack, tcp_try_undo_loss.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, counted, numbers

RULE = Rule(
    name="spurious-retransmission",
    family="transfer",
    severity="info",
    thresholds={"copies": Threshold(1, "", "fewest needless repeats of one direction")},
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction with repeats of which its peer showed that they were needless."""
    for side in (CLIENT, SERVER):
        reported = np.minimum(evidence.measured(side, "dsacks"), evidence.measured(side, "retransmissions"))
        needless = np.maximum(evidence.measured(side, "spurious"), reported)
        for story in evidence.stories((needless > 0) & (needless >= thresholds["copies"])):
            finding = _finding(story, side, int(needless[evidence.row_of(story.number)]))
            if finding:
                yield finding


def _finding(story: Story, side: int, needless: int) -> Finding | None:
    repeats = [told for told in story.kind("repeat", side) if told.len > 0]
    proven = [told for told in repeats if told.repeats == "spurious"]
    frames = numbers(proven or repeats)
    if not frames:
        return None
    sender, receiver, dsacks = story.end(side), story.end(1 - side), story.measured(side, "dsacks")
    overtaken = story.measured(side, "reordered") > 0 or any(told.repeats == "fast" for told in repeats)
    return RULE.finding(
        confidence=0.9 if proven or dsacks >= story.measured(side, "retransmissions") else 0.7,
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{sender} sent {counted(needless, 'segment')} again that {receiver} had already"
            f" ({'frame' if len(frames) == 1 else 'frames from'} {frames[0]})."
        ),
        cause=(
            "segments overtook each other by more than the sender allows: duplicate ACKs looked like a loss"
            if overtaken
            else "the path or the acknowledgement took longer than the sender's timer or probe waits"
        ),
        evidence=(
            f"{counted(dsacks, 'duplicate')} reported by the receiver (DSACK)",
            f"{counted(story.measured(side, 'retransmissions'), 'segment')} sent again in all",
        ),
        disproof="the first sendings were lost, and the DSACKs tell of copies made by the network or of a part of them",
        confirm=f"Wireshark: tcp.stream == {story.number} && (tcp.analysis.spurious_retransmission ||"
        " tcp.options.sack.dsack)   sender: nstat -az TcpExtTCPDSACKRecv TcpExtTCPSpuriousRTOs",
        fix="none while it is rare; otherwise look for queues, paused machines, paths of unequal length",
    )
