"""Both ends called each other, and their SYNs crossed: one connection with two clients.

What it detects
---------------
Two bare SYNs on one 4-tuple, one from each end, each answered by the other end's SYN-ACK.

Why it happens
--------------
TCP allows it (RFC 9293 section 3.5, figure 7): an end in SYN_SENT that gets a SYN goes to SYN_RCVD and answers by a
SYN-ACK with its old sequence number. It takes two programs that bind() the port the other one calls, as peer-to-peer
hole punching through NATs does, and BGP speakers or clustered daemons with fixed ports at times.

How to confirm
--------------
Both ends: ss -tnpo 'sport = :PORT' (neither is a listener's child). A strace of both shows bind() before connect().
In Wireshark: tcp.stream == N && tcp.flags.syn == 1

How to fix
----------
Nothing is broken. Where it is not meant, let one end only connect, or let the system choose the calling port.

When it stays silent
--------------------
Two connections, one each way, that share no 4-tuple; a SYN that answers a SYN without any SYN-ACK of its sender is
told with less confidence: it may be a split handshake.

References
----------
RFC 9293 section 3.5; RFC 5382 section 4.1 (NATs must allow it); Linux net/ipv4/tcp_input.c,
tcp_rcv_synsent_state_process.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import ACK, CLIENT, RST, SERVER, SYN, Story, Told, elapsed, frames_filter, numbers

RULE = Rule(name="simultaneous-open", family="handshake", severity="info")


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows in which both sides sent a SYN without ACK."""
    notable = evidence.notable
    called_back = (notable.flags & (SYN | ACK | RST) == SYN) & (notable.side == SERVER)
    if not called_back.any():
        return
    for story in evidence.stories(np.isin(evidence.flows.flow, notable.flow[called_back])):
        sides = (CLIENT, SERVER)
        syns = [next((told for told in story.of(side) if told.is_syn), None) for side in sides]
        answers = [next((told for told in story.of(side) if told.is_syn_ack), None) for side in sides]
        seen = [told for told in syns + answers if told]
        if all(syns) and any(answers):
            yield _finding(story, seen, all(answers))


def _finding(story: Story, seen: list[Told], is_mutual: bool) -> Finding:
    frames = numbers(seen)
    first, second = seen[:2]
    return RULE.finding(
        confidence=0.95 if is_mutual else 0.6,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.client.rpartition(':')[0]} {story.server.rpartition(':')[0]}",
        summary=(
            f"{story.client} and {story.server} called each other: their SYNs (frames {first.frame}, {second.frame})"
            f" crossed within {elapsed(abs(second.time_ns - first.time_ns))}, and one connection came of them."
        ),
        cause="both programs connect from the port that the other one calls",
        evidence=(
            "each end sent a SYN and a SYN-ACK"
            if is_mutual
            else "only one end sent a SYN-ACK: the other's SYN may have been its answer (a split handshake)",
        ),
        disproof="a middlebox that sends SYNs in an end's name: their TTLs would differ from that end's later segments",
        confirm=f"Wireshark: {frames_filter(frames)}   both ends: ss -tnp 'sport = :PORT'",
        fix="nothing is broken; where it is not meant, let one end only connect",
    )
