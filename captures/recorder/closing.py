"""Cases of how a connection closes by FIN."""

import socket

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from frames import ACK, FIN
from lab import CLIENT, CLIENT_IPV6, SERVER_IPV6, Lab, close_in_turn, must, pause, talk


def client_first(lab: Lab) -> None:
    """The client closes; the server acknowledges at once and closes 100 ms later: four segments."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(client, server)


def server_first(lab: Lab) -> None:
    """The server closes after its answer; the client closes 100 ms later."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(server, client)


def three_segments(lab: Lab) -> None:
    """The server closes before its delayed ACK of the client's FIN: FIN and ACK leave as one segment."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    client.close()
    server.recv(1)
    server.close()


def simultaneous(lab: Lab) -> None:
    """Both ends close at once; with 20 ms of wire the two FINs cross."""
    lab.two_hosts(delay_s=0.02)
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    client.close()
    server.close()


def half(lab: Lab) -> None:
    """The client closes its half only and goes on reading what the server sends for 300 ms."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    client.shutdown(socket.SHUT_WR)
    for _ in range(3):
        pause(0.1)
        server.sendall(b"." * 500)
        client.recv(500)
    server.close()
    client.recv(1)
    client.close()


def fin_retransmitted(lab: Lab) -> None:
    """The client's FIN is lost beyond the client, which repeats it."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    lab.wire.lose("left", FIN | ACK)
    client.close()
    server.recv(1)
    pause(0.1)
    server.close()


def last_ack_lost(lab: Lab) -> None:
    """The last ACK is lost beyond the client: the server repeats its FIN to a client in TIME_WAIT."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    client.close()
    pause(0.1)
    lab.wire.lose("left", ACK)
    server.close()
    pause(1)


def never_closed(lab: Lab) -> None:
    """The server's program reads the end of the client's data and never closes: CLOSE_WAIT for good.

    The client's kernel forgets its half after 5 s (tcp_fin_timeout). A second connection, 8 s later, is closed well.
    """
    lab.two_hosts()
    lab.client.set("net.ipv4.tcp_fin_timeout=5")
    lab.record("client")
    lab.record("server", lab.server)
    client, server = lab.connect()
    talk(client, server)
    client.close()
    server.recv(1)
    pause(13)
    client, other = lab.connect((CLIENT[0], CLIENT[1] + 1))
    talk(client, other)
    close_in_turn(client, other)
    must(any("CLOSE-WAIT" in line for line in lab.sockets(lab.server)), "the server did close")


def closed_late(lab: Lab) -> None:
    """The server closes 2 s after the client's FIN: late, but it does."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    client.close()
    pause(2)
    server.close()
    pause(0.1)


def under_way(lab: Lab) -> None:
    """The recording ends 300 ms after the client's FIN was acknowledged: what the server did then is not known."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    client.close()
    server.recv(1)


def over_ipv6(lab: Lab) -> None:
    """The same close over IPv6."""
    lab.two_hosts(ipv6=True)
    lab.record("client")
    client, server = lab.connect(CLIENT_IPV6, SERVER_IPV6)
    talk(client, server)
    close_in_turn(client, server)


CASES = (
    Case(
        "close-client-first",
        client_first,
        CONVERSATION,
        near_misses=("fin-retransmission", "close-wait-stuck", "offloaded-segments", "truncated-frames"),
        healthy=True,
    ),
    Case(
        "close-server-first",
        server_first,
        rf"{HANDSHAKE}{TALK}<FA >A >FA <A",
        near_misses=("empty-reply", "close-wait-stuck", "half-close"),
        healthy=True,
    ),
    Case(
        "three-segment-close",
        three_segments,
        rf"{HANDSHAKE}{TALK}>FA <FA >A",
        near_misses=("simultaneous-close", "close-wait-stuck", "fin-retransmission"),
        healthy=True,
    ),
    Case("simultaneous-close", simultaneous, rf"{HANDSHAKE}{TALK}>FA <FA >A <A", ("simultaneous-close",), healthy=True),
    Case(
        "half-close",
        half,
        rf"{HANDSHAKE}{TALK}>FA <A (<D >A )+<FA >A",
        causes=("half-close",),
        near_misses=("write-after-close", "close-wait-stuck"),
        healthy=True,
    ),
    Case("fin-retransmitted", fin_retransmitted, rf"{HANDSHAKE}{TALK}>FA {CLIENT_CLOSES}", ("fin-retransmission",)),
    Case("last-ack-lost", last_ack_lost, rf"{CONVERSATION} <FA >A", ("fin-retransmission",)),
    Case(
        "close-wait-stuck",
        never_closed,
        rf"{HANDSHAKE}{TALK}>FA <A {CONVERSATION}",
        causes=("close-wait-stuck",),
        near_misses=("half-close", "fin-retransmission"),
    ),
    Case(
        "close-late",
        closed_late,
        CONVERSATION,
        near_misses=("close-wait-stuck", "half-close", "empty-reply", "fin-retransmission"),
        healthy=True,
    ),
    Case(
        "close-under-way",
        under_way,
        rf"{HANDSHAKE}{TALK}>FA <A",
        near_misses=("close-wait-stuck", "half-close"),
        healthy=True,
    ),
    Case("ipv6-close", over_ipv6, CONVERSATION, healthy=True),
)
