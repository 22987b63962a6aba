"""What tells a SYN cookie from a SYN that was kept: the SYN-ACK's timestamp, its options, and silence after it."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.story import ACK, CLIENT, RST, SERVER, SYN, Story, Told, apart_ns
from tcptrace.schema import I64, NO_TIME, Bools, Notable

TICK_NS = 1_000_000
"""Linux: TCP_TS_HZ is 1000 since 4.13; before, HZ was 100 to 1000."""

SLACK = 10
"""Ticks by which the client's clock may be ahead of the capture's: its SYN may have been held up."""

FASTEST_HZ = 1100
RATE_SPAN_NS = 20_000_000
"""Shortest time over which a clock's rate is told."""

BITS = 6
"""The low bits of the timestamp that hold options."""
NO_SCALE = 15
SACK = 1 << 4

TSVAL_MASK = 0xFFFFFFFF
SYN_SEEN, SYN_ACK_SEEN, ACK_SEEN = 1, 2, 4
"""Bits of FlowMeasures.completeness."""

SMALL = 536
"""A segment of this payload passes everywhere (RFC 9293 section 3.7.1)."""
PROMPT_NS = 2_000_000_000
"""A request later than this after the handshake was forgotten for its idle time."""


class Clock(NamedTuple):
    """A SYN-ACK whose timestamp was set back."""

    syn: Told
    syn_ack: Told
    after: Told
    """The server's next segment."""
    ticks: int
    """Between those two."""
    ticks_per_s: float
    """The server's clock, by its later segments; 0: not told."""


def set_back(evidence: Evidence, least: int) -> Bools:
    """The flows in which more ticks lie between SYN-ACK and next segment than since the SYN can have passed.

    The SYN-ACK was made after its SYN came by, the next segment before it came by, so that without a
    cookie there are at most as many ticks between them as that time holds, and one for rounding. The
    client's own timestamps tell the time too; where they tell of far more, the capture's are wrong.
    """
    told, flows = evidence.notable, evidence.flows
    of_server = np.flatnonzero((told.side == SERVER) & (told.tsval >= 0) & (told.time_ns != NO_TIME))
    flags, flow = told.flags[of_server] & (SYN | ACK | RST), told.flow[of_server]
    follows = (flags[:-1] == SYN | ACK) & (flags[1:] == ACK) & (flow[:-1] == flow[1:])
    syn_ack, after = of_server[:-1][follows], of_server[1:][follows]
    ticks = (told.tsval[after] - told.tsval[syn_ack]) & TSVAL_MASK
    began_ns = flows.start_ns[np.searchsorted(flows.flow, told.flow[after])]
    passed = (told.time_ns[after] - began_ns) // TICK_NS + 1
    by_client = _client_ticks(told, after) + 1
    behind = ticks - np.maximum(passed, by_client)
    odd = told.flow[after[(passed > 0) & (by_client <= passed + SLACK) & (behind >= least) & (behind < 1 << BITS)]]
    rows: Bools = np.isin(flows.flow, odd) & (evidence.measures.completeness & SYN_SEEN > 0) & (flows.midstream == 0)
    return rows


def _client_ticks(told: Notable, after: I64) -> I64:
    """Ticks of the client's clock from its SYN to its segment just before each of these rows; 0 where not known."""
    syn, before = np.searchsorted(told.flow, told.flow[after]), after - 1
    known = (told.side[syn] == CLIENT) & (told.tsval[syn] >= 0)
    known &= (told.side[before] == CLIENT) & (told.tsval[before] >= 0)
    return np.where(known, (told.tsval[before] - told.tsval[syn]) & TSVAL_MASK, 0)


def clock(story: Story) -> Clock | None:
    """What a flow's timestamps say; None where the times or the server's clock are not fit to tell."""
    stamped = [told for told in story.of(SERVER) if told.tsval >= 0 and not told.is_rst]
    syn = next((told for told in story.of(CLIENT) if told.is_syn), None)
    pair = next((pair for pair in pairwise(stamped) if pair[0].is_syn_ack and not pair[1].is_syn_ack), None)
    if syn is None or pair is None or syn.frame > pair[0].frame:
        return None
    (syn_ack, after), last = pair, stamped[-1]
    span_ns = apart_ns(after, last)
    told_by = span_ns >= RATE_SPAN_NS
    rate = ((last.tsval - after.tsval) & TSVAL_MASK) * 1e9 / span_ns if told_by else 0
    is_coarse = all(told.time_ns % TICK_NS == 0 for told in (syn, syn_ack, after))
    if rate > FASTEST_HZ or is_coarse:
        return None
    return Clock(syn, syn_ack, after, (after.tsval - syn_ack.tsval) & TSVAL_MASK, rate)


def options_in(tsval: int, client: Any) -> str:
    """The low bits in words if they are the options that the client offered; else nothing."""
    scale = client.window_scale if client.window_scale >= 0 else NO_SCALE
    if tsval & (SACK | NO_SCALE) != scale | (SACK if client.sack_permitted else 0):
        return ""
    words = [f"window scale {scale}"] * (scale != NO_SCALE) + ["SACK"] * client.sack_permitted
    return f"its low bits read as what the client offered: {' and '.join(words) or 'no options'}"


def gives_options(evidence: Evidence) -> Bools:
    """The flows to whose listener some SYN-ACK belongs that has window scale or SACK."""
    flows, server = evidence.flows, evidence.sides[SERVER]
    listener = flows.server.astype(np.int64) << 16 | flows.server_port
    gave = (server.window_scale >= 0) | (server.sack_permitted > 0)
    rows: Bools = np.isin(listener, listener[gave & (evidence.measures.completeness & SYN_ACK_SEEN > 0)])
    return rows


def without_options(evidence: Evidence, gives: Bools) -> Bools:
    """The flows whose SYN offered window scale and SACK and whose SYN-ACK has neither, nor timestamps.

    Its listener `gives` them to others, or it looks like Linux: IP ID 0, and a window of whole segments.
    """
    client, server = evidence.sides
    flows = evidence.flows
    both = SYN_SEEN | SYN_ACK_SEEN
    offered = (client.window_scale >= 0) & (client.sack_permitted > 0)
    bare: Bools = offered & (evidence.measures.completeness & both == both)
    bare &= (server.mss > 0) & (server.window_scale < 0) & (server.sack_permitted == 0) & (server.timestamps == 0)
    told = evidence.notable
    syn_acks = np.flatnonzero((told.side == SERVER) & (told.flags & (SYN | ACK | RST) == SYN | ACK) & (told.ip_id == 0))
    rows = np.searchsorted(flows.flow, told.flow[syn_acks])
    whole = (told.window_bytes[syn_acks] > 0) & (told.window_bytes[syn_acks] % np.maximum(server.mss[rows], 1) == 0)
    found: Bools = bare & (np.isin(flows.flow, told.flow[syn_acks[whole]]) | gives)
    return found


def keeps_window(story: Story, syn_ack: Told) -> bool:
    """Whether the server takes nothing back of the window that its SYN-ACK offered; Linux never does."""
    after = next((told for told in story.after(syn_ack, SERVER) if not told.is_syn_ack and not told.is_rst), None)
    return after is None or after.window_bytes + after.ack - 1 >= syn_ack.window_bytes


def unanswered(evidence: Evidence) -> Bools:
    """The flows of which the server sent one SYN-ACK and nothing else, though the client repeats its first payload."""
    flows, measures = evidence.flows, evidence.measures
    whole = SYN_SEEN | SYN_ACK_SEEN | ACK_SEEN
    rows: Bools = (measures.completeness & whole == whole) & (flows.server_frames - measures.server_copies == 1)
    rows &= (measures.client_retransmissions >= 2) & (flows.client_payload_bytes > 0)
    return rows


def is_forgotten(story: Story, request: Told, silence_ns: int) -> bool:
    """Whether Linux answered a small request, sent at once and repeated for longer than it keeps a SYN-ACK back."""
    syn_ack = next((told for told in story.of(SERVER) if told.is_syn_ack), None)
    last = max((told.frame, told.time_ns) for told in story.of(CLIENT) if told.len > 0)
    if syn_ack is None or syn_ack.ip_id > 0 or request.len > SMALL or NO_TIME in (syn_ack.time_ns, last[1]):
        return False
    return apart_ns(syn_ack, request) < PROMPT_NS and last[1] - syn_ack.time_ns > silence_ns
