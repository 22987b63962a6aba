"""A receiver closed its window: its application did not read.

What it detects
---------------
A side that announces a window of 0 for `closed_ms` or longer, or whose peer probes the closed window. Shorter closures
that nobody probes are info; so are those that nobody probes in `probed_ms`, since a sender with something to send would
have: the reader took its time, and it cost nobody any.

Why it happens
--------------
The application does not read as fast as data comes: it is busy, blocked on something else, stopped, or waits for its
own output to drain; or the receive buffer is small for the path (SO_RCVBUF set by the program, net.ipv4.tcp_rmem).
Unread data fills the buffer, the kernel announces what room is left, at last 0 (tcp_select_window), and the sender may
send nothing but probes (RFC 9293 section 3.8.6.1), in Linux after a retransmission timeout and then at doubling
intervals (tcp_probe_timer, tcp_send_probe0). The network is innocent.

How to confirm
--------------
On the receiver: ss -tmi shows Recv-Q near skmem's rb and rcv_space; nstat -az TcpExtTCPToZeroWindowAdv
TcpExtTCPFromZeroWindowAdv TcpExtTCPWantZeroWindowAdv; what the program does instead: strace -f -p PID, its stack.
On the sender: ss -to shows timer:(persist,...); nstat -az TcpExtTCPWinProbe.
In Wireshark: tcp.stream == N && (tcp.analysis.zero_window || tcp.analysis.keep_alive || tcp.analysis.window_update)

How to fix
----------
Let the application read sooner: more threads, no blocking work in the reader, a bounded queue with load shedding behind
it. Raise tcp_rmem's third value, or remove a fixed SO_RCVBUF, where only bursts fill it.

When it stays silent
--------------------
A window of 0 in a SYN, a SYN-ACK (a proxy such as synproxy opens it once it has its own connection), a FIN or a RST;
closures after the other side has ended its data; a window that is small but not 0.

References
----------
RFC 9293 section 3.8.6; RFC 1122 section 4.2.2.17; Linux net/ipv4/tcp_output.c, tcp_select_window, tcp_send_probe0;
net/ipv4/tcp_timer.c, tcp_probe_timer.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, counted, elapsed, numbers, times
from tcptrace.schema import NO_TIME

RULE = Rule(
    name="zero-window",
    family="transfer",
    severity="warning",
    thresholds={
        "closed_ms": Threshold(100, "ms", "time a window is closed from which it is a warning"),
        "probed_ms": Threshold(2000, "ms", "time in which a sender that has something to send probes"),
    },
    explains=("rto-stall",),
)


GONE_PROBES = 3
"""Unanswered probes that show a receiver, which must answer each (RFC 9293 section 3.8.6.1), to be out of reach."""


class Closures(NamedTuple):
    """What a side did to its window, and its peer meanwhile."""

    shut: list[Told]
    """Segments that closed it."""
    opened: list[Told]
    probes: list[Told]
    """Of the peer, while it was closed, those that are notable."""
    probed: int
    """How many there were."""
    longest_ns: int
    was_idle: bool
    """Whether the peer, which would have probed, had nothing to send."""
    is_gone: bool
    """Whether the side, which answers every probe while it is there, answered the last ones no more."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A side that closed its window while the other could still send."""
    for side in (CLIENT, SERVER):
        for story in evidence.stories(evidence.sides[side].closures > 0):
            closures = _closures(story, side, thresholds["probed_ms"])
            if closures.shut:
                is_short = closures.longest_ns < thresholds["closed_ms"] * 1e6 and not closures.probed
                yield _finding(story, side, closures, "info" if is_short or closures.was_idle else "warning")


def _closures(story: Story, side: int, probed_ms: float) -> Closures:
    facts, peer, fin = story.sides[side], story.sides[1 - side], story.first("fin", 1 - side)
    steps = [told for told in story.kind("window", side) if not fin or told.frame < fin.frame]
    shut = [told for told in steps if told.has_label("zero_window")]
    opened = [told for told in steps if not told.has_label("zero_window")]
    probes = [told for told in story.kind("probe", 1 - side) if peer.probes_of_closed and _is_shut_at(told, steps)]
    longest_ns = facts.closed_max_ns
    if fin and shut and NO_TIME not in (fin.time_ns, shut[0].time_ns):
        longest_ns = min(longest_ns, fin.time_ns - shut[0].time_ns)
    is_gone = bool(facts.is_closed and shut and peer.unanswered >= GONE_PROBES)
    silent = peer.last_frame > 0 and peer.probes + story.measured(1 - side, "retransmissions") == 0
    return Closures(
        shut, opened, probes, int(peer.probes_of_closed), longest_ns, silent and longest_ns >= probed_ms * 1e6, is_gone
    )


def _is_shut_at(told: Told, steps: list[Told]) -> bool:
    """Whether the last step before a segment closed the window."""
    before = [step for step in steps if step.frame < told.frame]
    return bool(before) and before[-1].has_label("zero_window")


def _finding(story: Story, side: int, found: Closures, severity: str) -> Finding:
    receiver, sender, facts = story.end(side), story.end(1 - side), story.sides[side]
    return RULE.finding(
        severity=severity,
        confidence=0.8 if found.is_gone else 0.95 if found.probed else 0.6 if found.was_idle else 0.85,
        flows=(story.number,),
        sender=1 - side,
        frames=numbers([*found.shut[:3], *found.probes[:3], *found.opened[:3]]),
        alike=f"{receiver if side == SERVER else story.server} {severity} {found.was_idle}",
        summary=(
            f"{receiver} closed its window {_how_long(facts, found.longest_ns)} (first at frame {found.shut[0].frame},"
            f" {story.at(found.shut[0].time_ns)} after the flow's start); {sender}"
            f" {'sent no probe: it seems that it had nothing to send' if found.was_idle else 'had to wait'}."
        ),
        cause=_cause(story, side, found),
        evidence=(
            *([f"{counted(story.sides[1 - side].unanswered, 'probe')} without an answer"] if found.is_gone else []),
            f"{counted(found.probed, 'probe')} by {sender} meanwhile",
            f"{counted(facts.closures - facts.is_closed, 'opening')} seen",
        ),
        disproof="the sender had nothing to send meanwhile: then the closed window cost no time"
        if not found.was_idle
        else f"{sender} had something to send and waited without a probe, or the capture lacks its probes",
        confirm=f"Wireshark: tcp.stream == {story.number} && (tcp.analysis.zero_window || tcp.analysis.window_update)"
        "   receiver: ss -tmi (Recv-Q, skmem); nstat -az TcpExtTCPToZeroWindowAdv",
        fix="let the application read sooner; raise net.ipv4.tcp_rmem or drop a fixed SO_RCVBUF",
    )


def _cause(story: Story, side: int, found: Closures) -> str:
    """What keeps the window closed, or whoever would open it from being heard."""
    receiver, facts = story.end(side), story.sides[side]
    if found.is_gone:
        return (
            f"nothing came from {receiver} after frame {facts.last_frame}, {story.at(facts.last_ns)} after the flow's"
            " start, no answer to probes either:"
            " it or the way from it is gone; before, its application had not read as fast as data came"
        )
    return f"the application at {receiver} does not read as fast as data comes, or its receive buffer is small"


def _how_long(facts: Any, longest_ns: int) -> str:
    most = " at most" if facts.closures > 1 else ""
    last = " and left it closed" if facts.is_closed else ""
    return f"{times(facts.closures)}, for {elapsed(longest_ns)}{most}{last}"
