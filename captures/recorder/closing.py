"""Cases of how a connection closes by FIN."""

import socket

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from frames import ACK, FIN
from lab import CLIENT_IPV6, SERVER_IPV6, Lab, close_in_turn, pause, talk


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


def over_ipv6(lab: Lab) -> None:
    """The same close over IPv6."""
    lab.two_hosts(ipv6=True)
    lab.record("client")
    client, server = lab.connect(CLIENT_IPV6, SERVER_IPV6)
    talk(client, server)
    close_in_turn(client, server)


CASES = (
    Case("close-client-first", client_first, CONVERSATION, healthy=True),
    Case("close-server-first", server_first, rf"{HANDSHAKE}{TALK}<FA >A >FA <A", healthy=True),
    Case("three-segment-close", three_segments, rf"{HANDSHAKE}{TALK}>FA <FA >A", healthy=True),
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
    Case("ipv6-close", over_ipv6, CONVERSATION, healthy=True),
)
