"""Cases of a path with a smaller MTU than its ends, and of what becomes of the ICMP messages that say so."""

import socket

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Truth
from hosts import Host
from lab import CLIENT, Lab, close_in_turn, must, pause, talk
from programs import output

SERVER = ("10.0.1.2", 80)
PATH_MTU = "1300"
STUCK_FOR_S = 7
BLACK_HOLE = ("pmtu-black-hole",)
NEAR = ("capture-loss", "keepalive-timeout", "close-wait-stuck")


def black_hole(lab: Lab) -> None:
    """The router's link to the client has an MTU of 1300 and the router's ICMP messages that say so are dropped there.

    Small answers arrive; of the large one the server repeats the first full segment for 7 s, in vain.
    """
    router = _narrow_path(lab)
    _drop_too_big(router, "output")
    _ask_in_vain(lab)
    must(lab.matched(router)["too_big"] >= 3, "too few ICMP messages were dropped")


def ignored(lab: Lab) -> None:
    """The router says that the segments are too big, the server's own packet filter drops what it says."""
    _narrow_path(lab)
    _drop_too_big(lab.server, "input")
    _ask_in_vain(lab)
    must(lab.matched(lab.server)["too_big"] >= 3, "too few ICMP messages were dropped")


def heeded(lab: Lab) -> None:
    """The router says that the segments are too big, the server sends smaller ones: how it should be."""
    _narrow_path(lab)
    client, server = _connected(lab)
    talk(client, server, answer_bytes=4000)
    close_in_turn(client, server)
    route = " ".join(output(lab.server, "ip", "route", "get", CLIENT[0]).split())
    lab.observe("server", "ip route get", route)
    must(f"mtu {PATH_MTU}" in route, "the path MTU was not learned")


def _narrow_path(lab: Lab) -> Host:
    router = lab.two_hosts_behind_a_router()
    router.ip("link", "set", "eth0", "mtu", PATH_MTU)
    return router


def _connected(lab: Lab) -> tuple[socket.socket, socket.socket]:
    lab.record("client")
    lab.record("server", lab.server)
    client, server = lab.connect(CLIENT, SERVER)
    talk(client, server, answer_bytes=200)
    return client, server


def _ask_in_vain(lab: Lab) -> None:
    client, server = _connected(lab)
    client.sendall(b"." * 80)
    server.recv(80)
    server.sendall(b"." * 20_000)
    pause(STUCK_FOR_S)
    lab.sockets(lab.server)
    must(lab.count(lab.server, "TcpExtTCPTimeouts")["TcpExtTCPTimeouts"] >= 3, "too few repeats")


def _drop_too_big(host: Host, hook: str) -> None:
    host.nft(f"""table ip filter {{
        counter too_big {{ }}
        chain c {{
            type filter hook {hook} priority 0;
            icmp type destination-unreachable icmp code frag-needed counter name too_big drop
        }}
    }}""")


CASES = (
    Case(
        "pmtu-black-hole",
        black_hole,
        rf"{HANDSHAKE}{TALK}>D <A ?(<D ?)*",
        near_misses=NEAR,
        captures={
            "server.pcap": Truth(rf"{HANDSHAKE}{TALK}>D <A (<D ?)+", causes=BLACK_HOLE, near_misses=NEAR),
        },
    ),
    Case(
        "pmtu-too-big-ignored",
        ignored,
        rf"{HANDSHAKE}{TALK}>D <A ?(<D ?)*",
        near_misses=NEAR,
        captures={
            "server.pcap": Truth(rf"{HANDSHAKE}{TALK}>D <A (<D ?)+", causes=BLACK_HOLE, near_misses=NEAR),
        },
    ),
    Case(
        "pmtu-heeded",
        heeded,
        rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}",
        near_misses=("pmtu-black-hole", "icmp-rejected", "high-retransmission", "rto-stall", "capture-loss"),
        healthy=True,
    ),
)
