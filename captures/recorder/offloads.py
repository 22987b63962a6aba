"""Cases of segmentation left to the network card at one end: 64 KB there are many segments elsewhere.

client === router --- server
"""

from case import CONVERSATION, Case, Route, Truth
from hosts import Host
from lab import CLIENT, ROUTED, Lab, close_in_turn, must, talk
from topology import Station, connect, join, record_at

ANSWER_BYTES = 300
UPLOAD_BYTES = 40_000


def at_the_sender(lab: Lab) -> None:
    """The client's card cuts (TSO): at the client and the router's eth0 large segments, behind it small ones."""
    client, router, server = (lab.host(name) for name in ("client", "router", "server"))
    near, far = Station(client, "eth0", CLIENT[:1]), Station(router, "eth0", ("10.0.0.254",))
    connect(near, far, offload=True)
    join(lab, Station(router, "eth1", ("10.0.1.254",)), Station(server, "eth0", ROUTED[:1]), 0.0002)
    _upload(lab, client, router, server)


def at_the_receiver(lab: Lab) -> None:
    """The server's card joins (GRO): at the client and the router small segments, at the server large ones."""
    client, router, server = (lab.host(name) for name in ("client", "router", "server"))
    connect(Station(client, "eth0", CLIENT[:1]), Station(router, "eth0", ("10.0.0.254",)))
    connect(Station(router, "eth1", ("10.0.1.254",)), Station(server, "eth0", ROUTED[:1]))
    server.run("ethtool", "-K", "eth0", "rx", "on", "gro", "on")
    _upload(lab, client, router, server)


def _upload(lab: Lab, client: Host, router: Host, server: Host) -> None:
    """The client sends 40 kB, the server answers, and the client closes."""
    router.set("net.ipv4.ip_forward=1")
    client.ip("route", "add", "default", "via", "10.0.0.254")
    server.ip("route", "add", "default", "via", "10.0.1.254")
    record_at(lab, (client, "eth0"), (router, "eth0"), (router, "eth1"), (server, "eth0"))
    with lab.listen(ROUTED, server) as listener:
        near = lab.bound(client, CLIENT)
        near.connect(ROUTED)
        far, _ = listener.accept()
    lab.enter_context(far)
    near.sendall(b"." * UPLOAD_BYTES)
    left = UPLOAD_BYTES
    while left:
        left -= len(far.recv(left))
    talk(near, far, answer_bytes=ANSWER_BYTES)
    close_in_turn(near, far)
    sent = lab.count(client, "TcpRetransSegs")
    must(not sent["TcpRetransSegs"], "something was repeated")
    largest = {path.stem: largest_frame(path.read_bytes()) for path in sorted(lab.folder.glob("*.pcap"))}
    lab.observe("points", "largest frame", largest)
    must(max(largest.values()) > 2000 > min(largest.values()), "no point saw larger segments than another")


def largest_frame(capture: bytes) -> int:
    """The length of a pcap file's longest frame."""
    at, longest = 24, 0
    while at + 16 <= len(capture):
        length = int.from_bytes(capture[at + 8 : at + 12], "little")
        longest = max(longest, length)
        at += 16 + length
    return longest


POINTS = ("client", "router:eth0", "router:eth1", "server:eth0")
NEAR = ("lost-between", "vanished-in-host", "capture-loss", "asymmetric-path")
ROUTE = Route("direct", POINTS, POINTS[::-1], (), NEAR, healthy=True)
LARGE = Truth(CONVERSATION, ("offloaded-segments",), ("capture-loss",), healthy=True)

CASES = (
    Case(
        "tso-at-sender",
        at_the_sender,
        near_misses=("offloaded-segments", "capture-loss"),
        healthy=True,
        captures=dict.fromkeys(("client.pcap", "router-eth0.pcap"), LARGE),
        route=ROUTE,
    ),
    Case(
        "gro-at-receiver",
        at_the_receiver,
        near_misses=("offloaded-segments", "capture-loss"),
        healthy=True,
        captures={"server-eth0.pcap": LARGE},
        route=ROUTE,
    ),
)
