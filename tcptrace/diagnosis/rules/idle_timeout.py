"""After a time of silence the connection is gone: the first segment gets a RST, or no answer at all.

What it detects
---------------
A connection that worked and then was idle for 2 s or longer. The first segment after that is answered by a RST that
acknowledges nothing of it, or is repeated at least twice and never answered. After 3 minutes or longer that first
segment may be the RST itself, of which then only a warning is given: nothing was under way.

Why it happens
--------------
Something on the way keeps a table of connections and drops idle entries without telling the ends: a balancer (LVS:
ipvsadm --set, 900 s by default), a NAT or firewall (nf_conntrack_tcp_timeout_established, 432000 s by default; many
clouds 240 to 350 s), a proxy. What comes later belongs to no connection: dropped, rejected, or handed to a machine that
answers by a RST in the server's name. The same is seen when the server restarted meanwhile. RFC 5382 asks NATs for
2 h 4 min. Some say so when the time is over: balancers that send a RST, mostly to both ends, and programs that drop
idle connections by one (SO_LINGER 0) rather than a FIN.

How to confirm
--------------
Director: ipvsadm -l --timeout; ipvsadm -lnc | grep CLIENT while idle (its second column counts down). Firewall or NAT:
conntrack -L -s CLIENT; sysctl net.netfilter.nf_conntrack_tcp_timeout_established. Server: ss -tno 'sport = :PORT'
still lists the connection.
In Wireshark: tcp.stream == N && (tcp.time_delta > 2 || tcp.flags.reset == 1)

How to fix
----------
Keep-alives more often than the shortest time-out: SO_KEEPALIVE with TCP_KEEPIDLE (net.ipv4.tcp_keepalive_time is 7200
s), or the application's own pings. Or a longer time-out in between. Or an idle time-out in the client's pool that is
shorter still.

When it stays silent
--------------------
The side that reset had closed (write-after-close); the segment was acknowledged; only keep-alives went unanswered
(keepalive-timeout); fewer repeats than the threshold; nothing was ever heard of the other side. Where the side was
closing by that segment (FIN, at most a TLS close_notify before it), nothing was lost and it is info.

References
----------
RFC 5382 section 5; RFC 1122 section 4.2.3.6; ipvsadm(8); Linux Documentation/networking/nf_conntrack-sysctl.rst.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import UNASKED_NS, Reset, flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import Story, Told, apart_ns, elapsed, frames_filter, numbers, times

RULE = Rule(
    name="idle-timeout",
    family="reset",
    severity="error",
    thresholds={
        "idle_s": Threshold(2, "s", "least time without a segment"),
        "repeats": Threshold(2, "", "unanswered repeats that count as silence"),
        "reset_idle_s": Threshold(180, "s", "least time without a segment before a RST that answers nothing"),
    },
    explains=(
        "reset-injected",
        "first-data-reset",
        "write-after-close",
        "abortive-close",
        "fin-retransmission",
        "rto-stall",
        "high-retransmission",
        "spurious-retransmission",
        "pmtu-black-hole",
    ),
)

FAREWELL_BYTES = 100
"""What a side may say before its FIN (TLS close_notify); when it was closing, nothing is lost."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow with a pause, and a RST or repeats after it."""
    measures = evidence.measures
    failed = flows_with_reset(evidence) | (measures.client_retransmissions + measures.server_retransmissions > 0)
    for story in evidence.stories(failed & (evidence.count("resumed") > 0)):
        for first in story.kind("resumed"):
            if first.idle_ns >= thresholds["idle_s"] * 1e9 and _is_news(story, first):
                finding = _reset(story, first) or _unanswered(story, first, thresholds["repeats"])
            elif first.is_rst and first.idle_ns >= thresholds["reset_idle_s"] * 1e9:
                finding = _expired(story, first)
            else:
                continue
            if finding:
                yield finding
                break


def _is_news(story: Story, first: Told) -> bool:
    """Whether a segment asks something of the other side, and that had been there and not closed."""
    asks = (first.len > 0 or first.is_fin or first.is_kind("probe")) and not first.is_rst
    closed = any(told.is_fin for told in story.before(first, 1 - first.side))
    gone = closed or any(told.frame < first.frame for told in story.endings())
    return asks and not first.is_kind("repeat") and not gone


def _reset(story: Story, first: Told) -> Finding | None:
    """The finding where the segment was answered by a RST that acknowledges nothing of it."""
    answer = next(iter(story.after(first, 1 - first.side)), None)
    if answer is None or not answer.is_rst or answer.ack > first.seq or not (answer.has_ack or answer.seq == first.ack):
        return None
    if not _is_open(story, first, answer) or not any(
        told.is_kind("first") for told in story.of(first.side) if told.frame <= first.frame
    ):
        return None
    reset = Reset(story, answer)
    elsewhere = not reset.fits_ttl or reset.goes_on
    teller = story.end(reset.side)
    evidence = [reset.form]
    if not reset.fits_ttl:
        evidence.append(f"{teller} sent all else with TTL {' or '.join(map(str, reset.ttls))}")
    if reset.goes_on:
        evidence.append(f"{teller} went on as if it knew nothing of the RST: the connection lives there")
    cause = (
        "a machine in between forgot the idle connection and reset it in the other's name"
        if elsewhere
        else f"a balancer, NAT or firewall forgot the idle connection, or {teller} restarted or gave it up"
    )
    said = f"got a RST {elapsed(apart_ns(first, answer))} later (frame {answer.frame})"
    certainty = (0.9 if elsewhere else 0.8) - (0.1 if answer.has_ack else 0)
    return _finding(story, first, [first, answer], said, cause, evidence, certainty)


def _is_open(story: Story, first: Told, answer: Told) -> bool:
    """Whether nothing had answered the segment before: of many answers not all are notable."""
    if first.is_kind("probe"):
        return apart_ns(first, answer) <= UNASKED_NS
    return bool(story.sides[first.side].acked <= first.seq)


def _expired(story: Story, rst: Told) -> Finding | None:
    """The finding where the segment is itself a RST, which nobody asked for."""
    reset = Reset(story, rst)
    if not reset.was_open or reset.goes_on or reset.is_stale or any(told.is_fin for told in story.before(rst)):
        return None
    teller = story.end(reset.side)
    evidence = [reset.form, "nothing was under way that it could answer"]
    cause, certainty = "a machine in between whose time-out ran out", 0.8
    if reset.fits_ttl:
        cause, certainty = f"{teller} drops idle connections by a RST (SO_LINGER 0); or {cause}", 0.5
    else:
        evidence.append(f"{teller} sent all else with TTL {' or '.join(map(str, reset.ttls))}")
    return _finding(story, rst, [rst], "ended the connection", cause, evidence, certainty)


def _unanswered(story: Story, first: Told, repeats: float) -> Finding | None:
    """The finding where the segment was repeated and the other side never heard of again."""
    again = [told for told in story.after(first, first.side) if told.is_kind("repeat") and told.seq == first.seq]
    heard, facts = story.sides[1 - first.side].last_frame, story.sides[first.side]
    unanswered = again and facts.unanswered_repeats >= max(repeats, 1) and 0 < heard < first.frame
    if first.is_kind("probe") or not unanswered:
        return None
    certainty = 0.7 if any(told.len for told in story.before(first, 1 - first.side)) else 0.6
    waited_ns = max(apart_ns(first, again[-1]), facts.last_ns - first.time_ns)
    said = f"was repeated {times(facts.unanswered_repeats)} in {elapsed(waited_ns)} without an answer"
    cause = (
        "a balancer, NAT or firewall forgot the idle connection and drops what belongs to it;"
        f" or {story.end(1 - first.side)} or the way to it was lost meanwhile"
    )
    evidence = [f"nothing more of {story.end(1 - first.side)} after frame {heard}"]
    return _finding(story, first, [first, *again], said, cause, evidence, certainty)


def _finding(
    story: Story, first: Told, shown: list[Told], said: str, cause: str, evidence: list[str], certainty: float
) -> Finding:
    sender, frames = story.end(first.side), numbers(shown)
    is_closing = any(told.is_fin and told.seq - first.seq <= FAREWELL_BYTES for told in story.of(first.side))
    address = sender.rpartition(":")[0].strip("[]")
    disproof = f"an acknowledgement of frame {first.frame}, or a close of {story.end(1 - first.side)} before it"
    if first.is_rst:
        disproof = f"segments of the last {elapsed(first.idle_ns)} that this capture lacks"
    return RULE.finding(
        severity="info" if is_closing else "warning" if first.is_rst else "error",
        confidence=certainty,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {first.side} {is_closing}",
        summary=(
            f"after {elapsed(first.idle_ns)} without a segment between {story.client} and {story.server},"
            f" the next one, {_named(first)} from {sender} (frame {first.frame}), {said}."
        ),
        cause=cause,
        evidence=(f"idle from {story.at(first.time_ns - first.idle_ns)} to {story.at(first.time_ns)}", *evidence),
        disproof=disproof,
        confirm=f"Wireshark: {frames_filter(frames)}   ipvsadm -l --timeout; conntrack -L -s {address}",
        fix="send keep-alives more often than the shortest time-out on the way, or lengthen that",
    )


def _named(segment: Told) -> str:
    if segment.is_rst or segment.is_fin:
        return "a RST" if segment.is_rst else "a FIN"
    return "a keep-alive" if segment.is_kind("probe") else f"{segment.len} bytes"
