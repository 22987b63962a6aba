"""Cases of a packet that goes round in circles."""

import errno

from case import Case, Truth
from hosts import Host, cable
from lab import CLIENT, Lab, close_in_turn, must, pause, talk

SERVER = ("10.0.2.2", 80)
NEAR = ("duplicate-frames", "high-retransmission")


def loop(lab: Lab) -> None:
    """Two routers are each other's default route and nobody has the server's network: a SYN circles until its TTL ends.

    Recorded at the client, who is told that its time is exceeded and gives up at once, and between the routers.
    """
    near, _ = _two_routers(lab, withdrawn=True)
    lab.record("client")
    lab.record("near-eth1", near, "eth1")
    client = lab.bound(lab.client, CLIENT)
    error = client.connect_ex(SERVER)
    lab.observe("client", "connect", errno.errorcode[error])
    must(lab.count(near, "IpForwDatagrams")["IpForwDatagrams"] >= 30, "nothing went round")


def loop_in_mid_flow(lab: Lab) -> None:
    """The far router loses its route to the server during a conversation and sends what comes for it back."""
    near, far = _two_routers(lab, withdrawn=False)
    lab.record("client")
    lab.record("near-eth1", near, "eth1")
    client, server = lab.connect(CLIENT, SERVER)
    talk(client, server, answer_bytes=200)
    far.ip("route", "del", "10.0.2.0/24")
    client.sendall(b"." * 80)
    pause(1.5)
    must(lab.count(near, "IpForwDatagrams")["IpForwDatagrams"] >= 60, "nothing went round")


def two_routers(lab: Lab) -> None:
    """The same two routers rightly routed, recorded at all of one's interfaces: every segment twice, TTL one lower."""
    near, _ = _two_routers(lab, withdrawn=False)
    lab.record("near-any", near, "any")
    client, server = lab.connect(CLIENT, SERVER)
    talk(client, server)
    close_in_turn(client, server)


def _two_routers(lab: Lab, *, withdrawn: bool) -> tuple[Host, Host]:
    """client --- near === far --- server; `withdrawn`: the far router has no route to the server's network."""
    lab.client, lab.server = lab.host("client"), lab.host("server")
    near, far = lab.host("near"), lab.host("far")
    for left, right, interfaces, network in (
        (lab.client, near, ("eth0", "eth0"), "10.0.0"),
        (near, far, ("eth1", "eth0"), "10.0.1"),
        (far, lab.server, ("eth1", "eth0"), "10.0.2"),
    ):
        cable(left, interfaces[0], right, interfaces[1])
        ends = ((left, interfaces[0], f"{network}.1"), (right, interfaces[1], f"{network}.2"))
        for (host, interface, address), (peer, peer_interface, peer_address) in (ends, ends[::-1]):
            host.address(interface, f"{address}/24")
            host.neighbours(interface, peer.mac(peer_interface), peer_address)
    for host, gateway in ((lab.client, "10.0.0.2"), (near, "10.0.1.2"), (far, "10.0.1.1"), (lab.server, "10.0.2.1")):
        host.ip("route", "add", "default", "via", gateway)
    for router in (near, far):
        silent = (f"net.ipv4.conf.{interface}.send_redirects=0" for interface in ("all", "eth0", "eth1"))
        router.set("net.ipv4.ip_forward=1", *silent)
    if withdrawn:
        far.ip("route", "del", "10.0.2.0/24")
    return near, far


CASES = (
    Case(
        "routing-loop",
        loop,
        r">S",
        near_misses=("syn-unanswered", "connection-refused", "syn-flood"),
        captures={"near-eth1.pcap": Truth(r">S( >S)+", ("routing-loop",), (*NEAR, "syn-flood", "syn-unanswered"))},
    ),
    Case(
        "routing-loop-mid-flow",
        loop_in_mid_flow,
        near_misses=("capture-loss", "pmtu-black-hole"),
        captures={"near-eth1.pcap": Truth(causes=("routing-loop",), near_misses=NEAR)},
    ),
    Case(
        "two-routers",
        two_routers,
        near_misses=("routing-loop", "high-retransmission", "spurious-retransmission", "syn-unanswered"),
        healthy=True,
    ),
)
