"""What the rules make of a conversation in words, as tests.conversation reads it."""

from typing import Any

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.diagnose import diagnose
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.gather import gather
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.settings import thresholds
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.joined_flows import joined_flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table
from tests.conversation import endpoints, packets

OPEN = "0 C S 0\n 10 S S. 0 1 ip_id=0\n 10.1 C . 1 1\n"
ASKED = OPEN + "20 C P. 1:81 1 ip_id=103\n"
TAKEN = ASKED + "30 S . 1 81 ip_id=501\n"
ANSWERED = TAKEN + "30.1 S P. 1:201 81 ip_id=502\n 30.2 C . 81 201 ip_id=104\n"
CLOSED = ANSWERED + "130 S F. 201 81 ip_id=503\n 170 C . 81 202 ip_id=105\n"
"""A handshake; the client is where the capture was taken."""


def evidence(text: str, *, until_ms: float | None = None, summary: dict[str, Any] | None = None) -> Evidence:
    """The tables of a capture that holds a conversation; TTL 64 where no line says another."""
    rows = packets(text)
    rows.ttl[rows.ttl < 0] = 64
    tracker, end_ns = Tracker(), int(until_ms * 1e6) if until_ms is not None else int(rows.time_ns.max())
    tracker.take(Chunk.of(rows, kernels.plain()))
    tracker.finish(end_ns)
    client, guessed = client_sides(tracker)
    count = len(rows.frame)
    facts = {"frames": count, "tcp_frames": count, "start_ns": int(rows.time_ns.min()), "end_ns": end_ns}
    about = CaptureSummary("words", "words", **{**facts, **(summary or {})})
    flows, transitions = flow_table(tracker, client, guessed), transition_table(tracker, client)
    measured = Measured(tracker, client, joined_flows(tracker, client))
    return gather(about, endpoints(), measured, flows, transitions)


def of_rule(
    rule: str, text: str, *, until_ms: float | None = None, summary: dict[str, Any] | None = None, **set_to: float
) -> list[Finding]:
    """What one rule finds in a conversation, as if it were alone, its thresholds and the capture's summary as given."""
    told = evidence(text, until_ms=until_ms, summary=summary)
    return list(BY_NAME[rule].check(told, {**thresholds(rule, {}), **set_to}))


def diagnosed(text: str, *, until_ms: float | None = None) -> dict[str, Finding]:
    """What all rules together find in a conversation, by rule."""
    return {finding.rule: finding for finding in diagnose(evidence(text, until_ms=until_ms), {})}
