"""The SYN was answered by a cookie: the server kept nothing of it until the client's ACK came back.

What it detects
---------------
Three signs of a SYN cookie. The SYN-ACK's timestamp lies 1 to 63 ticks further back than the time between the SYN and
the server's next segment allows: the options survive in it (info). Or the SYN-ACK offers neither window scale nor SACK
though the client offered both, and looks like Linux otherwise, or other SYNs there got them: they were lost (warning).
Or a client that acknowledged at once repeats its request for over a second and hears nothing, not even the SYN-ACK
again, which a server that had kept the SYN would repeat after 1 s (warning, confidence at most 0.5).

Why it happens
--------------
When the listener's queue of half-open connections is full (backlog of listen(), net.core.somaxconn), or always with
net.ipv4.tcp_syncookies = 2 (default 1), Linux computes its sequence number from the tuple, a counter and the MSS and
forgets the SYN (cookie_v4_init_sequence). Window scale, SACK and ECN have room in the low six bits of the SYN-ACK's
timestamp, which is set back for that (cookie_init_timestamp, TSBITS 6); when client or server uses no timestamps, they
are lost (tcp_conn_request, tcp_clear_options): the window stays below 64 KiB and each loss costs more. Since 4.10 a
secret offset hides the low bits from others: of each connection in 4.10 and in some later kernels, of each pair of
addresses from 4.11 on. When the accept queue is full as well, the ACK that brings the cookie back is dropped, and
nothing is left to answer what follows.

How to confirm
--------------
On the server: nstat -az TcpExtSyncookiesSent TcpExtSyncookiesRecv TcpExtSyncookiesFailed TcpExtListenOverflows;
dmesg | grep -i "SYN flooding"; ss -ltn 'sport = :PORT' (Recv-Q against Send-Q); sysctl net.ipv4.tcp_syncookies.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 1
Make tcp.options.timestamp.tsval and tcp.options.wscale.shift columns.

How to fix
----------
Raise the backlog of listen() and net.core.somaxconn, let the program accept() sooner; find who floods (syn-flood).
Keep net.ipv4.tcp_timestamps = 1 at both ends, so that nothing is lost. Do not set tcp_syncookies = 2 but for a test.

When it stays silent
--------------------
No time, or times in whole milliseconds; no SYN in the capture; a timestamp clock faster than 1 ms; the client's
timestamps show that more time passed than the capture says; a server that is not Linux and gave no other client the
options; SYN-ACK and next segment no further apart than the time that passed: a cookie whose low bits happened to be
near the clock's looks like any other.

References
----------
RFC 4987 section 3.6; RFC 7323 sections 2 and 3; Linux net/ipv4/syncookies.c; Linux
Documentation/networking/ip-sysctl.rst, tcp_syncookies.
"""

from collections.abc import Iterator

from tcptrace.diagnosis import cookies
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, frames_filter, numbers

RULE = Rule(
    name="syn-cookies",
    family="handshake",
    severity="warning",
    thresholds={
        "ticks": Threshold(1, "", "ticks that the SYN-ACK's timestamp must lie back beyond the time that passed"),
        "silence_s": Threshold(1, "s", "time after which a server that had kept the SYN repeats its SYN-ACK"),
    },
)

COUNTERS = "nstat -az TcpExtSyncookiesSent TcpExtSyncookiesRecv TcpExtListenOverflows"
FULL = "the listener's queue of half-open connections was full (or tcp_syncookies = 2), so the server kept no SYN"


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """The three signs, each by a mask first."""
    for story in evidence.stories(cookies.set_back(evidence, int(thresholds["ticks"]))):
        if clock := cookies.clock(story):
            yield _kept(story, clock)
    gives = cookies.gives_options(evidence)
    for story in evidence.stories(cookies.without_options(evidence, gives)):
        others = bool(gives[evidence.row_of(story.number)])
        syn_ack = next((told for told in story.of(SERVER) if told.is_syn_ack), None)
        if syn_ack and (others or cookies.keeps_window(story, syn_ack)):
            yield _lost(story, syn_ack, others=others)
    for story in evidence.stories(cookies.unanswered(evidence)):
        request = story.first("data", CLIENT)
        if request and cookies.is_forgotten(story, request, int(thresholds["silence_s"] * 1e9)):
            yield _forgotten(story)


def _kept(story: Story, clock: cookies.Clock) -> Finding:
    syn, syn_ack, after = clock.syn, clock.syn_ack, clock.after
    read = cookies.options_in(syn_ack.tsval, story.sides[CLIENT])
    frames = numbers((syn, syn_ack, after))
    return RULE.finding(
        severity="info",
        confidence=0.95 if read else 0.9 if clock.ticks_per_s else 0.75,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} kept",
        summary=(
            f"{story.server} answered {story.client} by a SYN cookie (frame {syn_ack.frame}): its timestamp lies"
            f" {clock.ticks} ticks before that of the next segment (frame {after.frame}), which came only"
            f" {elapsed(apart_ns(syn, after))} after the SYN."
        ),
        cause=f"{FULL}; window scale and SACK survive in the timestamp",
        evidence=(
            f"TSval {syn_ack.tsval}, then {after.tsval}",
            read or "the low bits do not read as the options: the kernel adds a secret offset",
        ),
        disproof="TcpExtSyncookiesSent of the server did not grow",
        confirm=f"Wireshark: {frames_filter(frames)}   server: {COUNTERS}",
        fix="harmless by itself; raise the backlog of listen() and somaxconn if it goes on, see whether it is a flood",
    )


def _lost(story: Story, syn_ack: Told, *, others: bool) -> Finding:
    syn = story.before(syn_ack, CLIENT)[:1]
    frames = numbers([*syn, syn_ack])
    form = "the SYN-ACK has Linux's form: IP ID 0, a window of whole segments"
    return RULE.finding(
        confidence=0.9 if others else 0.7,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} lost",
        summary=(
            f"{story.client} offered window scale {story.sides[CLIENT].window_scale} and SACK, {story.server} took"
            f" neither (frame {syn_ack.frame}): no window of the connection exceeds 65,535 bytes."
        ),
        cause=f"{FULL}; without timestamps a SYN cookie has no room for the options",
        evidence=(
            "other SYNs there got them" if others else form,
            f"MSS {story.sides[SERVER].mss}, no timestamp, window {syn_ack.window_bytes:,}",
        ),
        disproof="tcp_window_scaling and tcp_sack are off on the server, or something between strips the options",
        confirm=f"Wireshark: {frames_filter(frames)}   server: {COUNTERS}",
        fix="net.ipv4.tcp_timestamps = 1 at both ends; raise the backlog of listen() and somaxconn; stop the flood",
    )


def _forgotten(story: Story) -> Finding:
    syn_ack = next(told for told in story.of(SERVER) if told.is_syn_ack)
    request = [told for told in story.of(CLIENT) if told.len > 0]
    frames = numbers([syn_ack, *request])
    return RULE.finding(
        confidence=0.5,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} forgotten",
        summary=(
            f"{story.server} answered {story.client} (frame {syn_ack.frame}) and then knew nothing of it: the request"
            f" was sent {len(request)} times within {elapsed(apart_ns(syn_ack, request[-1]))} and got no word, nor was"
            " the SYN-ACK repeated."
        ),
        cause="the SYN was answered by a cookie and the ACK dropped, as the accept queue was full; or a SYN proxy"
        " answered for a server that is gone; or the path broke right after the handshake",
        evidence=("a server that had kept the SYN would repeat its SYN-ACK after 1 s or acknowledge the request",),
        disproof="the server's segments pass another way, or the path was broken: other flows went silent at that time",
        confirm=f"Wireshark: {frames_filter(frames)}   server: {COUNTERS}; ss -ltn (Recv-Q against Send-Q)",
        fix="let the program accept() sooner, raise the backlog of listen() and somaxconn; capture at the server",
    )
