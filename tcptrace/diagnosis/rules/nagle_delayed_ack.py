"""Small writes waited for an acknowledgement that the other side delayed.

What it detects
---------------
At least `stalls` times one side sent one segment, then nothing until its peer's bare acknowledgement, and then at once
(within `prompt_ms`, and the round trip to the sender where the capture is far from it) its next small segment. On the
average these acknowledgements came at least `delay_ms` later than all others.

Why it happens
--------------
The program writes a message in two parts (a header, then a body) and waits for the answer. Nagle's algorithm sends the
first part at once and keeps the second, being less than a full segment, until all that was sent is acknowledged (RFC
9293 section 3.7.4; Linux tcp_nagle_check). The receiver has nothing to answer to half a message and delays its
acknowledgement, hoping for data to carry it (RFC 9293 section 3.8.6.3): Linux for 40 to 200 ms (TCP_DELACK_MIN,
TCP_DELACK_MAX; tcp_send_delayed_ack), others for up to 500 ms. Every message costs that.

How to confirm
--------------
On the receiver of the writes: nstat -az TcpExtDelayedACKs grows with every message. On their sender: strace -f -e
trace=write,writev,sendto,sendmsg,setsockopt -p PID shows two writes a message and no TCP_NODELAY; ss -ti shows ato:40.
In Wireshark: tcp.stream == N && tcp.time_delta > 0.035 && tcp.len == 0

How to fix
----------
Write each message at once (one buffer, writev, a buffered stream that is flushed, MSG_MORE for its first part), or set
TCP_NODELAY on the writer's socket (nginx: tcp_nodelay on; Java: setTcpNoDelay; Go and gRPC do so by default). The
receiver's TCP_QUICKACK helps only until the kernel leaves that mode again.

When it stays silent
--------------------
The acknowledgement rides on an answer (the server thought for 40 ms); the next segment leaves before it, or noticeably
later than it; full segments, or more than one on the way; fewer than `stalls`; acknowledgements that always take so
long (a long path); a capture more than 20 ms away from the writer.

References
----------
RFC 896; RFC 9293 sections 3.7.4 and 3.8.6.3; RFC 1122 section 4.2.3.2; Linux net/ipv4/tcp_output.c, tcp_nagle_test,
tcp_send_delayed_ack.
"""

from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, counted, elapsed, numbers
from tcptrace.schema import I64, SideFacts

RULE = Rule(
    name="nagle-delayed-ack",
    family="transfer",
    severity="warning",
    thresholds={
        "stalls": Threshold(5, "", "times a small write waited"),
        "delay_ms": Threshold(25, "ms", "least mean delay of these acknowledgements beyond that of all others"),
        "prompt_ms": Threshold(3, "ms", "most time from such an acknowledgement to the write, beyond the round trip"),
    },
)


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A side whose small writes waited for acknowledgements that came late."""
    for side in (CLIENT, SERVER):
        facts = evidence.sides[side]
        often = (facts.delayed_writes > 0) & (facts.delayed_writes >= thresholds["stalls"])
        if not often.any():
            continue
        late = _delay_ns(facts) >= thresholds["delay_ms"] * 1e6
        for story in evidence.stories(often & late):
            prompt_ns = max(0, story.sides[1 - side].rtt_min_ns) + thresholds["prompt_ms"] * 1e6
            if np.median([told.idle_ns for told in story.kind("stall", side)] or [0]) <= prompt_ns:
                yield _finding(story, side)


def _delay_ns(facts: SideFacts) -> I64:
    """How much later than all others the acknowledgements came that small writes waited for."""
    mean = facts.delayed_ns // np.maximum(facts.delayed_writes, 1)
    return np.where(facts.rtt_samples > facts.delayed_writes, mean - _usual_ns(facts), -1)


def _usual_ns(facts: SideFacts) -> I64:
    """How long those others took on the average."""
    usual: I64 = (facts.rtt_sum_ns - facts.delayed_ns) // np.maximum(facts.rtt_samples - facts.delayed_writes, 1)
    return usual


def _finding(story: Story, side: int) -> Finding:
    writer, reader = story.end(side), story.end(1 - side)
    waits, facts = story.kind("stall", side), story.sides[side]
    frames = numbers(waits)
    mean = elapsed(facts.delayed_ns // facts.delayed_writes)
    return RULE.finding(
        confidence=0.7 if story.flow.midstream else 0.9,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {side}",
        summary=(
            f"{writer} held {counted(facts.delayed_writes, 'small write')} back, {mean} each, until {reader}"
            f" acknowledged the write before (frames {', '.join(map(str, frames[:5]))}):"
            f" {elapsed(facts.delayed_ns)} lost in all."
        ),
        cause="Nagle's algorithm at the writer waits for an acknowledgement that the reader's kernel delays",
        evidence=(
            f"each write left right after a bare acknowledgement, which took {mean} on the average",
            f"other acknowledgements of what {writer} sent took {elapsed(int(_usual_ns(facts)))}",
        ),
        disproof="the program writes that second part only then by itself (strace shows when it calls write)",
        confirm=f"Wireshark: tcp.stream == {story.number} && tcp.time_delta > 0.035 && tcp.len == 0   reader:"
        f" nstat -az TcpExtDelayedACKs   writer: strace -f -e trace=write,writev,sendto,sendmsg",
        fix="write each message at once, or set TCP_NODELAY on the writer's socket",
    )
