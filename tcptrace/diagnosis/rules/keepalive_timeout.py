"""Keep-alives went unanswered: the other side is gone without a word.

What it detects
---------------
At least `probes` keep-alives in a row of a side that has nothing unacknowledged, without anything from its peer since,
and then its RST; without the RST, at least `silent_probes`.

Why it happens
--------------
The peer's host was switched off, lost its address or its link, or something between (NAT, a firewall, a director)
forgot the connection and drops its segments. A socket with SO_KEEPALIVE sends after net.ipv4.tcp_keepalive_time =
7200 s of silence (TCP_KEEPIDLE) a segment one below its next number, which any live peer must acknowledge, and repeats
it each tcp_keepalive_intvl = 75 s (TCP_KEEPINTVL). After tcp_keepalive_probes = 9 (TCP_KEEPCNT), or after
TCP_USER_TIMEOUT, the kernel sends a RST and the application gets ETIMEDOUT (tcp_keepalive_timer,
tcp_send_active_reset).

How to confirm
--------------
On the prober: ss -to dst ADDRESS shows timer:(keepalive,...); nstat -az TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout. At
the peer: is the host up, ss -tn src ADDRESS, does the connection still exist? Between: conntrack -L -d ADDRESS,
ipvsadm -lnc.
In Wireshark: tcp.stream == N && (tcp.analysis.keep_alive || tcp.flags.reset == 1)

How to fix
----------
Bring the peer or the path back. Where something between forgets idle connections, let keep-alives come more often than
its timeout (TCP_KEEPIDLE below IPVS's 900 s, nf_conntrack_tcp_timeout_established, a cloud balancer's 350 s), or raise
that timeout.

When it stays silent
--------------------
A keep-alive was answered in the end; the segments probe a closed window (zero-window) or repeat a byte that is not
acknowledged; the capture holds nothing of the peer in this flow and no RST ends it.

References
----------
RFC 9293 section 3.8.4; RFC 1122 section 4.2.3.6; tcp(7); Linux net/ipv4/tcp_timer.c, tcp_keepalive_timer.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, counted, elapsed, frames_filter, numbers, times

RULE = Rule(
    name="keepalive-timeout",
    family="transfer",
    severity="warning",
    thresholds={
        "probes": Threshold(2, "", "unanswered keep-alives in a row before the RST"),
        "silent_probes": Threshold(3, "", "unanswered keep-alives in a row where no RST follows"),
    },
    explains=("abortive-close",),
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A side whose last keep-alives nobody answered."""
    for side in (CLIENT, SERVER):
        facts, peer = evidence.sides[side], evidence.sides[1 - side]
        idle = (facts.acked >= facts.sent) & (peer.is_closed == 0)
        unanswered = (facts.unanswered > 0) & (facts.unanswered >= min(thresholds.values()))
        for story in evidence.stories(idle & unanswered):
            rst = next((told for told in story.kind("rst", side) if told.frame == story.sides[side].last_frame), None)
            least = thresholds["probes" if rst else "silent_probes"]
            if story.sides[side].unanswered >= least and (rst or story.sides[1 - side].last_frame):
                yield _finding(story, side, rst)


def _finding(story: Story, side: int, rst: Told | None) -> Finding:
    prober, peer, facts = story.end(side), story.end(1 - side), story.sides[side]
    last_heard = story.sides[1 - side].last_frame
    probes = [told for told in story.kind("probe", side) if told.frame > last_heard]
    frames = numbers([*probes, *([rst] if rst else [])]) or (facts.last_frame,)
    if last_heard and len(probes) < facts.unanswered:
        frames = (last_heard, *frames)
    silence = elapsed(facts.last_ns - story.sides[1 - side].last_ns)
    last = f", last heard of {silence} before the end" if last_heard else ", which was never heard of"
    return RULE.finding(
        confidence=(0.95 if rst else 0.6) - (0.2 if not last_heard else 0),
        flows=(story.number,),
        frames=frames,
        alike=story.end(1 - side) if side == CLIENT else story.server,
        summary=(
            f"{prober} asked {times(facts.unanswered)} whether {peer} is still there and got no answer{last}"
            + (f", then gave up with a RST (frame {rst.frame})." if rst else f" (last at frame {facts.last_frame}).")
        ),
        cause="the peer's host or its link is gone, or something between forgot the connection and drops its segments",
        evidence=(
            f"all that {prober} sent was acknowledged; {counted(facts.unanswered, 'keep-alive')} later had no answer",
            *([f"{elapsed(rst.idle_ns)} from the last keep-alive to the RST"] if rst else ()),
        ),
        disproof=f"answers of {peer} that took another way than this capture sees",
        confirm=f"Wireshark: {frames_filter(frames)}   prober: nstat -az TcpExtTCPKeepAlive TcpExtTCPAbortOnTimeout"
        f"   peer: ss -tn sport = :{story.flow.server_port if side == CLIENT else story.flow.client_port}",
        fix="bring the peer or the path back; where something forgets idle connections, send keep-alives more often",
    )
