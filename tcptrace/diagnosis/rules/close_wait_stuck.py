"""One side has closed and was acknowledged, the other never closes: CLOSE_WAIT for good.

What it detects
---------------
A FIN that the other side's kernel acknowledged, and then nothing from that side, no payload and no FIN, for 10 s or
longer until the capture ends.

Why it happens
--------------
The kernel acknowledges a FIN by itself; only the program can close the other half, and it does not: it never reads the
end of the data (read() returning 0), keeps the descriptor in a pool or leaks it, is blocked or deadlocked. Its socket
stays in CLOSE_WAIT until the program ends. The side that closed waits in FIN_WAIT_2; if its program has given up the
socket, the kernel forgets it after net.ipv4.tcp_fin_timeout (60 s) and answers what comes later by a RST.

How to confirm
--------------
On the side that does not close: ss -tnp state close-wait; ls /proc/PID/fd | wc -l grows; Recv-Q in ss is 1 or more
where the end was never read. On the other side: ss -tno state fin-wait-2.
In Wireshark: tcp.stream == N && tcp.flags.fin == 1
It shows FINs of one side only.

How to fix
----------
Let the program close the socket when it reads the end of the data, on errors too; find what blocks it (its stack, a
full pool). Clients with connection pools: check idle connections before and between uses.

When it stays silent
--------------------
The other side closed, however late; it still sent payload (half-close); the connection was reset; the capture ends too
soon after the FIN; the FIN was not acknowledged; the capture holds nothing of the other side, or met the connection
midstream and nothing of that side before the FIN, so that it may have closed first.

References
----------
RFC 9293 sections 3.3.2 and 3.6; ss(8); Linux Documentation/networking/ip-sysctl.rst, tcp_fin_timeout.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import flows_with_reset
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, elapsed, frames_filter, numbers
from tcptrace.schema import NO_TIME, STATES

RULE = Rule(
    name="close-wait-stuck",
    family="close",
    severity="warning",
    thresholds={
        "silence_s": Threshold(10, "s", "time without a segment of the side that does not close"),
        "sure_s": Threshold(60, "s", "the same, after which the other kernel gives up (tcp_fin_timeout)"),
    },
    explains=("half-close",),
)

CLOSE_WAIT = STATES.index("CLOSE_WAIT")


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow that the capture leaves in CLOSE_WAIT on one side."""
    flows = evidence.flows
    waits = (flows.server_state == CLOSE_WAIT, flows.client_state == CLOSE_WAIT)
    for closer, stuck in ((CLIENT, SERVER), (SERVER, CLIENT)):
        for story in evidence.stories(waits[closer] & ~flows_with_reset(evidence)):
            fin = story.first("fin", closer)
            silence_ns = _silence_ns(story, stuck)
            if (
                fin
                and not story.first("fin", stuck)
                and _was_open(story, fin, stuck)
                and story.sides[closer].acked > fin.seq + fin.len
                and silence_ns >= thresholds["silence_s"] * 1e9
            ):
                yield _finding(story, fin, silence_ns, thresholds["sure_s"])


def _was_open(story: Story, fin: Told, side: int) -> bool:
    """Whether a side may be taken not to have closed before the capture began: it is in it before the other's FIN."""
    return story.flow.midstream == 0 or any(told.side == side for told in story.before(fin))


def _silence_ns(story: Story, side: int) -> int:
    """From the last segment of a side to the end of the capture; 0 where that is not known."""
    last_ns = story.sides[side].last_ns
    return max(0, story.end_ns - last_ns) if NO_TIME not in (last_ns, story.end_ns) and last_ns >= 0 else 0


def _finding(story: Story, fin: Told, silence_ns: int, sure_s: float) -> Finding:
    stuck = 1 - fin.side
    ack = next((told for told in story.after(fin, stuck) if told.ack > fin.seq + fin.len), fin)
    frames = numbers([fin, ack])
    asked, answered = (story.sides[side].last_data_frame for side in (fin.side, stuck))
    still = "; or it still works on what it was asked (a half-close)" if asked > answered else ""
    cause = f"the program on {story.end(stuck)} does not close its socket: it has not read the end, or leaks it"
    confidence = 0.85 if silence_ns >= sure_s * 1e9 else 0.65
    return RULE.finding(
        confidence=confidence - (0.1 if story.flow.midstream else 0),
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {fin.side}",
        summary=(
            f"{story.end(fin.side)} closed (frame {fin.frame}), the kernel of {story.end(stuck)} acknowledged it, but"
            f" nothing came from there in the {elapsed(silence_ns)} until the capture ended: CLOSE_WAIT."
        ),
        cause=cause + still,
        evidence=(f"one FIN, acknowledged up to {story.sides[fin.side].acked}", f"silence of {elapsed(silence_ns)}"),
        disproof=f"a FIN of {story.end(stuck)} after the capture ended, or one that the capture lacks",
        confirm=f"Wireshark: {frames_filter(frames)}   {story.end(stuck)}: ss -tnp state close-wait",
        fix="close the socket when read() returns 0; look for leaked descriptors and blocked threads",
    )
