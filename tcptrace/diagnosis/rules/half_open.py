"""A server answers a SYN, again and again, and the client never completes the handshake.

What it detects
---------------
A SYN-ACK that was repeated and never acknowledged, while the client said nothing, or only its SYN again, for
`silence_s` since the first one. The server holds a half-open connection (SYN_RECV) all that time.

Why it happens
--------------
The SYN-ACK does not reach the client (another route back, a stateful filter that never saw the SYN, a NAT that
forgot it), the client is gone, it never was (a forged source address: many of them are syn-flood), or its ACKs are
lost. Linux repeats a SYN-ACK net.ipv4.tcp_synack_retries = 5 times, after 1, 3, 7, 15 and 31 s, and forgets the
connection after 63 s.

How to confirm
--------------
Server: ss -tno state syn-recv 'sport = :PORT' (timer:(on,TIME,REPEATS)); nstat -az TcpExtTCPSynRetrans (SYN-ACKs count
too). Client: tcpdump -ni any 'host SERVER and port PORT' (does the SYN-ACK arrive?); nft list ruleset.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.analysis.retransmission

How to fix
----------
Follow the SYN-ACK to where it ends (tcptrace correlate with captures from the hosts between), and mend the route or
the filter there; both directions must pass the same stateful firewall.

When it stays silent
--------------------
The client acknowledged, reset or sent anything but its SYN (accept-queue-overflow when the server repeats its SYN-ACK
all the same); the SYN-ACK was not repeated, as of SYN cookies; the capture ends sooner; a flood (syn-flood). Where
the capture lacks what the client sends, confidence is 0.5: its ACKs may pass unseen and be dropped by the server.

References
----------
RFC 9293 section 3.5; Linux net/ipv4/inet_connection_sock.c, reqsk_timer_handler; ip-sysctl.rst (tcp_synack_retries).
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers, times
from tcptrace.schema import NO_TIME

RULE = Rule(
    name="half-open",
    family="handshake",
    severity="warning",
    thresholds={"silence_s": Threshold(3, "s", "time since the first SYN-ACK in which the client does not answer it")},
    explains=("rto-stall", "high-retransmission"),
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows of nothing but SYNs and repeated SYN-ACKs."""
    only = evidence.measured(SERVER, "retransmissions") > 0
    if not only.any():
        return
    only &= evidence.count("syn", SERVER) > 1
    for side in (CLIENT, SERVER):
        only &= evidence.count("first", side) == 0
    only &= (evidence.count("rst", CLIENT) == 0) & (evidence.joined.of(evidence.flows.flow)[0] < 0)
    for story in evidence.stories(only):
        answers = [told for told in story.of(SERVER) if told.is_syn_ack and told.repeats != "copy"]
        if len(answers) > 1 and _is_long(story, answers[0], thresholds["silence_s"]):
            yield _finding(story, answers)


def _is_long(story: Story, first: Told, silence_s: float) -> bool:
    if NO_TIME in (story.end_ns, first.time_ns):
        return False
    return story.end_ns - first.time_ns >= silence_s * 1e9


def _finding(story: Story, answers: list[Told]) -> Finding:
    syns = [told for told in story.of(CLIENT) if told.is_syn]
    asked_again = [told for told in syns if told.frame > answers[0].frame]
    frames = numbers([*syns, *answers])
    host, _, port = story.server.rpartition(":")
    repeats = story.measured(SERVER, "retransmissions")
    lasted_ns = max(answers[-1].time_ns, story.sides[SERVER].last_ns) - answers[0].time_ns
    client = story.client.rpartition(":")[0].strip("[]")
    return RULE.finding(
        confidence=(0.9 if repeats > 1 else 0.75) if syns else 0.5,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.server} answered {story.client} (frame {answers[0].frame}) and repeated that"
            f" {times(repeats)} in {elapsed(lasted_ns)}; {_heard(syns, asked_again)}."
        ),
        cause=_cause(syns, asked_again),
        evidence=(
            "SYN-ACK repeated after " + ", ".join(elapsed(told.time_ns - answers[0].time_ns) for told in answers[1:]),
            f"SYNs of the client: {len(syns)}" if syns else "nothing of the client is in this flow",
        ),
        disproof="an acknowledgement of the client that passes another way than this capture sees",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   server: ss -tno state syn-recv 'sport = :{port}'"
            f"   client: tcpdump -ni any 'host {host.strip('[]')} and port {port}'"
        ),
        fix=f"follow the SYN-ACK on its way to {client} to where it ends: route, filter, or a client that is gone",
    )


def _heard(syns: list[Told], asked_again: list[Told]) -> str:
    if not syns:
        return "nothing of the client was seen"
    return f"the client asked again (frame {asked_again[0].frame})" if asked_again else "the client is silent"


def _cause(syns: list[Told], asked_again: list[Told]) -> str:
    if asked_again:
        return "the SYN-ACK does not reach the client: lost on its way back, or dropped by a filter at its host"
    if not syns:
        return "the client does not get the SYN-ACK, or its ACK is lost or dropped: it passes unseen here"
    return "the client is gone or its address is forged, or the SYN-ACK or the ACK is lost on its way"
