"""Cases of a connection that is idle for a while: forgotten by what is between, or not."""

import socket

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Truth
from hosts import Host
from lab import CLIENT, ROUTED, Lab, close_in_turn, must, pause, talk

IDLE_S = 3.0
SHORT_S = 2
"""A firewall that forgets so soon is impatient; the usual ones wait minutes to days."""


def forgotten_reset(lab: Lab) -> None:
    """A stateful firewall forgets the connection in 3 s of idle time and answers what comes then by a RST."""
    client, router = _forgotten(lab, "reject with tcp reset")
    client.sendall(b"." * 80)
    pause(0.5)
    must(lab.matched(router)["unknown"] == 1, "the firewall knows the connection no more")


def forgotten_silent(lab: Lab) -> None:
    """The same firewall drops what it knows no more: the client repeats its request and hears nothing."""
    client, router = _forgotten(lab, "drop")
    client.sendall(b"." * 80)
    pause(4)
    must(lab.matched(router)["unknown"] > 3, "the firewall knows the connection no more")


def _forgotten(lab: Lab, verdict: str) -> tuple[socket.socket, Host]:
    """A conversation through a firewall, then idle time; the client's socket and the firewall."""
    router = lab.two_hosts_behind_a_router()
    router.nft(f"""
        table inet filter {{
            counter unknown {{ }}
            chain forward {{ type filter hook forward priority 0; ct state invalid counter name unknown {verdict}; }}
        }}""")
    router.set(
        f"net.netfilter.nf_conntrack_tcp_timeout_established={SHORT_S}", "net.netfilter.nf_conntrack_tcp_loose=0"
    )
    lab.record_at_both_ends()
    client, server = lab.connect(CLIENT, ROUTED)
    talk(client, server, answer_bytes=200)
    pause(IDLE_S)
    return client, router


def answered(lab: Lab) -> None:
    """3 s of idle time, and then an answer as before."""
    lab.two_hosts()
    lab.record_at_both_ends()
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    pause(IDLE_S)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def closed_by_server(lab: Lab) -> None:
    """After 2.5 s of idle time the server closes, as servers do with kept connections; the client writes 1 s later."""
    lab.two_hosts()
    lab.record_at_both_ends()
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    pause(2.5)
    server.close()
    pause(1)
    client.sendall(b"." * 80)
    pause(0.3)
    lab.count(lab.server, "TcpOutRsts")


NOTHING_MORE = Truth(rf"{HANDSHAKE}{TALK}[<>]A", near_misses=("idle-timeout",), healthy=True)
NOT_OF_THE_SERVER = ("abortive-close", "first-data-reset", "write-after-close")

CASES = (
    Case(
        "idle-timeout",
        forgotten_reset,
        rf"{HANDSHAKE}{TALK}>D <R",
        causes=("idle-timeout",),
        near_misses=NOT_OF_THE_SERVER,
        captures={"server.pcap": NOTHING_MORE},
    ),
    Case(
        "idle-timeout-silent",
        forgotten_silent,
        rf"{HANDSHAKE}{TALK}(>D )+>D",
        causes=("idle-timeout",),
        captures={"server.pcap": NOTHING_MORE},
    ),
    Case("idle", answered, rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}", near_misses=("idle-timeout",), healthy=True),
    Case(
        "idle-closed-by-server",
        closed_by_server,
        rf"{HANDSHAKE}{TALK}<FA >A >D <R",
        causes=("write-after-close",),
        near_misses=("idle-timeout", "first-data-reset", "reset-injected", "abortive-close"),
    ),
)
