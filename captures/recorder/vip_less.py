"""Cases of a realserver behind DR that lacks the VIP: what the director hands it is not its own."""

from case import Case, Route, Truth
from hosts import Host
from ipvs import CLIENT, VIP, Site
from lab import Lab, must
from misdirecting import PORTS, deal
from programs import output
from uml import under_uml

REJECT = "-A FORWARD -j REJECT --reject-with icmp-host-prohibited"


@under_uml
def ignores(lab: Lab) -> None:
    """Two realservers, dealt to in turn; the second lacks the VIP and does not forward: its kernel discards what
    is not its own."""
    site, realserver = _site(lab, forwards=False)
    _deal(site, "TimeoutError")
    discarded = lab.count(realserver, "IpInAddrErrors")
    must(discarded["IpInAddrErrors"] > 2, "the realserver discarded nothing")


@under_uml
def sends_back(lab: Lab) -> None:
    """Two realservers, dealt to in turn; the second lacks the VIP and forwards: it sends each SYN on to who has it,
    the director, which hands it to the realserver again, and so round, until its TTL is used up. The client is told."""
    site, realserver = _site(lab, forwards=True)
    realserver.neighbours("bond0", site.director.mac("eth0"), VIP[0])
    _deal(site, "OSError", "rs2:bond0")
    forwarded = lab.count(realserver, "IpForwDatagrams")
    must(forwarded["IpForwDatagrams"] > 40, "nothing went round")


@under_uml
def rejects(lab: Lab) -> None:
    """Two realservers, dealt to in turn; the second lacks the VIP, would forward, and its firewall rejects what it
    would forward, as a Red Hat's does by default: the client is told by ICMP."""
    site, realserver = _site(lab, forwards=True)
    realserver.run("iptables-legacy", *REJECT.split())
    _deal(site, "OSError")
    rules = output(realserver, "iptables-legacy", "-L", "FORWARD", "-nvx").splitlines()
    rejected = [" ".join(rule.split()) for rule in rules if "REJECT" in rule]
    lab.observe("rs2", "iptables", rejected)
    must(bool(rejected) and rejected[0].startswith("2 "), "nothing was rejected")


def _site(lab: Lab, *, forwards: bool) -> tuple[Site, Host]:
    """Two realservers, the second of which lacks the VIP."""
    site = Site(lab, "dr", realservers=2)
    realserver = site.realservers[1]
    realserver.ip("address", "del", f"{VIP[0]}/32", "dev", "lo")
    realserver.set(f"net.ipv4.ip_forward={int(forwards)}")
    return site, realserver


def _deal(site: Site, otherwise: str, *onward: str) -> None:
    """Four clients; what becomes of those that the second realserver gets, which may send them onward."""
    site.record()
    became = deal(site, site.listen(0))
    must(sorted(became) == [otherwise] * 2 + ["answered"] * 2, f"{became}")
    for port, fate in zip(PORTS, became, strict=True):
        end, reply = (("rs1:bond1",), PAST) if fate == "answered" else (("rs2:bond1", *onward), ())
        site.lab.conversed((CLIENT[0], port), (*FORTH[:-1], *end), reply)


PATHS = ("lost-between", "vanished-in-host", "untranslated-reply", "vip-arp-conflict")
FORTH, PAST = ("client", "lvs:eth0", "lvs:eth1", "rs1:bond1 or rs2:bond1"), ("rs1:bond0", "client")
WELL = {name: Truth(healthy=True) for name in ("rs1-bond1.pcap", "rs1-bond0.pcap")}
LOOPED = Truth(None, ("routing-loop",), ("duplicate-frames", "high-retransmission", "syn-flood"))

CASES = (
    Case(
        "vip-less",
        ignores,
        causes=("syn-unanswered",),
        captures={
            **WELL,
            "rs2-bond1.pcap": Truth(r"(>S ?){4,}"),
            "rs2-bond0.pcap": Truth(r"", healthy=True),
            "lvs-eth0.pcap": Truth(),
            "lvs-eth1.pcap": Truth(),
        },
        route=Route("dr", FORTH, PAST, ("backend-down",), PATHS),
    ),
    Case(
        "vip-less-forwards",
        sends_back,
        captures={
            **WELL,
            **dict.fromkeys((f"{point}.pcap" for point in ("lvs-eth0", "lvs-eth1", "rs2-bond1", "rs2-bond0")), LOOPED),
            "client.pcap": Truth(near_misses=("routing-loop", "connection-refused")),
        },
        route=Route("dr", FORTH, PAST, ("routing-loop",), PATHS),
    ),
    Case(
        "vip-less-rejects",
        rejects,
        captures={**WELL, "client.pcap": Truth(None, ("icmp-rejected",), ("connection-refused",))},
        route=Route("dr", FORTH, PAST, ("icmp-rejected",), PATHS),
    ),
)
