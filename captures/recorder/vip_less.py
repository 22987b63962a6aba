"""Cases of a realserver behind DR that lacks the VIP: what the director hands it is not its own."""

import contextlib

from case import Case, Route, Truth
from directing import FORTH
from hosts import Host
from ipvs import CLIENT, VIP, Site
from lab import Lab, NotShownError, must, pause
from misdirecting import deal
from programs import output
from uml import under_uml

PATIENCE_S = 2.5
REJECT = "-A FORWARD -j REJECT --reject-with icmp-host-prohibited"


def _without_vip(site: Site, number: int = 0) -> Host:
    realserver = site.realservers[number]
    realserver.ip("address", "del", f"{VIP[0]}/32", "dev", "lo")
    return realserver


def _in_vain(lab: Lab, site: Site) -> None:
    near = lab.bound(site.client, CLIENT)
    near.settimeout(PATIENCE_S)
    with contextlib.suppress(OSError):
        near.connect(VIP)
        raise NotShownError("the client was connected")
    pause(0.5)


@under_uml
def ignores(lab: Lab) -> None:
    """Two realservers, dealt to in turn; the second lacks the VIP and does not forward: its kernel discards what
    is not its own."""
    site = Site(lab, "dr", realservers=2)
    realserver = _without_vip(site, 1)
    realserver.set("net.ipv4.ip_forward=0")
    site.record()
    became = deal(site, site.listen(0))
    must(sorted(became) == ["TimeoutError"] * 2 + ["answered"] * 2, f"{became}")
    discarded = lab.count(realserver, "IpInAddrErrors")
    must(discarded["IpInAddrErrors"] > 2, "the realserver discarded nothing")


@under_uml
def sends_back(lab: Lab) -> None:
    """The realserver lacks the VIP and forwards: it sends each SYN on to who has it, the director, which hands it
    to the realserver again, and so round, until its TTL is used up."""
    site = Site(lab, "dr")
    realserver = _without_vip(site)
    realserver.set("net.ipv4.ip_forward=1")
    realserver.neighbours("bond0", site.director.mac("eth0"), VIP[0])
    site.record()
    _in_vain(lab, site)
    forwarded = lab.count(realserver, "IpForwDatagrams")
    must(forwarded["IpForwDatagrams"] > 20, "nothing went round")


@under_uml
def rejects(lab: Lab) -> None:
    """The realserver lacks the VIP, would forward, and its firewall rejects what it would forward, as a Red Hat's
    does by default: the client is told by ICMP."""
    site = Site(lab, "dr")
    realserver = _without_vip(site)
    realserver.set("net.ipv4.ip_forward=1")
    realserver.run("iptables-legacy", *REJECT.split())
    site.record()
    _in_vain(lab, site)
    rules = output(realserver, "iptables-legacy", "-L", "FORWARD", "-nvx").splitlines()
    rejected = [" ".join(rule.split()) for rule in rules if "REJECT" in rule]
    lab.observe("rs", "iptables", rejected)
    must(bool(rejected) and not rejected[0].startswith("0 "), "nothing was rejected")


PATHS = ("lost-between", "vanished-in-host", "untranslated-reply", "vip-arp-conflict")

CASES = (
    Case(
        "vip-less",
        ignores,
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
        "vip-less-forwards",
        sends_back,
        causes=("routing-loop",),
        near_misses=("duplicate-frames",),
        captures={"client.pcap": Truth(causes=("syn-unanswered",))},
        route=Route("dr", (*FORTH, "rs:bond0"), (), ("routing-loop",), PATHS),
    ),
    Case(
        "vip-less-rejects",
        rejects,
        captures={"client.pcap": Truth(causes=("icmp-rejected",))},
        route=Route("dr", FORTH, (), ("icmp-rejected",), PATHS),
    ),
)
