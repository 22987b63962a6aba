"""Cases of a service's address: translated where the client is, not translated back, or rewritten on both sides."""

import contextlib
import socket
from collections.abc import Mapping

from case import CONVERSATION, Case, Route, Truth
from fullnat import Director
from hosts import Host
from lab import DELAY_S, Lab, NotShownError, close_in_turn, must, talk
from topology import Station, connect, join, plug, record_at
from wire import Wire

CLIENT, VIP = ("10.0.0.1", 40000), ("10.96.0.10", 80)
BACKEND, NODE = ("10.0.1.2", 8080), "10.0.0.254"
PATIENCE_S = 3.5
WIRES = {"eth0": DELAY_S, "eth1": DELAY_S}
TRANSLATE = """
table ip services {{
  counter translated {{ }}
  chain prerouting {{
    type nat hook prerouting priority dstnat
    ip daddr 10.96.0.10 tcp dport 80 counter name translated dnat to {backend}
  }}
}}
"""


def cluster_ip(lab: Lab) -> None:
    """A pod asks a service's cluster IP; its node translates that to a pod of another node, and back in the answer."""
    pod, node, backend = (lab.host(name) for name in ("client", "node", "pod"))
    node.set("net.ipv4.ip_forward=1")
    connect(Station(pod, "eth0", CLIENT[:1]), Station(node, "veth0", (NODE,)))
    join(lab, Station(node, "eth0", ("10.0.1.254",)), Station(backend, "eth0", BACKEND[:1]))
    pod.ip("route", "add", "default", "via", NODE)
    backend.ip("route", "add", "default", "via", "10.0.1.254")
    node.nft(TRANSLATE.format(backend="10.0.1.2:8080"))
    record_at(lab, (pod, "eth0"), (node, "veth0"), (node, "eth0"), (backend, "eth0"))
    near, far = _connect(lab, pod, backend, BACKEND)
    talk(near, far)
    must(lab.matched(node)["translated"] == 1, "nothing was translated")
    close_in_turn(near, far)


def same_node(lab: Lab) -> None:
    """Client and backend are pods on one bridge of a node, which translates the service's address for what it
    routes. The answer stays on the bridge and comes with the pod's own address: the client resets it."""
    pod, node, backend = (lab.host(name) for name in ("client", "node", "pod"))
    stations = Station(pod, "eth0", CLIENT[:1]), Station(node, "eth0", (NODE,)), Station(backend, "eth0", ("10.0.0.2",))
    plug(lab, "bridge", *stations)
    pod.ip("route", "add", "default", "via", NODE)
    node.set("net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
    node.nft(TRANSLATE.format(backend="10.0.0.2:8080"))
    record_at(lab, (pod, "eth0"), (node, "eth0"), (backend, "eth0"))
    lab.listen(("10.0.0.2", 8080), backend)
    near = lab.bound(pod, CLIENT)
    near.settimeout(PATIENCE_S)
    with contextlib.suppress(TimeoutError):
        near.connect(VIP)
        raise NotShownError("the client was connected")
    must(lab.matched(node)["translated"] > 0, "nothing was translated")
    lab.count(pod, "TcpOutRsts")


def both_rewritten(lab: Lab) -> None:
    """FULLNAT: the director gives the server an address of its own for the client's, shifts the client's sequence
    numbers, takes the timestamps away and tells the client's address in the TOA option."""
    _, (near, far) = fullnat_site(lab)
    talk(near, far)
    close_in_turn(near, far)


def fullnat_site(
    lab: Lab, wires: Mapping[str, float] = WIRES
) -> tuple[tuple[Host, Host], tuple[socket.socket, socket.socket]]:
    """Client and server, and their sockets connected through a director that rewrites both addresses; all recorded.

    `wires`: how long, in seconds, the wires to the director's interfaces are; else cables without length lead there.
    """
    client, dpvs, server = (lab.host(name) for name in ("client", "dpvs", "rs"))
    sides = (client, "eth0", "10.0.0.1", VIP[0]), (server, "eth1", "10.0.1.2", "10.0.1.254")
    for host, port, address, gateway in sides:
        ends = Station(host, "eth0", (address,)), Station(dpvs, port, ())
        if port in wires:
            join(lab, *ends, wires[port])
        else:
            connect(*ends)
        host.ip("route", "add", f"{gateway}/32", "dev", "eth0")
        host.neighbours("eth0", dpvs.mac(port), gateway)
    director = Director(
        service=(socket.inet_aton(VIP[0]), VIP[1]),
        server=(socket.inet_aton(BACKEND[0]), BACKEND[1]),
        local=socket.inet_aton("10.0.1.254"),
        macs_to_server=_macs(server, dpvs, "eth1"),
        macs_to_client=_macs(client, dpvs, "eth0"),
        shift=0x2A51C0DE,
    )
    wire = Wire(dpvs, "eth0", "eth1", 0.0002, {"left": director.to_server, "right": director.to_client})
    lab.callback(wire.close)
    record_at(lab, (client, "eth0"), (dpvs, "eth0"), (dpvs, "eth1"), (server, "eth0"))
    near, far = _connect(lab, client, server, BACKEND)
    must(far.getpeername() == ("10.0.1.254", 1025), "the server sees the client's own address")
    lab.sockets(server, "sport", f"= :{BACKEND[1]}")
    return (client, server), (near, far)


def _macs(to: Host, director: Host, port: str) -> bytes:
    return b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (to.mac("eth0"), director.mac(port)))


def _connect(lab: Lab, client: Host, server: Host, address: tuple[str, int]) -> tuple[socket.socket, socket.socket]:
    """A connection to the service, which ends at the server's address."""
    with lab.listen(address, server) as listener:
        near = lab.bound(client, CLIENT)
        near.connect(VIP)
        far, _ = listener.accept()
    far.settimeout(10)
    return near, lab.enter_context(far)


NODE_POINTS = ("client", "node:veth0", "node:eth0", "pod:eth0")
DPVS_POINTS = ("client", "dpvs:eth0", "dpvs:eth1", "rs:eth0")
NEAR = ("lost-between", "vanished-in-host", "untranslated-reply", "synack-source-mismatch", "asymmetric-path")
SERVER_SIDE = Truth(r"[<>]S [<>]SA [<>]A .*", healthy=True)

CASES = (
    Case(
        "cluster-ip",
        cluster_ip,
        CONVERSATION,
        healthy=True,
        route=Route("nat", NODE_POINTS, NODE_POINTS[::-1], (), (*NEAR, "field-rewritten"), healthy=True),
    ),
    Case(
        "untranslated-same-node",
        same_node,
        causes=("synack-source-mismatch",),
        near_misses=("reset-injected",),
        captures={"node-eth0.pcap": Truth(), "pod-eth0.pcap": Truth(r">S <SA .*")},
        route=Route(
            "nat",
            ("client", "node:eth0", "node:eth0", "pod:eth0"),
            ("pod:eth0", "client"),
            ("untranslated-reply", "synack-source-mismatch"),
            ("lost-between", "vanished-in-host"),
            reset_by="client",
        ),
    ),
    Case(
        "fullnat",
        both_rewritten,
        healthy=True,
        captures={name: Truth(CONVERSATION, healthy=True) for name in ("client.pcap", "dpvs-eth0.pcap")},
        route=Route("fullnat", DPVS_POINTS, DPVS_POINTS[::-1], ("field-rewritten",), NEAR, healthy=True),
        built=True,
    ),
)
