"""Cases of what lies under TCP: link types, tags, tunnels, interfaces, clocks, offloads.

Each is the same short conversation, one request and one answer, closed by the client.
"""

from functools import partial

from case import CONVERSATION, Case
from frames import DOT1AD, DOT1Q, tagged, untagged
from lab import CLIENT, SERVER, Lab, close_in_turn, pause, talk

LO = "127.0.0.1"
VXLAN_ID = 42
VXLAN_MTU = 1450


def vlan(lab: Lab) -> None:
    """On the trunk between two switches, VLAN 10."""
    _over_a_trunk(lab, (DOT1Q, 10))


def qinq(lab: Lab) -> None:
    """On the trunk between two provider switches: service tag 100 outside, customer tag 10 inside."""
    _over_a_trunk(lab, (DOT1AD, 100), (DOT1Q, 10))


def _over_a_trunk(lab: Lab, *tags: tuple[int, int]) -> None:
    switch = lab.two_hosts_over_a_trunk(partial(_tagged, tags=tags), untagged)
    lab.record("trunk", switch, "trunk")
    _converse(lab)


def _tagged(frame: bytes, tags: tuple[tuple[int, int], ...]) -> bytes:
    return tagged(frame, *tags)


def vxlan(lab: Lab) -> None:
    """Between the kernels' own VXLAN devices (id 42, UDP 4789), on the underlay."""
    lab.two_hosts()
    ends = ((lab.client, CLIENT[0], "172.16.0.1"), (lab.server, SERVER[0], "172.16.0.2"))
    for (host, local, inner), (_, remote, _) in (ends, ends[::-1]):
        host.ip(
            *f"link add vxlan0 mtu {VXLAN_MTU} type vxlan id {VXLAN_ID} local {local} remote {remote}".split(),
            *"dstport 4789 dev eth0".split(),
        )
        host.run("ethtool", "-K", "vxlan0", "tso", "off", "gso", "off", "gro", "off", "tx", "off")
        host.ip("link", "set", "vxlan0", "up")
        host.address("vxlan0", f"{inner}/24")
    for (host, _, _), (peer, _, peer_inner) in (ends, ends[::-1]):
        host.neighbours("vxlan0", peer.mac("vxlan0"), peer_inner)
    lab.record("underlay")
    _converse(lab, ("172.16.0.1", 40000), ("172.16.0.2", 80))


def any_sll2(lab: Lab) -> None:
    """On all of the client's interfaces at once (`-i any`, cooked v2): one connection by eth0, one by lo."""
    _on_any(lab, "LINUX_SLL2")


def any_sll(lab: Lab) -> None:
    """On all of the client's interfaces at once, in the older cooked format, which names no interface."""
    _on_any(lab, "LINUX_SLL")


def _on_any(lab: Lab, link_type: str) -> None:
    lab.two_hosts()
    lab.record("any", lab.client, "any", "-y", link_type)
    _converse(lab)
    _converse_on_loopback(lab)


def loopback(lab: Lab) -> None:
    """On lo, where nothing is ever cut into MTU-sized segments: 40 kB in one go."""
    lab.client = lab.host("client")
    lab.record("lo", lab.client, "lo")
    _converse_on_loopback(lab, answer_bytes=40_000)


def two_interfaces(lab: Lab) -> None:
    """On both interfaces of a router at once, into one pcapng file: every segment twice, TTL one lower.

    dumpcap writes what each interface has gathered in turn, so the file is not in order of time.
    """
    router = lab.two_hosts_behind_a_router()
    lab.record_pcapng("router", router, "eth0", "eth1")
    client, server = lab.connect(CLIENT, ("10.0.1.2", 80))
    pause(0.5)
    talk(client, server)
    pause(0.5)
    close_in_turn(client, server)


def nanoseconds(lab: Lab) -> None:
    """With times in nanoseconds."""
    lab.two_hosts()
    lab.record("client", lab.client, "eth0", "--time-stamp-precision=nano")
    _converse(lab)


def offload(lab: Lab) -> None:
    """With segmentation offload on and a snap length of 128 bytes: segments larger than any frame on a wire."""
    lab.two_hosts_on_a_cable(offload=True)
    lab.record("client", lab.client, "eth0", "-s", "128")
    _converse(lab, answer_bytes=300_000)


def _converse(
    lab: Lab, client: tuple[str, int] = CLIENT, server: tuple[str, int] = SERVER, answer_bytes: int = 3000
) -> None:
    near, far = lab.connect(client, server)
    talk(near, far, answer_bytes=answer_bytes)
    close_in_turn(near, far)


def _converse_on_loopback(lab: Lab, answer_bytes: int = 3000) -> None:
    with lab.listen((LO, 8080), lab.client) as listener:
        near = lab.bound(lab.client, (LO, 40000))
        near.connect((LO, 8080))
        far, _ = listener.accept()
    lab.enter_context(far)
    talk(near, far, answer_bytes=answer_bytes)
    close_in_turn(near, far)


CASES = (
    Case("vlan", vlan, CONVERSATION, healthy=True),
    Case("qinq", qinq, CONVERSATION, healthy=True),
    Case("vxlan", vxlan, CONVERSATION, healthy=True),
    Case("any-sll2", any_sll2, rf"{CONVERSATION} {CONVERSATION}", near_misses=("duplicate-frames",), healthy=True),
    Case("any-sll", any_sll, rf"{CONVERSATION} {CONVERSATION}", near_misses=("duplicate-frames",), healthy=True),
    Case("loopback", loopback, CONVERSATION, healthy=True),
    Case(
        "two-interfaces",
        two_interfaces,
        r"(?=.*>S .*>S )(?=.*>FA .*>FA ).*",
        near_misses=("clock-step", "routing-loop", "high-retransmission", "fin-retransmission", "reordering"),
        healthy=True,
    ),
    Case("nanoseconds", nanoseconds, CONVERSATION, healthy=True),
    Case(
        "offload",
        offload,
        CONVERSATION,
        causes=("offloaded-segments", "truncated-frames"),
        near_misses=("capture-loss", "truncated-file"),
        healthy=True,
    ),
)
