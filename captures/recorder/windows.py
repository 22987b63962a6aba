"""Cases of a receiver that closes its window because its application does not read."""

import socket
import threading
import time

from case import Case
from lab import Lab, close_in_turn, must, pause, read

ANSWER_BYTES = 40_000
CLOSED, PROBES = "TcpExtTCPToZeroWindowAdv", "TcpExtTCPWinProbe"
NEAR = ("rto-stall", "high-retransmission", "keepalive-timeout", "capture-loss")


def zero_window(lab: Lab) -> None:
    """The client does not read for 1.5 s: its small buffer fills, the window closes, the server probes it."""
    client, server = _unread(lab)
    pause(1.5)
    _read_on(lab, client, server)
    must(lab.count(lab.server, PROBES)[PROBES] >= 1, "the window was not probed")


def closed_shortly(lab: Lab) -> None:
    """The client begins to read once its window has closed: it opens in less than 100 ms, and nobody probes it."""
    client, server = _unread(lab)
    open_at = time.monotonic()
    while not lab.count(lab.client, CLOSED)[CLOSED]:
        open_at = time.monotonic()
    read(client, ANSWER_BYTES // 2)
    closed_s = time.monotonic() - open_at
    must(closed_s < 0.09, f"closed for {closed_s} s")
    _read_on(lab, client, server, ANSWER_BYTES // 2)
    must(not lab.count(lab.server, PROBES)[PROBES], "the window was probed")


def _unread(lab: Lab) -> tuple[socket.socket, socket.socket]:
    """A connection whose server sends more than the client's buffer holds."""
    lab.two_hosts()
    lab.client.set("net.ipv4.tcp_rmem=4096 8192 8192")
    lab.record("client")
    lab.record("server", lab.server)
    client, server = lab.connect()
    threading.Thread(target=server.sendall, args=(b"." * ANSWER_BYTES,)).start()
    return client, server


def _read_on(lab: Lab, client: socket.socket, server: socket.socket, length: int = ANSWER_BYTES) -> None:
    read(client, length)
    pause(0.1)
    close_in_turn(client, server)
    must(lab.count(lab.client, CLOSED)[CLOSED] >= 1, "the window never closed")


CASES = (
    Case("zero-window", zero_window, causes=("zero-window",), near_misses=NEAR),
    Case("window-closed-shortly", closed_shortly, causes=("zero-window",), near_misses=NEAR, healthy=True),
)
