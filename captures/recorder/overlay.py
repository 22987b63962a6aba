"""Cases of pods on two nodes whose packets cross in VXLAN: seen bare at the pods, wrapped between the nodes.

client 10.244.1.2 --- node1 192.0.2.1 === wire === node2 192.0.2.2 --- pod 10.244.2.2 (or 10.244.1.3, bridged)
"""

from case import CONVERSATION, Case, Route
from hosts import Host
from lab import Lab, close_in_turn, must, talk
from programs import output
from topology import Station, acquaint, connect, join, record_at

UNDERLAY = ("192.0.2.1", "192.0.2.2")
PORT, FLANNEL_PORT = 4789, 8472
NETWORK_ID = 1
MTU = "1450"
QUIET = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")


def routed(lab: Lab) -> None:
    """Each node routes its pod's packets into a VXLAN device of UDP port 8472, as Flannel has it: a hop each."""
    client, pod, nodes = _hosts(lab, FLANNEL_PORT)
    pods = (client, "10.244.1.2", "10.244.1.1"), (pod, "10.244.2.2", "10.244.2.1")
    for node, own, (host, address, gateway) in zip(nodes, ("10.244.1.0", "10.244.2.0"), pods, strict=True):
        connect(Station(host, "eth0", (address,)), Station(node, "veth0", (gateway,)))
        host.ip("link", "set", "eth0", "mtu", MTU)
        host.ip("route", "add", "default", "via", gateway)
        node.address("vxlan0", f"{own}/32")
    for node, peer, far, network in (
        (nodes[0], nodes[1], "10.244.2.0", "10.244.2.0/24"),
        (nodes[1], nodes[0], "10.244.1.0", "10.244.1.0/24"),
    ):
        node.ip("route", "add", network, "via", far, "dev", "vxlan0", "onlink")
        node.neighbours("vxlan0", peer.mac("vxlan0"), far)
    _converse(lab, client, pod, nodes, ("10.244.1.2", 40000), ("10.244.2.2", 8080))


def bridged(lab: Lab) -> None:
    """Each node bridges its pod with a VXLAN device of UDP port 4789: one Ethernet for both pods, no hop."""
    client, pod, nodes = _hosts(lab, PORT)
    stations = Station(client, "eth0", ("10.244.1.2",)), Station(pod, "eth0", ("10.244.1.3",))
    for node, station in zip(nodes, stations, strict=True):
        connect(station, Station(node, "veth0"))
        station.host.ip("link", "set", "eth0", "mtu", MTU)
        node.ip("link", "add", "br0", "type", "bridge")
        for port in ("veth0", "vxlan0"):
            node.ip("link", "set", port, "master", "br0")
        node.ip("link", "set", "br0", "addrgenmode", "none", "up")
    acquaint(*stations)
    _converse(lab, client, pod, nodes, ("10.244.1.2", 40000), ("10.244.1.3", 8080))


def _hosts(lab: Lab, port: int) -> tuple[Host, Host, tuple[Host, Host]]:
    """The pods and, a wire between them, the nodes, each with a VXLAN device towards the other."""
    client, first, second, pod = (lab.host(name) for name in ("client", "node1", "node2", "pod"))
    join(lab, *(Station(node, "eth0", (own,)) for node, own in zip((first, second), UNDERLAY, strict=True)))
    for node, (local, remote) in ((first, UNDERLAY), (second, UNDERLAY[::-1])):
        node.set(*QUIET)
        made = f"link add vxlan0 mtu {MTU} type vxlan id {NETWORK_ID} local {local} remote {remote}"
        node.ip(*made.split(), *f"dstport {port} dev eth0".split())
        node.run("ethtool", "-K", "vxlan0", *"tso off gso off gro off tx off".split())
        node.ip("link", "set", "vxlan0", "addrgenmode", "none", "up")
    return client, pod, (first, second)


def _converse(
    lab: Lab, client: Host, pod: Host, nodes: tuple[Host, Host], near_at: tuple[str, int], far_at: tuple[str, int]
) -> None:
    """One request, one answer, and the client closes; recorded at both pods and on both sides of both nodes."""
    points = [(node, port) for node in nodes for port in ("veth0", "eth0")]
    record_at(lab, (client, "eth0"), *points, (pod, "eth0"))
    with lab.listen(far_at, pod) as listener:
        near = lab.bound(client, near_at)
        near.connect(far_at)
        far, _ = listener.accept()
    lab.enter_context(far)
    talk(near, far)
    close_in_turn(near, far)
    shown = output(nodes[0], "ip", "-details", "-brief", "link", "show", "vxlan0")
    lab.observe("node1", "ip link", shown.strip())
    must("vxlan" in shown, "no VXLAN device")


POINTS = ("client", "node1:veth0", "node1:eth0", "node2:eth0", "node2:veth0", "pod:eth0")
NEAR = ("lost-between", "vanished-in-host", "untranslated-reply", "asymmetric-path", "capture-loss", "routing-loop")
ROUTE = Route("direct", POINTS, POINTS[::-1], (), NEAR, healthy=True)

CASES = (
    Case("vxlan-between-nodes", routed, CONVERSATION, healthy=True, route=ROUTE),
    Case("vxlan-bridged", bridged, CONVERSATION, healthy=True, route=ROUTE),
)
