"""Cases of a connection that is ended under way, at both ends, by resets of a host between."""

from case import HANDSHAKE, TALK, Case, Route, Truth
from directing import FORTH
from ipvs import Site
from lab import CLIENT, ROUTED, Lab, must, pause, talk
from programs import output
from topology import record_at
from uml import under_uml

REQUEST_BYTES, ANSWER_BYTES = 80, 200
BOTH_WAYS = (("INPUT", "--dport"), ("FORWARD", "--sport"))
FIREWALL = """
table ip fresh {
  counter rejected { }
  chain forward {
    type filter hook forward priority filter
    tcp dport 80 counter name rejected reject with tcp reset
    tcp sport 80 counter name rejected reject with tcp reset
  }
}
"""


@under_uml
def by_director(lab: Lab) -> None:
    """NAT: a fresh rule of the director's packet filter rejects a running connection, both ways: the next request is
    answered by a reset in the service's name, the next answer by one in the client's."""
    site = Site(lab, "nat")
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    talk(near, far, answer_bytes=ANSWER_BYTES)
    for chain, port in BOTH_WAYS:
        words = f"-A {chain} -p tcp {port} 80 -j REJECT --reject-with tcp-reset"
        site.director.run("iptables-legacy", *words.split())
    near.sendall(b"." * REQUEST_BYTES)
    pause(0.3)
    far.sendall(b"." * ANSWER_BYTES)
    pause(0.3)
    site.tables("10.0.0.1:40000")
    for chain, _ in BOTH_WAYS:
        rules = output(site.director, "iptables-legacy", "-L", chain, "-nvx").splitlines()
        rejected = [" ".join(rule.split()) for rule in rules if "REJECT" in rule]
        lab.observe("lvs", f"iptables {chain}", rejected)
        must(rejected[0].startswith("1 "), f"{chain} rejected {rejected}")


def by_firewall(lab: Lab) -> None:
    """A router's fresh rule rejects a running connection, both ways: the next request is answered by a reset in the
    server's name, the next answer by one in the client's."""
    router = lab.two_hosts_behind_a_router()
    record_at(lab, (lab.client, "eth0"), (router, "eth0"), (router, "eth1"), (lab.server, "eth0"))
    near, far = lab.connect(CLIENT, ROUTED)
    talk(near, far, answer_bytes=ANSWER_BYTES)
    router.nft(FIREWALL)
    near.sendall(b"." * REQUEST_BYTES)
    pause(0.2)
    far.sendall(b"." * ANSWER_BYTES)
    pause(0.2)
    must(lab.matched(router)["rejected"] == 2, "the firewall rejects twice")


ROUTER = ("client", "router:eth0", "router:eth1", "server:eth0")
TALKED = rf"{HANDSHAKE}{TALK}"
NEAR_CLIENT = Truth(rf"{TALKED}>D <R", ("reset-injected",), ("abortive-close",))
NEAR_SERVER = Truth(rf"{TALKED}<D >R", ("reset-injected",), ("abortive-close",))
PATHS = ("lost-between", "vanished-in-host", "untranslated-reply", "capture-loss")

CASES = (
    Case(
        "reset-by-director",
        by_director,
        near_misses=("abortive-close", "sidecar-reset"),
        captures={
            **dict.fromkeys(("client.pcap", "lvs-eth0.pcap"), NEAR_CLIENT),
            **dict.fromkeys(("lvs-eth1.pcap", "rs-bond1.pcap"), NEAR_SERVER),
        },
        route=Route(
            "nat",
            FORTH,
            FORTH[::-1],
            ("reset-injected",),
            (*PATHS, "director-timeout", "abortive-close"),
            reset_by="lvs",
        ),
    ),
    Case(
        "reset-by-router",
        by_firewall,
        captures={
            **dict.fromkeys(("client.pcap", "router-eth0.pcap"), NEAR_CLIENT),
            **dict.fromkeys(("router-eth1.pcap", "server-eth0.pcap"), NEAR_SERVER),
        },
        route=Route("direct", ROUTER, ROUTER[::-1], ("reset-injected",), (*PATHS, "abortive-close"), reset_by="router"),
    ),
)
