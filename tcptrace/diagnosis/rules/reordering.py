"""Segments arrived in another order than they were sent.

What it detects
---------------
At least `segments` segments of one direction that the capture sees behind later ones, though they were made before
them: their timestamps or IP identifications are older, or, where neither tells, they come within a round trip and
nobody asked for them again. Nothing was lost.

Why it happens
--------------
One flow takes several ways: per-packet load sharing, a bond in balance-rr, a route that changes, a link that repeats
frames (Wi-Fi), a router or a virtual switch that handles one flow on several CPUs (RPS, multi-queue without a flow
hash). The receiver acknowledges each gap with a duplicate ACK; three of them look like a loss to an old sender
(tcp_reordering = 3), RACK waits for a quarter of a round trip first (RFC 8985).

How to confirm
--------------
On the sender: nstat -az TcpExtTCPSACKReorder TcpExtTCPTSReorder; ss -ti dst ADDRESS shows reordering: and
reord_seen:. On the receiver: nstat -az TcpExtTCPOFOQueue; ss -ti shows rcv_ooopack:. A bond's mode stands in
/proc/net/bonding/bond0.
In Wireshark: tcp.stream == N && tcp.analysis.out_of_order

How to fix
----------
Nothing where the sender copes. Otherwise spread by flow, not by packet: bond mode 802.3ad or balance-xor with
xmit_hash_policy layer3+4, ECMP with a hash over ports (net.ipv4.fib_multipath_hash_policy = 1), one queue a flow.

When it stays silent
--------------------
Segments that fill a gap after they were sent again, however soon; a capture that sees them in order because it lies
before the place where they overtake each other; files whose frames are not in order of time (clock-step).

References
----------
RFC 4737; RFC 8985 section 6.2; Linux Documentation/networking/bonding.rst; net/ipv4/tcp_recovery.c.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, frames_filter, numbers

RULE = Rule(
    name="reordering",
    family="transfer",
    severity="info",
    thresholds={"segments": Threshold(1, "", "fewest segments of one direction that others overtook")},
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction with segments that came behind later ones."""
    for side in (CLIENT, SERVER):
        reordered = evidence.measured(side, "reordered")
        for story in evidence.stories((reordered > 0) & (reordered >= thresholds["segments"])):
            if story.kind("reordered", side):
                yield _finding(story, side)


def _finding(story: Story, side: int) -> Finding:
    late = story.kind("reordered", side)
    told_by_sender = all(told.tsval >= 0 or told.ip_id > 0 for told in late)
    frames, overtaken = numbers(late), story.measured(side, "reordered")
    sent = (story.flow.client_frames, story.flow.server_frames)[side]
    return RULE.finding(
        confidence=0.9 if told_by_sender else 0.6,
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{overtaken:,} of {sent:,} segments from {story.end(side)} to {story.end(1 - side)} came behind later ones"
            f" (first frame {frames[0]}), late but not lost."
        ),
        cause="between the sender and this capture one flow takes several ways: links, queues or CPUs",
        evidence=(
            "their timestamps or IP identifications are older than those of the segments before them"
            if told_by_sender
            else "they came within a round trip of the segments that overtook them",
        ),
        disproof="the sender itself sent them again: its own capture shows them twice",
        confirm=f"Wireshark: {frames_filter(frames)}   sender: nstat -az TcpExtTCPSACKReorder TcpExtTCPTSReorder",
        fix="none where the sender copes; otherwise spread load by flow (bond, ECMP, queues), not by packet",
    )
