"""Cases of how a connection opens, or does not."""

import contextlib

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from frames import ACK, SYN
from lab import CLIENT, SERVER, Lab, close_in_turn, pause, talk


def simultaneous_open(lab: Lab) -> None:
    """Both ends connect to each other; with 20 ms of wire the two SYNs cross."""
    lab.two_hosts(delay_s=0.02)
    lab.record("client")
    server = lab.bound(lab.server, SERVER)
    server.setblocking(False)
    client = lab.dial()
    server.connect_ex(CLIENT)
    pause(0.2)
    client.settimeout(10)
    server.settimeout(10)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def refused(lab: Lab) -> None:
    """Nothing listens on the port: the server's kernel answers the SYN with a RST."""
    lab.two_hosts()
    lab.record("client")
    with contextlib.suppress(ConnectionRefusedError):
        lab.bound(lab.client, CLIENT).connect(SERVER)


def unanswered(lab: Lab) -> None:
    """Every SYN is lost on the wire: the client repeats it for 12 s, each a little later than the last."""
    lab.two_hosts()
    lab.wire.lose("left", SYN, times=100)
    lab.record("client")
    client = lab.bound(lab.client, CLIENT)
    client.settimeout(12)
    with contextlib.suppress(TimeoutError):
        client.connect(SERVER)


def syn_retransmitted(lab: Lab) -> None:
    """The first SYN is lost on the wire; the client repeats it after a second."""
    lab.two_hosts()
    lab.wire.lose("left", SYN)
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def synack_retransmitted(lab: Lab) -> None:
    """The ACK of the handshake is lost beyond the client: its server repeats the SYN-ACK after a second."""
    lab.two_hosts()
    lab.wire.lose("left", ACK)
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


CASES = (
    Case(
        "simultaneous-open",
        simultaneous_open,
        rf">S <S >SA <SA .*{CLIENT_CLOSES}",
        causes=("simultaneous-open",),
        healthy=True,
    ),
    Case("refused", refused, r">S <RA", causes=("connection-refused",)),
    Case("unanswered", unanswered, r">S( >S)+", causes=("syn-unanswered",)),
    Case(
        "syn-retransmitted",
        syn_retransmitted,
        rf">S {CONVERSATION}",
        causes=("handshake-slow",),
        near_misses=("syn-unanswered", "syn-dropped-by-server"),
    ),
    Case(
        "synack-retransmitted",
        synack_retransmitted,
        rf"{HANDSHAKE}<SA >A {TALK}{CLIENT_CLOSES}",
        near_misses=("half-open",),
    ),
)
