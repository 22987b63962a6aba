"""The director forgot an idle connection that both ends still hold.

What it detects
---------------
A connection through a load balancer that worked, was idle, and whose next segment from the client the director's own
host answered by a RST in the server's name, or dropped: the server's points never saw it. The RST exists on the
client's side only, and the server, which knows nothing of it, repeats its next segment or goes on waiting.

Why it happens
--------------
The director removes entries that were idle for longer than its time-out (IPVS: ipvsadm --set TCP TCPFIN UDP, 900 s, 120
s after a FIN; DPVS 90 s by default; conntrack: nf_conntrack_tcp_timeout_established), or lost all of them by a restart
or a failover without synchronisation. What comes for an unknown connection and is no SYN gets no entry: it goes to the
director's own stack, which has no socket for the virtual address and port and answers by a RST (Linux: ip_vs_in_hook
returns NF_ACCEPT, tcp_v4_send_reset), or is dropped (DPVS; net.ipv4.vs.expire_nodest_conn; a firewall).

How to confirm
--------------
Director: ipvsadm -l --timeout; ipvsadm -lnc | grep CLIENT while the connection is idle: the second column counts down.
Server: ss -tno 'sport = :PORT' still lists it. Persistent services: ipvsadm -ln shows `persistent`.
In Wireshark at the director: ip.addr == CLIENT && tcp.port == PORT && (tcp.time_delta > 2 || tcp.flags.reset == 1)

How to fix
----------
Make the director's time-out longer than any idle time (ipvsadm --set 7200 120 300), or let the ends speak more often:
SO_KEEPALIVE with net.ipv4.tcp_keepalive_time below it, the application's pings, an idle limit in the client's pool that
is shorter. Synchronise entries to the backup director (ipvsadm --start-daemon master).

When it stays silent
--------------------
The RST was born at the server or the client (idle-timeout, abortive-close); the connection was not idle for as long as
the threshold; one side had closed; nothing tells that the host is a director.

References
----------
ipvsadm(8), --set; Linux net/netfilter/ipvs/ip_vs_core.c and ip_vs_proto_tcp.c, tcp_timeouts; RFC 5382 section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.diagnosis.losses import Loss, losses
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import FIN, RST, elapsed
from tcptrace.schema import I64, NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Director, ResetOrigin

RULE = Rule(
    name="director-timeout",
    family="path",
    severity="error",
    thresholds={"idle_s": Threshold(2, "s", "least time without a segment before the one that was refused")},
    explains=(
        "idle-timeout",
        "vanished-in-host",
        "reset-injected",
        "first-data-reset",
        "sidecar-reset",
        "abortive-close",
        "write-after-close",
        "keepalive-timeout",
        "pmtu-black-hole",
        "fin-retransmission",
        "rto-stall",
        "high-retransmission",
        "spurious-retransmission",
    ),
)


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Connections that their director's host reset, or dropped, after they had been idle."""
    least_ns = int(thresholds["idle_s"] * 1e9)
    directed = [one for one in evidence.connections if one.director is not None]
    for connection in directed:
        origin = connection.reset_origin
        if origin and connection.director and _is_its_own(origin, connection.director):
            yield from _reset(evidence, connection, connection.director, origin, least_ns)
    for loss in losses(evidence, in_host=True):
        director = loss.connection.director
        if director and evidence.host(loss.hop.source) == director.host and loss.hop.direction == REQUEST:
            yield from _dropped(loss, director, least_ns)


def _is_its_own(origin: ResetOrigin, director: Director) -> bool:
    return origin.side == "middlebox" and origin.host == director.host and origin.direction == REPLY


def _reset(
    evidence: PathEvidence, connection: Connection, director: Director, origin: ResetOrigin, least_ns: int
) -> Iterator[Finding]:
    """The finding where the director's own stack answered."""
    passages, point = evidence.passages, origin.point
    rows = evidence.seen(evidence.rows(connection.streams[0].stream), point)
    before = rows[passages.frame[rows, point] < origin.frame]
    asked = before[passages.direction[before] == REQUEST]
    if not len(asked):
        return
    asking = asked[passages.frame[asked, point].argmax()]
    rows = evidence.rows(connection.streams[0].stream)
    idle_ns, place = _idle(evidence, rows, int(asking), point)
    there = evidence.seen(rows, place)
    known = np.append(before, there[passages.frame[there, place] < passages.frame[asking, place]])
    is_over = bool((passages.flags[known] & (FIN | RST)).any())
    if idle_ns >= least_ns and not is_over and _is_unknown_behind(evidence, int(asking), director.host):
        said = f"{director.host} itself answered by a RST in the server's name (frame {origin.frame})"
        frames = (int(passages.frame[asking, point]), origin.frame)
        told = (_idle_words(evidence, idle_ns, place), *origin.evidence)
        yield _finding(evidence, connection, director, point, frames, idle_ns, said, told, 0.95)


def _dropped(loss: Loss, director: Director, least_ns: int) -> Iterator[Finding]:
    """The finding where it let nothing pass any more."""
    evidence, point = loss.evidence, loss.hop.source
    passages = evidence.passages
    first = int(loss.rows[passages.frame[loss.rows, point].argmin()])
    rows = evidence.seen(evidence.rows(loss.hop.stream), point)
    before = rows[passages.frame[rows, point] < passages.frame[first, point]]
    is_over = bool((passages.flags[before] & (FIN | RST)).any())
    idle_ns, place = _idle(evidence, rows, first, point)
    if loss.hop.frames and not len(loss.came_later) and not is_over and idle_ns >= least_ns:
        said = f"{director.host} dropped it and what followed"
        told = (_idle_words(evidence, idle_ns, place), f"{loss.told}, and nothing after it, left by {loss.there}")
        yield _finding(evidence, loss.connection, director, point, loss.frames, idle_ns, said, told, 0.75)


def _idle(evidence: PathEvidence, rows: I64, row: int, point: int) -> tuple[int, int]:
    """Time from the last other of some passages to one, 0 where not known, and the point that tells it.

    That is the director's; where its capture begins with that passage, the one that saw the least.
    """
    times = evidence.passages.time_ns
    found: list[tuple[bool, int, int]] = []
    for place in np.flatnonzero(times[row] != NO_TIME).tolist():
        earlier = times[rows, place][(times[rows, place] != NO_TIME) & (times[rows, place] < times[row, place])]
        if len(earlier):
            found.append((place != point, int(times[row, place] - earlier.max()), place))
    _, idle_ns, place = min(found, default=(False, 0, point))
    return idle_ns, place


def _idle_words(evidence: PathEvidence, idle_ns: int, place: int) -> str:
    return f"idle for {elapsed(idle_ns)} at {evidence.name(place)}"


def _is_unknown_behind(evidence: PathEvidence, row: int, host: str) -> bool:
    """Whether no point of another host, but those before the director, has a passage."""
    became = evidence.became
    way = became.point[row][became.point[row] != NOWHERE]
    inside = np.flatnonzero([evidence.host(int(point)) == host for point in way])
    behind = way[inside[-1] + 1 :] if len(inside) else way[:0]
    return not (evidence.passages.row[row, behind] >= 0).any()


def _finding(
    evidence: PathEvidence,
    connection: Connection,
    director: Director,
    point: int,
    frames: tuple[int, ...],
    idle_ns: int,
    said: str,
    told: tuple[str, ...],
    certainty: float,
) -> Finding:
    replies = evidence.rows(connection.streams[0].stream, REPLY)
    replies = replies[evidence.passages.flags[replies] & RST == 0]
    way = evidence.route(connection.streams[0].stream).reply
    held = [(end, evidence.frames(replies, end)[-1:]) for end in way[:1]]
    return RULE.finding(
        confidence=certainty,
        connections=(connection.connection,),
        point=evidence.name(point),
        frames=frames,
        evidence_frames=evidence.at((point, frames), *held),
        alike=f"{director.host} {connection.server}",
        summary=(
            f"{director.host} forgot the connection of {connection.client} to {connection.server}: after"
            f" {elapsed(idle_ns)} without a segment, the client's next one (frame {frames[0]} at"
            f" {evidence.name(point)}) went no further; {said}."
        ),
        cause=f"the entry at {director.host} timed out, or was lost, while both ends kept the connection",
        evidence=told,
        disproof=f"the entry in ipvsadm -lnc of {director.host} at that time",
        confirm=(
            f"{director.host}: ipvsadm -l --timeout; ipvsadm -lnc while it is idle"
            f"   Wireshark at {evidence.name(point)}: frame.number in {{{', '.join(map(str, frames))}}}"
        ),
        fix="lengthen the director's time-out (ipvsadm --set), or send keep-alives more often than that",
    )
