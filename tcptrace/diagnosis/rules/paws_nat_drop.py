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
(tcp_conn_request, tcp_peer_is_proven). A NAT lets several hosts with several clocks speak from one address. Where a
client's timestamps start anew with each connection (net.ipv4.tcp_timestamps = 1 on Linux 4.10 and some later kernels;
from 4.11 on the offset was one for each pair of addresses), such a server drops calls of a single host as well, at
random.

How to confirm
--------------
Server: sysctl net.ipv4.tcp_tw_recycle (absent: the kernel has no such rule); nstat -az TcpExtPAWSPassive, or
netstat -s | grep "rejected because of time stamp". From a client behind the NAT: sysctl -w net.ipv4.tcp_timestamps=0
makes its calls succeed.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0
Make tcp.options.timestamp.tsval a column.

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
import numpy.typing as npt

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import CLIENT, frames_filter
from tcptrace.schema import I64, NO_TIME

F64 = npt.NDArray[np.float64]

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
CLOCKS_MAX = 100
"""Dropped calls, the first ones, whose clocks are looked for in other calls."""


class Stamped(NamedTuple):
    """Calls by the first timestamps known of their clients, in order of time."""

    row: I64
    time_ns: I64
    tsval: I64
    ticks_per_s: F64
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
        rows, others = calls.row[both[group]], answered.row[also == between[both[group[0]]]]
        stamped = _stamped(evidence, rows, others)
        all_tick = np.count_nonzero(stamped.ticks_per_s) == len(rows)
        if all_tick and _by_age(stamped, int(thresholds["window_s"] * 1e9)):
            yield _finding(evidence, stamped)


def _stamped(evidence: Evidence, dropped: I64, taken: I64) -> Stamped:
    flows, notable = evidence.all_flows, evidence.notable
    known = np.flatnonzero((notable.side == CLIENT) & (notable.tsval >= 0) & (notable.time_ns != NO_TIME))
    rows = np.concatenate([dropped, taken])
    first = np.searchsorted(notable.flow[known], flows.flow[rows], "left")
    last = np.searchsorted(notable.flow[known], flows.flow[rows], "right") - 1
    is_known = last - first >= (np.arange(len(rows)) < len(dropped))
    rows, first, last = rows[is_known], known[first[is_known]], known[last[is_known]]
    ticked = (notable.tsval[last] - notable.tsval[first]) % WORD
    took_s = (notable.time_ns[last] - notable.time_ns[first]) / 1e9
    rate = np.where(np.isin(rows, dropped) & (took_s > 0), ticked / np.where(took_s > 0, took_s, 1), 0)
    order = np.argsort(notable.time_ns[first], kind="stable")
    return Stamped(rows[order], notable.time_ns[first][order], notable.tsval[first][order], rate[order])


def _by_age(calls: Stamped, window_ns: int) -> bool:
    """Whether each dropped call is older than the one answered before it, each answered one is not, on other clocks."""
    is_dropped, place = calls.ticks_per_s > 0, np.arange(len(calls.row))
    before = np.maximum.accumulate(np.where(is_dropped, -1, place))
    before = np.concatenate([[-1], before[:-1]])
    age = (calls.tsval[before] - calls.tsval) % WORD
    near = (before >= 0) & (calls.time_ns - calls.time_ns[before] <= window_ns)
    older = near & (age > 0) & (age < WORD // 2)
    if not (older == is_dropped).all() or not is_dropped.any():
        return False
    return all(_on_a_clock(calls, place) for place in np.flatnonzero(is_dropped)[:CLOCKS_MAX].tolist())


def _on_a_clock(calls: Stamped, place: int) -> bool:
    """Whether any other call has a timestamp that this call's client would have given it."""
    elapsed_s = (calls.time_ns - calls.time_ns[place]) / 1e9
    ticked = (calls.tsval - calls.tsval[place] + WORD // 2) % WORD - WORD // 2
    slack = calls.ticks_per_s[place] * (CLOCK_SLACK_S + CLOCK_DRIFT * np.abs(elapsed_s))
    fits = np.abs(ticked - calls.ticks_per_s[place] * elapsed_s) <= slack
    return int(fits.sum()) > 1


def _finding(evidence: Evidence, calls: Stamped) -> Finding:
    dropped = np.flatnonzero(calls.ticks_per_s > 0)
    first, before = int(dropped[0]), int(dropped[0]) - 1
    client, server = c.ends(evidence, int(calls.row[first]))
    frames = c.syn_frames(evidence, int(calls.row[first]))[0]
    host = client.rpartition(":")[0].strip("[]")
    older = int(calls.tsval[before] - calls.tsval[first]) % WORD
    return RULE.finding(
        confidence=0.9 if len(dropped) > 1 else 0.75,
        flows=tuple(evidence.all_flows.flow[calls.row[dropped]].tolist()),
        frames=(*c.syn_frames(evidence, int(calls.row[before]))[0][:1], *frames),
        summary=(
            f"{server} dropped {len(dropped):,} calls of {host} (the first from frame {frames[0]} on) and answered"
            f" {len(calls.row) - len(dropped):,}: those whose timestamps were newer."
        ),
        cause="the server remembers one clock for an address (tcp_tw_recycle), behind which hosts with several speak",
        evidence=(
            f"frame {frames[0]} is {older:,} ticks older than the last answered call",
            f"its clock ticks {calls.ticks_per_s[first]:,.0f} times a second, and goes on through other calls",
        ),
        disproof="a server without net.ipv4.tcp_tw_recycle (Linux 4.12 and newer), and no such filter before it",
        confirm=(
            f"Wireshark: {frames_filter(frames)}   column: tcp.options.timestamp.tsval"
            "   server: sysctl net.ipv4.tcp_tw_recycle; nstat -az TcpExtPAWSPassive"
        ),
        fix="net.ipv4.tcp_tw_recycle = 0 on the server",
    )
