"""The capture's clock was set while it recorded: times before and after do not belong together.

What it detects
---------------
A moment at which the time of capture jumps by `step_ms` or more against the clocks of the hosts, as their TCP
timestamps show them (RFC 7323): senders at two addresses at least lose or gain the same time between the same frames.
Or, without timestamps: in streams from two addresses time goes back by so much between segments of which the second
continues the first. Over several points: a host's clock jumps by so much against the other hosts', since else segments
would arrive before they left.

Why it happens
--------------
Frames are stamped by the recorder's wall clock (CLOCK_REALTIME). NTP or PTP steps it (ntpd beyond 128 ms, chrony by
makestep, a manual date or clock_settime), a virtual machine was suspended, moved or restored. Slewing is no step.

How to confirm
--------------
chronyc tracking; journalctl -u chronyd -u systemd-timesyncd | grep -i step; dmesg | grep -iE 'clocksource|suspend'
In Wireshark: frame.time_delta < -0.05 || frame.time_delta > 0.05
Make tcp.options.timestamp.tsval a column beside the time: it goes on evenly.

How to fix
----------
Do not trust times, gaps and round trips across that moment; shift what comes after it (editcap -t SECONDS -r FILE OUT
FIRST-LAST). Let the clock be slewed while recording (chrony: no makestep after start).

When it stays silent
--------------------
A step forward without timestamps cannot be told from silence by one capture. Delays hold up one direction, a host that
sleeps stops one clock; a step is seen against all. A step smaller than `step_ms`: a time going back by less is the
order of the file.

References
----------
RFC 7323 section 5.4; chrony.conf(5), makestep; clock_settime(2); editcap(1), -t.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.host_clocks import UNTOLD, Pairs, ahead_by_rate, pairs, rates
from tcptrace.diagnosis.paths import AtPoints, PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import elapsed, frames_filter
from tcptrace.rows import distinct
from tcptrace.schema import I64, Bools

if TYPE_CHECKING:
    from tcptrace.correlation.result import Clock, ClockStep

RULE = Rule(
    name="clock-step",
    family="capture",
    severity="warning",
    thresholds={"step_ms": Threshold(50, "ms", "shortest step")},
    explains=("rto-stall", "idle-timeout", "keepalive-timeout", "handshake-slow"),
)

DRIFT = 500e-6
"""No clock drifts faster: NTP slews by so much."""
AGREE_NS = 25_000_000
"""So far the hosts' answers may lie apart: timestamps tick every 1 to 10 ms, and segments wait on their way."""
CANDIDATES_MAX = 256


class Step(NamedTuple):
    """A step of the capture's clock."""

    by_ns: int
    before: int
    """The last frame that surely comes before it."""
    after: int
    """The first that surely comes after."""
    flows: I64
    is_by_timestamps: bool


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every step that several hosts' clocks show, or that goes back."""
    step_ns = thresholds["step_ms"] * 1e6
    of = pairs(evidence, step_ns / 2)
    ahead = ahead_by_rate(of)
    allowed_ns = step_ns + DRIFT * abs(of.span_ns)
    jumps_back = (of.span_ns <= -step_ns) & of.advances
    fits_no_rate = (abs(ahead).min(axis=0) >= allowed_ns) & (of.ticks != UNTOLD)
    if not (jumps_back | fits_no_rate).any():
        return
    rate = rates(of, ahead)
    by_ns = np.where(rate >= 0, ahead[np.maximum(rate, 0), np.arange(len(rate))], of.span_ns)
    suspects = np.where(rate >= 0, abs(by_ns) >= allowed_ns, jumps_back)
    for step in _steps(of, by_ns, rate >= 0, suspects):
        yield _finding(evidence, step)


def _steps(of: Pairs, by_ns: I64, known: Bools, suspects: Bools) -> Iterator[Step]:
    """From the narrowest suspicion on: who else saw it, and who did not."""
    left = suspects.copy()
    narrow = np.flatnonzero(suspects)
    narrow = narrow[np.argsort((of.after - of.before)[narrow], kind="stable")][:CANDIDATES_MAX]
    for pair in narrow.tolist():
        if left[pair]:
            near = (of.before < of.after[pair]) & (of.after > of.before[pair])
            same = abs(by_ns - by_ns[pair]) <= AGREE_NS
            back = (by_ns < 0) & (by_ns[pair] < 0)
            agree = left & near & np.where(known & known[pair], same, back)
            left[pair] = False
            if step := _agreed(of, by_ns, known, agree):
                left &= ~near
                yield step


def _agreed(of: Pairs, by_ns: I64, known: Bools, agree: Bools) -> Step | None:
    """The step that these pairs show, if they are of several hosts and few that span the same moment know nothing."""
    before, after = int(of.before[agree].max()), int(of.after[agree].min())
    against = (of.before <= before) & (of.after >= after) & known & ~agree
    if before >= after or len(distinct(of.sender[agree])) < 2 or against.sum() * 5 > agree.sum():
        return None
    timed = agree & known
    by = np.median(by_ns[timed]) if timed.any() else by_ns[agree].min()
    return Step(int(by), before, after, distinct(of.direction[agree] // 2), bool(timed.any()))


def _finding(evidence: Evidence, step: Step) -> Finding:
    way = "forward" if step.by_ns > 0 else "back"
    size = f"{'about' if step.is_by_timestamps else 'at least'} {elapsed(abs(step.by_ns))}"
    frames = (step.before, step.after)
    if step.is_by_timestamps:
        shown = "the timestamps of hosts at both ends go on evenly while the time of capture jumps"
    else:
        shown = "streams go on in order while their time of capture goes back; they have no timestamps"
    return RULE.finding(
        confidence=(0.9 if len(step.flows) > 1 else 0.85) if step.is_by_timestamps else 0.6,
        flows=array("q", step.flows.tobytes()),
        frames=frames,
        summary=(
            f"The capture's clock was set {way} by {size} between frame {step.before:,} and frame {step.after:,}: times"
            " before and after do not belong together."
        ),
        cause="the recorder's clock was stepped (NTP, chrony's makestep, by hand), or its machine was suspended",
        evidence=(shown, f"seen in {len(step.flows):,} of {len(evidence.flows.flow):,} flows"),
        disproof="the file was put together of several, whose clocks differ",
        confirm=f"Wireshark: {frames_filter(frames)}   recorder: chronyc tracking; journalctl -u chronyd",
        fix="shift what comes after by editcap -t; do not trust gaps and round trips across it",
    )


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every step of a host's clock that the clocks of all hosts together show."""
    for clock in evidence.alignment.clocks.values():
        for step in clock.steps:
            if abs(step.by_ns) >= thresholds["step_ms"] * 1e6 and (around := _around(evidence, clock, step)):
                yield _at_points(evidence, clock, step, around)


def _around(evidence: PathEvidence, clock: Clock, step: ClockStep) -> AtPoints:
    """At every point of the host, the last frame of a connection before a step and the first after it."""
    found = []
    for point, after in step.frames.items():
        frames = evidence.passages.frame[:, point]
        before = int(frames[frames < after].max(initial=0))
        if evidence.host(point) == clock.host and before > 0:
            found.append((point, (before, after)))
    return evidence.at(*sorted(found))


def _at_points(evidence: PathEvidence, clock: Clock, step: ClockStep, around: AtPoints) -> Finding:
    way = "forward" if step.by_ns > 0 else "back"
    places = " and ".join(f"frames {before:,} and {after:,} at {name}" for name, (before, after) in around)
    names = [name for name, _ in around]
    points = [number for number, point in enumerate(evidence.points) if point.name in names]
    connections = [
        connection.connection
        for connection in evidence.connections
        if any(leg.point in points for leg in connection.legs)
    ]
    return RULE.finding(
        confidence=0.95,
        connections=tuple(connections),
        capture=evidence.points[points[0]].recording,
        point=names[0],
        frames=around[0][1],
        evidence_frames=around if len(around) > 1 else (),
        summary=(
            f"The clock of {clock.host} was set {way} by {elapsed(abs(step.by_ns))}{_between(step)} between {places}:"
            " its times before and after do not belong together."
        ),
        cause="the host's clock was stepped (NTP, chrony's makestep, by hand), or its machine was suspended",
        evidence=(
            f"{clock.host}: {clock.basis}",
            "unless it was, segments would arrive at a host before they left another",
        ),
        disproof="the captures are not of one host, or were put together of several whose clocks differ",
        confirm=(
            f"Wireshark at {names[0]}: {frames_filter(around[0][1])}"
            f"   {clock.host}: chronyc tracking; journalctl -u chronyd"
        ),
        fix="paths and delays between points go by all clocks and need none; let clocks be slewed while recording",
    )


def _between(step: ClockStep) -> str:
    """` (2.4995 s to 2.5005 s)`: how great it may be; empty where that is not bounded."""
    if step.low_ns is None or step.high_ns is None:
        return ""
    least, most = sorted((abs(step.low_ns), abs(step.high_ns)))
    return f" ({least / 1e9:.6f} s to {most / 1e9:.6f} s)"
