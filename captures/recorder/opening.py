"""Cases of how a connection opens, or does not."""

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case, Truth
from frames import ACK, SYN, Segment
from lab import CLIENT, SERVER, Lab, close_in_turn, pause, talk
from wire import Fate


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


def connect_back(lab: Lab) -> None:
    """Two SYNs cross that have nothing to do with each other: the server dials the client's port 8080 meanwhile."""
    lab.two_hosts(delay_s=0.02)
    forth, back = lab.listen(), lab.listen((CLIENT[0], 8080), lab.client)
    lab.record("client")
    near = lab.dial()
    far = lab.bound(lab.server, (SERVER[0], CLIENT[1]))
    far.connect((CLIENT[0], 8080))
    near.settimeout(10)
    for caller, listener in ((near, forth), (far, back)):
        called = lab.enter_context(listener.accept()[0])
        talk(caller, called, answer_bytes=200)
        close_in_turn(caller, called)


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


def synack_held_up(lab: Lab) -> None:
    """The SYN-ACK takes 1.3 s, so the client has repeated its SYN meanwhile."""
    _held_up(lab, "right", SYN | ACK, 1.3)


def ack_held_up(lab: Lab) -> None:
    """The client's ACK takes 1.3 s, so the server has repeated its SYN-ACK meanwhile."""
    _held_up(lab, "left", ACK, 1.3)


def almost_slow(lab: Lab) -> None:
    """The SYN-ACK takes 0.9 s, a little less than the client waits before it repeats its SYN."""
    _held_up(lab, "right", SYN | ACK, 0.9)


def _held_up(lab: Lab, source: str, flags: int, seconds: float) -> None:
    lab.two_hosts()
    lab.wire.treat(source, _stalled_from(flags, seconds))
    lab.record_at_both_ends()
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def _stalled_from(flags: int, seconds: float) -> Fate:
    """From the first segment with these flags on nothing arrives for a while, then all of it in order."""
    free_at = 0.0

    def fate(found: Segment, due: float) -> float:
        nonlocal free_at
        if not free_at and found.flags == flags:
            free_at = due + seconds
        return max(due, free_at)

    return fate


CASES = (
    Case(
        "simultaneous-open",
        simultaneous_open,
        rf">S <S >SA <SA .*{CLIENT_CLOSES}",
        causes=("simultaneous-open",),
        healthy=True,
    ),
    Case("connect-back", connect_back, near_misses=("simultaneous-open",), healthy=True),
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
    Case(
        "handshake-slow",
        synack_held_up,
        rf">S >S <SA >A (<SA >A )+{TALK}{CLIENT_CLOSES}",
        causes=("handshake-slow",),
        near_misses=("syn-unanswered",),
        captures={
            "server.pcap": Truth(
                rf">S (<SA )+>S (<SA )+(>A )+{TALK}{CLIENT_CLOSES}",
                causes=("handshake-slow",),
                near_misses=("half-open", "accept-queue-overflow"),
            )
        },
    ),
    Case(
        "handshake-slow-client",
        ack_held_up,
        rf">S <SA >A <SA >A {TALK}{CLIENT_CLOSES}",
        near_misses=("half-open",),
        captures={
            "server.pcap": Truth(
                rf">S <SA <SA (>A )+{TALK}{CLIENT_CLOSES}",
                causes=("handshake-slow",),
                near_misses=("half-open", "accept-queue-overflow"),
            )
        },
    ),
    Case("handshake-almost-slow", almost_slow, CONVERSATION, near_misses=("handshake-slow",), healthy=True),
)
