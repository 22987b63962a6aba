"""The server still holds an old connection on the tuple that a client opens anew.

What it detects
---------------
A SYN is answered by a bare ACK that does not acknowledge it: the server speaks of an older connection on the same
addresses and ports. The client knows nothing of that one and resets it, with the very number the ACK asked for; its
next SYN is accepted. Where something between them swallows the ACK or the RST, SYN and ACK go on in turns until the
client gives up.

Why it happens
--------------
One side lost the connection without telling the other: the client's machine restarted or its NAT or firewall forgot it,
or reset the client in the server's name; and a fixed or early ephemeral port was used again. In a synchronized state a
SYN, wherever its number lies, gets a challenge ACK (RFC 5961 section 4; Linux tcp_validate_incoming, counted
TcpExtTCPSYNChallenge, limited by net.ipv4.tcp_invalid_ratelimit, 500 ms, and tcp_challenge_ack_limit). A socket in
TIME_WAIT, where the server had closed first, answers by a plain ACK when neither the SYN's number nor its timestamp is
newer, or when its timestamp is older, however new the number (PAWS, RFC 7323 section 5; tcp_timewait_state_process):
the source port came to another host behind the same NAT, whose clock is another, or the client restarted.
TcpExtPAWSEstab counts the older timestamps, TcpExtPAWSTimewait in kernels that have it; TcpExtTCPACKSkippedTimeWait has
the answers that the limit kept back. In SYN_SENT the client resets an ACK that is not of its SYN (RFC 9293 section
3.10.7.3), which ends the old connection: half-open recovery, section 3.5.1.

How to confirm
--------------
On the server: ss -tan 'dport = :PORT' before the RST shows the state; nstat -az TcpExtTCPSYNChallenge
TcpExtTCPChallengeACK; for TIME_WAIT TcpExtPAWSEstab TcpExtPAWSTimewait.
In Wireshark: tcp.flags.syn == 1 || (tcp.flags == 0x010 && tcp.len == 0) || tcp.flags.reset == 1

How to fix
----------
Let the server notice dead peers (SO_KEEPALIVE, TCP_USER_TIMEOUT), let clients close before they go down, and let the
kernel choose source ports. In TIME_WAIT a newer timestamp lets the SYN in at once: net.ipv4.tcp_timestamps = 1 at both
ends, and nothing between them that takes the option away. Where the timestamp is older, the clocks must be kept apart:
no two hosts behind one address share a source port within 60 s (more NAT addresses, a port range for each). A firewall
must let this ACK and this RST pass: conntrack drops them as INVALID unless net.netfilter.nf_conntrack_tcp_be_liberal =
1.

When it stays silent
--------------------
The ACK acknowledges the SYN (the SYN-ACK is missing in the capture); the server answered by SYN-ACK first; neither a
RST with the ACK's number nor a repeated SYN followed.

References
----------
RFC 9293 sections 3.5.1 and 3.10.7; RFC 5961 section 4; RFC 7323 section 5; Linux net/ipv4/tcp_input.c,
net/ipv4/tcp_minisocks.c.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    SYN,
    Story,
    Told,
    apart_ns,
    elapsed,
    frames_filter,
    numbers,
)
from tcptrace.schema import Bools

RULE = Rule(
    name="stale-connection",
    family="handshake",
    severity="warning",
    explains=("first-data-reset", "handshake-slow", "abortive-close", "port-reuse"),
)

ACK_OF_SYN = 1

CAUSES = {
    "ESTABLISHED": "the client had closed it, and no ACK of its FIN is here: it is in ESTABLISHED or CLOSE_WAIT there",
    "CLOSE_WAIT": "the client had closed it; the program at {server} has not: CLOSE_WAIT",
    "LAST_ACK": "both sides had closed it, the client first; the last ACK did not arrive: it is in LAST_ACK there",
    "FIN_WAIT_1": "the server had closed it, and no ACK of its FIN is here: it is in FIN_WAIT_1 or FIN_WAIT_2 there",
    "FIN_WAIT_2": "the server had closed it and waits for the client's FIN: it is in FIN_WAIT_2 there",
    "CLOSING": "both sides had closed it at once, and no ACK of the server's FIN is here: CLOSING or TIME_WAIT",
    "TIME_WAIT": "the server had closed it first and holds it in TIME_WAIT, {refused}",
}
"""How a closed connection can still stand at the server, by the state it is in there."""

RESETS = {
    CLIENT: "the client had reset the old connection (frame {}), which did not reach the server",
    SERVER: "something between them had reset the client in the server's name (frame {}): a server that still holds the"
    " connection has not sent that RST",
}
"""How a connection can still stand at the server after a RST, by the side it came from."""

OLDER, SAME, NEWER, UNKNOWN = "older", "same", "newer", "unknown"
"""The SYN's timestamp beside the client's last one in the old connection."""

TSVAL_BITS = 32

REFUSED = {
    OLDER: "which refuses a SYN with an older timestamp (PAWS): another host behind the same NAT, or the client"
    " restarted",
    SAME: "which refuses a SYN of which neither the number nor the timestamp is newer",
    NEWER: "which lets a newer timestamp in at once on Linux: the server is another system, or has not"
    " got this timestamp",
    UNKNOWN: "which refuses a SYN of which neither the number nor the timestamp is newer, or the timestamp is older"
    " (PAWS)",
}
"""Why a socket in TIME_WAIT answers a SYN by an ACK."""

APART = (
    "source ports that no two hosts behind one address share within 60 s (more NAT addresses, a port range for each)"
)
NO_FIXED_PORT = "no fixed source port on the client"

FIXES = {
    OLDER: f"{APART}; {NO_FIXED_PORT}",
    UNKNOWN: f"timestamps at both ends (net.ipv4.tcp_timestamps = 1); if PAWS counts: {APART}; {NO_FIXED_PORT}",
    SAME: f"timestamps at both ends that grow (net.ipv4.tcp_timestamps = 1); {NO_FIXED_PORT}",
    NEWER: f"let the timestamp reach the server (net.ipv4.tcp_timestamps = 1 there too); {NO_FIXED_PORT}",
}
"""What lets a SYN into a socket in TIME_WAIT."""

WHO_RESET = "find the firewall or balancer that sent frame {} (its TTL and IP ID beside the server's)"


class Stale(NamedTuple):
    """The segments of one answer that is not of the call."""

    syn: Told
    ack: Told
    rst: Told | None
    again: Told | None
    """The next SYN."""
    syn_ack: Told | None
    """That accepts it at last."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A call whose first answer is a bare ACK of something else, which the client resets or calls over."""
    for story in evidence.stories(_answered_by_ack(evidence)):
        stale = _stale(story)
        if stale and (stale.rst or stale.again):
            yield _finding(evidence, story, stale)


def _answered_by_ack(evidence: Evidence) -> Bools:
    """The flows that began by a SYN and whose server's first segment is an ACK and nothing else."""
    told, flows = evidence.notable, evidence.flows
    of_server = np.flatnonzero(told.side == SERVER)
    owner = told.flow[of_server]
    is_first = np.ones(len(owner), np.bool_)
    is_first[1:] = owner[1:] != owner[:-1]
    is_ack = told.flags[of_server] & (SYN | ACK | FIN | RST) == ACK
    odd: Bools = np.isin(flows.flow, owner[is_first & is_ack]) & (flows.midstream == 0)
    return odd


def _stale(story: Story) -> Stale | None:
    ack = next(story.of(SERVER))
    called = story.before(ack, CLIENT)
    if not called or not all(told.is_syn for told in called) or ack.ack == ACK_OF_SYN or ack.len > 0:
        return None
    after = story.after(ack, CLIENT)
    rst = next((told for told in after if told.is_rst and told.seq == ack.ack), None)
    again = next((told for told in after if told.is_syn), None)
    return Stale(called[0], ack, rst, again, next((told for told in story.of(SERVER) if told.is_syn_ack), None))


def _finding(evidence: Evidence, story: Story, stale: Stale) -> Finding:
    syn, ack, rst, again, syn_ack = stale
    number = _older(evidence, story)
    row = evidence.row_of(number)
    old = evidence.story(row) if row >= 0 else None
    frames = numbers(told for told in stale if told)
    last = _last_tsval(old)
    age = _age(last, syn.tsval) if _is_in_time_wait(old) else UNKNOWN
    held = f"flow {number}" if number >= 0 else "a connection from before this capture"
    reset = f"; the client reset it (frame {rst.frame})" if rst else ""
    return RULE.finding(
        confidence=0.95 if rst and syn_ack else 0.85 if rst else 0.6,
        flows=(story.number,),
        frames=frames,
        alike=story.server,
        summary=(
            f"{story.client} called {story.server} (frame {syn.frame}), which answered by an ACK of an older connection"
            f" (frame {ack.frame}): it still holds {held}{reset}{_end(again, syn, syn_ack)}."
        ),
        cause=_cause(story, old, number, age),
        evidence=(
            "the ACK is not of the SYN" + (": the RST carries the number that it acknowledges" if rst else ""),
            f"the older connection is {held}"
            + (f": {_close(old)}, last heard of {_ago(old, syn)} before" if old else ""),
            *([f"the SYN's timestamp is {syn.tsval}, the client's last before {last}"] if age != UNKNOWN else []),
        ),
        disproof="the SYN-ACK and what followed it are missing in the capture",
        confirm=_confirm(story, old, frames),
        fix=_fix(old, age),
    )


def _older(evidence: Evidence, story: Story) -> int:
    """The number of the flow on the same tuple before; -1: there is none."""
    flows, new = evidence.all_flows, story.flow
    same = (flows.client_port == new.client_port) & (flows.server_port == new.server_port)
    same &= (flows.client == new.client) & (flows.server == new.server) & (flows.flow < new.flow)
    rows = np.flatnonzero(same)
    return int(flows.flow[rows[-1]]) if len(rows) else -1


def _last_tsval(old: Story | None) -> int:
    """The newest timestamp of the client among the old connection's notable segments; -1: none."""
    stamped = [told.tsval for told in old.of(CLIENT) if told.tsval >= 0 and not told.is_rst] if old else []
    return stamped[-1] if stamped else -1


def _age(last: int, new: int) -> str:
    """How a timestamp stands to the last one before, by serial arithmetic (RFC 7323 section 5.2)."""
    if last < 0 or new < 0:
        return UNKNOWN
    ahead = (new - last) % (1 << TSVAL_BITS)
    return SAME if ahead == 0 else NEWER if ahead < 1 << (TSVAL_BITS - 1) else OLDER


def _cause(story: Story, old: Story | None, number: int, age: str) -> str:
    """How the client came to call anew what the server still holds, by what the capture has of the old connection."""
    if number < 0:
        return "the client's side lost the old connection (restart, NAT or firewall entry gone), before this capture"
    if old is None or not (old.flow.midstream or old.first("first", CLIENT)):
        return f"the client gave up its call of flow {number}, whose SYN-ACK did not reach it: half-open there"
    for rst in _resets(old):
        return RESETS[rst.side].format(rst.frame)
    if next(_fins(old), None):
        return CAUSES[_state(old)].format(server=story.server, refused=REFUSED[age])
    return "the client's side lost the old connection without a FIN or RST (restart, NAT or firewall entry gone)"


def _fins(old: Story) -> Iterator[Told]:
    """The FIN of each side, in order."""
    return (told for told in old.kind("fin") if told is old.first("fin", told.side))


def _resets(old: Story | None) -> list[Told]:
    """The first RST, if there was one."""
    return old.kind("rst")[:1] if old else []


def _is_acked(old: Story, side: int) -> bool:
    """Whether the other side is seen to have taken this one's FIN."""
    fin = old.first("fin", side)
    return fin is not None and bool(old.sides[side].acked > fin.seq + fin.len)


def _state(old: Story) -> str:
    """Where the server stands in a connection of which a FIN was seen, by RFC 9293 figure 5."""
    own, others = old.first("fin", SERVER), old.first("fin", CLIENT)
    is_taken = _is_acked(old, CLIENT)
    if own is None:
        return "CLOSE_WAIT" if is_taken else "ESTABLISHED"
    if others and own.ack > others.seq + others.len:
        return "LAST_ACK"
    if _is_acked(old, SERVER):
        return "TIME_WAIT" if is_taken else "FIN_WAIT_2"
    return "CLOSING" if is_taken else "FIN_WAIT_1"


def _is_in_time_wait(old: Story | None) -> bool:
    return old is not None and not old.kind("rst") and next(_fins(old), None) is not None and _state(old) == "TIME_WAIT"


def _close(old: Story) -> str:
    """How the old connection ended, by the frames that show it."""
    ends = [
        f"FIN of {old.end(fin.side)} (frame {fin.frame}{', acknowledged' if _is_acked(old, fin.side) else ''})"
        for fin in _fins(old)
    ]
    ends += [f"RST of {old.end(rst.side)} (frame {rst.frame})" for rst in _resets(old)]
    return ", ".join(ends) or "no FIN or RST of it seen"


def _confirm(story: Story, old: Story | None, frames: tuple[int, ...]) -> str:
    ends = numbers([*_fins(old), *_resets(old)]) if old else ()
    counters = "PAWSEstab TcpExtPAWSTimewait" if _is_in_time_wait(old) else "TCPSYNChallenge TcpExtTCPChallengeACK"
    socket = f"ss -tan 'sport = :{story.flow.server_port} and dport = :{story.flow.client_port}' before the RST"
    return f"Wireshark: {frames_filter([*ends, *frames])}   server: {socket}; nstat -az TcpExt{counters}"


def _fix(old: Story | None, age: str) -> str:
    if _is_in_time_wait(old):
        return FIXES[age]
    others = next((f"{WHO_RESET.format(rst.frame)}; " for rst in _resets(old) if rst.side == SERVER), "")
    return f"{others}keep-alives or TCP_USER_TIMEOUT on the server; {NO_FIXED_PORT}"


def _ago(old: Story, syn: Told) -> str:
    return elapsed(syn.time_ns - old.flow.end_ns)


def _end(again: Told | None, syn: Told, syn_ack: Told | None) -> str:
    if again is None:
        return " and did not call again"
    called = f" and called again after {elapsed(apart_ns(syn, again))} (frame {again.frame})"
    return f"{called}, which was accepted (frame {syn_ack.frame})" if syn_ack else f"{called}, in vain"
