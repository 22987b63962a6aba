"""Full segments vanish on a path that lets small ones through.

What it detects
---------------
A full segment (the largest of its direction, about the MSS) that was sent again at least `repeats` times after timeouts
and never acknowledged in that size, as no other of that size ever was, while the handshake and smaller segments were;
and the receiver was heard shortly before or later. Where the capture holds an ICMP error that says "too big" about the
flow, one repeat in full size after it is enough: the sender did not heed it. Where nothing was heard of the receiver
after the full segment, it or the path may as well be gone: that is a warning at a confidence of 0.4, and names both.

Why it happens
--------------
A link on the way has a smaller MTU (a tunnel: IPsec, WireGuard, VXLAN, GRE, IPIP for LVS; PPPoE). Its router drops
what is too large, as IPv4 senders set DF and IPv6 routers do not fragment, and says so by ICMP (type 3 code 4 with the
MTU, RFC 1191; ICMPv6 type 2, RFC 8201). A firewall that drops ICMP, a balancer that gives the message to another server
than the one concerned, or a tunnel that sends none keeps the sender from learning it (RFC 2923). The handshake and
short messages pass, the first large answer hangs. Linux helps itself only with net.ipv4.tcp_mtu_probing = 1 (default
0): after tcp_retries1 = 3 timeouts it goes down to tcp_base_mss = 1024.

How to confirm
--------------
On the sender: tracepath -n ADDRESS; ping -M do -s 1472 ADDRESS, then smaller; ss -ti dst ADDRESS shows pmtu:, mss: and
backoff:; ip route get ADDRESS shows a learnt mtu; tcpdump -ni any 'icmp[0] == 3 and icmp[1] == 4 or icmp6[0] == 2'.
In Wireshark: tcp.stream == N && tcp.analysis.retransmission || icmp.type == 3 && icmp.code == 4 || icmpv6.type == 2

How to fix
----------
Let the ICMP messages through to the sender (net.ipv4.ip_no_pmtu_disc = 0; on an IPVS director net.ipv4.vs.pmtu_disc =
1). Give the link and its users one MTU, or clamp the MSS where the small link begins: iptables -t mangle -A FORWARD -p
tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu; nft: tcp flags syn tcp option maxseg size set rt mtu. As a
safety net: net.ipv4.tcp_mtu_probing = 1.

When it stays silent
--------------------
A full segment was acknowledged before; the sender made its segments smaller at once (it heeded the ICMP message); the
receiver's window was closed; nothing of the receiver was seen, or it had been silent for a while when the first full
segment was sent (then it may be gone: idle-timeout); small segments sent after it drew no answer either. Full segments
of at most 1000 bytes pass every tunnel in use: there it takes an ICMP error, or a smaller segment that passed after
them.

References
----------
RFC 1191; RFC 8201; RFC 2923; RFC 4821; Linux net/ipv4/tcp_timer.c, tcp_mtu_probing;
Documentation/networking/ip-sysctl.rst; Documentation/networking/ipvs-sysctl.rst.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.capture.context import IcmpError
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers, times

RULE = Rule(
    name="pmtu-black-hole",
    family="transfer",
    severity="error",
    thresholds={
        "repeats": Threshold(3, "", "times a full segment was sent again in vain"),
        "heard_s": Threshold(1, "s", "most time from the receiver's last segment to the sender's last new payload"),
    },
    explains=("rto-stall", "high-retransmission", "spurious-retransmission"),
)

FULL_UNKNOWN = 1000
"""What counts as full where no MSS was seen."""
OPTIONS_MAX = 40
SMALL = 1000
"""Bytes that pass wherever IPv6 does (RFC 8200 section 5: 1280 with headers), and through every tunnel in use."""
ERRORS_NAMED = 3


class Stuck(NamedTuple):
    """A full segment that never arrived, and what shows why."""

    repeats: list[Told]
    smaller: Told | None
    """The same bytes in a smaller segment, later."""
    errors: list[IcmpError]
    """What routers said of segments that are too big."""
    is_healed: bool
    """Whether the receiver acknowledged those."""
    is_alive: bool
    """Whether the receiver showed later that it is there."""
    is_heard: bool
    """Whether it said anything in answer to the last new payload, or later."""

    @property
    def is_sure(self) -> bool:
        """Whether nothing but the size can be at fault."""
        return self.is_alive or bool(self.errors)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction whose full segments were never acknowledged."""
    for side in (CLIENT, SERVER):
        repeated = evidence.measured(side, "timeouts")
        enough = (repeated >= thresholds["repeats"]) | np.isin(evidence.flows.flow, _told(evidence, side))
        for story in evidence.stories((repeated > 0) & enough):
            stuck = _stuck(story, side)
            if stuck and _is_one(story, side, stuck, thresholds):
                yield _finding(story, side, stuck)


def _told(evidence: Evidence, side: int) -> list[int]:
    """Flows of which a router said that a segment of this side is too big."""
    return [error.flow for error in evidence.icmp if error.is_too_big and error.side == side]


def _stuck(story: Story, side: int) -> Stuck | None:
    """The first full segment that was sent again, if nothing of its size was ever acknowledged."""
    facts, peer = story.sides[side], story.sides[1 - side]
    known = [mss for mss in (facts.mss, peer.mss) if mss > 0]
    full = min(known) - OPTIONS_MAX if known else FULL_UNKNOWN
    repeats = [told for told in story.kind("timeout", side) if told.len >= full]
    if not repeats or peer.is_closed:
        return None
    first = repeats[0]
    same = [told for told in repeats if (told.seq, told.len) == (first.seq, first.len)]
    again = (told for told in story.after(same[-1], side) if told.is_kind("repeat"))
    smaller = next((told for told in again if told.seq == first.seq and 0 < told.len < first.len), None)
    none_before = first.seq - 1 < first.len or (first.len == facts.largest_bytes and facts.largest_seq >= first.seq)
    if not none_before or (facts.acked > first.seq and not smaller):
        return None
    errors = [error for error in story.icmp if error.is_too_big and error.side == side]
    late_ns = peer.last_ns - facts.last_data_ns
    rtt_ns, is_healed = max(facts.rtt_min_ns, peer.rtt_min_ns, 0), bool(facts.acked > first.seq)
    return Stuck(same, smaller, errors, is_healed, is_healed or late_ns > 2 * rtt_ns, late_ns > 0 and late_ns >= rtt_ns)


def _is_one(story: Story, side: int, stuck: Stuck, thresholds: Thresholds) -> bool:
    """Whether ICMP proves it, or it was tried often enough while the receiver was there."""
    if any(error.frame < stuck.repeats[-1].frame for error in stuck.errors):
        return True
    peer = story.sides[1 - side]
    if len(stuck.repeats) < thresholds["repeats"] or peer.last_frame == 0:
        return False
    if stuck.repeats[0].len <= SMALL:
        return stuck.is_healed
    was_there = story.sides[side].last_data_ns - peer.last_ns <= thresholds["heard_s"] * 1e9
    return stuck.is_alive or (was_there and not _loses_small_ones(story, side, stuck))


def _loses_small_ones(story: Story, side: int, stuck: Stuck) -> bool:
    """Whether small segments beyond the full one drew no duplicate ACK either, though there was time for it.

    Those that are not notable show by what is left over beyond the last full segment.
    """
    first, last = stuck.repeats[0], stuck.repeats[-1]
    rest = int(story.sides[side].sent - first.seq) % first.len
    told = any(told.seq > first.seq and told.len <= SMALL and told.frame < last.frame for told in story.of(side))
    return not stuck.is_heard and (told or 0 < rest <= SMALL)


def _finding(story: Story, side: int, stuck: Stuck) -> Finding:
    sender, receiver, first = story.end(side), story.end(1 - side), stuck.repeats[0]
    told = [first, *stuck.repeats[1:], *([stuck.smaller] if stuck.smaller else [])]
    frames = tuple(sorted({*numbers(told), *(error.frame for error in stuck.errors[:ERRORS_NAMED])}))
    passed = f"; in smaller segments it passed (frame {stuck.smaller.frame})." if stuck.smaller else "."
    how_often = times(len(stuck.repeats), at_least=story.is_more("timeout", side))
    return RULE.finding(
        severity="error" if stuck.is_sure else "warning",
        confidence=_confidence(story, stuck),
        flows=(story.number,),
        sender=side,
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{sender} sent a full segment of {first.len:,} bytes {how_often} again to {receiver} (from frame"
            f" {first.frame} on, over {elapsed(stuck.repeats[-1].time_ns - first.time_ns)}) and never got it"
            f" acknowledged{passed}"
        ),
        cause=_cause(stuck),
        evidence=tuple(_evidence(story, side, stuck)),
        disproof=f"{receiver} got a segment of {first.len:,} bytes: its own capture shows it",
        confirm=f"Wireshark: {frames_filter(frames)}   sender: tracepath -n {receiver.rpartition(':')[0].strip('[]')};"
        " ss -ti (pmtu, mss, backoff)",
        fix=(
            "let the ICMP messages reach the sender's kernel (its own packet filter, the balancer before it)"
            if stuck.errors
            else "let ICMP too-big messages through, clamp the MSS where the small link begins, or set"
            " tcp_mtu_probing = 1"
        ),
    )


def _confidence(story: Story, stuck: Stuck) -> float:
    if stuck.errors:
        return 0.95
    return (0.9 if stuck.is_alive else 0.4) - (0.2 if story.flow.midstream else 0)


def _cause(stuck: Stuck) -> str:
    if stuck.errors:
        return (
            "a link on the way is too small for full segments, and the sender does not heed the ICMP message about it"
        )
    gone = "" if stuck.is_alive else "; or the receiver or the path was gone from that moment"
    return f"a link on the way is too small for full segments, and the ICMP message that says so does not come{gone}"


def _evidence(story: Story, side: int, stuck: Stuck) -> Iterator[str]:
    for error in stuck.errors[:ERRORS_NAMED]:
        room = f", its next link takes {error.mtu:,} bytes" if error.mtu > 0 else ""
        yield f"{error.reporter} says by ICMP that a segment is too big{room} (frame {error.frame})"
    before = max(0, stuck.repeats[0].seq - 1)
    yield f"{before:,} bytes before were acknowledged, none of them in so large a segment"
    soon = "heard a round trip later, not since" if stuck.is_heard else "not heard later"
    heard = "heard later" if stuck.is_alive else soon
    yield f"{story.end(1 - side)} was {heard}"
