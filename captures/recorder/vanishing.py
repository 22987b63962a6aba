"""Cases of segments that are lost on their way: on a cable, inside a host, or only in a recording."""

import contextlib

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Route, Truth
from drop import Drop
from fates import lose_data
from ipvs import CLIENT, ROUTER, VIP, Site
from lab import ROUTED, Lab, NotShownError, close_in_turn, must, pause, talk
from programs import output
from topology import Station, join, record_at
from uml import under_uml

SECOND_BYTES = 200
"""The second request, whose length tells it from all others."""

PATIENCE_S = 3.5


@under_uml
def between_director_and_realserver(lab: Lab) -> None:
    """DR: the client's second request, bytes 81 to 280, is lost once between the director's eth1 and the
    realserver's bond1. The client repeats it."""
    site = Site(lab, "dr")
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far, answer_bytes=200)
    site.back.treat("left", lose_data({0}))
    near.sendall(b"." * SECOND_BYTES)
    far.recv(SECOND_BYTES)
    far.sendall(b"." * 100)
    near.recv(100)
    pause(0.2)
    close_in_turn(near, far)


@under_uml
def between_realserver_and_director(lab: Lab) -> None:
    """NAT: the first segment of the realserver's answer, bytes 1 to 1448, is lost once between its bond1 and
    the director's eth1. Those behind it arrive, and their acknowledgements make the realserver repeat it."""
    site = Site(lab, "nat")
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    site.back.treat("right", lose_data({0}))
    talk(near, far, answer_bytes=8000)
    close_in_turn(near, far)


@under_uml
def gap_in_a_recording(lab: Lab) -> None:
    """DR, and nothing is lost: only the recording at the realserver's bond1 leaves out the second request, bytes
    81 to 280, by its filter. The realserver acknowledges it."""
    site = Site(lab, "dr")
    record_at(lab, (site.client, "eth0"), (site.director, "eth0"), (site.director, "eth1"))
    realserver = site.realservers[0]
    record_at(lab, (realserver, "bond0"))
    lab.record("rs-bond1", realserver, "bond1", f"not (ip[2:2] = {SECOND_BYTES + 52})")
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far, answer_bytes=200)
    near.sendall(b"." * SECOND_BYTES)
    far.recv(SECOND_BYTES)
    far.sendall(b"." * 100)
    near.recv(100)
    pause(0.2)
    close_in_turn(near, far)


@under_uml
def in_the_director(lab: Lab) -> None:
    """NAT: the director's packet filter drops what it forwards (FORWARD, policy DROP). Requests are not
    forwarded but balanced, and pass; every SYN-ACK comes in by eth1 and never leaves by eth0."""
    site = Site(lab, "nat")
    site.director.run("iptables-legacy", "-P", "FORWARD", "DROP")
    site.record()
    site.listen()
    near = lab.bound(site.client, CLIENT)
    near.settimeout(PATIENCE_S)
    with contextlib.suppress(TimeoutError):
        near.connect(VIP)
        raise NotShownError("the client was connected")
    site.tables("SYN_RECV")
    policy = output(site.director, "iptables-legacy", "-L", "FORWARD", "-nvx").splitlines()[0]
    lab.observe("lvs", "iptables", policy)
    must("policy DROP 0 packets" not in policy, "the filter dropped nothing")


def in_a_firewall(lab: Lab) -> None:
    """A router's packet filter is changed under a connection: what the client sends from then on comes in by
    eth0 and never leaves by eth1. The client repeats its second request, bytes 81 to 280, in vain."""
    router = lab.two_hosts_behind_a_router()
    record_at(lab, (lab.client, "eth0"), (router, "eth0"), (router, "eth1"), (lab.server, "eth0"))
    near, far = lab.connect(CLIENT, ROUTED)
    talk(near, far, answer_bytes=200)
    router.nft(FIREWALL)
    near.sendall(b"." * SECOND_BYTES)
    pause(PATIENCE_S)
    must(lab.matched(router)["dropped"] > 2, "the filter dropped nothing")


def in_reverse_path_filter(lab: Lab) -> None:
    """A server with two interfaces gets requests on one and answers by the other. The router's reverse path
    filter drops each SYN-ACK, which came in by eth2 while the server's address lies behind eth1."""
    client, router, server = (lab.host(name) for name in ("client", "router", "server"))
    router.set("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
    server.set("net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    join(lab, Station(client, "eth0", CLIENT[:1]), Station(router, "eth0", (ROUTER,)))
    for number in (1, 2):
        ends = (
            Station(router, f"eth{number}", (f"10.0.{number}.254",)),
            Station(server, f"eth{number - 1}", (f"10.0.{number}.2",)),
        )
        join(lab, *ends, delay_s=0.001)
    client.ip("route", "add", "default", "via", ROUTER)
    server.ip("route", "add", "default", "via", "10.0.2.254")
    record_at(
        lab,
        (client, "eth0"),
        *((router, f"eth{number}") for number in range(3)),
        *((server, f"eth{number}") for number in range(2)),
    )
    lab.listen(ROUTED, server)
    near = lab.bound(client, CLIENT)
    near.settimeout(PATIENCE_S)
    with contextlib.suppress(TimeoutError):
        near.connect(ROUTED)
        raise NotShownError("the client was connected")
    counted = lab.count(router, "TcpExtIPReversePathFilter")
    must(counted["TcpExtIPReversePathFilter"] > 2, "the filter dropped nothing")


def at_the_endpoint(lab: Lab) -> None:
    """The same, but the packet filter is the server's own: what it drops has arrived, and no path is to blame."""
    router = lab.two_hosts_behind_a_router()
    record_at(lab, (lab.client, "eth0"), (router, "eth0"), (router, "eth1"), (lab.server, "eth0"))
    near, far = lab.connect(CLIENT, ROUTED)
    talk(near, far, answer_bytes=200)
    lab.server.nft(FIREWALL.replace("forward", "input"))
    near.sendall(b"." * SECOND_BYTES)
    pause(PATIENCE_S)
    must(lab.matched(lab.server)["dropped"] > 2, "the filter dropped nothing")


FIREWALL = """
table ip fresh {
  counter dropped { }
  chain forward {
    type filter hook forward priority filter
    ip saddr 10.0.0.1 tcp dport 80 counter name dropped drop
  }
}
"""
FORTH = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1")
PAST = ("rs:bond0", "client")
ROUTE = ("client", "router:eth0", "router:eth1", "server:eth0")
NEAR = ("untranslated-reply", "director-timeout", "vip-arp-conflict")
ANYTHING = Truth()
SYNS_ONLY = r">S( >S)+"
EVERY_TIME = 0

CASES = (
    Case(
        "lost-between",
        between_director_and_realserver,
        captures={
            "client.pcap": Truth(rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}", near_misses=("high-retransmission",)),
            "lvs-eth0.pcap": Truth(r">S >A >D >A >D >D .*"),
            "lvs-eth1.pcap": Truth(r">S >A >D >A >D >D .*"),
            "rs-bond1.pcap": Truth(r">S >A >D >A >D >A >FA >A", healthy=True),
            "rs-bond0.pcap": Truth(),
        },
        route=Route(
            "dr",
            FORTH,
            PAST,
            ("lost-between", "asymmetric-path"),
            ("vanished-in-host", "capture-loss", *NEAR),
            dropped=(Drop("client", 81, SECOND_BYTES, "lvs:eth1", "rs:bond1"),),
        ),
    ),
    Case(
        "lost-between-reply",
        between_realserver_and_director,
        captures={
            "rs-bond1.pcap": Truth(near_misses=("capture-loss",)),
            "lvs-eth1.pcap": Truth(near_misses=("capture-loss",)),
        },
        route=Route(
            "nat",
            FORTH,
            FORTH[::-1],
            ("lost-between",),
            ("vanished-in-host", "capture-loss", *NEAR),
            dropped=(Drop("server", 1, 1448, "rs:bond1", "lvs:eth1"),),
        ),
    ),
    Case(
        "gap-in-a-recording",
        gap_in_a_recording,
        captures={
            "client.pcap": Truth(rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}", healthy=True),
            "lvs-eth0.pcap": Truth(r">S >A >D >A >D >A >FA >A", healthy=True),
            "lvs-eth1.pcap": Truth(r">S >A >D >A >D >A >FA >A", healthy=True),
            "rs-bond1.pcap": Truth(r">S >A >D >A >A >FA >A"),
            "rs-bond0.pcap": Truth(healthy=True),
        },
        route=Route(
            "dr",
            FORTH,
            PAST,
            ("capture-loss", "asymmetric-path"),
            ("lost-between", "vanished-in-host", *NEAR),
        ),
    ),
    Case(
        "vanished-in-director",
        in_the_director,
        captures={
            "client.pcap": Truth(SYNS_ONLY, ("syn-unanswered",)),
            "lvs-eth0.pcap": Truth(SYNS_ONLY, ("syn-unanswered",)),
            "lvs-eth1.pcap": Truth(r">S <SA .*"),
            "rs-bond1.pcap": Truth(r">S <SA .*"),
        },
        route=Route(
            "nat",
            FORTH,
            ("rs:bond1", "lvs:eth1"),
            ("vanished-in-host", "clock-unaligned"),
            ("lost-between", "backend-down", *NEAR),
            dropped=(Drop("server", 0, 0, "lvs:eth1", "lvs:eth0", EVERY_TIME),),
        ),
    ),
    Case(
        "vanished-in-host",
        in_a_firewall,
        captures={
            "client.pcap": Truth(rf"{HANDSHAKE}{TALK}>D( >D)+"),
            "router-eth0.pcap": Truth(rf"{HANDSHAKE}{TALK}>D( >D)+"),
            "router-eth1.pcap": Truth(rf"{HANDSHAKE}>D <A <D >A", healthy=True),
            "server-eth0.pcap": Truth(rf"{HANDSHAKE}>D <A <D >A", healthy=True),
        },
        route=Route(
            "direct",
            ROUTE,
            ROUTE[::-1],
            ("vanished-in-host",),
            ("lost-between",),
            dropped=(Drop("client", 81, SECOND_BYTES, "router:eth0", "router:eth1", EVERY_TIME),),
        ),
    ),
    Case(
        "vanished-reverse-path",
        in_reverse_path_filter,
        captures={
            "client.pcap": Truth(SYNS_ONLY, ("syn-unanswered",)),
            "router-eth0.pcap": Truth(SYNS_ONLY, ("syn-unanswered",)),
            "router-eth1.pcap": Truth(SYNS_ONLY),
            "router-eth2.pcap": Truth(r"<SA( <SA)+"),
            "server-eth0.pcap": Truth(SYNS_ONLY),
            "server-eth1.pcap": Truth(r"<SA( <SA)+"),
        },
        route=Route(
            "direct",
            ROUTE,
            ("server:eth1", "router:eth2"),
            ("vanished-in-host", "asymmetric-path"),
            ("lost-between",),
            dropped=(Drop("server", 0, 0, "router:eth2", "router:eth0", EVERY_TIME),),
        ),
    ),
    Case(
        "dropped-at-endpoint",
        at_the_endpoint,
        rf"{HANDSHAKE}{TALK}>D( >D)+",
        route=Route("direct", ROUTE, ROUTE[::-1], (), ("lost-between", "vanished-in-host")),
    ),
)
