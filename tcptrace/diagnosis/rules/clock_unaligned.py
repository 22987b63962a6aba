"""A host's clock could not be tied to the others', so that times across it cannot be compared.

What it detects
---------------
A host that took part in connections and whose clock no segment ties to the reference clock, that of the first point
given (warning), or that contradicts the others even with drift and steps (warning), or that is bounded from one side
only (info): segments pass it in one direction and nothing else tells how long they were on their way.

Why it happens
--------------
Clocks are told from segments that two hosts both saw: none arrives before it left. A host none of whose connections was
seen elsewhere shares nothing with them: another connection was captured there, at another time, with another filter, or
behind something that rewrites connections beyond recognition. A director in DR mode sees one direction only; it is
bounded from both sides only where the points before and behind it are bounded themselves. A contradiction means that a
clock was set more often than could be told, or that a file's times are not those of capture.

How to confirm
--------------
chronyc tracking or timedatectl on every host; capinfos -ae shows each capture's first and last time: do they overlap?
In Wireshark: merge two captures (mergecap) and look for one tcp.seq_raw in both.

How to fix
----------
Capture the same connection at all points at the same time, with the same filter; synchronise clocks (chrony), then
--trust-clocks uses times as they are; or add a point that sees both directions.

When it stays silent
--------------------
Every host is bounded from both sides, however widely; all points are one host's; clocks are trusted (--trust-clocks);
a host saw no segment of TCP.

References
----------
docs/correlation.md; Paxson: On calibrating measurements of packet transit times (SIGMETRICS 1998); RFC 2330.
"""

from collections.abc import Iterator

from tcptrace.correlation.result import Clock
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.schema import NO_TIME

RULE = Rule(name="clock-unaligned", family="path", severity="warning")

CONTRADICTORY = "contradictory"


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every host that saw something, and whose offset has no bounds, or one, or contradicts others."""
    reference = evidence.host(0)
    for host, clock in evidence.alignment.clocks.items():
        points = [number for number, point in enumerate(evidence.points) if point.host == host]
        if host != reference and max(evidence.last_ns[points]) != NO_TIME:
            yield from _of_clock(evidence, clock, points, reference)


def _of_clock(evidence: PathEvidence, clock: Clock, points: list[int], reference: str) -> Iterator[Finding]:
    missing = [clock.low_ns, clock.high_ns].count(None)
    if not missing and CONTRADICTORY not in clock.basis:
        return
    said = (
        f"no segment ties the clock of {clock.host} to that of {reference}"
        if missing == 2
        else f"the clock of {clock.host} is bounded against that of {reference} from one side only"
        if missing
        else f"the clock of {clock.host} contradicts the others"
    )
    mine = [one for one in evidence.connections if any(leg.point in points for leg in one.legs)]
    timed = sum(hop.delay is None for one in mine for hop in one.hops if hop.source in points or hop.target in points)
    unsaid = f"delays on {timed:,} hops of {len(mine):,} connections" if timed else "delays to and from it"
    yield RULE.finding(
        severity="info" if missing == 1 else "warning",
        confidence=0.95,
        point=evidence.name(points[0]),
        summary=f"{said[0].upper()}{said[1:]}; {unsaid} are not told, and its events are placed by order alone.",
        cause=(
            "none of its connections was seen elsewhere: another time, filter or connection was captured there"
            if missing == 2
            else "segments pass it in one direction, and no other point tells how long they were on their way"
            if missing
            else "a clock was set more often than can be told, or the times are not those of capture"
        ),
        evidence=(f"{clock.host}: {clock.basis}",),
        disproof=f"one connection that was captured at {clock.host} and at {reference}, in both directions",
        confirm="chronyc tracking on every host   Wireshark: one tcp.seq_raw in two captures; capinfos -ae",
        fix="capture one connection at all points at the same time; or --trust-clocks, where they are synchronised",
    )
