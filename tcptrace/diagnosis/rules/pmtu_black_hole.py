"""Full segments vanish on a path that lets small ones through.

What it detects
---------------
A full segment (the largest of its direction, about the MSS) that was sent again at least `repeats` times after timeouts
and never acknowledged in that size, as no other of that size ever was, while the handshake and smaller segments were;
and the receiver was heard shortly before or later.

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
segment was sent (then it may be gone: idle-timeout).

References
----------
RFC 1191; RFC 8201; RFC 2923; RFC 4821; Linux net/ipv4/tcp_timer.c, tcp_mtu_probing;
Documentation/networking/ip-sysctl.rst; Documentation/networking/ipvs-sysctl.rst.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers

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


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A direction whose full segments were never acknowledged."""
    for side in (CLIENT, SERVER):
        repeated = evidence.measured(side, "timeouts")
        for story in evidence.stories((repeated > 0) & (repeated >= thresholds["repeats"])):
            stuck = _stuck(story, side)
            if len(stuck) >= thresholds["repeats"] and _was_heard(story, side, thresholds["heard_s"], stuck):
                yield _finding(story, side, stuck)


def _stuck(story: Story, side: int) -> list[Told]:
    """The repeats of the first full segment, if none of its size was ever acknowledged."""
    facts, peer = story.sides[side], story.sides[1 - side]
    known = [mss for mss in (facts.mss, peer.mss) if mss > 0]
    full = min(known) - OPTIONS_MAX if known else FULL_UNKNOWN
    repeats = [told for told in story.kind("timeout", side) if told.len >= full]
    if not repeats or peer.is_closed:
        return []
    first = repeats[0]
    same = [told for told in repeats if (told.seq, told.len) == (first.seq, first.len)]
    if facts.acked > first.seq and not _smaller(story, side, same[-1]):
        return []
    was_first = first.len == facts.largest_bytes and facts.largest_seq >= first.seq
    return same if was_first or first.seq - 1 < first.len else []


def _smaller(story: Story, side: int, last: Told) -> Told | None:
    """The repeat of the same bytes in smaller segments, which found its way."""
    later = (told for told in story.after(last, side) if told.is_kind("repeat"))
    return next((told for told in later if told.seq == last.seq and 0 < told.len < last.len), None)


def _was_heard(story: Story, side: int, heard_s: float, stuck: list[Told]) -> bool:
    """Whether the receiver was there: it spoke later, or just before the sender's last new payload."""
    peer = story.sides[1 - side]
    if peer.last_frame == 0:
        return False
    return _is_alive(story, side, stuck) or story.sides[side].last_data_ns - peer.last_ns <= heard_s * 1e9


def _is_alive(story: Story, side: int, stuck: list[Told]) -> bool:
    """Whether the receiver sent anything later than a round trip after the last new payload, or took less at once."""
    facts, peer = story.sides[side], story.sides[1 - side]
    late_ns = peer.last_ns - facts.last_data_ns
    return bool(late_ns > 2 * max(facts.rtt_min_ns, peer.rtt_min_ns, 0) or _smaller(story, side, stuck[-1]))


def _finding(story: Story, side: int, stuck: list[Told]) -> Finding:
    sender, receiver, first = story.end(side), story.end(1 - side), stuck[0]
    smaller, alive = _smaller(story, side, stuck[-1]), _is_alive(story, side, stuck)
    frames = numbers([*stuck, *([smaller] if smaller else [])])
    confidence = 0.9 if alive or smaller else 0.6
    return RULE.finding(
        confidence=confidence - (0.2 if story.flow.midstream else 0),
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{sender} sent a full segment of {first.len:,} bytes {len(stuck)} times again to {receiver}, over"
            f" {elapsed(stuck[-1].time_ns - first.time_ns)}, and got no acknowledgement of it (first repeat at frame"
            f" {first.frame})" + (f"; in smaller segments it passed (frame {smaller.frame})." if smaller else ".")
        ),
        cause=(
            "a link on the way is too small for full segments, and the ICMP message that says so is dropped or not sent"
            + ("" if alive or smaller else "; or the receiver or the path was gone from that moment")
        ),
        evidence=(
            f"{max(0, first.seq - 1):,} bytes before were acknowledged, none of them in so large a segment",
            f"{receiver} was heard later" if alive else f"{receiver} was not heard later",
        ),
        disproof=f"{receiver} got a segment of {first.len:,} bytes: its own capture shows it",
        confirm=f"Wireshark: {frames_filter(frames)}   sender: tracepath -n {receiver.rpartition(':')[0]};"
        " ss -ti (pmtu, mss, backoff)",
        fix="let ICMP too-big messages through, clamp the MSS where the small link begins, or set tcp_mtu_probing = 1",
    )
