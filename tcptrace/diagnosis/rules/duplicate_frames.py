"""The capture holds frames twice, or more often: copies made by how it was recorded, not by the sender.

What it detects
---------------
Frames that are the same to the last field that a sender would change (IP identification, TTL, sequence numbers,
timestamps) and follow each other within moments. They are counted apart and are no retransmissions.

Why it happens
--------------
tcpdump -i any sees a frame at the bridge and at its port, at the bond and at its slave, at both ends of a veth pair;
a mirror port (SPAN) of both directions, or of several ports, copies what passes two of them; two captures were merged.

How to confirm
--------------
tcpdump -D, ip -d link show, bridge link (which interfaces see one frame?); with -i any the interface's number stands
in the SLL2 header.
In Wireshark: tcp.analysis.retransmission
Make ip.id, ip.ttl and frame.time_delta columns; editcap -d removes them.

How to fix
----------
Record at one interface, or mirror one direction of each port; editcap -d, or -D 0 and -w WINDOW, takes them out.

When it stays silent
--------------------
Each copy has another TTL (that is a second point of the path, or routing-loop). Fewer than `copies`; what comes
later than 20 ms is none.

References
----------
editcap(1), -d and -w; tcpdump(1), -i any.
"""

from array import array
from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, frames_filter
from tcptrace.schema import KINDS, Bools

RULE = Rule(
    name="duplicate-frames",
    family="capture",
    severity="info",
    thresholds={"copies": Threshold(2, "", "fewest copies in the capture")},
    explains=("spurious-retransmission",),
)

EXAMPLES = 5


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Count the copies of all flows."""
    copies = evidence.measured(CLIENT, "copies") + evidence.measured(SERVER, "copies")
    copies = np.where(_are_none(evidence), 0, copies)
    total, segments = int(copies.sum()), evidence.summary.tcp_frames
    if total < thresholds["copies"] or not total:
        return
    flows = evidence.flows.flow[copies > 0]
    frames = evidence.frames_of("copy", flows, EXAMPLES)
    everywhere = total * 2 >= segments - evidence.summary.tcp_frames % 2
    yield RULE.finding(
        confidence=0.95 if total * 10 >= segments else 0.8,
        flows=array("q", flows.tobytes()),
        frames=frames,
        summary=(
            f"{total:,} of {segments:,} segments are copies of the one before"
            f" ({'every frame is there twice' if everywhere else f'{total / segments:.1%}'}): made by the capture,"
            " not sent twice."
        ),
        cause="several interfaces, or a mirror port of both directions, see one frame",
        evidence=(f"in {len(flows):,} of {len(evidence.all_flows.flow):,} flows",),
        disproof="the copies differ in TTL or MAC address: then they are two points of a path",
        confirm=f"Wireshark: {frames_filter(frames)}   columns: ip.id, ip.ttl   host: tcpdump -D; bridge link",
        fix="record at one interface, or let editcap -d remove them",
    )


def _are_none(evidence: Evidence) -> Bools:
    """Flows whose copies differ in TTL from what they copy (a router lies between, or a loop)."""
    told, flows = evidence.notable, evidence.flows.flow
    copies = np.flatnonzero(told.kinds >> KINDS.index("copy") & 1)
    row = np.searchsorted(flows, told.flow[copies])
    usual = np.where(told.side[copies] == CLIENT, *(facts.ttl[row] for facts in evidence.sides))
    is_other = (told.ttl[copies] != usual) & (told.ttl[copies] >= 0) & (usual >= 0)
    none: Bools = np.isin(flows, told.flow[copies[is_other]])
    return none
