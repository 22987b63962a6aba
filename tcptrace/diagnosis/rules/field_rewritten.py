"""Something on the way changed what a connection negotiates or counts: options, numbers, TTL.

What it detects
---------------
A segment whose header differs between two neighbouring points in something else than its addresses and ports: MSS,
window scale, SACK, timestamps, other options, sequence numbers, or a TTL that no plain router makes. Addresses and
ports are the forwarding mode's, and a router's TTL less one is no change.

Why it happens
--------------
By design: MSS clamping before a tunnel (nftables tcp option maxseg size set rt mtu), a FULLNAT director (DPVS lowers
the MSS by 8 for its TOA option, drops timestamps, shifts the client's sequence numbers), a SYN proxy (its own numbers
and options), a firewall that randomises numbers. By mistake: middleboxes that strip options they do not know (SACK,
timestamps, window scale), after which a connection is slow on long or lossy paths, or stalls.

How to confirm
--------------
At the host between the two points: nft list ruleset | grep maxseg; ipvsadm -ln; the firewall's TCP normalisation.
In Wireshark: tcp.flags.syn == 1
Compare tcp.options.mss_val, tcp.options.wscale.shift and the timestamp option at both points.

How to fix
----------
Nothing, where it is meant. Switch off TCP normalisation or option stripping, above all where only one direction passes
the device: both ends must see the same window scale.

When it stays silent
--------------------
Segments are the same at both points but for addresses, ports, checksums and a TTL lowered by routers; the points are
parted by a proxy, which makes segments of its own; segments cut or joined by offload.

References
----------
RFC 7323; RFC 2018; RFC 9293 section 3.7.1; Honda and others: Is it still possible to extend TCP? (IMC 2011).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import counted

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Rewrite

RULE = Rule(name="field-rewritten", family="path", severity="info")

ADDRESSING = ("address", "port")
"""What fields end in that are the forwarding mode's."""


class _Changed(NamedTuple):
    """A connection, and what a hop changes of it."""

    connection: Connection
    changes: Sequence[Rewrite]


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Each hop that changes fields, with all connections of which it changes the same."""
    alike: dict[tuple[object, ...], list[_Changed]] = defaultdict(list)
    for connection in evidence.connections:
        by_hop: dict[tuple[int, int], list[Rewrite]] = defaultdict(list)
        for rewrite in connection.rewrites:
            if not rewrite.field.endswith(ADDRESSING):
                by_hop[min(rewrite.source, rewrite.target), max(rewrite.source, rewrite.target)].append(rewrite)
        for hop, changes in by_hop.items():
            fields = tuple(dict.fromkeys(change.field for change in changes))
            alike[(*hop, *fields)].append(_Changed(connection, changes))
    yield from (_finding(evidence, several) for several in alike.values())


def _finding(evidence: PathEvidence, several: Sequence[_Changed]) -> Finding:
    connection, changes = several[0]
    more = f" and of {counted(len(several) - 1, 'other connection')}" if len(several) > 1 else ""
    first = changes[0]
    source, target = evidence.name(first.source), evidence.name(first.target)
    names = list(dict.fromkeys(change.field for change in changes))
    inside = evidence.host(first.source) == evidence.host(first.target)
    by = evidence.host(first.source) if inside else f"what lies between {source} and {target}"
    shown = ((source, (first.frames[0],)), (target, (first.frames[1],)))
    return RULE.finding(
        confidence=0.95,
        connections=tuple(changed.connection.connection for changed in several),
        point=source,
        frames=(first.frames[0],),
        evidence_frames=shown,
        summary=(
            f"Between {source} and {target} the {', '.join(names)} of {connection.client} → {connection.server}{more}"
            f" changed (frame {first.frames[0]} at {source}, {first.frames[1]} at {target})."
        ),
        cause=f"{by} rewrites TCP headers: a director in FULLNAT mode, MSS clamping, a SYN proxy or a firewall",
        evidence=tuple(_told(evidence, change) for change in changes),
        disproof=f"the same values in frames {first.frames[0]} and {first.frames[1]}",
        confirm=(
            f"Wireshark at {source}: frame.number == {first.frames[0]}"
            f"   Wireshark at {target}: frame.number == {first.frames[1]}"
        ),
        fix="nothing, where it is meant; else switch off what strips or rewrites options there",
    )


def _told(evidence: PathEvidence, change: Rewrite) -> str:
    way = f"{evidence.name(change.source)} → {evidence.name(change.target)}"
    return f"{DIRECTIONS[change.direction]}, {way}: {change.field} {change.before} → {change.after}"
