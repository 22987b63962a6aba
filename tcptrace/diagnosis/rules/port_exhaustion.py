"""A client runs through its ephemeral ports for one server before TIME_WAIT gives any back.

What it detects
---------------
One client address opens so many connections to one address and port that within 2MSL it has used (nearly) every port
between the lowest and the highest of its range, and then comes round: ports are used again, after a pause of up to
60 s or out of TIME_WAIT. Or it has used `range_share` of Linux's default range within 2MSL.

Why it happens
--------------
A connection needs a source port that no other connection to the same address and port uses. Linux takes it from
net.ipv4.ip_local_port_range (default 32768 to 60999: 28,232 ports; even ones first), and the side that closes first
keeps it for 60 s in TIME_WAIT (TCP_TIMEWAIT_LEN). More than 28,232 / 60 = 470 connections a second to one server
leave none: connect() fails with EADDRNOTAVAIL (Cannot assign requested address), or takes ever longer to find a port
(__inet_hash_connect). With net.ipv4.tcp_tw_reuse = 1 ports come back after one second instead. A NAT gateway has the
same limit for each of its addresses, a proxy for its connections to one upstream.

How to confirm
--------------
On the client: ss -tan state time-wait 'dst SERVER' | wc -l; sysctl net.ipv4.ip_local_port_range
net.ipv4.tcp_tw_reuse; the program's log: EADDRNOTAVAIL. At a NAT gateway: conntrack -S (insert_failed, drop).
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.dst == SERVER
Sort by tcp.srcport.

How to fix
----------
Keep connections open and use them again (HTTP keep-alive, a pool); let the server close first; add client or server
addresses or ports; widen ip_local_port_range; net.ipv4.tcp_tw_reuse = 1 on the client (needs timestamps).

When it stays silent
--------------------
Fewer than `ports` ports; ports are left over between the lowest and the highest; no port was used twice and the
default range is not used up: the capture then shows many connections, not a lack of ports. Ports that collide by
chance leave gaps in the range.

References
----------
RFC 6056 section 2; RFC 9293 section 3.3.2 (TIME-WAIT); Linux Documentation/networking/ip-sysctl.rst; Linux
net/ipv4/inet_hashtables.c.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptrace.diagnosis import calls as c
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Threshold, Thresholds
from tcptrace.diagnosis.story import elapsed
from tcptrace.rows import chosen, distinct
from tcptrace.schema import I64, NO_TIME

RULE = Rule(
    name="port-exhaustion",
    family="handshake",
    severity="warning",
    thresholds={
        "ports": Threshold(50, "", "fewest ports that count as a range"),
        "range_share": Threshold(0.9, "", "share of the range that must be used"),
        "time_wait_s": Threshold(60, "s", "2MSL, in which no port comes back by itself"),
    },
)

DEFAULT_RANGE = 60999 - 32768 + 1
EXAMPLES = 5


class Used(NamedTuple):
    """The source ports of one client's calls to one listener, in order of time."""

    calls: c.Calls
    ports: I64
    distinct: I64
    """Each once, in order."""
    in_burst: int
    """How many of them were used in the 2MSL in which most calls were made."""
    burst_ns: int
    """How long those calls took."""
    since: I64
    """For each call, how many calls ago its port was used before; 0: never."""

    def is_up(self, ports: float, share: float) -> bool:
        """Whether nearly the whole range was used and is used again, or is the default one."""
        width = int(self.distinct[-1] - self.distinct[0]) + 1
        came_round = int(self.since.max()) * 2 >= len(self.distinct)
        is_range = len(self.distinct) >= ports and self.in_burst >= share * width and came_round
        return is_range or self.in_burst >= share * DEFAULT_RANGE


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """Each client and listener between which the client's ports were used up."""
    calls = _many(evidence, thresholds["ports"])
    for group in c.by_caller(calls):
        if len(group) >= thresholds["ports"]:
            used = _used(evidence, chosen(calls, group), int(thresholds["time_wait_s"] * 1e9))
            if used.is_up(thresholds["ports"], thresholds["range_share"]):
                yield _finding(evidence, used)


def _many(evidence: Evidence, least: float) -> c.Calls:
    """The calls of addresses that made at least so many."""
    flows = evidence.all_flows
    opens_often = (np.bincount(flows.client, minlength=1) >= least)[flows.client]
    rows = np.flatnonzero(opens_often & (flows.midstream == 0) & (flows.start_ns != NO_TIME))
    rows = rows[~np.isin(flows.flow[rows], evidence.explained)]
    return c.of_rows(evidence, rows, np.ones_like(rows))


def _used(evidence: Evidence, calls: c.Calls, span_ns: int) -> Used:
    calls = chosen(calls, np.argsort(calls.start_ns, kind="stable"))
    times, ports = calls.start_ns, evidence.all_flows.client_port[calls.row].astype(np.int64)
    within = np.searchsorted(times, times + span_ns) - np.arange(len(times))
    first = int(np.argmax(within))
    last = first + int(within[first]) - 1
    order = np.argsort(ports, kind="stable")
    again = ports[order][1:] == ports[order][:-1]
    since = np.zeros_like(ports)
    since[order[1:][again]] = (order[1:] - order[:-1])[again]
    in_burst = len(distinct(ports[first : last + 1]))
    return Used(calls, ports, distinct(ports), in_burst, int(times[last] - times[first]), since)


def _finding(evidence: Evidence, used: Used) -> Finding:
    row, times = int(used.calls.row[0]), used.calls.start_ns
    client, server = (end.rpartition(":")[0] for end in c.ends(evidence, row))
    listener = c.ends(evidence, row)[1]
    again = np.flatnonzero(used.since)
    flows = array("q", evidence.all_flows.flow[used.calls.row].tolist())
    told = np.sort(evidence.all_flows.flow[used.calls.row[again if len(again) else slice(None)]])
    return RULE.finding(
        confidence=0.9 if len(again) else 0.7,
        flows=flows,
        frames=evidence.first_frames(told[:EXAMPLES]),
        summary=(
            f"{client} used {used.in_burst:,} ports ({used.distinct[0]} to {used.distinct[-1]}) for {listener} within"
            f" {elapsed(used.burst_ns)}{_again(used, again)}."
        ),
        cause="each closed connection keeps its port for 60 s in TIME_WAIT: more are opened than ports come back",
        evidence=(
            f"{len(times):,} connections, {len(used.distinct):,} ports, of"
            f" {used.distinct[-1] - used.distinct[0] + 1:,} from the lowest to the highest",
            f"longest time without a new connection: {elapsed(int(np.diff(times).max()))}",
        ),
        disproof="ip_local_port_range of the client is wider than these ports, and it chooses among few of them",
        confirm="Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0"
        f" && tcp.dstport == {used.calls.listener[0] & 0xFFFF}   client: ss -tan"
        f" state time-wait 'dst {server}' | wc -l; sysctl net.ipv4.ip_local_port_range",
        fix="keep connections open and use them again; widen ip_local_port_range; net.ipv4.tcp_tw_reuse = 1",
    )


def _again(used: Used, again: I64) -> str:
    if not len(again):
        return ", nearly all that Linux has by default"
    place = int(again[0])
    before = place - int(used.since[place])
    took = elapsed(int(used.calls.start_ns[place] - used.calls.start_ns[before]))
    return f" and then had to use them again: {len(again):,} times, the first (port {used.ports[place]}) after {took}"
