"""More than one segment in a hundred had to be sent again.

What it detects
---------------
One direction of a flow in which at least `copies` segments were sent again and these are more than `percent` of all
its segments. Repeats that proved needless (DSACK, or acknowledged before) and frames that the capture holds twice do
not count; neither do segments that were only overtaken on their way. Where segments are larger than the MSS (TSO, GRO),
their number on the wire is reckoned from the payload.

Why it happens
--------------
Segments are lost: a queue overflows (a policer, a shaper, a switch port of lower speed, a full rx ring), a link is
damaged (cable, optics, duplex mismatch), radio. The sender learns of it by duplicate ACKs and SACK (RFC 5681 section
3.2; RACK, RFC 8985) or by its timer (RFC 6298), sends again and shrinks its congestion window: throughput falls with
the square root of the loss and with the round trip, to about 12 MSS a round trip at one loss in a hundred.

How to confirm
--------------
On the sender: ss -ti dst ADDRESS shows retrans:NOW/TOTAL and bytes_retrans; nstat -az TcpRetransSegs
TcpExtTCPFastRetrans TcpExtTCPTimeouts TcpExtTCPLostRetransmit. Where the segments go: ip -s -s link, ethtool -S DEVICE,
tc -s qdisc, nstat -az TcpExtTCPBacklogDrop TcpExtTCPRcvQDrop; mtr -T -P PORT ADDRESS.
In Wireshark: tcp.stream == N && (tcp.analysis.retransmission || tcp.analysis.out_of_order)

How to fix
----------
Find the hop that drops: capture at both ends and compare (tcptrace correlate). Then enlarge its queue or let the sender
pace (fq, BBR), correct the policer's burst, replace the cable or the optics.

When it stays silent
--------------------
Fewer repeats than `copies`, whatever their share; a share of `percent` or less; repeats without payload (SYN, FIN); a
flow of which the capture holds more than a tenth of the frames twice (duplicate-frames). Where they have no IP
identification (IPv6), or segmentation offload cut one and not the other, what a router sent on looks like repeats: with
a lower TTL than what was sent first, before and after them. That is info.

References
----------
RFC 5681; RFC 8985; RFC 2883; Mathis et al., The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm,
Computer Communication Review 27(3), 1997; Linux net/ipv4/tcp_input.c, tcp_xmit_recovery; net/ipv4/tcp_output.c,
tcp_retransmit_skb.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, counted, numbers
from tcptrace.schema import I64, Bools

RULE = Rule(
    name="high-retransmission",
    family="transfer",
    severity="warning",
    thresholds={
        "copies": Threshold(10, "", "segments of one direction sent again, needless ones apart"),
        "percent": Threshold(1, "%", "their share of all its segments, which must be exceeded"),
    },
    explains=("rto-stall",),
)

MSS_USUAL = 1460
DOUBLED_SHARE = 10


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction that repeated often and needed to."""
    for side in (CLIENT, SERVER):
        if evidence.measured(side, "retransmissions").max(initial=0) < thresholds["copies"]:
            continue
        copies, segments = _needed(evidence, side), _segments(evidence, side)
        many = (copies >= thresholds["copies"]) & (copies * 100 > thresholds["percent"] * segments)
        for story in evidence.stories(many & ~_is_doubled(evidence)):
            repeats = [told for told in story.kind("repeat", side) if told.len > 0]
            if repeats:
                row = evidence.row_of(story.number)
                find = _seen_twice if _passed_router(story, side, repeats) else _finding
                yield find(story, side, repeats, int(copies[row]), int(segments[row]))


def _needed(evidence: Evidence, side: int) -> I64:
    """Segments sent again but for those that proved needless."""
    needless = np.maximum(evidence.measured(side, "spurious"), evidence.measured(side, "dsacks"))
    return evidence.measured(side, "retransmissions") - needless


def _is_doubled(evidence: Evidence) -> Bools:
    """Whether the capture holds so many frames twice that what seems to be sent again may be one of them."""
    copies = evidence.measures.client_copies + evidence.measures.server_copies
    doubled: Bools = copies * DOUBLED_SHARE > evidence.flows.client_frames + evidence.flows.server_frames
    return doubled


def _segments(evidence: Evidence, side: int) -> I64:
    """Segments sent, as many as they were on the wire."""
    flows = evidence.flows
    frames = (flows.client_frames, flows.server_frames)[side] - evidence.measured(side, "copies")
    payload = (flows.client_payload_bytes, flows.server_payload_bytes)[side]
    mss = evidence.sides[1 - side].mss
    on_the_wire: I64 = np.maximum(frames, payload // np.where(mss > 0, mss, MSS_USUAL))
    return on_the_wire


def _finding(story: Story, side: int, repeats: list[Told], copies: int, segments: int) -> Finding:
    sender, receiver = story.end(side), story.end(1 - side)
    timeouts, frames = story.measured(side, "timeouts"), numbers(repeats)
    heard = (story.flow.client_frames, story.flow.server_frames)[1 - side] > 0
    return RULE.finding(
        confidence=0.7 if not heard else 0.9 if story.flow.midstream else 0.95,
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{sender} sent {copies:,} of {segments:,} segments again to {receiver}, {100 * copies / segments:.2g} %"
            f" (first at frame {frames[0]}, {story.at(repeats[0].time_ns)} after the flow's start)."
        ),
        cause=_cause(story, side, repeats, copies),
        evidence=(
            f"{timeouts:,} of them only after a timeout" + _others(repeats),
            f"{counted(story.measured(side, 'dsacks'), 'duplicate')} reported by the receiver (DSACK), not counted",
        ),
        disproof="DSACKs for these repeats in a capture nearer to the receiver: then they were needless",
        confirm=f"Wireshark: tcp.stream == {story.number} && (tcp.analysis.retransmission || tcp.analysis.out_of_order)"
        f"   sender: ss -ti dst {receiver.rpartition(':')[0]}; nstat -az TcpRetransSegs",
        fix="find the hop that drops: capture nearer to both ends and compare; ethtool -S, tc -s qdisc there",
    )


def _passed_router(story: Story, side: int, repeats: list[Told]) -> bool:
    """Whether what seems to be sent again is what a router sent on: its TTL is lower, before and after."""
    sent = [told for told in story.of(side) if told.repeats == "none"]
    first, lowered = story.first("syn", side) or (sent or repeats)[0], max(told.ttl for told in repeats)
    return 0 <= lowered < first.ttl and any(told.ttl == first.ttl for told in sent if told.frame > repeats[0].frame)


def _seen_twice(story: Story, side: int, repeats: list[Told], copies: int, segments: int) -> Finding:
    frames = numbers(repeats)
    return RULE.finding(
        severity="info",
        confidence=0.8,
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side} twice",
        summary=(
            f"{story.end(side)} seems to have sent {copies:,} of {segments:,} segments again to {story.end(1 - side)},"
            f" {100 * copies / segments:.2g} % (first at frame {frames[0]}): the capture holds them twice."
        ),
        cause="captured on both sides of a router (tcpdump -i any on it), where segmentation offload may have cut them",
        evidence=(
            f"TTL {max(told.ttl for told in repeats)} in {counted(len(repeats), 'repeat')} looked at, and higher in"
            " what was sent first, before and after",
        ),
        disproof="a capture at one interface, with offload turned off, shows the same repeats",
        confirm=f"Wireshark: tcp.stream == {story.number} && (tcp.analysis.retransmission || tcp.analysis.out_of_order)"
        "   in a capture on any: sll.pkttype as a column",
        fix="nothing to do on the network; capture at one interface (tcpdump -i eth0, not any)",
    )


def _others(repeats: list[Told]) -> str:
    """What is known of the repeats that no timer caused, by those that are notable."""
    kinds = {told.repeats for told in repeats} - {"timeout"}
    if kinds & {"fast", "go_back_n"}:
        return ", others on duplicate or selective acknowledgements or in their wake"
    return "; what caused the others cannot be seen" if kinds else ""


def _cause(story: Story, side: int, repeats: list[Told], copies: int) -> str:
    """Loss on the way, or a peer that was never heard of again once most of them began."""
    last_heard = int(story.sides[1 - side].last_frame)
    if last_heard and 2 * story.sides[side].unanswered_repeats >= copies:
        return f"the peer, its host or the way to or from it was lost: nothing of it came after frame {last_heard}"
    return f"segments are lost {_where(story, side, repeats)}: a full queue, a policer, a damaged link"


def _where(story: Story, side: int, repeats: list[Told]) -> str:
    """Before the place of the capture, where first sendings are missing there, or behind it."""
    missing = _missing(story, side)
    if not missing:
        return "behind the place of this capture, which saw their first sending"
    return "before the place of this capture" + ("" if missing >= len(repeats) // 2 else ", and behind it")


def _missing(story: Story, side: int) -> int:
    """How many of the notable segments show that first sendings are missing here."""
    return sum(told.has_label("lost_segment") for told in story.kind("gap", side))
