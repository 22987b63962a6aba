"""Cases of a real IPVS director, or a realserver behind it, that does not do its work."""

import contextlib
import socket

from case import HANDSHAKE, TALK, Case, Route, Truth
from ipvs import CLIENT, DIRECTOR, ROUTER_FRONT, VIP, Site
from lab import REQUEST_BYTES, Lab, NotShownError, close_in_turn, must, pause, talk
from programs import output
from uml import under_uml

SHORT = "3 2 10"
"""Seconds that the director keeps an idle TCP entry, one that is closing, and UDP."""

PORTS = range(40000, 40004)
PATIENCE_S = 3.5


def _idle(lab: Lab, timeouts: str, seconds: float) -> tuple[Site, socket.socket, socket.socket]:
    """A request and its answer through the director, then nothing for some seconds."""
    site = Site(lab, "dr", timeouts=timeouts)
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far, answer_bytes=200)
    site.tables("ESTABLISHED 10.0.0.1:40000")
    pause(seconds)
    return site, near, far


@under_uml
def director_timeout(lab: Lab) -> None:
    """The director keeps idle entries for 3 s. After 5 s it has none for the client's next request, which
    its own stack answers by a reset. The realserver knows nothing of it and repeats its next answer."""
    site, near, far = _idle(lab, SHORT, 5)
    later = site.ipvsadm("-lnc").splitlines()[2:]
    lab.observe("lvs", "ipvsadm -lnc after 5 s", later)
    must(not later, "the director still has its entry")
    near.sendall(b"." * REQUEST_BYTES)
    pause(0.5)
    far.sendall(b"." * 200)
    pause(4)
    lab.sockets(site.realservers[0], "sport", "= :80")


@under_uml
def idle_kept(lab: Lab) -> None:
    """The same idle time of 5 s, but the director keeps entries for 15 minutes: the next request is answered."""
    _, near, far = _idle(lab, "", 5)
    talk(near, far, answer_bytes=200)
    close_in_turn(near, far)


@under_uml
def realserver_resets(lab: Lab) -> None:
    """The same idle time, and a reset answers the next request too, but it is the realserver's: its
    firewall rejects what comes for the connection. The director has its entry and forwards."""
    site, near, _ = _idle(lab, "", 5)
    reject = "-A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset".split()
    site.realservers[0].run("iptables-legacy", *reject)
    near.sendall(b"." * REQUEST_BYTES)
    pause(0.5)
    site.tables("10.0.0.1:40000")
    _firewall(lab, site, "REJECT")


def _firewall(lab: Lab, site: Site, target: str, number: int = 0) -> None:
    """What the realserver's firewall has matched."""
    host = site.realservers[number]
    rules = output(host, "iptables-legacy", "-L", "INPUT", "-nvx").splitlines()
    matched = [" ".join(rule.split()) for rule in rules if target in rule]
    lab.observe(host.name, "iptables", matched)
    must(bool(matched) and not matched[0].startswith("0 "), f"{target} matched nothing")


def deal(site: Site, *listeners: socket.socket) -> list[str]:
    """Four clients, one after the other, dealt in turn to two realservers: what becomes of each."""
    became = []
    for port in PORTS:
        near = site.lab.bound(site.client, ("10.0.0.1", port))
        near.settimeout(PATIENCE_S)
        try:
            near.connect(VIP)
        except OSError as error:
            became.append(type(error).__name__)
            near.close()
            continue
        became.append("answered")
        far, _ = listeners[0].accept()
        talk(near, site.lab.enter_context(far), answer_bytes=200)
        close_in_turn(near, far)
    site.lab.observe("client", "connections", became)
    site.tables()
    return became


@under_uml
def backend_refuses(lab: Lab) -> None:
    """Two realservers behind NAT, dealt to in turn; nothing listens on the second, which refuses every other client."""
    site = Site(lab, "nat", realservers=2)
    site.record()
    became = deal(site, site.listen(0))
    must(sorted(became) == ["ConnectionRefusedError"] * 2 + ["answered"] * 2, f"{became}")


@under_uml
def backend_silent(lab: Lab) -> None:
    """Two realservers behind DR, dealt to in turn; the second drops what comes in: every other client waits in vain."""
    site = Site(lab, "dr", realservers=2)
    site.realservers[1].run("iptables-legacy", *"-A INPUT -p tcp --dport 80 -j DROP".split())
    site.record()
    became = deal(site, site.listen(0))
    _firewall(lab, site, "DROP", 1)
    must(sorted(became) == ["TimeoutError"] * 2 + ["answered"] * 2, f"{became}")


@under_uml
def all_backends_refuse(lab: Lab) -> None:
    """Two realservers behind NAT and nothing listens on either: the service is down, not one of its backends."""
    site = Site(lab, "nat", realservers=2)
    site.record()
    became = deal(site)
    must(became == ["ConnectionRefusedError"] * 4, f"{became}")


@under_uml
def untranslated_reply(lab: Lab) -> None:
    """The realserver behind NAT has its default route past the director: its SYN-ACK reaches the client
    with its own address instead of the VIP, and the client resets what it never asked for."""
    site = Site(lab, "nat")
    site.realservers[0].ip("route", "replace", "default", "via", ROUTER_FRONT)
    site.router.ip("route", "add", "10.2.0.0/24", "via", DIRECTOR)
    site.record("bond1", "bond0")
    near = site.lab.bound(site.client, CLIENT)
    near.settimeout(PATIENCE_S)
    site.listen()
    with contextlib.suppress(TimeoutError):
        near.connect(VIP)
        raise NotShownError("the client was connected")
    lab.observe("rs", "route", output(site.realservers[0], "ip", "route", "get", CLIENT[0]).splitlines()[0].strip())


@under_uml
def vip_arp_conflict(lab: Lab) -> None:
    """The realserver answers ARP for the VIP on its lo (arp_ignore 0), sooner than the director, which is
    20 ms farther away: the router believes it, and requests bypass the director."""
    site = Site(lab, "dr", acquainted=False)
    site.realservers[0].set("net.ipv4.conf.all.arp_ignore=0", "net.ipv4.conf.all.arp_announce=0")
    site.front.run("tc", "qdisc", "add", "dev", "lvs-eth0", "root", "netem", "delay", "20ms")
    site.record(also=((site.router, "eth1"),))
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far, answer_bytes=200)
    close_in_turn(near, far)
    believed = output(site.router, "ip", "neighbour", "show", VIP[0]).strip()
    lab.observe("router", "ip neighbour", believed)
    must(site.realservers[0].mac("bond0") in believed, "the router believes the director")


REQUESTED = rf"{HANDSHAKE}{TALK}"
FORTH = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1")
PAST = ("rs:bond0", "client")
PATHS = ("lost-between", "vanished-in-host", "untranslated-reply", "vip-arp-conflict")

CASES = (
    Case(
        "director-timeout",
        director_timeout,
        rf"{REQUESTED}>D <R (<D >R )+<D >R",
        causes=("idle-timeout",),
        near_misses=("reset-injected", "sidecar-reset", "abortive-close"),
        captures={
            "lvs-eth0.pcap": Truth(r">S >A >D >A >D <R (>R ?)+", ("idle-timeout",)),
            "lvs-eth1.pcap": Truth(r">S >A >D >A", near_misses=("idle-timeout",)),
            "rs-bond1.pcap": Truth(r">S >A >D >A", near_misses=("idle-timeout",)),
            "rs-bond0.pcap": Truth(r"<SA <A <D (<D ?){3,}"),
        },
        route=Route("dr", FORTH, PAST, ("director-timeout", "asymmetric-path"), PATHS, reset_by="lvs"),
    ),
    Case(
        "ipvs-dr-idle",
        idle_kept,
        healthy=True,
        near_misses=("idle-timeout",),
        route=Route(
            "dr", FORTH, PAST, ("asymmetric-path",), ("director-timeout", "idle-timeout", *PATHS), healthy=True
        ),
    ),
    Case(
        "ipvs-dr-realserver-resets",
        realserver_resets,
        rf"{REQUESTED}>D <R",
        causes=("idle-timeout",),
        near_misses=("sidecar-reset", "abortive-close"),
        captures={
            "lvs-eth0.pcap": Truth(r">S >A >D >A >D"),
            "lvs-eth1.pcap": Truth(r">S >A >D >A >D"),
            "rs-bond1.pcap": Truth(r">S >A >D >A >D"),
            "rs-bond0.pcap": Truth(r"<SA <A <D <R"),
        },
        route=Route("dr", FORTH, PAST, ("idle-timeout",), ("director-timeout", *PATHS), reset_by="rs"),
    ),
    Case(
        "backend-down",
        backend_refuses,
        causes=("connection-refused",),
        captures={
            "rs1-bond1.pcap": Truth(rf"({HANDSHAKE}{TALK}>FA <A <FA >A ?){{2}}", healthy=True),
            "rs2-bond1.pcap": Truth(r">S <RA >S <RA", ("connection-refused",)),
        },
        route=Route(
            "nat",
            ("client", "lvs:eth0", "lvs:eth1", "rs1:bond1 or rs2:bond1"),
            ("rs1:bond1 or rs2:bond1", "lvs:eth1", "lvs:eth0", "client"),
            ("backend-down",),
            PATHS,
            reset_by="rs2",
        ),
    ),
    Case(
        "backend-silent",
        backend_silent,
        causes=("syn-unanswered",),
        captures={
            "rs1-bond1.pcap": Truth(healthy=True),
            "rs1-bond0.pcap": Truth(healthy=True),
            "rs2-bond1.pcap": Truth(r"(>S ?){4,}"),
            "rs2-bond0.pcap": Truth(r"", healthy=True),
            "lvs-eth0.pcap": Truth(),
            "lvs-eth1.pcap": Truth(),
        },
        route=Route(
            "dr",
            ("client", "lvs:eth0", "lvs:eth1", "rs1:bond1 or rs2:bond1"),
            ("rs1:bond0", "client"),
            ("backend-down",),
            PATHS,
        ),
    ),
    Case(
        "all-backends-refuse",
        all_backends_refuse,
        r"(>S <RA ?){4}",
        causes=("connection-refused",),
        captures={
            name: Truth(r">S <RA >S <RA", ("connection-refused",)) for name in ("rs1-bond1.pcap", "rs2-bond1.pcap")
        },
        route=Route(
            "nat",
            ("client", "lvs:eth0", "lvs:eth1", "rs1:bond1 or rs2:bond1"),
            ("rs1:bond1 or rs2:bond1", "lvs:eth1", "lvs:eth0", "client"),
            ("connection-refused",),
            ("backend-down", *PATHS),
            reset_by="rs1 or rs2",
        ),
    ),
    Case(
        "untranslated-reply",
        untranslated_reply,
        causes=("synack-source-mismatch",),
        near_misses=("reset-injected",),
        captures={
            "lvs-eth0.pcap": Truth(),
            "lvs-eth1.pcap": Truth(),
            "rs-bond1.pcap": Truth(),
            "rs-bond0.pcap": Truth(),
        },
        route=Route(
            "nat",
            FORTH,
            PAST,
            ("untranslated-reply", "synack-source-mismatch"),
            ("lost-between", "vanished-in-host"),
            reset_by="client",
        ),
    ),
    Case(
        "vip-arp-conflict",
        vip_arp_conflict,
        captures={name: Truth(r"", healthy=True) for name in ("lvs-eth0.pcap", "lvs-eth1.pcap", "rs-bond1.pcap")},
        route=Route(
            "direct",
            ("client", "router:eth1", "rs:bond0"),
            ("rs:bond0", "router:eth1", "client"),
            ("vip-arp-conflict",),
            ("lost-between", "vanished-in-host"),
        ),
    ),
)
