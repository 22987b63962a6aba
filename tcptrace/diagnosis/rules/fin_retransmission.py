"""A FIN had to be sent again: it, its acknowledgement or the last ACK was lost.

What it detects
---------------
A side that sends its FIN a second time. Copies that the capture made, and FINs that others overtook, do not count.

Why it happens
--------------
A FIN takes a sequence number and is repeated like data until it is acknowledged (RFC 9293 section 3.6), after a timeout
of 200 ms or more or as a tail loss probe, twice the wait each time (Linux: net.ipv4.tcp_retries2, and
tcp_orphan_retries once the program has closed: 0 stands for 8). The FIN was lost on its way; or it arrived and its ACK
was lost, so that the other side, in TIME_WAIT if it had closed before, acknowledges it once more; or the other side is
gone, or something in between forgot the connection with the first FIN and drops the rest.

How to confirm
--------------
ss -tno state fin-wait-1; ss -tno state last-ack: timer:(on,...) with a count of repeats. nstat -az TcpRetransSegs
TcpExtTCPTimeouts; at both ends captures show which of the two was lost.
In Wireshark: tcp.flags.fin == 1 && tcp.analysis.retransmission

How to fix
----------
One now and then is a lost segment like any other. Many: look for loss (high-retransmission), and for firewalls,
conntrack (nf_conntrack_tcp_timeout_fin_wait, 120 s; nf_conntrack_tcp_timeout_last_ack, 30 s) or directors (ipvsadm
--set, the second number) that drop a connection as soon as it closes.

When it stays silent
--------------------
The FIN was seen once; its copies are the capture's; it only came out of order; it was repeated sooner than a timer
does, or on an ACK of something new (BSD and macOS put the FIN on every ACK until it is acknowledged); a SYN came
between (a conversation played again); payload before it had to wait for the timer as well and was never acknowledged
(rto-stall).

References
----------
RFC 9293 section 3.6; RFC 6298; RFC 8985 (tail loss probe); Linux Documentation/networking/ip-sysctl.rst.
"""

from collections.abc import Iterator
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
    name="fin-retransmission",
    family="close",
    severity="warning",
    thresholds={"timer_ms": Threshold(100, "ms", "least time after which a timer repeats a FIN")},
)

CARRIED_NS = 10_000_000
"""A FIN that acknowledges something new as soon after it is no repeat by a timer (BSD: every ACK carries the FIN)."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow in which a side sent its FIN again."""
    sides = [evidence.count("fin", side) > 1 for side in (CLIENT, SERVER)]
    for story in evidence.stories(sides[CLIENT] | sides[SERVER]):
        for side in (CLIENT, SERVER):
            fins = [told for told in story.kind("fin", side) if told.is_fin]
            again = [told for before, told in pairwise(fins) if _by_timer(before, told)]
            is_new_life = len(fins) > 0 and any(told.is_syn for told in story.after(fins[0], side))
            if (
                again
                and not is_new_life
                and not _is_passenger(story, fins[0])
                and apart_ns(fins[0], again[-1]) >= thresholds["timer_ms"] * 1e6
            ):
                yield _finding(story, fins[0], again)
                break


def _by_timer(before: Told, fin: Told) -> bool:
    """Whether a FIN was sent again of its own accord, not as part of an acknowledgement."""
    carried = fin.ack > before.ack and fin.idle_ns < CARRIED_NS
    return fin.is_kind("repeat") and not carried


def _is_passenger(story: Story, fin: Told) -> bool:
    """Whether payload before the FIN waited for the timer too, and was never acknowledged, as rto-stall tells."""
    waiting = (told for told in story.kind("timeout", fin.side) if told.len > 0 and not told.is_fin)
    return any(story.sides[fin.side].acked < told.seq + told.len <= fin.seq + fin.len for told in waiting)


def _finding(story: Story, fin: Told, again: list[Told]) -> Finding:
    end = fin.seq + fin.len
    answers = [told for told in story.after(fin, 1 - fin.side) if told.has_ack and told.ack == end + 1]
    answer = min(answers, key=lambda told: told.is_rst, default=None)  # the first ACK, else the first RST
    frames = numbers([fin, *again, *([answer] if answer else [])])
    how_often = times(len(again), at_least=story.is_more("fin", fin.side))
    cause, confidence = _cause(story, again, answer)
    return RULE.finding(
        confidence=confidence,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {fin.side} {cause}",
        summary=(
            f"{story.end(fin.side)} repeated its FIN{_payload(again)} to {story.end(1 - fin.side)} {how_often}, the"
            f" first time {elapsed(apart_ns(fin, again[0]))} after it (frames {fin.frame}, {again[0].frame})."
        ),
        cause=cause,
        evidence=(
            f"repeated in frame{'s' * (len(again) > 1)} {', '.join(str(told.frame) for told in again)}",
            _acknowledged(answer),
        ),
        disproof="a capture at the other side that shows FIN and ACK arriving in time",
        confirm=f"Wireshark: {frames_filter(frames)}   {story.end(fin.side)}: ss -tno; nstat -az TcpRetransSegs",
        fix="look for loss, and for a firewall or balancer that forgets a connection when it closes",
    )


def _acknowledged(answer: Told | None) -> str:
    if answer is None:
        return "never acknowledged in this capture"
    return f"acknowledged {'by the RST ' * answer.is_rst}in frame {answer.frame}"


def _payload(again: list[Told]) -> str:
    """What was sent again with the FIN."""
    most = max(told.len for told in again)
    return f" with the last {counted(most, 'byte')}" if most > 0 else ""


def _cause(story: Story, again: list[Told], answer: Told | None) -> tuple[str, float]:
    """What was lost, by where the acknowledgement stands."""
    other, last_frame = story.end(1 - again[0].side), story.sides[1 - again[0].side].last_frame
    if last_frame == 0:
        return "it or its acknowledgement was lost; the capture holds nothing of the other side", 0.6
    if answer is None:
        if last_frame > again[0].frame:
            return f"it does not reach {other}, which is still there, or is ignored there", 0.8
        return f"{other} is gone, or what lies between forgot the connection", 0.8
    if answer.is_rst:
        if answer.frame < again[-1].frame:
            return f"{other} has it and answered by RST (frame {answer.frame}), which did not get to its sender", 0.8
        return f"it was lost beyond this point, or its acknowledgement before it; {other} ended it by RST", 0.9
    if answer.frame < again[0].frame:
        return "its acknowledgement passed here and was lost beyond, or came late", 0.9
    return "it was lost beyond this point, or its acknowledgement before it", 0.9
