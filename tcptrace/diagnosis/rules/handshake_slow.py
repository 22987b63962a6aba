"""More than a second passes from a client's first SYN until the connection is open.

What it detects
---------------
The client's first acknowledgement of the SYN-ACK comes more than `slow_s` after its first SYN. Which side waited:
before the SYN-ACK it is the network or the server, after it the network or the client; repeats of the SYN or of the
SYN-ACK tell of loss, a single SYN answered late of slowness.

Why it happens
--------------
A lost SYN or SYN-ACK costs the initial timeout: 1 s (RFC 6298; Linux: TCP_TIMEOUT_INIT), 3 s in older stacks. A full
accept queue, a full backlog without SYN cookies, or a filter with a rate limit drops the first SYN and takes the
repeat. A firewall or NAT that must first learn of the connection, ARP or neighbour discovery to a host that sleeps, a
container that starts on demand, a satellite hop, or a busy host delay it without loss.

How to confirm
--------------
Client: nstat -az TcpExtTCPSynRetrans. Server: nstat -az TcpExtListenOverflows TcpExtListenDrops
TcpExtTCPReqQFullDrop; ss -ltn (Recv-Q against Send-Q).
In Wireshark: tcp.flags.syn == 1
Make frame.time_delta_displayed a column; tcp.analysis.initial_rtt measures from the last SYN and does not show it.

How to fix
----------
Where the SYN was lost, look for loss and for full queues at the server; where it was late, at what stands between
that sets connections up. Keep connections open (keep-alive, pools) so that the price is paid once.

When it stays silent
--------------------
The handshake took less, did not complete (syn-unanswered, half-open, accept-queue-overflow), or its first SYN or its
ACK is not in the capture, as where a late first segment has payload though the server did not repeat its SYN-ACK.

References
----------
RFC 6298 section 2.1 and 5.7; RFC 9293 section 3.5; Linux include/net/tcp.h, TCP_TIMEOUT_INIT.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import ACK, CLIENT, SERVER, Story, Told, counted, elapsed, frames_filter, numbers, times
from tcptrace.diagnosis.vantage import at_server
from tcptrace.schema import KINDS, NO_TIME, Bools

RULE = Rule(
    name="handshake-slow",
    family="handshake",
    severity="warning",
    thresholds={"slow_s": Threshold(1, "s", "longest good time from the first SYN to the client's ACK")},
)


EVEN = "both halves took about as long: the path is slow on both sides of this point, no end alone is to blame"
UNREPEATED_NS = 3_500_000_000
"""A server that has no ACK repeats its SYN-ACK sooner, after 1 s, or 3 s in older stacks."""


SOON = 4
"""An answer that takes less than this part of the time since the first SYN answers the last one."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows whose client acknowledged the SYN-ACK late."""
    near, slow_ns = at_server(evidence), int(thresholds["slow_s"] * 1e9)
    for story in evidence.stories(_opened_late(evidence, slow_ns)):
        syns = [told for told in story.of(CLIENT) if told.is_syn and told.repeats != "copy"]
        answers = [told for told in story.of(SERVER) if told.is_syn_ack and told.repeats != "copy"]
        ack = story.first("first", CLIENT)
        if not (syns and answers and ack and syns[0].frame < answers[0].frame < ack.frame):
            continue
        if ack.time_ns - syns[0].time_ns > slow_ns and _completes(story, answers, ack):
            yield _finding(story, syns, answers, ack, bool(near[story.flow.server]))


def _opened_late(evidence: Evidence, slow_ns: int) -> Bools:
    flows, notable = evidence.flows, evidence.notable
    is_first = (notable.kinds >> KINDS.index("first") & 1 == 1) & (notable.flags & ACK > 0) & (notable.side == CLIENT)
    rows = np.flatnonzero(is_first & (notable.time_ns != NO_TIME))
    place = np.searchsorted(flows.flow, notable.flow[rows])
    late = np.zeros(len(flows.flow), np.bool_)
    known = flows.start_ns[place] != NO_TIME
    late[place] = known & (notable.time_ns[rows] - np.where(known, flows.start_ns[place], 0) > slow_ns)
    both = c.SYN_SEEN | c.SYN_ACK_SEEN
    opened: Bools = late & (evidence.measures.completeness & both == both) & (flows.midstream == 0)
    return opened


def _completes(story: Story, answers: list[Told], ack: Told) -> bool:
    """Whether this is the ACK of the handshake, and not what came later, while the capture lacks that ACK."""
    if (ack.seq, ack.ack) != (1, 1) or any(told.is_rst for told in story.before(ack)):
        return False
    waited_ns = ack.time_ns - answers[0].time_ns
    is_prompt = waited_ns < answers[0].time_ns - story.flow.start_ns
    is_bare = ack.len == 0 and not ack.is_fin and waited_ns <= UNREPEATED_NS
    return is_prompt or is_bare or any(told.frame < ack.frame for told in answers[1:])


def _finding(story: Story, syns: list[Told], answers: list[Told], ack: Told, is_near: bool) -> Finding:
    syn, answer = syns[0], answers[0]
    before_ns, after_ns = answer.time_ns - syn.time_ns, ack.time_ns - answer.time_ns
    repeats = [told for told in syns + answers if told not in (syn, answer) and told.frame < ack.frame]
    frames = numbers([syn, answer, ack, *repeats])
    port = story.flow.server_port
    waited = (
        f"the SYN-ACK took {elapsed(before_ns)}"
        if before_ns >= after_ns
        else f"the client's ACK took {elapsed(after_ns)}"
    )
    is_even = not repeats and max(before_ns, after_ns) <= 2 * min(before_ns, after_ns)
    if is_even:
        cause = EVEN
    elif before_ns >= after_ns:
        cause = _cause_before(story, syns, answer, is_near)
    else:
        cause = _cause_after(syns, answers, ack, is_near)
    return RULE.finding(
        confidence=0.6 if is_even else 0.9,
        flows=(story.number,),
        frames=frames,
        alike=cause if is_even else f"{story.server} {before_ns >= after_ns}",
        summary=(
            f"{story.client} needed {elapsed(before_ns + after_ns)} to open a connection to {story.server}"
            f" (frames {syn.frame} to {ack.frame}): {waited}."
        ),
        cause=cause,
        evidence=(
            f"SYN to SYN-ACK {elapsed(before_ns)}, SYN-ACK to ACK {elapsed(after_ns)}",
            f"{counted(sum(told.is_syn for told in repeats), 'repeat')} of the SYN,"
            f" {sum(told.is_syn_ack for told in repeats)} of the SYN-ACK before the ACK",
        ),
        disproof="a clock of the capturing host that was set meanwhile",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   client: nstat -az TcpExtTCPSynRetrans"
            f"   server: nstat -az TcpExtListenOverflows TcpExtListenDrops; ss -ltn 'sport = :{port}'"
        ),
        fix="find what is slow, loses or drops on the way or at the server; keep connections open for reuse",
    )


def _cause_before(story: Story, syns: list[Told], answer: Told, is_near: bool) -> str:
    asked = [told for told in syns if told.frame < answer.frame]
    if len(asked) == 1:
        return "the server, or what sets connections up before it, was slow: one SYN, answered late"
    if is_near:
        return "the server dropped the first SYN: its accept queue was full, or a filter before the socket limits SYNs"
    took_ns, rtt_ns = answer.time_ns - asked[-1].time_ns, story.sides[CLIENT].rtt_min_ns
    is_path = abs(answer.time_ns - asked[0].time_ns - rtt_ns) <= rtt_ns // SOON
    if is_path and rtt_ns >= asked[1].time_ns - asked[0].time_ns:
        return (
            f"the path is slow: a round trip takes {elapsed(rtt_ns)}, longer than the client waits before it asks again"
        )
    if took_ns < (asked[-1].time_ns - asked[0].time_ns) / SOON:
        lost = "the first SYN or its answer was lost, or the server dropped it"
        return f"{lost}: the last of {len(asked)} was answered after {elapsed(took_ns)}"
    return f"the way to {story.server} or the server was slow, so that the client asked {times(len(asked))}"


def _cause_after(syns: list[Told], answers: list[Told], ack: Told, is_near: bool) -> str:
    if any(answers[0].frame < told.frame < ack.frame for told in syns):
        return "the first SYN-ACK was lost beyond this point: the client asked again after it had passed"
    if any(answers[0].frame < told.frame < ack.frame for told in answers):
        return "the first SYN-ACK or the client's ACK was lost, or the client's side was slow"
    place = "the client or the way to it and back" if is_near else "the client"
    return f"{place} was slow to acknowledge the SYN-ACK"
