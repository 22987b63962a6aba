"""Many SYNs for one listener within a second that nobody means to complete.

What it detects
---------------
Within one second at least `syns` SYNs for one address and port, answered or not, whose senders neither acknowledge
the SYN-ACK nor repeat the SYN, though the capture goes on long enough: where they are answered until the server repeats
its SYN-ACK, or for `silence_ms` and twice as long as the slowest handshake took; where they are not for `repeat_ms`.
Where no handshake was completed, or nothing answered, `silence_ms` are enough for SYNs of many addresses, with less
confidence. A bare RST of theirs changes nothing: so answers a host whose address was forged. It is one finding, however
many there are.

Why it happens
--------------
An attack with forged source addresses, or a scanner: the SYN-ACKs go to hosts that never asked. Each takes a place
in the listener's queue of half-open connections (somaxconn, tcp_max_syn_backlog, the listen() backlog) until
tcp_synack_retries have passed (63 s by default); when it is full, Linux sends SYN cookies (tcp_syncookies = 1) or
drops SYNs.

How to confirm
--------------
On the server: ss -tn state syn-recv | wc -l; nstat -az TcpExtSyncookiesSent TcpExtTCPReqQFullDoCookies
TcpExtListenDrops; dmesg | grep -i "SYN flooding".
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0

How to fix
----------
Keep net.ipv4.tcp_syncookies = 1, raise tcp_max_syn_backlog and somaxconn, limit new connections before the server
(nft: ct state new limit rate; synproxy), block the sources or let the provider scrub them.

When it stays silent
--------------------
Clients acknowledge, however late (a health check does by RST+ACK), or repeat their SYN (a server that is down): those
are syn-unanswered or accept-queue-overflow. The server refuses (connection-refused): no queue fills. Fewer SYNs than
the threshold in every second.

References
----------
RFC 4987 sections 2 and 3; Linux Documentation/networking/ip-sysctl.rst.
"""

from array import array
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import ACK, CLIENT, RST, SERVER
from tcptrace.schema import I32, I64, Bools, Flows

RULE = Rule(
    name="syn-flood",
    family="handshake",
    severity="error",
    thresholds={
        "syns": Threshold(20, "", "SYNs for one listener within a second"),
        "silence_ms": Threshold(100, "ms", "least time in which an honest client acknowledges a SYN-ACK"),
        "repeat_ms": Threshold(1100, "ms", "time in which an honest client repeats a SYN (RFC 6298: after 1 s)"),
    },
    explains=(
        "paws-nat-drop",
        "syn-dropped-by-server",
        "accept-queue-overflow",
        "half-open",
        "syn-unanswered",
        "port-exhaustion",
    ),
)

SECOND_NS = 1_000_000_000
BATCH_ROWS = 1 << 16
"""There may be millions of SYNs: what each batch needs meanwhile is small."""

EXAMPLES = 5
FEW_SENDERS = 2
UNPROVED = 0.6
"""Most confidence where the capture ends before an honest client would have to speak again."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Count, for each listener, the SYNs that came to nothing."""
    flows, least = evidence.all_flows, int(thresholds["syns"])
    suspects, is_proved = _suspects(evidence, thresholds)
    for rows in _by_listener(flows, suspects, least):
        proved = rows[is_proved[rows]]
        few = len(proved) < least
        if not few or _senders(evidence, rows) > FEW_SENDERS:
            rows = rows if few else proved
            most, first = _densest(flows.start_ns[rows])
            if most >= least:
                yield _finding(evidence, rows, most, first, UNPROVED if few else 1)


def _suspects(evidence: Evidence, thresholds: Thresholds) -> tuple[I32, Bools]:
    """Rows in `all_flows` of those whose client sent one SYN and then at most a RST; which did so for long enough."""
    is_proved = np.zeros(len(evidence.all_flows.flow), np.bool_)
    if evidence.summary.end_ns is None:
        return np.empty(0, np.int32), is_proved
    flows = evidence.flows
    sent = flows.client_frames - evidence.measures.client_copies
    silent = (evidence.count("syn", CLIENT) == 1) & (sent == 1 + _bare_rsts(evidence))
    silent &= (evidence.count("rst", SERVER) == 0) & (flows.midstream == 0)
    repeat_ns, silence_ns = int(thresholds["repeat_ms"] * 1e6), int(thresholds["silence_ms"] * 1e6)
    opened_ns = _opened_ns(evidence, repeat_ns)
    asked_again = evidence.measured(SERVER, "retransmissions") > 0
    old = evidence.is_old(flows.start_ns, max(silence_ns, opened_ns)) | asked_again
    answered = np.searchsorted(evidence.all_flows.flow, flows.flow[silent & old])
    waited_ns = np.where((flows.server_frames > 0) & (opened_ns > 0), max(silence_ns, opened_ns), repeat_ns)
    is_proved[answered] = (evidence.is_old(flows.start_ns, waited_ns) | asked_again)[silent & old]
    start_ns, lone = evidence.all_flows.start_ns, evidence.lone_syns.astype(np.int32)
    lone = lone[evidence.is_old(start_ns[lone], max(silence_ns, opened_ns))]
    is_proved[lone] = evidence.is_old(start_ns[lone], repeat_ns)
    return np.concatenate((lone, answered.astype(np.int32))), is_proved


def _bare_rsts(evidence: Evidence) -> I64:
    """How many RSTs without ACK each client sent, by which a host says that it knows nothing of a connection."""
    told = evidence.notable
    return evidence.per_flow((told.side == CLIENT) & (told.flags & (RST | ACK) == RST))


def _opened_ns(evidence: Evidence, most_ns: int) -> int:
    """Time in which an honest client that is answered acknowledges: twice what the slowest one took; 0 unknown."""
    to_answer_ns, to_ack_ns = evidence.flows.syn_to_synack_ns, evidence.flows.synack_to_ack_ns
    slowest_ns = int((to_answer_ns + to_ack_ns)[(to_answer_ns >= 0) & (to_ack_ns >= 0)].max(initial=0))
    return min(2 * slowest_ns, most_ns)


def _by_listener(flows: Flows, rows: I32, least: int) -> list[I32]:
    """The rows of each address and port that was called at least so often, in order of time."""
    rows = rows[np.argsort(flows.start_ns[rows], kind="stable")]
    order, bounds = _runs(flows.server[rows].astype(np.int64) << 16 | flows.server_port[rows])
    rows = rows[order]
    often = np.flatnonzero(np.diff(bounds) >= least)
    return [rows[start:stop] for start, stop in zip(bounds[often], bounds[often + 1], strict=True)]


def _runs(keys: I64) -> tuple[I64, I64]:
    """The order that brings equal keys together, and where each such run begins, the end included."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    return order, np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(keys)]))


def _densest(times: I64) -> tuple[int, int]:
    """Most of these times, in order, that lie within a second, and the place of the first of them."""
    most, first = 0, 0
    for start in range(0, len(times), BATCH_ROWS):
        some = times[start : start + BATCH_ROWS]
        within = np.searchsorted(times, some + SECOND_NS) - np.arange(start, start + len(some))
        if within.max() > most:
            most, first = int(within.max()), start + int(np.argmax(within))
    return most, first


def _finding(evidence: Evidence, rows: I32, most: int, first: int, limit: float) -> Finding:
    all_flows = evidence.all_flows
    server = evidence.book.endpoint(int(all_flows.server[rows[0]]), int(all_flows.server_port[rows[0]]))
    answered = int((all_flows.server_frames[rows] > 0).sum())
    senders = _senders(evidence, rows)
    frames = evidence.first_frames(all_flows.flow[rows[first : first + EXAMPLES]])
    flows = array("q")
    flows.frombytes(all_flows.flow[rows].view(np.uint8).data)
    return RULE.finding(
        confidence=min(limit, _confidence(evidence, answered, senders)),
        flows=flows,
        frames=frames,
        summary=(
            f"{len(rows):,} SYNs of {senders:,} {'address' if senders == 1 else 'addresses'} for {server} came to"
            f" nothing, {most:,} of them within one second: their senders neither acknowledged nor asked again (first"
            f" at frame {frames[0]})."
        ),
        cause=_cause(senders),
        evidence=(f"{answered:,} of them were answered, {len(rows) - answered:,} were not",),
        disproof="the clients' segments pass another way than this capture sees, or a filter kept only their SYNs",
        confirm=f"Wireshark: {_display_filter(evidence, rows)}   server: ss -tn state syn-recv | wc -l; nstat -az"
        " TcpExtSyncookiesSent TcpExtTCPReqQFullDrop",
        fix="keep tcp_syncookies on, raise tcp_max_syn_backlog and somaxconn, limit new connections before the server",
    )


def _senders(evidence: Evidence, rows: I32) -> int:
    """How many addresses sent them."""
    is_sender = np.zeros(len(evidence.book), np.bool_)
    is_sender[evidence.all_flows.client[rows]] = True
    return int(is_sender.sum())


def _confidence(evidence: Evidence, answered: int, senders: int) -> float:
    if not answered and senders <= FEW_SENDERS:
        return 0.5
    shows_more = evidence.count("first", CLIENT).any() or evidence.count("repeat", SERVER).any()
    return 0.9 if shows_more else 0.7  # else a filter may have kept nothing but SYNs


def _cause(senders: int) -> str:
    if senders <= FEW_SENDERS:
        return "a scanner, an attack from one place, or a client that gives up before it would ask again"
    return "forged or scanning senders: the listener's queue of half-open connections fills with them"


def _display_filter(evidence: Evidence, rows: npt.NDArray[np.integer]) -> str:
    server, port = int(evidence.all_flows.server[rows[0]]), int(evidence.all_flows.server_port[rows[0]])
    text = evidence.book.text(server)
    listener = f"{'ipv6' if ':' in text else 'ip'}.dst == {text} && tcp.dstport == {port}"
    return f"tcp.flags.syn == 1 && tcp.flags.ack == 0 && {listener}"
