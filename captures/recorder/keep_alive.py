"""Cases of keep-alives on an idle connection: answered, missed now and then, and never answered again."""

import contextlib
import socket

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case
from fates import lost
from frames import Segment
from lab import Lab, close_in_turn, must, pause, talk
from wire import Fate

KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3))
"""After a second without traffic a probe each second; three unanswered ones end the connection."""


def timeout(lab: Lab) -> None:
    """The plug is pulled beyond the client: three keep-alives go unanswered, then its kernel resets the connection."""
    client, _ = _idle(lab)
    lab.wire.treat("left", lost)
    client.settimeout(10)
    with contextlib.suppress(OSError):
        client.recv(1)
    counted = lab.count(lab.client, "TcpExtTCPKeepAlive", "TcpExtTCPAbortOnTimeout")
    must(counted["TcpExtTCPKeepAlive"] >= 3 and counted["TcpExtTCPAbortOnTimeout"] == 1, f"{counted}")


def answered(lab: Lab) -> None:
    """Idle for 5 s: each keep-alive of the client is answered, then the conversation goes on."""
    client, server = _idle(lab)
    pause(5)
    _go_on(lab, client, server)


def some_lost(lab: Lab) -> None:
    """Two keep-alives in a row are lost on the wire, the third is answered, then the conversation goes on."""
    client, server = _idle(lab)
    lab.wire.treat("left", _lose_first(2))
    pause(5)
    _go_on(lab, client, server)


def _idle(lab: Lab) -> tuple[socket.socket, socket.socket]:
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    for option, value in KEEP_ALIVE:
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    talk(client, server, answer_bytes=200)
    return client, server


def _go_on(lab: Lab, client: socket.socket, server: socket.socket) -> None:
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)
    must(lab.count(lab.client, "TcpExtTCPKeepAlive")["TcpExtTCPKeepAlive"] >= 3, "too few keep-alives")


def _lose_first(times: int) -> Fate:
    left = times

    def fate(_: Segment, due: float) -> float | None:
        nonlocal left
        left -= 1
        return None if left >= 0 else due

    return fate


CASES = (
    Case(
        "keepalive-timeout",
        timeout,
        rf"{HANDSHAKE}{TALK}(>A ){{3}}>RA",
        causes=("keepalive-timeout",),
        near_misses=("rto-stall", "abortive-close", "zero-window", "spurious-retransmission"),
    ),
    Case(
        "keep-alive-answered",
        answered,
        rf"{HANDSHAKE}{TALK}(>A <A ){{4}}{TALK}{CLIENT_CLOSES}",
        near_misses=("keepalive-timeout", "idle-timeout", "spurious-retransmission", "high-retransmission"),
        healthy=True,
    ),
    Case(
        "keep-alive-lost",
        some_lost,
        rf"{HANDSHAKE}{TALK}(>A ){{3}}<A {TALK}{CLIENT_CLOSES}",
        near_misses=("keepalive-timeout", "rto-stall", "high-retransmission"),
        healthy=True,
    ),
)
