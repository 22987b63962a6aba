"""The capture lacks segments that were there: their receiver acknowledged them.

What it detects
---------------
Bytes (or a FIN) that one side acknowledged and of which the capture holds nothing, though it holds others of that
direction of the flow. It counts them, and names in each direction the acknowledgement that proves it. Over several
points also what the point before has, and a later one, or an acknowledgement, though the one between lacks it.

Why it happens
--------------
The recorder did not keep up: tcpdump's buffer in the kernel (2 MiB unless -B says more) was full while it waited for
the disk or for a CPU, which it says at its end ("packets dropped by kernel"); the card's ring was full ("dropped by
interface"); a mirror port carries less than the ports that it mirrors. Or the filter, or the place, leaves out a part:
one of several links (ECMP, a bond's slave), fragments of IP, which carry no ports.

How to confirm
--------------
tcpdump's last lines; ethtool -S IFACE | grep -iE 'drop|miss'; ip -s link show IFACE; at a switch the mirror port's
discards. The sender's nstat -az TcpRetransSegs stays as it was: nothing was lost on the way.
In Wireshark: tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment

How to fix
----------
Record less or faster: a narrower filter, -s 128, -B 65536 (KiB), a faster disk or memory, tcpdump -w - piped to
nothing else on that CPU. What findings say of missing answers is to be doubted until the capture is whole.

When it stays silent
--------------------
Every gap was filled later (that was loss on the network, or file order), or was never acknowledged. A direction of
which the capture holds nothing at all is one-sided-capture. What lies in fragments of IP is not counted. Where the
handshake was not seen, an acknowledgement beyond everything seen must show it, and more bytes than may have been sent
before the capture began: those below the gaps of its first second, and one, as a keep-alive's number lies one too low.

References
----------
RFC 9293 section 3.4; pcap_stats(3PCAP); tcpdump(1), -B; Wireshark User's Guide, TCP Analysis.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.paths import PathEvidence, in_frames
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, RST, SERVER, Story, Told, counted, frames_filter, numbers
from tcptrace.schema import I64, KINDS, Bools

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Hop

RULE = Rule(
    name="capture-loss",
    family="capture",
    severity="warning",
    thresholds={
        "missing_bytes": Threshold(1, "bytes", "fewest that were acknowledged and are not there; a FIN is one")
    },
    explains=("empty-reply", "close-wait-stuck", "half-close"),
)

EXAMPLES = 5
PLAUSIBLE_BYTES = 1 << 20
PLAUSIBLE_TIMES = 1000
"""More than that, and more than so many times what is there, no capture misses: a number is wrong."""
KEEP_ALIVE_BYTES = 1
"""A flow whose first segment is a keep-alive seems to begin one byte too low (RFC 1122 section 4.2.3.6)."""
ON_ITS_WAY_NS = 1_000_000_000
"""What was on its way when a capture began is acknowledged by then."""
FRAGMENT_BYTES = 1 << 16
"""A fragment of IP stands for no more."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Flows in which a receiver got more than the capture holds."""
    least = int(thresholds["missing_bytes"])
    gaps = _has_gap(evidence)
    if not gaps.any():
        return
    missing = missing_bytes(evidence, CLIENT, least, gaps), missing_bytes(evidence, SERVER, least, gaps)
    rows = np.flatnonzero((missing[CLIENT] > 0) | (missing[SERVER] > 0))
    total = int(missing[CLIENT].sum() + missing[SERVER].sum())
    if total > evidence.summary.other_frames.get("later fragment", 0) * FRAGMENT_BYTES:
        yield _finding(evidence, rows, missing, total)


def check_path(evidence: PathEvidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Points whose capture lacks segments that passed them."""
    missed: dict[int, list[tuple[Connection, Hop]]] = defaultdict(list)
    for connection, hop in evidence.hops():
        if hop.missed:
            missed[hop.target].append((connection, hop))
    for point, places in missed.items():
        yield _at_point(evidence, point, places)


def _at_point(evidence: PathEvidence, point: int, places: Sequence[tuple[Connection, Hop]]) -> Finding:
    """The finding about one point of several."""
    name, total = evidence.name(point), sum(hop.missed for _, hop in places)
    passed = total + sum(hop.frames for _, hop in evidence.hops() if hop.target == point)
    connections = tuple(dict.fromkeys(connection.connection for connection, _ in places))
    sources = dict.fromkeys(hop.source for _, hop in places)
    shown = [(s, [f for _, hop in places if hop.source == s for f in hop.missed_frames]) for s in sources]
    first, hop = places[0]
    after = _after(evidence, hop)
    return RULE.finding(
        confidence=0.95,
        connections=connections,
        point=name,
        frames=after,
        evidence_frames=evidence.at(*shown, (point, after)),
        summary=(
            f"the capture at {name} lacks {total:,} of {counted(passed, 'segment')} that passed there, in"
            f" {counted(len(connections), 'connection')}, first of {first.client} → {first.server}"
            f" ({in_frames(hop.missed_frames[:EXAMPLES])} at {evidence.name(hop.source)}): what arrives was missed by"
            " the recorder, not by the network."
        ),
        cause="the recorder dropped frames, or its filter or place leaves some out",
        evidence=tuple(
            f"{evidence.name(source)} has them as {in_frames(frames[:EXAMPLES])}" for source, frames in shown if frames
        ),
        disproof="their receiver never acknowledged them, and no later point has them",
        confirm=f"tcpdump's last lines at {name}: packets dropped by kernel   Wireshark: tcp.analysis.ack_lost_segment",
        fix="record with a narrower filter, tcpdump -s 128 -B 65536, and a faster disk",
    )


def _after(evidence: PathEvidence, hop: Hop) -> tuple[int, ...]:
    """The frame at a hop's target that follows the first segment missed there."""
    rows = evidence.rows(hop.stream, hop.direction)
    both = evidence.seen(evidence.seen(rows, hop.source), hop.target)
    later = both[evidence.passages.frame[both, hop.source] > min(hop.missed_frames, default=0)]
    return evidence.frames(later, hop.target)[:1]


def missing_bytes(evidence: Evidence, side: int, least: int, gaps: Bools) -> I64:
    """For each flow the bytes that a side sent, that were acknowledged, and that the capture lacks; 0 below `least`."""
    flows, facts, peer = evidence.flows, evidence.sides[side], evidence.sides[1 - side]
    payload = (flows.client_payload_bytes, flows.server_payload_bytes)[side]
    fin_acked = (evidence.count("fin", side) > 0) & (facts.acked >= facts.sent)
    missing = facts.acked - 1 - fin_acked - (payload - _unacked(evidence, side, gaps))
    is_shown = gaps & ((flows.midstream == 0) | ((peer.unseen > 0) & (missing > KEEP_ALIVE_BYTES)))
    is_sound = (facts.acked > 0) & (payload > 0) & (missing >= max(1, least))
    is_plausible = missing < np.maximum(PLAUSIBLE_BYTES, PLAUSIBLE_TIMES * payload)
    lacking = np.where(is_shown & is_sound & is_plausible, missing, 0)
    for row in np.flatnonzero((lacking > 0) & (flows.midstream == 1)).tolist():
        if lacking[row] < _sent_before(evidence.story(row), side):
            lacking[row] = 0
    return lacking


def _unacked(evidence: Evidence, side: int, gaps: Bools) -> I64:
    """For each flow with a gap the payload seen beyond what was acknowledged; 0 where more may be missing there too."""
    facts = evidence.sides[side]
    beyond = np.where(gaps & (facts.acked > 0), np.maximum(facts.sent - facts.acked, 0), 0)
    for row in np.flatnonzero(beyond).tolist():
        story, acked = evidence.story(row), int(facts.acked[row])
        skipped = any(told.has_label("lost_segment") and told.seq > acked for told in story.kind("gap", side))
        if skipped or story.is_more("gap", side):
            beyond[row] = 0
        elif any(told.is_fin and told.seq + told.len >= acked for told in story.kind("fin", side)):
            beyond[row] -= 1
    return beyond


def _sent_before(story: Story, side: int) -> int:
    """Up to which number a side may have sent before the capture met the flow midstream, as gaps show at its beginning.

    What is sent again then lies below what was on its way already, and not all of that is.
    """
    until_ns = story.flow.start_ns + ON_ITS_WAY_NS
    skips = [told for told in story.kind("gap", side) if told.has_label("lost_segment") and told.time_ns <= until_ns]
    beyond = [told for told in story.kind("gap", 1 - side) if told.has_label("ack_lost_segment")]
    if any(told.time_ns > until_ns for told in beyond):
        return 0
    return max(0, 0, *(told.seq for told in skips), *(told.ack for told in beyond))


def _has_gap(evidence: Evidence) -> Bools:
    """Flows of which a segment shows that others are missing; a RST may acknowledge what it likes."""
    told, flows = evidence.notable, evidence.flows.flow
    shown = np.zeros(int(flows.max(initial=-1)) + 1, np.bool_)
    shown[told.flow[(told.kinds >> KINDS.index("gap") & 1 == 1) & (told.flags & RST == 0)]] = True
    found: Bools = shown[flows]
    return found


def _finding(evidence: Evidence, rows: I64, missing: tuple[I64, ...], total: int) -> Finding:
    flow = evidence.flows
    row = int((missing[CLIENT] + missing[SERVER]).argmax())
    side = CLIENT if missing[CLIENT][row] > missing[SERVER][row] else SERVER
    ends = (flow.client[row], flow.client_port[row]), (flow.server[row], flow.server_port[row])
    sender, receiver = (evidence.book.endpoint(int(host), int(port)) for host, port in (ends[side], ends[1 - side]))
    most, held = int(missing[side][row]), int((flow.client_payload_bytes, flow.server_payload_bytes)[side][row])
    proofs = [_proof(evidence.story(row), sent_by, int(missing[sent_by][row])) for sent_by in (CLIENT, SERVER)]
    shown = numbers(told for proof in proofs for told in proof.frames)
    gaps = evidence.frames_of("gap", flow.flow[rows], EXAMPLES)
    frames = tuple(dict.fromkeys((*shown, *gaps)))[:EXAMPLES]
    elsewhere = f" In {len(rows):,} flows {total:,} bytes are missing." if len(rows) > 1 else ""
    return RULE.finding(
        confidence=_confidence(evidence, rows, total),
        flows=array("q", flow.flow[rows].tobytes()),
        frames=frames,
        summary=(
            f"{receiver} acknowledged {_amount(most)} of {sender} that the capture lacks; it holds {held:,} bytes of"
            f" that side.{elsewhere} What is acknowledged has arrived: the recorder missed it, the network did not."
        ),
        cause="the recorder or a mirror port dropped frames, or its filter or place leaves some out",
        evidence=(
            *(proof.text for proof in proofs if proof.text),
            f"acknowledged and never seen: {total:,} bytes in {len(rows):,} of {len(flow.flow):,} flows",
            f"acknowledgements beyond all that was seen: {_beyond(evidence, rows):,}",
        ),
        disproof="something between answered in the receiver's name and kept what it acknowledged",
        confirm=f"Wireshark: {frames_filter(frames)}   column: tcp.ack   tcpdump's last lines",
        fix="record with a narrower filter, tcpdump -s 128 -B 65536, and a faster disk",
    )


class Proof(NamedTuple):
    """What proves that bytes of one direction are missing."""

    text: str = ""
    frames: tuple[Told, ...] = ()


def _proof(story: Story, side: int, missing: int) -> Proof:
    """The acknowledgement of what is missing of a side, and where its numbers skip that; empty if nothing is."""
    sender, receiver = story.end(side), story.end(1 - side)
    acks = [told for told in story.of(1 - side) if told.has_ack and not told.is_rst]
    skip = next((told for told in story.kind("gap", side) if told.has_label("lost_segment")), None)
    beyond = next((told for told in acks if told.has_label("ack_lost_segment")), None)
    if not missing:
        return Proof()
    lacks = f"in all it lacks {_amount(missing)} of {sender}"
    if beyond:
        text = f"frame {beyond.frame}: {receiver} acknowledges {beyond.ack:,}, and not all below that was seen"
        return Proof(f"{text}; {lacks}", (beyond,))
    ack = next((told for told in acks if skip and told.frame > skip.frame and told.ack > skip.seq), None)
    if skip and ack:
        text = (
            f"frame {ack.frame}: {receiver} acknowledges {ack.ack:,}, though frame {skip.frame} skips to {skip.seq:,}"
        )
        return Proof(f"{text}; {lacks}", (ack, skip))
    return Proof(f"{receiver} acknowledges up to {story.sides[side].acked:,}; {lacks}", (skip,) if skip else ())


def _amount(missing: int) -> str:
    return f"{missing:,} bytes" if missing > 1 else "a FIN or a byte"


def _beyond(evidence: Evidence, rows: I64) -> int:
    return sum(int(evidence.sides[side].unseen[rows].sum()) for side in (CLIENT, SERVER))


def _confidence(evidence: Evidence, rows: I64, total: int) -> float:
    """Lower where a lone FIN may be all that is missing, or no handshake was seen."""
    if total <= len(rows):
        return 0.6
    return 0.9 if (evidence.flows.midstream[rows] == 0).any() else 0.7
