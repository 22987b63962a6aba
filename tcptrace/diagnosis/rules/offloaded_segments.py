"""Segments are larger than any frame on a wire: the network card cuts or joins them beyond the capture.

What it detects
---------------
A segment with more payload than the maximum segment size (MSS) that its receiver announced in its SYN.

Why it happens
--------------
With segmentation offload (TSO, GSO) the kernel hands up to 64 KB to the card, which cuts it; with GRO or LRO segments
are joined on arrival. A capture at the host sees them outside the card: one frame here is many on the wire, its IP
length may be 0, its checksum is not yet computed (outgoing), and numbers, IP identifications and times of the pieces
are not known. Loss and rates count in large pieces.

How to confirm
--------------
On the capturing host: ethtool -k IFACE | grep -E 'segmentation|receive-offload'
In Wireshark: tcp.len > 1460

How to fix
----------
Nothing is wrong with the traffic. For a capture of what is on the wire: record outside the host (a tap, a mirror
port), or for the time of the capture ethtool -K IFACE tso off gso off gro off lro off, which costs CPU.

When it stays silent
--------------------
Neither SYN was seen, so that the MSS is not known; the loopback interface, whose MSS is as large as its segments.

References
----------
RFC 9293 section 3.7.1; Linux Documentation/networking/segmentation-offloads.rst; ethtool(8), -K.
"""

from array import array
from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER
from tcptrace.schema import I64

RULE = Rule(name="offloaded-segments", family="capture", severity="info")

EXAMPLES = 5


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows in which a side sent more at once than the other takes."""
    client, server = evidence.sides
    to_server = (server.mss > 0) & (client.largest_bytes > server.mss)
    to_client = (client.mss > 0) & (server.largest_bytes > client.mss)
    rows = np.flatnonzero(to_server | to_client)
    if not len(rows):
        return
    largest = np.where(to_server, client.largest_bytes, 0), np.where(to_client, server.largest_bytes, 0)
    side = CLIENT if largest[CLIENT].max() >= largest[SERVER].max() else SERVER
    row = int(largest[side].argmax())
    flow, most, mss = evidence.flows, int(largest[side][row]), int(evidence.sides[1 - side].mss[row])
    ends = (flow.client[row], flow.client_port[row]), (flow.server[row], flow.server_port[row])
    sender, receiver = (evidence.book.endpoint(int(host), int(port)) for host, port in (ends[side], ends[1 - side]))
    yield RULE.finding(
        confidence=0.95,
        flows=array("q", flow.flow[rows].tobytes()),
        frames=_examples(evidence, rows),
        summary=(
            f"{sender} sent segments of up to {most:,} bytes to {receiver}, which takes {mss:,} at most: the capture"
            " was taken where the card's offload has not cut them yet, or has joined them."
        ),
        cause="segmentation offload (TSO, GSO) at the sender's host, or GRO at the receiver's",
        evidence=(f"{len(rows):,} of {len(evidence.all_flows.flow):,} flows have such segments",),
        disproof=f"something between the hosts lowered the MSS of {receiver}'s SYN after it was sent",
        confirm=f"Wireshark: tcp.len > {mss}   host: ethtool -k IFACE",
        fix="nothing; where the frames on the wire matter, record outside the host, or turn offload off meanwhile",
    )


def _examples(evidence: Evidence, rows: I64) -> tuple[int, ...]:
    """Frames of the first flows that are larger than their receiver's MSS, of those that are kept."""
    frames: list[int] = []
    for row in rows[:EXAMPLES].tolist():
        story = evidence.story(row)
        frames += (told.frame for told in story.segments if told.len > story.sides[1 - told.side].mss > 0)
    return tuple(frames[:EXAMPLES])
