"""A proxy took the client's connection while its own to the application was refused or unanswered.

What it detects
---------------
A conversation of several connections, of which the client's was established with the proxy, while those that the proxy
opened for it got a RST instead of a SYN-ACK, or nothing. All tries belong to it. Where a later try was taken, the
client was served, and it is a warning.

Why it happens
--------------
A proxy (Envoy as a sidecar or gateway, HAProxy, nginx) completes the client's handshake before it knows whether the
application is there. The application does not listen, listens on another port than the proxy calls (targetPort) or on
127.0.0.1 only, has not started yet, or was stopped; a network policy or firewall rejects or drops the call; its accept
queue is full. What the client sees depends on the proxy: a reset (sidecar-reset), an end without a byte (empty-reply),
or a 503 of the proxy's own.

How to confirm
--------------
Where the application runs: ss -ltn 'sport = :PORT'. Envoy: response flags UF and URX in its access log, istioctl
proxy-config endpoints POD; HAProxy: termination state SC, `show servers state`; nginx: connect() failed in its error
log.
In Wireshark at the proxy: tcp.flags.reset == 1 && tcp.seq == 1 && tcp.ack == 1

How to fix
----------
Start the application before traffic comes (readiness probe, holdApplicationUntilProxyStarts) and let it listen on the
port and address that the proxy calls; let the proxy check its servers' health and take dead ones out.

When it stays silent
--------------------
The proxy's own connection was taken; no connection of the proxy could be joined to the client's with confidence; a
load balancer that passes one connection on is none (backend-down).

References
----------
Envoy access log response flags; HAProxy configuration manual, session state at disconnection; RFC 9293 section 3.5.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.diagnosis.paths import AtPoints, PathEvidence, in_frames
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import ACK, FIN, RST, SYN, elapsed
from tcptrace.schema import I64, NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Stream

RULE = Rule(
    name="upstream-refused",
    family="path",
    severity="error",
    thresholds={"syns": Threshold(2, "", "fewest SYNs of a try that count as unanswered")},
    explains=(
        "sidecar-reset",
        "empty-reply",
        "connection-refused",
        "syn-unanswered",
        "syn-dropped-by-server",
        "handshake-slow",
        "first-data-reset",
        "abortive-close",
        "write-after-close",
        "half-close",
        "close-wait-stuck",
    ),
)

REFUSED, SILENT, TAKEN = "refused", "not answered", "taken"


class _Try(NamedTuple):
    """A connection that the proxy opened."""

    stream: Stream
    outcome: str
    """REFUSED, SILENT, TAKEN, or empty: it cannot be told."""
    frames: AtPoints
    """Its SYNs and what refused them."""


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Conversations through a proxy of which at least one try upstream failed."""
    for connection in evidence.connections:
        if len(connection.streams) > 1 and _is_taken(evidence, connection.streams[0]):
            tries = [_try(evidence, stream, thresholds["syns"]) for stream in connection.streams[1:]]
            failed = [one for one in tries if one.outcome in (REFUSED, SILENT)]
            if failed:
                yield _finding(evidence, connection, failed, any(one.outcome == TAKEN for one in tries))


def _is_taken(evidence: PathEvidence, stream: Stream) -> bool:
    """Whether a side completed the client's handshake."""
    flags = evidence.passages.flags[evidence.rows(stream.stream, REPLY)]
    return bool((flags & (SYN | ACK) == SYN | ACK).any()) or bool((flags & (SYN | RST) == 0).any())


def _try(evidence: PathEvidence, stream: Stream, syns_min: float) -> _Try:
    passages = evidence.passages
    asked, told = (evidence.rows(stream.stream, direction) for direction in (REQUEST, REPLY))
    syns = asked[passages.flags[asked] & (SYN | RST) == SYN]
    rsts = told[passages.flags[told] & RST != 0]
    if not len(syns):
        return _Try(stream, TAKEN if len(told) > len(rsts) else "", ())
    if len(told) > len(rsts):
        return _Try(stream, TAKEN, ())
    outcome = REFUSED if len(rsts) else SILENT if len(syns) >= syns_min or _gave_up(evidence, asked) else ""
    return _Try(stream, outcome, tuple(_frames(evidence, stream, syns, rsts)))


def _gave_up(evidence: PathEvidence, asked: I64) -> bool:
    """Whether the proxy ended the try itself."""
    return bool((evidence.passages.flags[asked] & (FIN | RST)).any())


def _frames(evidence: PathEvidence, stream: Stream, syns: I64, rsts: I64) -> Iterator[tuple[str, tuple[int, ...]]]:
    for point in stream.points:
        if found := tuple(sorted({*evidence.frames(syns, point), *evidence.frames(rsts, point)})):
            yield evidence.name(point), found


def _finding(evidence: PathEvidence, connection: Connection, failed: list[_Try], is_served: bool) -> Finding:
    last = failed[-1]
    point, _ = last.frames[0]
    frames = [frame for one in failed for name, several in one.frames if name == point for frame in several]
    upstream = next(leg.server for leg in last.stream.legs if evidence.name(leg.point) == point)
    outcomes = " or ".join(dict.fromkeys(one.outcome for one in failed))
    host = evidence.host(last.stream.points[0])
    tries = f"{len(failed)} tries" if len(failed) > 1 else "its own connection"
    return RULE.finding(
        severity="warning" if is_served else "error",
        confidence=min(0.95, connection.mode_confidence),
        connections=(connection.connection,),
        point=point,
        frames=tuple(frames),
        evidence_frames=tuple(_by_point(failed)),
        alike=f"{host} {upstream} {outcomes} {is_served}",
        summary=(
            f"{host} took the connection of {connection.client} to {connection.server}, while {tries} to {upstream}"
            f" {'were' if len(failed) > 1 else 'was'} {outcomes} ({in_frames(frames)} at {point})"
            f"{'; a later try was taken' if is_served else ''}."
        ),
        cause=_cause(upstream, outcomes),
        evidence=(
            *(f"try {number}: {_told(evidence, connection, one)}" for number, one in enumerate(failed, 1)),
            *connection.mode_evidence,
        ),
        disproof=f"a connection of {host} to {upstream} for this client that was taken",
        confirm=f"{host}: ss -ltn; its proxy's log   Wireshark at {point}: tcp.flags.reset == 1 || tcp.flags.syn == 1",
        fix=f"let the application listen on {upstream}, and be ready before the proxy takes calls for it",
    )


def _by_point(failed: list[_Try]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for point in dict.fromkeys(name for one in failed for name, _ in one.frames):
        yield point, tuple(frame for one in failed for name, frames in one.frames if name == point for frame in frames)


def _cause(upstream: str, outcomes: str) -> str:
    if SILENT in outcomes:
        return f"nothing answers for {upstream}: it is dropped by a filter, the host is gone, or its queue is full"
    return f"nothing listens on {upstream}: the application is down, not ready, or listens elsewhere"


def _told(evidence: PathEvidence, connection: Connection, one: _Try) -> str:
    begun_ns, tried_ns = (_first_ns(evidence, stream) for stream in (connection.streams[0], one.stream))
    since = f" {elapsed(tried_ns - begun_ns)} after the client came" if NO_TIME not in (begun_ns, tried_ns) else ""
    name, frames = one.frames[0]
    return f"{one.outcome}{since} ({in_frames(frames)} at {name})"


def _first_ns(evidence: PathEvidence, stream: Stream) -> int:
    """When a stream was first seen, by the reference clock; NO_TIME where no times are known."""
    times = evidence.reference_ns[evidence.rows(stream.stream)]
    known = times[times != NO_TIME]
    return int(known.min()) if len(known) else NO_TIME
