"""Cases of a real IPVS director that does its work, in each way it forwards."""

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Route, Truth
from ipvs import Site
from lab import Lab, close_in_turn, talk
from uml import under_uml


def _conversation(lab: Lab, mode: str) -> None:
    """One request, one answer, and the client closes."""
    site = Site(lab, mode)
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far)
    site.tables("ESTABLISHED 10.0.0.1:40000")
    close_in_turn(near, far)


@under_uml
def direct_routing(lab: Lab) -> None:
    """LVS DR: the request by the director to the realserver's bond1, the answer from its bond0 past the director."""
    _conversation(lab, "dr")


@under_uml
def translation(lab: Lab) -> None:
    """LVS NAT: the director puts the realserver's address in place of the VIP, and back again in the answer."""
    _conversation(lab, "nat")


@under_uml
def tunnel(lab: Lab) -> None:
    """LVS TUN: the director wraps the request in IP for the realserver, which answers the client itself."""
    _conversation(lab, "tun")


WHOLE = rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}"
REQUESTS = r">S >A >D (>A )+>FA >A"
ANSWERS = r"<SA <A (<D )+<A <FA"
ONE_WAY = {
    "lvs-eth0.pcap": Truth(REQUESTS, healthy=True),
    "lvs-eth1.pcap": Truth(REQUESTS, healthy=True),
    "rs-bond1.pcap": Truth(REQUESTS, healthy=True),
    "rs-bond0.pcap": Truth(ANSWERS, healthy=True),
}
FORTH = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1")
PAST = ("rs:bond0", "client")
UNHARMED = ("lost-between", "vanished-in-host", "untranslated-reply", "director-timeout", "vip-arp-conflict")


def _past_the_director(mode: str) -> Route:
    return Route(mode, FORTH, PAST, ("asymmetric-path",), UNHARMED, healthy=True)


CASES = (
    Case("ipvs-dr", direct_routing, WHOLE, healthy=True, captures=ONE_WAY, route=_past_the_director("dr")),
    Case("ipvs-tun", tunnel, WHOLE, healthy=True, captures=ONE_WAY, route=_past_the_director("tun")),
    Case(
        "ipvs-nat",
        translation,
        WHOLE,
        healthy=True,
        route=Route(
            "nat",
            FORTH,
            FORTH[::-1],
            (),
            (*UNHARMED, "asymmetric-path", "field-rewritten", "clock-unaligned"),
            healthy=True,
        ),
    ),
)
