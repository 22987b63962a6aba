"""Data was sent to a side that had closed, and its kernel answered by a RST.

What it detects
---------------
One side sends a FIN, the other sends payload after it, and the side that closed answers that payload by a RST.

Why it happens
--------------
close() gives up both directions: what arrives afterwards can no longer be read, and the kernel says so by a RST (RFC
9293 section 3.6.1, RFC 1122 section 4.2.2.13; Linux: tcp_rcv_state_process, TCPAbortOnData; once the orphaned socket
is gone, after net.ipv4.tcp_fin_timeout = 60 s at most, tcp_v4_send_reset). The writer took the FIN for no more than the
end of the other's data, had not looked, or its data was under way. Typical: a server closes an idle keep-alive
connection just as the client reuses it; a client breaks off a download. What the RST overtakes is lost: the writer's
next read or write fails with ECONNRESET or EPIPE, even if an answer lay unread in its buffer.

How to confirm
--------------
On the side that closed: nstat -az TcpExtTCPAbortOnData TcpOutRsts; strace -f -e trace=close,shutdown -p PID.
In Wireshark: tcp.stream == N && (tcp.flags.fin == 1 || tcp.flags.reset == 1 || tcp.len > 0)

How to fix
----------
Keep-alive: let the client's idle timeout be shorter than the server's, and let it repeat requests that are safe to
repeat. The side that closes: shutdown(SHUT_WR) and read to the end before close(); lingering_close in nginx.

When it stays silent
--------------------
The payload was acknowledged (half-close), or nothing came after the FIN. Where the writer had no more than a farewell
to say (a TLS alert, or what came just before its own FIN), nothing is lost and it is info. Short writes straight after
the FIN, the writer's last, may be a farewell without TLS (POP3's +OK, HTTP/2's GOAWAY) or more: both are named, at a
confidence of 0.6; it is info where the server wrote them, as who asked has gone. A server that had said nothing before
says no farewell: its answer is lost, and it is a warning.

References
----------
RFC 9293 section 3.6.1; RFC 1122 section 4.2.2.13; RFC 8446 section 6.1; RFC 9112 section 9.5; Linux
net/ipv4/tcp_input.c.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.reset import Reset, flows_with_reset, resets
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import SERVER, Told, apart_ns, elapsed, frames_filter, numbers

RULE = Rule(
    name="write-after-close",
    family="reset",
    severity="warning",
    thresholds={"farewell_bytes": Threshold(100, "bytes", "most that a writer says before its own FIN without harm")},
    explains=("half-close", "abortive-close", "fin-retransmission"),
)

ANSWER_NS = 100_000_000
"""What is written sooner than that and a round trip after the FIN was under way in the program already."""

GOODBYE_BYTES = 40
"""No longer than that is a goodbye in a protocol's own words, and few requests are."""

FIRST_SEQ = 1
"""Of the first byte of payload, from the ISN."""

SURE = 0.9
UNSURE = 0.6
"""Where what was written may be a goodbye or more."""


class Verdict(NamedTuple):
    """What the write that came too late was."""

    is_harmless: bool
    confidence: float
    cause: str


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A flow in which payload came after a FIN, and a RST after that from the side of the FIN."""
    for story in evidence.stories(flows_with_reset(evidence) & (evidence.count("after_fin") > 0)):
        for reset in resets(story):
            fin = reset.sent_before("fin", reset.side)
            refused = [told for told in story.kind("after_fin", reset.peer) if _is_answer(reset, told)]
            if fin and refused and reset.is_first:
                yield _finding(reset, fin, refused, thresholds["farewell_bytes"])
                break


def _is_answer(reset: Reset, written: Told) -> bool:
    """Whether the RST can be the answer to what was written: it stands where that acknowledged."""
    exact = not reset.is_bare or reset.rst.seq == written.ack
    unread = not reset.rst.has_ack or reset.rst.ack >= written.seq
    return written.frame < reset.rst.frame and exact and unread


def _finding(reset: Reset, fin: Told, refused: list[Told], farewell_bytes: float) -> Finding:
    story, rst, written = reset.story, reset.rst, refused[0]
    closer, writer = story.end(reset.side), story.end(reset.peer)
    verdict = _verdict(reset, fin, refused, farewell_bytes)
    frames = numbers([fin, written, rst])
    return RULE.finding(
        severity="info" if verdict.is_harmless else "warning",
        confidence=verdict.confidence,
        flows=(story.number,),
        frames=frames,
        alike=f"{story.server} {reset.side} {verdict.is_harmless} {verdict.confidence == UNSURE}",
        summary=(
            f"{closer} closed (frame {fin.frame}), {writer} sent {written.len} bytes {elapsed(apart_ns(fin, written))}"
            f" later (frame {written.frame}), and {closer} answered by a RST (frame {rst.frame})."
        ),
        cause=verdict.cause,
        evidence=(
            f"its kernel {'had' if _knew(fin, written) else 'had not yet'} acknowledged the FIN when {writer} wrote",
            *([f"frame {written.frame} is a TLS alert"] if _is_alert(reset, refused) else []),
            f"{reset.form}",
        ),
        disproof=f"an acknowledgement of that data by {closer}",
        confirm=f"Wireshark: {frames_filter(frames)}   {closer}: nstat -az TcpExtTCPAbortOnData TcpOutRsts",
        fix=(
            "nothing to do"
            if verdict.is_harmless
            else f"let {writer} look for the end before it writes, or let {closer} read to the end before close()"
        ),
    )


def _verdict(reset: Reset, fin: Told, refused: list[Told], farewell_bytes: float) -> Verdict:
    closer, writer = reset.story.end(reset.side), reset.story.end(reset.peer)
    closing = reset.story.first("fin", reset.peer) is not None and sum(told.len for told in refused) <= farewell_bytes
    is_lost = _is_lost_answer(reset, refused[0])
    if (closing and not is_lost) or _is_alert(reset, refused):
        return Verdict(True, SURE, f"{writer} was closing too: its last words ({_words(reset, refused)}) came late")
    if not is_lost and _may_be_goodbye(reset, fin, refused, farewell_bytes):
        what = "answer" if reset.peer == SERVER else "request"
        cause = f"a goodbye of {writer} (QUIT, +OK, GOAWAY), or a short {what} that nobody reads any more"
        return Verdict(reset.peer == SERVER, UNSURE, cause)
    knew = _knew(fin, refused[0])
    lost = f"{closer} did not wait for the answer of {writer} (nc -q0, close() where shutdown() was meant): it is lost"
    cause = lost if is_lost else _cause(closer, writer, knew, answers=_may_answer(reset, fin, refused[0]))
    return Verdict(False, SURE if knew or reset.is_bare else 0.8, cause)


def _knew(fin: Told, written: Told) -> bool:
    """Whether the writer's kernel had taken the FIN before."""
    return written.ack > fin.seq + fin.len


def _is_alert(reset: Reset, refused: list[Told]) -> bool:
    """Whether all that came too late is a TLS alert, which says that its sender closes."""
    return len(refused) == 1 and reset.alert == refused[0].frame


def _words(reset: Reset, refused: list[Told]) -> str:
    return (
        "a TLS alert, as a rule close_notify" if _is_alert(reset, refused) else "221, GOAWAY, close_notify or the like"
    )


def _may_be_goodbye(reset: Reset, fin: Told, refused: list[Told], farewell_bytes: float) -> bool:
    """Whether short writes came straight after the FIN, and nothing of the writer after those."""
    last = refused[-1]
    is_all = reset.story.sides[reset.peer].last_data_frame == last.frame
    is_short = (
        all(told.len <= GOODBYE_BYTES for told in refused) and sum(told.len for told in refused) <= farewell_bytes
    )
    return is_all and is_short and _is_soon(reset, fin, last)


def _is_soon(reset: Reset, fin: Told, written: Told) -> bool:
    """Whether a program wrote that before it can have thought of the FIN."""
    return apart_ns(fin, written) < ANSWER_NS + max(0, int(reset.story.flow.handshake_total_ns))


def _is_lost_answer(reset: Reset, written: Told) -> bool:
    """Whether a server that had been asked began its answer by what was refused."""
    is_first = reset.peer == SERVER and not reset.story.flow.midstream and written.seq == FIRST_SEQ
    return is_first and reset.sent_before("data", reset.side) is not None


def _may_answer(reset: Reset, fin: Told, written: Told) -> bool:
    """Whether the server wrote, soon after a client had closed that had asked something."""
    asked = reset.sent_before("data", reset.side)
    return reset.peer == SERVER and asked is not None and _is_soon(reset, fin, written)


def _cause(closer: str, writer: str, knew: bool, *, answers: bool) -> str:
    if knew and answers:
        return f"{writer} was still answering what {closer} had asked before, or took its FIN for a half-close"
    if knew:
        return f"the program on {writer} had not noticed that {closer} was gone, or took its FIN for a half-close"
    return f"{closer} called close() while data was still coming, and its kernel refuses what nobody can read"
