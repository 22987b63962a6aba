"""Cases of a connection that is refused, or whose SYN nobody answers."""

import contextlib

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case, Truth
from frames import SYN
from hosts import Host
from lab import CLIENT, CLIENT_IPV6, ROUTED, ROUTED_IPV6, Address, Lab, close_in_turn, must, pause, talk

OTHER_PORT = 443
BLOCKED = (ROUTED[0], OTHER_PORT)
BLOCKED_IPV6 = (ROUTED_IPV6[0], OTHER_PORT)


def refused(lab: Lab) -> None:
    """Nothing listens on the port: the server's kernel answers the SYN with a RST."""
    lab.two_hosts()
    lab.record("client")
    lab.dial()
    pause(0.1)
    refusals = lab.count(lab.server, "TcpOutRsts")
    must(refusals["TcpOutRsts"] == 1, "the server's kernel refuses once")


def refused_by_firewall(lab: Lab) -> None:
    """A firewall between rejects SYNs to port 443 by a RST in the server's name; port 80 it lets through."""
    router = _filter(lab, f"tcp dport {OTHER_PORT} counter name rejected reject with tcp reset")
    lab.record_at_both_ends("tcp or icmp or icmp6")
    client, server = lab.connect(CLIENT, ROUTED)
    talk(client, server, answer_bytes=200)
    lab.dial((CLIENT[0], CLIENT[1] + 1), BLOCKED)
    pause(0.2)
    close_in_turn(client, server)
    must(lab.matched(router)["rejected"] == 1, "the firewall rejects once")


def prohibited(lab: Lab) -> None:
    """A firewall between rejects the SYN by ICMP: communication administratively prohibited."""
    router = _filter(lab, "tcp dport 443 counter name rejected reject with icmp type admin-prohibited")
    _told_by_icmp(lab, router, (CLIENT[0], CLIENT[1]), BLOCKED)


def prohibited_ipv6(lab: Lab) -> None:
    """The same over IPv6."""
    rule = "tcp dport 443 counter name rejected reject with icmpv6 type admin-prohibited"
    router = _filter(lab, rule, ipv6=True)
    _told_by_icmp(lab, router, CLIENT_IPV6, BLOCKED_IPV6)


def _told_by_icmp(lab: Lab, router: Host, client: Address, server: Address) -> None:
    lab.record_at_both_ends("tcp or icmp or icmp6")
    lab.dial(client, server)
    pause(2.5)
    must(lab.matched(router)["rejected"] > 0, "the firewall rejects")


def host_unreachable(lab: Lab) -> None:
    """The server's machine is off: the router gets no answer to its ARP and says host unreachable, 3 s later."""
    router = lab.two_hosts_behind_a_router()
    router.ip("neighbour", "del", ROUTED[0], "dev", "eth1")
    lab.server.ip("link", "set", "eth0", "down")
    lab.record("client", lab.client, "eth0", "tcp or icmp")
    lab.dial(CLIENT, ROUTED)
    pause(5)
    sent = lab.count(router, "IcmpOutDestUnreachs")
    must(sent["IcmpOutDestUnreachs"] > 0, "the router says that it cannot reach the host")


def reachable_again(lab: Lab) -> None:
    """A router cannot reach the server for a moment and says so by ICMP; the client repeats, the flow lives on."""
    router = lab.two_hosts_behind_a_router()
    lab.record_at_both_ends("tcp or icmp or icmp6")
    client, server = lab.connect(CLIENT, ROUTED)
    talk(client, server, answer_bytes=200)
    router.nft(_forward("ip daddr 10.0.1.2 counter name rejected reject with icmp type host-unreachable"))
    client.sendall(b"." * 80)
    pause(0.3)
    rejected = lab.matched(router)["rejected"]
    router.nft("flush ruleset")
    server.recv(80)
    server.sendall(b"." * 200)
    client.recv(200)
    pause(0.1)
    close_in_turn(client, server)
    must(rejected > 0, "the router says that it cannot reach the host")


def unanswered(lab: Lab) -> None:
    """Every SYN is lost on the wire: the client repeats it for 12 s, each a little later than the last."""
    lab.two_hosts()
    lab.wire.lose("left", SYN, times=100)
    lab.record("client")
    client = lab.bound(lab.client, CLIENT)
    client.settimeout(12)
    with contextlib.suppress(TimeoutError):
        client.connect(("10.0.0.2", 80))


def only_syns_out(lab: Lab) -> None:
    """Four healthy connections over 4 s, of which only what leaves the client and has SYN set is recorded."""
    lab.two_hosts()
    lab.record("client", lab.client, "eth0", "-Q", "out", "tcp[tcpflags] & tcp-syn != 0")
    for port in range(CLIENT[1], CLIENT[1] + 4):
        client, server = lab.connect((CLIENT[0], port))
        talk(client, server, answer_bytes=200)
        close_in_turn(client, server)
        pause(0.9)


def _filter(lab: Lab, rule: str, *, ipv6: bool = False) -> Host:
    router = lab.two_hosts_behind_a_router(ipv6=ipv6)
    router.nft(_forward(rule))
    return router


def _forward(rule: str) -> str:
    return f"""
        table inet filter {{
            counter rejected {{ }}
            chain forward {{ type filter hook forward priority 0; {rule}; }}
        }}"""


NOTHING_ARRIVES = Truth("", healthy=True)

CASES = (
    Case("refused", refused, r">S <RA", causes=("connection-refused",), near_misses=("reset-injected",)),
    Case(
        "refused-by-firewall",
        refused_by_firewall,
        rf"{HANDSHAKE}{TALK}>S <RA {CLIENT_CLOSES}",
        causes=("connection-refused",),
        captures={"server.pcap": Truth(CONVERSATION, healthy=True)},
    ),
    Case(
        "icmp-rejected",
        prohibited,
        r">S( >S)*",
        causes=("icmp-rejected",),
        captures={"server.pcap": NOTHING_ARRIVES},
    ),
    Case(
        "icmp-rejected-ipv6",
        prohibited_ipv6,
        r">S( >S)*",
        causes=("icmp-rejected",),
        captures={"server.pcap": NOTHING_ARRIVES},
    ),
    Case("icmp-host-unreachable", host_unreachable, r">S( >S)+", causes=("icmp-rejected",)),
    Case("icmp-host-reachable-again", reachable_again, near_misses=("icmp-rejected", "connection-refused")),
    Case("unanswered", unanswered, r">S( >S)+", causes=("syn-unanswered",), near_misses=("half-open",)),
    Case(
        "only-syns-out",
        only_syns_out,
        r">S >S >S >S",
        causes=("one-sided-capture",),
        near_misses=("syn-unanswered", "half-open", "syn-flood", "syn-dropped-by-server"),
        healthy=True,
    ),
)
