"""Cases of conversations that nothing is the matter with."""

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from lab import Lab, close_in_turn, must, pause, read, talk

BULK_BYTES = 150_000


def bulk(lab: Lab) -> None:
    """A request and 150 kB of answer, whole frames, nothing lost."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=BULK_BYTES)
    close_in_turn(client, server)
    must(not lab.count(lab.server, "TcpRetransSegs")["TcpRetransSegs"], "something was repeated")


def slow_server(lab: Lab) -> None:
    """A server that acknowledges the request at once and takes 1.5 s for the answer."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    client.sendall(b"." * 80)
    read(server, 80)
    pause(1.5)
    server.sendall(b"." * 3000)
    read(client, 3000)
    pause(0.1)
    close_in_turn(client, server)


def slow_client(lab: Lab) -> None:
    """A client that connects and waits 3 s before its request, and 3 s more before its next."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    for _ in range(2):
        pause(3)
        talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


CASES = (
    Case(
        "bulk-transfer",
        bulk,
        CONVERSATION,
        near_misses=("high-retransmission", "reordering", "offloaded-segments", "zero-window", "capture-loss"),
        healthy=True,
    ),
    Case(
        "slow-server",
        slow_server,
        rf"{HANDSHAKE}>D <A (<D |>A )+{CLIENT_CLOSES}",
        near_misses=("empty-reply", "rto-stall", "idle-timeout", "nagle-delayed-ack", "zero-window"),
        healthy=True,
    ),
    Case(
        "slow-client",
        slow_client,
        rf"{HANDSHAKE}{TALK}{CLIENT_CLOSES}",
        near_misses=("idle-timeout", "rto-stall", "half-open", "keepalive-timeout", "clock-step"),
        healthy=True,
    ),
)
