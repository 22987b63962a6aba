"""Cases of small writes that wait for each other, and of a server that merely takes its time."""

import socket

from case import CLIENT_CLOSES, HANDSHAKE, Case
from lab import Lab, close_in_turn, must, pause, read

ROUNDS = 15
PART_BYTES = 40
THINKS_S = 0.04


def nagle_delayed_ack(lab: Lab) -> None:
    """The client writes each request in two parts: Nagle's algorithm holds the second until the first is acknowledged.

    The server's ACK is delayed by 40 ms, as it has nothing to answer yet; 15 requests, 15 stalls.
    """
    delayed = _in_two_writes(lab, no_delay=False)
    must(delayed >= ROUNDS - 3, f"only {delayed} ACKs were delayed")


def no_delay(lab: Lab) -> None:
    """The same requests in two parts with TCP_NODELAY: both parts leave at once."""
    delayed = _in_two_writes(lab, no_delay=True)
    must(delayed <= 2, f"{delayed} ACKs were delayed")


def thinks_for_40_ms(lab: Lab) -> None:
    """Requests in one write to a server that takes 40 ms for each answer: the time of a delayed ACK, but none."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    for _ in range(ROUNDS):
        client.sendall(b"." * 2 * PART_BYTES)
        read(server, 2 * PART_BYTES)
        pause(THINKS_S)
        server.sendall(b"." * 200)
        read(client, 200)
    pause(0.1)
    close_in_turn(client, server)


def _in_two_writes(lab: Lab, *, no_delay: bool) -> int:
    """How many ACKs the server delayed."""
    lab.two_hosts()
    lab.record("client")
    lab.record("server", lab.server)
    client, server = lab.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, no_delay)
    for _ in range(ROUNDS):
        for _ in range(2):
            client.sendall(b"." * PART_BYTES)
        read(server, 2 * PART_BYTES)
        server.sendall(b"." * 200)
        read(client, 200)
    delayed = lab.count(lab.server, "TcpExtDelayedACKs")["TcpExtDelayedACKs"]
    pause(0.1)
    close_in_turn(client, server)
    return delayed


CASES = (
    Case(
        "nagle-delayed-ack",
        nagle_delayed_ack,
        rf"{HANDSHAKE}(>D |<D |>A |<A )+{CLIENT_CLOSES}",
        causes=("nagle-delayed-ack",),
        near_misses=("rto-stall",),
    ),
    Case(
        "no-delay",
        no_delay,
        rf"{HANDSHAKE}(>D |<D |>A |<A )+{CLIENT_CLOSES}",
        near_misses=("nagle-delayed-ack",),
        healthy=True,
    ),
    Case(
        "think-time-40ms",
        thinks_for_40_ms,
        rf"{HANDSHAKE}(>D |<D |>A |<A )+{CLIENT_CLOSES}",
        near_misses=("nagle-delayed-ack",),
        healthy=True,
    ),
)
