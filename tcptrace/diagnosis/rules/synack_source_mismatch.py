"""The SYN was answered, but by another address than the one it was sent to.

What it detects
---------------
A SYN-ACK acknowledges a client's initial sequence number plus one, to the client's address and port, but comes from
another address or port than the SYN went to. The client has no such connection: it resets what it gets, or drops it,
and repeats its SYN. The two halves are two flows here, and the client never leaves SYN_SENT.

Why it happens
--------------
Something translated the called address to a server's (IPVS in NAT mode, kube-proxy, Cilium, iptables DNAT), and the
reply did not come back the same way to be translated back: the server's default route leads past the director, client
and server share a LAN or a node (hairpin without masquerade: bridge traffic passes no conntrack unless
net.bridge.bridge-nf-call-iptables = 1), or a server that should answer with the virtual address (DR, DSR, a loopback
alias) answers with its own. Linux finds the socket of a SYN-ACK by all four of its addresses and ports
(__inet_lookup_established), finds none, and answers by a bare RST (tcp_v4_send_reset).

How to confirm
--------------
At the client: ss -tn state syn-sent; nstat -az TcpOutRsts TcpActiveOpens. At the node or director: conntrack -L -d VIP
(the entry stays UNREPLIED), ipvsadm -lnc; on the server: ip route get CLIENT.
In Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.ack_raw == ISN+1
ISN is the SYN's tcp.seq_raw.

How to fix
----------
Send replies back through the translator: make the director the servers' gateway, or translate the source too
(masquerade, FULLNAT; in Kubernetes kube-proxy's --masquerade-all or hairpinMode). For DR give the servers the VIP on
lo, with arp_ignore = 1 and arp_announce = 2. On a shared bridge set net.bridge.bridge-nf-call-iptables = 1.

When it stays silent
--------------------
The client goes on to acknowledge: the addresses are translated back beyond the point of capture. The SYN has other
addresses at both ends than the SYN-ACK, so that only ports and numbers agree. Neither a RST of the client nor a
repeated SYN shows that the answer was of no use.

References
----------
RFC 9293 section 3.10.7.3; Linux net/ipv4/tcp_ipv4.c, tcp_v4_rcv; Linux Documentation/networking/ip-sysctl.rst.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.rule import Finding, Rule, Thresholds
from tcptrace.diagnosis.story import CLIENT, SERVER, Story, Told, apart_ns, elapsed, numbers, times
from tcptrace.schema import STATES
from tcptrace.tcp.joined_flows import ONLY_NUMBERS

RULE = Rule(
    name="synack-source-mismatch",
    family="handshake",
    severity="error",
    explains=(
        "syn-flood",
        "syn-dropped-by-server",
        "accept-queue-overflow",
        "half-open",
        "syn-unanswered",
        "abortive-close",
        "reset-injected",
    ),
)

SYN_SENT = STATES.index("SYN_SENT")


@dataclass(frozen=True)
class Mismatch:
    """A call, and the answer that came from elsewhere."""

    flow: int
    """Of the call."""
    called: str
    """The end that the SYN went to."""
    host: str
    """Its address."""
    isn: int
    syns: list[Told]
    answer: Story

    @property
    def syn_acks(self) -> list[Told]:
        """All that came from elsewhere."""
        return [told for told in self.answer.of(SERVER) if told.is_syn_ack]

    @property
    def resets(self) -> list[Told]:
        """What the client's kernel said to them."""
        return [told for told in self.answer.of(CLIENT) if told.is_rst]

    @property
    def again(self) -> list[Told]:
        """The SYNs after the first answer, which was of no use then."""
        return [told for told in self.syns if self.syn_acks and told.frame > self.syn_acks[0].frame]


def check(evidence: Evidence, thresholds: Thresholds) -> Iterator[Finding]:
    """A call whose client is still in SYN_SENT, joined by address, port and number to a SYN-ACK from elsewhere."""
    joined, flows = evidence.joined, evidence.all_flows
    rows = np.searchsorted(flows.flow, joined.flow)
    called = (joined.confidence > ONLY_NUMBERS) & (joined.flow < joined.joined_with)
    called &= flows.client_state[rows] == SYN_SENT
    for place in np.flatnonzero(called).tolist():
        row, answer = int(rows[place]), evidence.row_of(int(joined.joined_with[place]))
        server, port = int(flows.server[row]), int(flows.server_port[row])
        mismatch = Mismatch(
            int(flows.flow[row]),
            evidence.book.endpoint(server, port),
            evidence.book.text(server),
            int(joined.isn[place]),
            _syns(evidence, row),
            evidence.story(answer),
        )
        if mismatch.syn_acks and (mismatch.resets or mismatch.again):
            yield _finding(mismatch)


def _syns(evidence: Evidence, row: int) -> list[Told]:
    """The SYNs of a flow in a row of `all_flows`."""
    full = evidence.row_of(int(evidence.all_flows.flow[row]))
    return [evidence.lone_syn(row)] if full < 0 else [told for told in evidence.story(full).of(CLIENT) if told.is_syn]


def _finding(found: Mismatch) -> Finding:
    answer, syn_acks, resets = found.answer, found.syn_acks, found.resets
    answered = answer.server.rpartition(":")[0].strip("[]")
    reset = f" and reset it ({_frames(resets)})" if resets else " and dropped it"
    again = f", then called again after {_waits(found)} ({_frames(found.again)})" if found.again else ""
    where = f"tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.ack_raw == {(found.isn + 1) % 2**32}"
    return RULE.finding(
        confidence=0.95 if resets else 0.6,
        flows=(found.flow, answer.number),
        frames=numbers([*found.syns, *syn_acks, *resets]),
        alike=f"{found.called} {answer.server}",
        summary=(
            f"{found.called} was called by {answer.client}, {answer.server} answered (frames {_frames(syn_acks)}). The"
            f" client's kernel knows no such connection{reset}{again}. It never left SYN_SENT."
        ),
        cause="the reply was not translated back to the called address: VIP, NAT or DSR without a return path",
        evidence=(
            f"the SYN-ACK acknowledges {(found.isn + 1) % 2**32}, the SYN's number plus one, to the port that sent it",
            f"the client said RST {times(len(resets), at_least=answer.is_more('rst', CLIENT))}"
            if resets
            else "no RST, but the SYN was repeated",
        ),
        disproof=f"{answer.server} was called too, by a SYN with the same number that this capture lacks",
        confirm=f"Wireshark: {where}   node: conntrack -L -d {found.host}   server {answered}: ip route get the client",
        fix="let the reply pass the host that translated the request, or translate the source too; capture there too",
    )


def _waits(found: Mismatch) -> str:
    """Times between the SYNs: `1.04 s`, `1.02, 1.03 s`."""
    times = [elapsed(apart_ns(*pair)) for pair in zip(found.syns, found.syns[1:], strict=False)]
    return ", ".join(times[-len(found.again) :])


def _frames(segments: list[Told]) -> str:
    return ", ".join(map(str, numbers(segments)))
