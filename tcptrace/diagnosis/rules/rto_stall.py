"""A sender stood still until its timer ran out.

What it detects
---------------
Payload that was sent again after its sender's retransmission timeout, which for `silence_ms` or longer before had sent
nothing new and been acknowledged nothing. Each such wait is time in which the other application got nothing.

Why it happens
--------------
A loss that nothing reveals sooner: the last segments of an answer are lost, so that no later one draws a duplicate ACK;
the repeat itself is lost; or so little is on its way that three duplicate ACKs cannot come. Linux first sends a tail
loss probe after about two round trips (tcp_early_retrans = 3; RFC 8985 section 7), then waits for the timer:
the smoothed round trip plus at least 200 ms (TCP_RTO_MIN; ip route ... rto_min; tcp_rto_min_us from 6.11 on), doubled
at each further timeout (tcp_retransmit_timer), up to tcp_retries2 = 15 times. The congestion window falls to one
segment (tcp_enter_loss).

How to confirm
--------------
On the sender: ss -ti dst ADDRESS shows rto:, backoff: and lost:; nstat -az TcpExtTCPTimeouts TcpExtTCPLossProbes
TcpExtTCPSpuriousRTOs.
In Wireshark: tcp.stream == N && tcp.analysis.rto

How to fix
----------
Remove the loss (see high-retransmission). Inside a data centre a lower minimum shortens the wait: ip route change ...
rto_min 20ms, if no receiver delays its ACKs for longer. Keep tcp_early_retrans, tcp_recovery and SACK on; larger
writes or more data in flight let duplicate ACKs tell of a loss.

When it stays silent
--------------------
Repeats asked for by duplicate ACKs or SACK, tail loss probes, SYNs and FINs sent again, probes of a closed window, a
capture behind the loss that saw neither the first sending nor later segments.

References
----------
RFC 6298; RFC 8985 section 7; Linux net/ipv4/tcp_timer.c, tcp_retransmit_timer; Documentation/networking/ip-sysctl.rst.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import (
    CLIENT,
    SERVER,
    Story,
    Told,
    apart_ns,
    counted,
    elapsed,
    frames_filter,
    numbers,
    times,
)

RULE = Rule(
    name="rto-stall",
    family="transfer",
    severity="warning",
    thresholds={"silence_ms": Threshold(200, "ms", "shortest wait of a sender that is told")},
)

DOUBLED = 1.5, 2.7
"""A wait that many times the one before is told as doubled: timers tick, and a probe may start one anew."""

WRITTEN_NS = 1_000_000
"""Waits are kept in whole milliseconds."""

TIMER_MAX_NS = 130_000_000_000
"""No timer runs longer (Linux: TCP_RTO_MAX, 120 s): what takes longer was no sender that waits."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction with a timeout that came after a silence."""
    for side in (CLIENT, SERVER):
        for story in evidence.stories(evidence.measured(side, "timeouts") > 0):
            least_ns = max(thresholds["silence_ms"] * 1e6, story.sides[side].rtt_min_ns)
            stalls = [told for told in story.kind("timeout", side) if _is_stall(told, story.sides[side].sent, least_ns)]
            if stalls:
                yield _finding(story, side, stalls)


def _is_stall(told: Told, sent: int, least_ns: float) -> bool:
    is_payload = told.len > 0 and not told.is_fin
    return is_payload and told.seq + told.len <= sent and least_ns <= told.waited_ns <= TIMER_MAX_NS


def _finding(story: Story, side: int, stalls: list[Told]) -> Finding:
    sender, receiver, frames = story.end(side), story.end(1 - side), numbers(stalls)
    waits, is_more = [told.waited_ns for told in stalls], story.is_more("timeout", side)
    how_often = times(len(stalls), at_least=is_more)
    return RULE.finding(
        confidence=_confidence(story, side),
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{sender} stood still {how_often}, {elapsed(sum(waits))}{' or more' * is_more} in all, until its timer"
            f" ran out and it sent again what {receiver} had not acknowledged"
            f" (frame{'s' * (len(frames) > 1)} {_listed(frames)})."
        ),
        cause=_cause(story, side, stalls),
        evidence=(
            f"waited {_listed(elapsed(wait) for wait in waits)}",
            f"repeats {_listed(f'{told.len} bytes at {told.seq}' for told in stalls)}",
            *_probes(story, side, stalls),
            *([f"{counted(story.measured(side, 'timeouts'), 'timeout')} in all"] * is_more),
        ),
        disproof="duplicate ACKs before these repeats that this capture lacks: then they asked for them",
        confirm=f"Wireshark: {frames_filter(frames)}   sender: nstat -az TcpExtTCPTimeouts TcpExtTCPLossProbes",
        fix="remove the loss; inside a data centre lower the route's rto_min; keep SACK and tail loss probes on",
    )


def _confidence(story: Story, side: int) -> float:
    """Lower where duplicate ACKs, or the first sending, may have passed unseen."""
    if (story.flow.client_frames, story.flow.server_frames)[1 - side] == 0:
        return 0.6
    if story.kind("gap", side):
        return 0.7
    return 0.85 if story.flow.midstream else 0.9


def _cause(story: Story, side: int, stalls: list[Told]) -> str:
    """What made the sender wait: needless repeats, a lost repeat, or a loss that nothing revealed."""
    told = next((error for error in story.icmp if error.is_too_big and error.side == side), None)
    if told and told.frame < stalls[0].frame:
        return f"a router had refused a segment as too big (ICMP, frame {told.frame}); the timer had to run out first"
    arrived, is_acked = story.measured(side, "dsacks"), _is_acked(story, side, stalls)
    if is_acked and arrived >= story.measured(side, "retransmissions"):
        return (
            "what was sent again had arrived, or a part of it (DSACK): its acknowledgement was lost, or the path stood"
            " still"
        )
    if is_acked and arrived:
        return (
            "a loss, or acknowledgements that were lost or late: some of what it sent again had arrived"
            f" ({counted(arrived, 'DSACK')} in all)"
        )
    refusals = [told for told in story.after(stalls[0], 1 - side) if told.is_rst and told.frame < stalls[-1].frame]
    if refusals and not is_acked:
        return f"{story.end(1 - side)} answers by RST (frame {refusals[0].frame}), which does not get to the sender"
    if growth := _growth(stalls):
        doubled = all(DOUBLED[0] <= ratio <= DOUBLED[1] for ratio in growth)
        waits = "the waits doubled each time" if doubled else "the waits did not double each time"
        gone = "" if is_acked else ", or the receiver is gone"
        return f"the repeat was lost as well as what it repeats, or its acknowledgement{gone}; {waits}"
    if (story.flow.client_frames, story.flow.server_frames)[1 - side] == 0:
        return "it or its acknowledgement was lost or late: the capture holds nothing of the other side"
    return "a loss that no duplicate ACK revealed: the last segments of what was sent, or too few behind it"


def _is_acked(story: Story, side: int, stalls: list[Told]) -> bool:
    """Whether the other side took in the end what the sender waited for."""
    return bool(story.sides[side].acked >= max(told.seq + told.len for told in stalls))


def _growth(stalls: list[Told]) -> list[float]:
    """By how much each wait for the same bytes was longer than the one before, which may have ended in a probe."""
    pairs = [(before.waited_ns, told.waited_ns) for before, told in pairwise(stalls) if told.seq == before.seq]
    growth = [later / sooner for sooner, later in pairs]
    return growth[1:] if _begins_with_probe(stalls) and len(growth) > 1 else growth


def _begins_with_probe(stalls: list[Told]) -> bool:
    """Whether the timer first ran out for a probe, and then, not yet doubled, for the first timeout."""
    first, second = (*stalls, *stalls)[:2]
    return first.frame != second.frame and first.seq == second.seq and second.waited_ns * 2 < first.waited_ns * 3


def _probes(story: Story, side: int, stalls: list[Told]) -> Iterator[str]:
    """What had been sent as a probe before a timer ran out."""
    for stall in stalls:
        before = story.before(stall, side)[-1:]
        if before and before[0].repeats == "tail_loss_probe" and _waits_for(stall, before[0]):
            waited, frame = elapsed(before[0].waited_ns), before[0].frame
            yield f"before frame {stall.frame} a tail loss probe after {waited} (frame {frame}), in vain"
    if _begins_with_probe(stalls):
        yield f"frame {stalls[0].frame} may be a tail loss probe: the next wait was no longer"


def _waits_for(stall: Told, probe: Told) -> bool:
    """Whether the probe was the last thing that the sender sent, or saw acknowledged, before its timer ran out."""
    return apart_ns(probe, stall) <= stall.waited_ns + WRITTEN_NS


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))
