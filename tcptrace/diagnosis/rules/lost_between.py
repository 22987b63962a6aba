"""Segments left one host and never came to the next.

What it detects
---------------
Segments that the point before a hop has and no point behind it, neither they nor, at that time, their acknowledgement:
both points lie at different hosts, and the one behind recorded on. Each is named by its frame. What its receiver
acknowledged all the same was missed by a capture, not lost (capture-loss).

Where bare acknowledgements alone are missing, and nothing came of it, that is a note: a later one says the same.

Why it happens
--------------
What lies between two hosts drops: a full queue of a switch or router (the usual cause, in bursts), a policer, a bad
cable or transceiver (CRC errors), a wireless link, a firewall that was not captured at, a tunnel whose packets do not
fit the MTU. Or it arrives and is dropped before the tap sees it: the card's ring is full, or its checksum is wrong.

How to confirm
--------------
At the receiving host: ethtool -S IFACE | grep -iE 'drop|err|miss|crc'; ip -s -s link show IFACE. At the sending one:
tc -s qdisc show dev IFACE. At switches between them: discards and errors of both ports.
In Wireshark: the named frames at the first point; at the second tcp.seq_raw == NUMBER finds none of them.
nstat -az TcpRetransSegs at the sender counts what it sent again.

How to fix
----------
Mend or replace the link; give bursts more room (queue, ethtool -G IFACE rx 4096) or pace them (fq); raise the policer;
let the firewall pass them; keep segments below the tunnel's MTU (MSS clamping).

When it stays silent
--------------------
The second capture is cut short, or an acknowledgement or a later point has the segment (capture-loss); both points are
of one host (vanished-in-host); a host answered by a RST of its own; the points are parted by a proxy; bare
acknowledgements where offload or a device merges them; nothing tells which point would have come next.

References
----------
RFC 2680 (one-way loss); RFC 9293 section 3.4; ethtool(8); tc(8); Linux Documentation/networking/statistics.rst.
"""

from collections.abc import Iterator

from tcptrace.diagnosis.losses import SYMPTOMS, Loss, losses
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import frames_filter

RULE = Rule(
    name="lost-between",
    family="path",
    severity="error",
    thresholds={"segments": Threshold(1, "", "fewest that a connection lost on one hop")},
    explains=SYMPTOMS,
)


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Every hop between hosts on which a connection lost something."""
    for loss in losses(evidence, in_host=False):
        if len(loss.rows) >= max(thresholds["segments"], 1):
            yield _finding(loss)


def _finding(loss: Loss) -> Finding:
    return RULE.finding(
        severity=loss.severity,
        confidence=loss.confidence,
        connections=(loss.connection.connection,),
        point=loss.where,
        frames=loss.frames,
        evidence_frames=loss.shown,
        alike=f"{loss.where} {loss.there} {loss.hop.direction}",
        summary=(f"{loss.told} left {loss.where} and never came to {loss.there} ({loss.others}); {loss.fate}."),
        cause="a full queue, a bad link, a policer or a firewall between the two hosts, or the receiving card, drops",
        evidence=(loss.seen, loss.recorded),
        disproof=f"these segments in another capture at {loss.there}, or an acknowledgement of them",
        confirm=(
            f"Wireshark at {loss.where}: {frames_filter(loss.frames)}"
            "   receiving host: ethtool -S IFACE | grep -iE 'drop|err|miss'"
        ),
        fix="look for drops at the switches between them and at the receiving card; mend the link or the rule",
    )
