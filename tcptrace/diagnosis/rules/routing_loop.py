"""The same segment passes one point again and again with a falling TTL: it circles between routers.

What it detects
---------------
One segment, told by its numbers and IP identification, that is in the capture `passes` times or more within a second,
each time with a lower TTL (hop limit). Every circle takes as much from the TTL as it has routers; when none is left, a
router says so by ICMP (time exceeded).

Why it happens
--------------
Two or more routers each hold the other for the way to the destination: a default route that points back to a router
whose own route to a network is gone, a summary route without a discard route for what it covers, routing protocols that
have not converged after a failure, a VIP whose network is routed to a director that has no such address any more, two
policy routes that contradict each other. Copies that a capture makes (interfaces, mirror ports) have one TTL, or one
for each router that was captured at.

How to confirm
--------------
traceroute -T -p PORT DESTINATION (or mtr --tcp) repeats two addresses until its end. At the routers it names: ip route
get DESTINATION; nstat -az IpInHdrErrors IpForwDatagrams.
In Wireshark: ip.dst == DESTINATION && tcp.seq_raw == NUMBER || icmp.type == 11
Make ip.ttl a column.

How to fix
----------
Give the router that sends it back a route to that network, or a discard route (ip route add unreachable NETWORK) for
what it has no better one for; withdraw the summary; wait for, or repair, the routing protocol.

When it stays silent
--------------------
Fewer passes than the threshold (a capture at several interfaces of a router has two or three); the TTL does not fall;
the segment was sent again by its sender (another IP identification); what passed so often arrived all the same, so that
the capture was made at several routers or merged of such; the capture has no TTLs.

References
----------
RFC 1812 section 5.2.7 and 5.3.1; RFC 792, time exceeded; RFC 8200 section 3.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import FIN, SYN, Story, Told, elapsed, frames_filter, numbers
from tcptrace.rows import distinct
from tcptrace.schema import I64, KINDS

RULE = Rule(
    name="routing-loop",
    family="path",
    severity="error",
    thresholds={"passes": Threshold(4, "", "fewest times that one segment is seen, each time with a lower TTL")},
    explains=(
        "syn-unanswered",
        "syn-flood",
        "high-retransmission",
        "spurious-retransmission",
        "duplicate-frames",
        "rto-stall",
        "idle-timeout",
        "keepalive-timeout",
        "pmtu-black-hole",
        "fin-retransmission",
        "vanished-in-host",
        "lost-between",
        "backend-down",
    ),
)

CIRCLE_NS = 1_000_000_000
"""No circle takes longer; what comes later was sent again."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows with a run of the same segment, its TTL lower each time."""
    least = max(int(thresholds["passes"]), 3)
    for story in evidence.stories(np.isin(evidence.flows.flow, _suspects(evidence))):
        runs = list(_runs(story, least))
        if runs and all(_is_held(story, run[0]) for run in runs):
            yield _finding(evidence, story, runs)


def _suspects(evidence: Evidence) -> I64:
    """Flows of which two notable segments with the same number follow one another with a falling TTL."""
    told = evidence.notable
    again = np.flatnonzero(told.kinds & (1 << KINDS.index("copy") | 1 << KINDS.index("repeat")))
    again = again[again > 0]
    falls = (told.ttl[again] >= 0) & (told.ttl[again] < told.ttl[again - 1])
    same = (told.flow[again] == told.flow[again - 1]) & (told.seq[again] == told.seq[again - 1])
    return distinct(told.flow[again[falls & same]])


def _runs(story: Story, least: int) -> Iterator[list[Told]]:
    """Each segment that is seen so often, its sightings in order."""
    for side in (0, 1):
        run: list[Told] = []
        for told in [*story.of(side), None]:
            if run and told is not None and _is_next(run[-1], told):
                run.append(told)
                continue
            if len(run) >= least:
                yield run
            run = [told] if told is not None else []


def _is_next(before: Told, told: Told) -> bool:
    """Whether a segment may be the one before, a circle later."""
    same = (before.seq, before.len, before.flags, before.ip_id) == (told.seq, told.len, told.flags, told.ip_id)
    return same and 0 <= told.ttl < before.ttl and 0 <= told.time_ns - before.time_ns < CIRCLE_NS


def _is_held(story: Story, told: Told) -> bool:
    """Whether a segment did not arrive: not acknowledged, sent anew, or what it acknowledges was."""
    if told.len > 0 or told.flags & (SYN | FIN):
        anew = any(later.seq == told.seq and later.ip_id != told.ip_id for later in story.after(told, told.side))
        return anew or bool(story.sides[told.side].acked <= told.seq)
    return any(later.is_kind("repeat") for later in story.after(told, 1 - told.side))


def _finding(evidence: Evidence, story: Story, runs: list[list[Told]]) -> Finding:
    run = runs[0]
    first, last = run[0], run[-1]
    sender, receiver = story.end(first.side), story.end(1 - first.side)
    frames = numbers(run)
    copies = story.measured(first.side, "copies")
    routers = min(before.ttl - told.ttl for before, told in pairwise(run))
    expired = [error for error in story.icmp if error.is_expired]
    seen = max(copies + 1, len(run))
    return RULE.finding(
        confidence=0.95 if expired or len(run) > 4 else 0.85,
        flows=(story.number,),
        frames=(*frames, *(error.frame for error in expired[:1])),
        alike=receiver.rpartition(":")[0],
        summary=(
            f"a segment of {sender} to {receiver} passed here again and again with a falling TTL: {first.ttl} in frame"
            f" {first.frame}, {last.ttl} in frame {last.frame}, {elapsed(last.time_ns - first.time_ns)} later;"
            f" {seen:,} passes of this kind are in the flow."
        ),
        cause=f"routers hold each other for the way to {receiver.rpartition(':')[0].strip('[]')}: a routing loop",
        evidence=(
            f"TTL {', '.join(str(told.ttl) for told in run)} with one number and IP identification",
            f"a circle takes {routers} from the TTL: it leads through so many routers",
            *(f"frame {error.frame}: {error.reporter} says that the TTL ran out" for error in expired[:1]),
        ),
        disproof="several interfaces of so many routers, all captured into this file",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   column: ip.ttl"
            f"   traceroute -T {receiver.rpartition(':')[0].strip('[]')}; ip route get at the routers it repeats"
        ),
        fix="give the router that sends it back a route to that network, or a discard route",
    )
