"""The capture holds one direction of its connections only.

What it detects
---------------
Flows in which one side is heard and the other is not, though what is heard shows that the other spoke: it
acknowledges, it answers a SYN, or it never repeats a SYN that would have to be repeated. At least `share` of the
flows must be so.

Why it happens
--------------
tcpdump -Q in or -Q out; a filter by src or dst; a mirror port of one direction; a place that only one direction
passes: a director in DR or tunnel mode, one of two routers with asymmetric routes, one of a bond's slaves. With
-i eth0 in front of XDP or some offloads, what the card forwards itself is not seen either.

How to confirm
--------------
The recorder's command line; ip route get in both directions; a capture at the other interfaces (tcpdump -i any).
In Wireshark: ip.src == ADDRESS
It shows all frames; ip.dst == ADDRESS shows none.

How to fix
----------
Record both directions, or at both places and let tcptrace correlate join them. What is not seen is not missing: no
finding is made of what the unseen side did not do.

When it stays silent
--------------------
Nothing shows that the unseen side spoke: a SYN that is repeated is unanswered, not half seen. Some flows only are
one-sided. The other side is here under another address (half-joined flows).

References
----------
tcpdump(1), -Q; RFC 6298 section 2 (a SYN is repeated after 1 s).
"""

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER
from tcptrace.schema import I64, NO_TIME, Bools

RULE = Rule(
    name="one-sided-capture",
    family="capture",
    severity="info",
    thresholds={
        "share": Threshold(0.5, "", "of the flows, those of which one direction is seen"),
        "lone_syns": Threshold(
            3, "", "SYNs of one client to one listener that are never repeated, where nothing else is"
        ),
        "repeat_s": Threshold(1.2, "s", "time after which an unanswered SYN would have been repeated"),
    },
)

EXAMPLES = 5
SECOND_NS = 1_000_000_000
FLOOD_SYNS = 20
"""SYNs for one listener within a second that no honest client sends."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows of one direction against those of both; where there are lone SYNs only, those."""
    flows = evidence.flows
    both = (flows.client_frames > 0) & (flows.server_frames > 0)
    half = ~both & (flows.client_frames + flows.server_frames > 1)
    half = half & _shows_the_other(evidence) & ~_is_joined(evidence) if half.any() else half
    number = int(half.sum())
    if number and number >= thresholds["share"] * (number + int(both.sum())):
        yield _finding(evidence, flows.flow[half], flows.server_frames[half] == 0, number + int(both.sum()))
    elif not len(flows.flow) and len(lone := _never_repeated(evidence, thresholds)):
        yield _of_lone_syns(evidence, lone)


def _shows_the_other(evidence: Evidence) -> Bools:
    """Flows in which a segment answers, or acknowledges more than the first did."""
    told, flows = evidence.notable, evidence.flows
    more = np.zeros(int(flows.flow[-1]) + 1, np.bool_)
    more[told.flow[told.ack > 1]] = True
    called = (flows.midstream == 0) & (evidence.count("first", CLIENT) > 0)
    shown: Bools = more[flows.flow] | called | (evidence.count("syn", SERVER) > 0)
    return shown


def _is_joined(evidence: Evidence) -> Bools:
    """Flows whose other direction is here, under other addresses."""
    other, _ = evidence.joined.of(evidence.flows.flow)
    joined: Bools = other >= 0
    return joined


def _never_repeated(evidence: Evidence, thresholds: Thresholds) -> I64:
    """Rows in all_flows of SYNs that an honest client would have repeated, many of one client to one listener."""
    flows, rows = evidence.all_flows, evidence.lone_syns
    times = flows.start_ns[rows]
    if _floods(times):
        return rows[:0]
    old = rows[evidence.is_old(times, int(thresholds["repeat_s"] * 1e9))]
    client = flows.client[old].astype(np.int64)
    listener = flows.server[old].astype(np.int64) << 16 | flows.server_port[old]
    calls = np.stack([client, flows.client_port[old], listener])
    _, call, times_called = np.unique(calls, axis=1, return_inverse=True, return_counts=True)
    once = times_called[call.reshape(-1)] == 1  # an answered call keeps its port
    old, client, listener = old[once], client[once], listener[once]
    pairs, counts = np.unique(np.stack([client, listener]), axis=1, return_counts=True)
    often = pairs[:, counts >= thresholds["lone_syns"]]
    found: I64 = old[np.isin(client, often[0]) & np.isin(listener, often[1])]
    return found


def _floods(times: npt.NDArray[np.int64]) -> bool:
    times = np.sort(times[times != NO_TIME])
    more = FLOOD_SYNS - 1
    return bool((times[more:] - times[: len(times) - more] < SECOND_NS).any()) if len(times) > more else False


def _finding(evidence: Evidence, flows: I64, of_clients: Bools, all_flows: int) -> Finding:
    heard = "clients sent" if of_clients.all() else "servers sent" if not of_clients.any() else "one side sent"
    return RULE.finding(
        confidence=0.95 if len(flows) == all_flows else 0.8,
        flows=array("q", flows.tobytes()),
        frames=evidence.first_frames(flows[:EXAMPLES]),
        summary=(
            f"In {len(flows):,} of {all_flows:,} flows the capture holds only what {heard}, which answers or"
            " acknowledges what is not there. What is not seen is not missing."
        ),
        evidence=(f"flows of which both directions are there: {all_flows - len(flows):,}",),
        **_about(evidence, int(np.searchsorted(evidence.all_flows.flow, flows[0]))),
    )


def _of_lone_syns(evidence: Evidence, rows: I64) -> Finding:
    flows = evidence.all_flows
    client, server = (evidence.book.text(int(column[rows[0]])) for column in (flows.client, flows.server))
    return RULE.finding(
        confidence=0.6,
        flows=array("q", flows.flow[rows].tobytes()),
        frames=evidence.first_frames(flows.flow[rows][:EXAMPLES]),
        summary=(
            f"{len(rows):,} SYNs and nothing else: {client} repeated none of its SYNs to {server}. They were"
            " answered, and the capture holds one direction, or SYNs, only; or it gives each up within a second."
        ),
        evidence=("a SYN without an answer would have been repeated after 1 s",),
        **_about(evidence, int(rows[0])),
    )


def _about(evidence: Evidence, row: int) -> dict[str, str]:
    """What is said in any case; `row` is that of an example in all_flows."""
    host = evidence.book.text(int(evidence.all_flows.client[row]))
    protocol = "ipv6" if ":" in host else "ip"
    return {
        "cause": "a filter, a direction (tcpdump -Q) or a place that only one direction passes (DR, asymmetric routes)",
        "disproof": "the other side's frames stand in another file or at another interface",
        "confirm": f"Wireshark: {protocol}.addr == {host}   column: {protocol}.src   recorder: its command line",
        "fix": "record both directions, or both places for tcptrace correlate",
    }
