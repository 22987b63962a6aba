"""Of clients behind one address, those whose clock is behind are not answered.

What it detects
---------------
SYNs of one address that get no answer while others of the same address do, where each SYN that is dropped has a
timestamp older than that of the call answered before it, within `window_s`, and each that is answered a newer one.
The dropped ones must lie on a clock of their own that ticks on through several calls, so that two hosts show.

Why it happens
--------------
Kernels before Linux 4.12 with net.ipv4.tcp_tw_recycle = 1 remember, for each address, the last timestamp of a
connection that ended, for 60 s (TCP_PAWS_MSL), and drop every SYN from there whose timestamp is older
(tcp_conn_request, tcp_peer_is_proven). A NAT lets several hosts with several clocks speak from one address. Since
Linux 4.10 a client's timestamps start anew with each connection (net.ipv4.tcp_timestamps = 1), so that such a server
drops calls of a single host as well, at random.

How to confirm
--------------
Server: sysctl net.ipv4.tcp_tw_recycle (absent: the kernel has no such rule); nstat -az TcpExtPAWSPassive, or
netstat -s | grep "rejected because of time stamp". From a client behind the NAT: sysctl -w net.ipv4.tcp_timestamps=0
makes its calls succeed.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0, with tcp.options.timestamp.tsval as a column.

How to fix
----------
On the server net.ipv4.tcp_tw_recycle = 0, for good; net.ipv4.tcp_tw_reuse on the calling side is the safe way to
use ports again. Where the server cannot be changed, let the NAT strip the timestamp option from SYNs.

When it stays silent
--------------------
All calls are answered; SYNs without timestamps; a dropped SYN with a newer timestamp than the one answered before
(syn-dropped-by-server); timestamps that lie on no clock seen twice, as of hosts that start them at random for each
connection.

References
----------
RFC 7323 section 5; RFC 1323 appendix B.2; Linux 4.11 Documentation/networking/ip-sysctl.txt (tcp_tw_recycle);
Vincent Bernat, Coping with the TCP TIME-WAIT state on busy Linux servers.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, frames_filter
from tcptrace.rows import chosen
from tcptrace.schema import NO_TIME

RULE = Rule(
    name="paws-nat-drop",
    family="handshake",
    severity="error",
    thresholds={
        "wait_s": Threshold(3, "s", "age at which a SYN that was not repeated counts as dropped"),
        "window_s": Threshold(60, "s", "time for which a server remembers the timestamp of an address"),
    },
    explains=("syn-dropped-by-server", "syn-unanswered"),
)

WORD = 1 << 32
CLOCK_SLACK_S = 0.5
CLOCK_DRIFT = 0.01


class Stamped(NamedTuple):
    """A call with the first timestamp known of its client."""

    row: int
    time_ns: int
    tsval: int
    ticks_per_s: float
    """By the call's own repeats; 0 where it was answered."""


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """For each client and server, whether age alone tells calls answered from calls dropped."""
    calls = c.unanswered(evidence, int(thresholds["wait_s"] * 1e9))
    if not len(calls.row):
        return
    answered = c.answered(evidence)
    between, also = c.pairs(calls), c.pairs(answered)
    both = np.flatnonzero(np.isin(between, also))
    for group in c.groups(between[both]):
        rows = both[group]
        others = np.flatnonzero(also == between[rows[0]])
        dropped = list(_stamped(evidence, chosen(calls, rows)))
        taken = list(_stamped(evidence, chosen(answered, others)))
        if dropped and len(dropped) == len(rows) and _by_age(dropped, taken, int(thresholds["window_s"] * 1e9)):
            yield _finding(evidence, dropped, taken)


def _stamped(evidence: Evidence, calls: c.Calls) -> Iterator[Stamped]:
    notable = evidence.notable
    for row in calls.row.tolist():
        flow = evidence.all_flows.flow[row]
        start, stop = np.searchsorted(notable.flow, (flow, flow + 1))
        known = (notable.side[start:stop] == CLIENT) & (notable.tsval[start:stop] >= 0)
        of_client = start + np.flatnonzero(known & (notable.time_ns[start:stop] != NO_TIME))
        times, tsvals = notable.time_ns[of_client].tolist(), notable.tsval[of_client].tolist()
        is_dropped = evidence.all_flows.server_frames[row] == 0
        if is_dropped and len(times) > 1 and times[-1] > times[0]:
            ticks = (tsvals[-1] - tsvals[0]) % WORD / ((times[-1] - times[0]) / 1e9)
            yield Stamped(row, times[0], tsvals[0], ticks)
        elif times and not is_dropped:
            yield Stamped(row, times[0], tsvals[0], 0)


def _by_age(dropped: list[Stamped], taken: list[Stamped], window_ns: int) -> bool:
    """Whether each dropped call is older than the one answered before it, each answered one is not, on other clocks."""
    before: Stamped | None = None
    for call in sorted(dropped + taken, key=lambda call: call.time_ns):
        is_dropped = call.ticks_per_s > 0
        is_near = before is not None and call.time_ns - before.time_ns <= window_ns
        if is_dropped and not (before and is_near and _is_older(call, before)):
            return False
        if not is_dropped:
            if before and is_near and _is_older(call, before):
                return False
            before = call
    return all(any(_on_one_clock(call, other) for other in dropped + taken if other is not call) for call in dropped)


def _is_older(call: Stamped, before: Stamped) -> bool:
    return 0 < (before.tsval - call.tsval) % WORD < WORD // 2


def _on_one_clock(call: Stamped, other: Stamped) -> bool:
    elapsed_s = (other.time_ns - call.time_ns) / 1e9
    ticked = (other.tsval - call.tsval + WORD // 2) % WORD - WORD // 2
    slack = call.ticks_per_s * (CLOCK_SLACK_S + CLOCK_DRIFT * abs(elapsed_s))
    return abs(ticked - call.ticks_per_s * elapsed_s) <= slack


def _finding(evidence: Evidence, dropped: list[Stamped], taken: list[Stamped]) -> Finding:
    rows = [call.row for call in dropped]
    client, server = c.ends(evidence, rows[0])
    frames = c.syn_frames(evidence, rows[0])[0]
    host = client.rpartition(":")[0]
    first = dropped[0]
    before = max((call for call in taken if call.time_ns < first.time_ns), key=lambda call: call.time_ns)
    return RULE.finding(
        confidence=0.9 if len(dropped) > 1 else 0.75,
        flows=tuple(evidence.all_flows.flow[rows].tolist()),
        frames=(*c.syn_frames(evidence, before.row)[0][:1], *frames),
        summary=(
            f"{server} dropped {len(dropped)} calls of {host} (the first from frame {frames[0]} on) and answered"
            f" {len(taken)}: those whose timestamps were newer."
        ),
        cause="the server remembers one clock for an address (tcp_tw_recycle), behind which hosts with several speak",
        evidence=(
            f"frame {frames[0]} is {(before.tsval - first.tsval) % WORD:,} ticks older than the last answered call",
            f"its clock ticks {first.ticks_per_s:,.0f} times a second, and goes on through other calls",
        ),
        disproof="a server without net.ipv4.tcp_tw_recycle (Linux 4.12 and newer), and no such filter before it",
        confirm=(
            f"Wireshark: {frames_filter(frames)}, tcp.options.timestamp.tsval   server: sysctl net.ipv4.tcp_tw_recycle;"
            f" nstat -az TcpExtPAWSPassive"
        ),
        fix="net.ipv4.tcp_tw_recycle = 0 on the server",
    )
