"""Cases of a capture that starts late, and of one 4-tuple that lives more than once."""

import socket

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from lab import CLIENT, SERVER, Lab, close_in_turn, pause, talk
from resets import ABORT


def midstream_open(lab: Lab) -> None:
    """Recorded from after the handshake to before the close."""
    _record_late(lab)


def midstream_close(lab: Lab) -> None:
    """Recorded from after the handshake, the close included."""
    client, server = _record_late(lab)
    close_in_turn(client, server)


def _record_late(lab: Lab) -> tuple[socket.socket, socket.socket]:
    lab.two_hosts()
    client, server = lab.connect()
    talk(client, server)
    lab.record("client")
    talk(client, server)
    return client, server


def port_reuse(lab: Lab) -> None:
    """The client aborts its connection and opens another from the same port to the same server."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()
    pause(0.5)
    client, server = lab.connect(CLIENT, SERVER)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def port_reuse_in_time_wait(lab: Lab) -> None:
    """The server closes first and is in TIME_WAIT when a new SYN comes from the client's same port: accepted."""
    lab.two_hosts()
    lab.record("client")
    for _ in range(2):
        client, server = lab.connect(CLIENT, SERVER)
        talk(client, server, answer_bytes=200)
        server.close()
        pause(0.1)
        client.close()
        pause(0.5)


def time_wait_end(lab: Lab) -> None:
    """After the close the capture runs on for 61 s, and a second connection ends it: TIME_WAIT has passed."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    close_in_turn(client, server)
    pause(61)
    client, server = lab.connect((CLIENT[0], CLIENT[1] + 1), SERVER)
    close_in_turn(client, server)


CASES = (
    Case("midstream-open", midstream_open, f"{TALK}>A", healthy=True),
    Case("midstream-close", midstream_close, rf"{TALK}{CLIENT_CLOSES}", healthy=True),
    Case(
        "time-wait-end",
        time_wait_end,
        rf"{CONVERSATION} {HANDSHAKE}{CLIENT_CLOSES}",
        near_misses=("port-reuse",),
        healthy=True,
    ),
    Case(
        "port-reuse",
        port_reuse,
        rf"{HANDSHAKE}{TALK}>RA {CONVERSATION}",
        causes=("abortive-close",),
        near_misses=("stale-connection",),
    ),
    Case(
        "port-reuse-time-wait",
        port_reuse_in_time_wait,
        rf"({HANDSHAKE}{TALK}<FA >A >FA <A ?){{2}}",
        causes=("port-reuse",),
        near_misses=("stale-connection", "port-exhaustion"),
        healthy=True,
    ),
)
