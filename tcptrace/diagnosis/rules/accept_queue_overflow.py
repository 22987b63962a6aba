"""A listener's accept queue is full: clients believe they are connected, the server does not.

What it detects
---------------
The client's last ACK of the handshake is there, and still the server repeats its SYN-ACK: after payload that it
ignores as well, or at least `repeats` times. Or, with tcp_abort_on_overflow, a bare RST answers that ACK at once.
Only at the server does the capture show that the ACK arrived. Elsewhere what the client sends may be lost behind it:
the confidence is 0.6 then, and more only where several clients fare so.

Why it happens
--------------
Linux moves a connection into the listener's accept queue with the client's ACK. If the queue is full (longer than
min(listen() backlog, net.core.somaxconn), 4096 by default), it drops that ACK (tcp_v4_syn_recv_sock,
sk_acceptq_is_full), keeps the connection in SYN_RECV, and its timer repeats the SYN-ACK after 1, 3, 7 ... s until there
is room or net.ipv4.tcp_synack_retries = 5 have passed. The client is in ESTABLISHED and its request is lost each time.
With net.ipv4.tcp_abort_on_overflow = 1 (default 0) the kernel sends a RST instead (tcp_check_req). The program accepts
too slowly: blocked or starved of CPU, too few workers, out of file descriptors, or the backlog is small for a burst.

How to confirm
--------------
Server: nstat -az TcpExtListenOverflows TcpExtListenDrops (both grow); ss -ltn 'sport = :PORT' (Recv-Q above Send-Q);
nstat -az TcpExtTCPDeferAcceptDrop (it grows instead where TCP_DEFER_ACCEPT waits for data);
sysctl net.ipv4.tcp_abort_on_overflow net.core.somaxconn.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.analysis.retransmission

How to fix
----------
Let the program accept faster: more workers or threads, no blocking work in the accept loop, enough file descriptors.
Raise its backlog and net.core.somaxconn together (the smaller counts). Leave tcp_abort_on_overflow at 0, so that a
burst only delays.

When it stays silent
--------------------
One repeat of the SYN-ACK to a client that has sent no payload: so does TCP_DEFER_ACCEPT, which opens the connection at
the end of its period, and so does the loss of a single ACK. With SYN cookies nothing is kept and nothing repeated. The
RST answers payload (first-data-reset), has an ACK flag (the program's own: abortive-close) or another TTL. SYN-ACKs
with two sequence numbers: two servers answer.

References
----------
Linux net/ipv4/tcp_minisocks.c, tcp_check_req; net/ipv4/inet_connection_sock.c, syn_ack_recalc; listen(2); tcp(7),
TCP_DEFER_ACCEPT; Documentation/networking/ip-sysctl.rst (tcp_abort_on_overflow).
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers, times
from tcptrace.diagnosis.vantage import at_server
from tcptrace.schema import Bools

RULE = Rule(
    name="accept-queue-overflow",
    family="handshake",
    severity="error",
    thresholds={"repeats": Threshold(2, "", "SYN-ACKs that ignore the ACK of a client that has sent no payload")},
    explains=(
        "half-open",
        "handshake-slow",
        "first-data-reset",
        "abortive-close",
        "idle-timeout",
        "rto-stall",
        "fin-retransmission",
        "high-retransmission",
        "spurious-retransmission",
    ),
)

HANDSHAKE_RESET = 1 | 2 | 32
"""In FlowMeasures.completeness: SYN, SYN-ACK and RST were seen."""

SURE, LIKELY, UNSURE = 0.95, 0.8, 0.6
"""Where the capture shows the ACK's arrival; where several clients fare alike; where the ACK may be lost behind it."""

NO_PAYLOAD = 0.1
"""By so much it is less sure where no payload was ignored as well."""

PROMPT_NS = 100_000_000
"""A kernel's RST needs no longer than this, and a round trip."""


class Drop(NamedTuple):
    """A last ACK of a handshake, and how the server goes on as if it had not come."""

    story: Story
    ack: Told
    repeats: list[Told]
    lost: Told | None
    """Payload that fared like the ACK."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows whose SYN-ACK was repeated after the client's ACK, and flows whose ACK was reset."""
    repeated = evidence.measured(SERVER, "retransmissions") > 0
    if repeated.any():
        yield from _all_dropped(evidence, repeated, thresholds["repeats"])
    reset = evidence.measures.completeness & HANDSHAKE_RESET == HANDSHAKE_RESET
    if reset.any():
        yield from _all_aborted(evidence, reset)


def _all_dropped(evidence: Evidence, repeated: Bools, enough: float) -> Iterator[Finding]:
    near = at_server(evidence)
    repeated = repeated & (evidence.count("syn", SERVER) > 1) & (evidence.count("first", CLIENT) > 0)
    drops = [drop for story in evidence.stories(repeated) if (drop := _drop(story, enough))]
    callers = {(drop.story.server, drop.story.flow.client) for drop in drops}
    clients = Counter(server for server, _ in callers)
    for drop in drops:
        yield _ignored(drop, clients[drop.story.server], is_near=bool(near[drop.story.flow.server]))


def _all_aborted(evidence: Evidence, reset: Bools) -> Iterator[Finding]:
    reset = reset & (evidence.count("rst", SERVER) > 0) & (evidence.count("first", SERVER) == 0)
    for story in evidence.stories(reset & (evidence.count("first", CLIENT) > 0)):
        ack, rst = story.first("first", CLIENT), story.first("rst", SERVER)
        if ack and rst and _answers(story, ack, rst):
            yield _aborted(story, ack, rst)


def _was_answered(ack: Told, answer: Told) -> bool:
    """Whether a SYN-ACK came before the ACK, or must have, as that knows its number: stamps may swap the two."""
    return answer.frame < ack.frame or ack.ack == 1


def _is_anothers(answer: Told) -> bool:
    return answer.has_label("reused_ports")


def _drop(story: Story, enough: float) -> Drop | None:
    ack, answers = story.first("first", CLIENT), [told for told in story.of(SERVER) if told.is_syn_ack]
    if not ack or not answers or not _was_answered(ack, answers[0]) or any(map(_is_anothers, answers)):
        return None
    crossing_ns = ack.time_ns - story.flow.start_ns
    late = [told for told in answers if told.time_ns - ack.time_ns > crossing_ns]
    repeats = [told for told in late if told.repeats != "copy"]
    data = next((told for told in story.kind("data", CLIENT) if not told.is_syn), None)
    lost = data if data and any(told.time_ns - data.time_ns > crossing_ns for told in repeats) else None
    return Drop(story, ack, repeats, lost) if repeats and (lost or len(repeats) >= enough) else None


def _ignored(drop: Drop, clients: int, *, is_near: bool) -> Finding:
    story, ack, repeats, lost = drop
    frames = numbers([ack, *repeats, *([lost] if lost else [])])
    since = ", ".join(elapsed(told.time_ns - ack.time_ns) for told in repeats)
    sure = SURE if is_near else LIKELY if clients > 1 else UNSURE
    return RULE.finding(
        confidence=round(sure - (0 if lost else NO_PAYLOAD), 2),
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} dropped",
        summary=_summary(drop, is_near=is_near),
        cause=(
            "the listener's accept queue is full: the server drops ACKs until the program accepts"
            + ("" if is_near else "; or what the client sends is lost beyond this point")
        ),
        evidence=(
            f"SYN-ACK repeated {since} after the ACK",
            "no TCP_DEFER_ACCEPT: "
            + ("that takes payload" if lost else "that repeats its SYN-ACK once, and opens with the next ACK"),
            *([f"{clients:,} clients of this listener fared so"] if clients > 1 else []),
        ),
        disproof="TcpExtListenOverflows does not grow on the server; a capture there lacks these ACKs",
        confirm=_confirm(story, frames),
        fix="accept faster; raise the program's backlog and net.core.somaxconn together",
    )


def _summary(drop: Drop, *, is_near: bool) -> str:
    """What the server did; that it ignored what came is said only where it is seen to have come."""
    story, ack, repeats, lost = drop
    opened = story.first("first", SERVER)
    request = f" and its {lost.len} bytes of request (frame {lost.frame})" if lost else ""
    repeated = (
        f"repeated its SYN-ACK {times(len(repeats), at_least=story.is_more('syn', SERVER))}"
        f" (from frame {repeats[0].frame} on)"
    )
    heard = f"the ACK of {story.client} (frame {ack.frame}){request}"
    late = f" It opened {elapsed(opened.time_ns - ack.time_ns)} late." if opened else ""
    if is_near:
        return f"{story.server} ignored {heard} and {repeated}.{late}"
    return f"{story.server} {repeated} as if {heard} had not come.{late}"


def _answers(story: Story, ack: Told, rst: Told) -> bool:
    """Whether a RST has the form of tcp_abort_on_overflow, and answers the ACK rather than payload."""
    reset = Reset(story, rst)
    if not reset.is_bare or not reset.fits_ttl or (ack.ack, rst.seq) != (1, 1) or ack.frame > rst.frame:
        return False
    round_trip_ns = max(0, story.flow.syn_to_synack_ns)
    if rst.time_ns - ack.time_ns > 2 * round_trip_ns + PROMPT_NS:
        return False
    data = story.first("data", CLIENT)
    if data is None or data.frame > rst.frame:
        return True
    sent = [told for told in story.before(rst, CLIENT) if not told.is_syn]
    return data is not ack and len(story.kind("rst", SERVER)) >= len(sent)


def _aborted(story: Story, ack: Told, rst: Told) -> Finding:
    frames = numbers([ack, rst])
    took = elapsed(rst.time_ns - ack.time_ns)
    return RULE.finding(
        confidence=0.7 if rst.ip_id <= 0 else 0.5,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} aborted",
        summary=(
            f"{story.server} answered the last ACK of the handshake of {story.client} (frame {ack.frame}) by a RST"
            f" after {took} (frame {rst.frame})."
        ),
        cause="the accept queue is full and net.ipv4.tcp_abort_on_overflow = 1; or the listener closed at that moment",
        evidence=(
            f"{Reset(story, rst).form}: a kernel's answer, no program's",
            "nothing else of the server but its SYN-ACK",
        ),
        disproof="TcpExtListenOverflows does not grow, or tcp_abort_on_overflow is 0: a filter reset it then",
        confirm=_confirm(story, frames),
        fix="accept faster, raise the backlog and net.core.somaxconn, set net.ipv4.tcp_abort_on_overflow = 0",
    )


def _confirm(story: Story, frames: tuple[int, ...]) -> str:
    listener = f"ss -ltn 'sport = :{story.flow.server_port}'"
    return f"Wireshark: {frames_filter(frames)}   server: nstat -az TcpExtListenOverflows TcpExtListenDrops; {listener}"
