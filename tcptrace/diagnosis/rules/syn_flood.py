"""Many SYNs for one listener within a second that nobody means to complete.

What it detects
---------------
Within one second at least `syns` SYNs for one address and port, answered or not, whose senders neither acknowledge
the SYN-ACK nor repeat the SYN within 100 ms. It is one finding, however many there are.

Why it happens
--------------
An attack with forged source addresses, or a scanner: the SYN-ACKs go to hosts that never asked. Each takes a place
in the listener's queue of half-open connections (somaxconn, tcp_max_syn_backlog, the listen() backlog) until
tcp_synack_retries have passed (63 s by default); when it is full, Linux sends SYN cookies (tcp_syncookies = 1) or
drops SYNs.

How to confirm
--------------
On the server: ss -tn state syn-recv | wc -l; nstat -az TcpExtSyncookiesSent TcpExtTCPReqQFullDoCookies
TcpExtListenDrops; dmesg | grep "SYN flooding".
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0

How to fix
----------
Keep net.ipv4.tcp_syncookies = 1, raise tcp_max_syn_backlog and somaxconn, limit new connections before the server
(nft: ct state new limit rate; synproxy), block the sources or let the provider scrub them.

When it stays silent
--------------------
Clients acknowledge (many-connections) or repeat their SYN (a server that is down): those are syn-unanswered or
accept-queue-overflow. Fewer SYNs than the threshold in every second.

References
----------
RFC 4987; Linux Documentation/networking/ip-sysctl.rst.
"""

from array import array
from collections.abc import Iterator

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT
from tcptrace.schema import I64, NO_TIME

RULE = Rule(
    name="syn-flood",
    family="handshake",
    severity="error",
    thresholds={
        "syns": Threshold(20, "", "SYNs for one listener within a second"),
        "silence_ms": Threshold(100, "ms", "time in which an honest client acknowledges or repeats"),
    },
    explains=("syn-unanswered", "half-open", "syn-dropped-by-server", "accept-queue-overflow", "connection-refused"),
)

SECOND_NS = 1_000_000_000
EXAMPLES = 5


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Count, for each listener, the SYNs that came to nothing."""
    silence_ns = int(thresholds["silence_ms"] * 1e6)
    number, start_ns, key = (np.concatenate(columns) for columns in zip(*_suspects(evidence, silence_ns), strict=True))
    for listener in np.unique(key):
        rows = np.flatnonzero(key == listener)
        rows = rows[np.argsort(start_ns[rows], kind="stable")]
        most, first = _densest(start_ns[rows])
        if most >= thresholds["syns"]:
            yield _finding(evidence, number[rows], start_ns[rows], most, first, int(listener))


def _suspects(evidence: Evidence, silence_ns: int) -> Iterator[tuple[I64, I64, I64]]:
    """Flow number, time of the SYN and listener of flows whose client sent a SYN and then was silent long enough."""
    flows = evidence.flows
    answered = (flows.client_frames == 1) & (evidence.count("syn", CLIENT) == 1)
    for table, rows in ((evidence.all_flows, evidence.lone_syns), (flows, np.flatnonzero(answered))):
        times = table.start_ns[rows]
        rows = rows[(times != NO_TIME) & (evidence.end_ns - times >= silence_ns)]
        yield (
            table.flow[rows],
            table.start_ns[rows],
            table.server[rows].astype(np.int64) << 16 | table.server_port[rows],
        )


def _densest(times: I64) -> tuple[int, int]:
    """Most of these times, in order, that lie within a second, and the place of the first of them."""
    within = np.searchsorted(times, times + SECOND_NS) - np.arange(len(times))
    first = int(np.argmax(within))
    return int(within[first]), first


def _finding(evidence: Evidence, flows: I64, times: I64, most: int, first: int, listener: int) -> Finding:
    server = evidence.book.endpoint(listener >> 16, listener & 0xFFFF)
    answered = int(np.isin(flows, evidence.flows.flow).sum())
    frames = evidence.first_frames(flows[first : first + EXAMPLES])
    return RULE.finding(
        confidence=0.9,
        flows=array("q", flows.tobytes()),
        frames=frames,
        summary=(
            f"{len(flows):,} SYNs for {server} came to nothing, {most:,} of them within one second:"
            f" their senders neither acknowledged nor asked again (first at frame {frames[0]})."
        ),
        cause="forged or scanning senders: the listener's queue of half-open connections fills with them",
        evidence=(f"{answered:,} of them were answered, {len(flows) - answered:,} were not",),
        disproof="the clients' segments pass another way than this capture sees",
        confirm="Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0   server: ss -tn state syn-recv",
        fix="keep tcp_syncookies on, raise tcp_max_syn_backlog and somaxconn, limit new connections before the server",
    )
