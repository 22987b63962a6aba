"""A host's clock could not be tied to the others', so that times across it cannot be compared.

What it detects
---------------
A host that took part in connections and whose clock no segment ties to that of the first point that did (warning), or
that contradicts the others even with drift and steps (warning), or that is bounded from one side
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

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import counted
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Clock

RULE = Rule(name="clock-unaligned", family="path", severity="warning")

CONTRADICTORY = "contradictory"


class _Kind(NamedTuple):
    """How clocks may be left open."""

    severity: str
    said: str
    cause: str


UNTIED = _Kind(
    "warning",
    "no segment ties {} to the clock of {}",
    "none of its connections was seen elsewhere: another time, filter or connection was captured there",
)
ONE_SIDED = _Kind(
    "info",
    "{} may be off from that of {} by any amount one way: it is bounded from one side only",
    "segments pass in one direction, and no other point tells how long they were on their way",
)
CONTRARY = _Kind(
    "warning",
    "{} contradicts that of {}: segments arrive before they left",
    "a clock was set more often than can be told, or the times are not those of capture",
)


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """For each kind, the hosts that saw something and whose clock is open in that way, whichever was given first."""
    points = np.flatnonzero(evidence.last_ns != NO_TIME)
    active = list(dict.fromkeys(evidence.host(int(point)) for point in points))
    if not active:
        return
    found: dict[_Kind, list[Clock]] = defaultdict(list)
    tied = _reached(evidence, active, active[0], least=1)
    bound = _reached(evidence, active, active[0], least=2)
    for host in active[1:]:
        clock = evidence.alignment.clocks[host]
        if host not in bound:
            found[ONE_SIDED if host in tied else UNTIED].append(clock)
        elif CONTRADICTORY in clock.basis:
            found[CONTRARY].append(clock)
    yield from (_finding(evidence, kind, clocks, active[0]) for kind, clocks in found.items())


def _reached(evidence: PathEvidence, hosts: Sequence[str], first: str, least: int) -> set[str]:
    """The hosts that are tied to the first one, or to others that are, by at least so many bounds of two."""
    reached, waiting = {first}, [first]
    while waiting:
        one = waiting.pop()
        bounds = evidence.alignment.bounds
        near = (host for host in hosts if host not in reached and 2 - bounds[host, one].count(None) >= least)
        waiting += (more := list(near))
        reached.update(more)
    return reached


def _finding(evidence: PathEvidence, kind: _Kind, clocks: Sequence[Clock], reference: str) -> Finding:
    hosts = [clock.host for clock in clocks]
    said = kind.said.format(f"the clock of {' and of '.join(hosts)}", reference)
    untold = [hop for _, hop in evidence.hops() if hop.delay is None and not evidence.is_one_host(hop)]
    lacks = f" No delay is told on {counted(len(untold), 'hop')} between hosts." if untold else ""
    return RULE.finding(
        severity=kind.severity,
        confidence=0.95,
        summary=f"{said[0].upper()}{said[1:]}.{lacks}",
        cause=kind.cause,
        evidence=tuple(f"{clock.host}: {clock.basis}" for clock in clocks),
        disproof=f"one connection that was captured at {hosts[0]} and at {reference}, in both directions",
        confirm="chronyc tracking on every host   capinfos -ae: captures of one time; one tcp.seq_raw in two of them",
        fix="capture one connection at all points at the same time; or --trust-clocks, where they are synchronised",
    )
