"""Cases of a capture that starts late, and of one 4-tuple that lives more than once."""

import errno
import socket

from case import CLIENT_CLOSES, CONVERSATION, HANDSHAKE, TALK, Case
from frames import ACK, RST
from lab import CLIENT, SERVER, Lab, close_in_turn, must, pause, talk
from resets import ABORT

PORTS = 60


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


def stale(lab: Lab) -> None:
    """The client's machine restarts and dials from the same port while the server still has the old connection.

    The server answers the SYN by an ACK of the old connection, the client resets that, and its next SYN is accepted.
    """
    lab.two_hosts()
    lab.record("server", lab.server)
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    lab.wire.lose("left", RST | ACK)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()
    pause(0.5)
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)
    counted = lab.count(lab.server, "TcpExtTCPSYNChallenge", "TcpEstabResets")
    must(counted["TcpExtTCPSYNChallenge"] == 1, "the server challenges the SYN")


def ports_exhausted(lab: Lab) -> None:
    """A client with 60 ephemeral ports connects and closes until none is free, and again once TIME_WAIT has passed."""
    listener = _few_ports(lab, PORTS)
    failed_at = [turn for turn in range(PORTS + 5) if not _connected(lab, listener)]
    lab.observe("client", "EADDRNOTAVAIL", len(failed_at))
    waiting = lab.sockets(lab.client, "state", "time-wait")
    lab.observe("client", "ss", waiting[:3])
    must(failed_at[:1] == [PORTS], "the ports are exhausted")
    pause(61)
    for _ in range(10):
        must(_connected(lab, listener), "ports are free again")


def ports_reused(lab: Lab) -> None:
    """The same with tcp_tw_reuse: after a second in TIME_WAIT its ports are used again, twice over in a few seconds."""
    listener = _few_ports(lab, PORTS)
    lab.client.set("net.ipv4.tcp_tw_reuse=1")
    for _ in range(2):
        for _ in range(PORTS):
            must(_connected(lab, listener), "a port in TIME_WAIT is used again")
        pause(1.5)


def enough_ports(lab: Lab) -> None:
    """150 connections in a row from a range of 20,000 ports: none is used twice, none is wanting."""
    listener = _few_ports(lab, 20_000)
    for _ in range(150):
        must(_connected(lab, listener), "a port is free")


def _few_ports(lab: Lab, ports: int) -> socket.socket:
    lab.two_hosts(delay_s=0.001)
    lab.client.set(f"net.ipv4.ip_local_port_range={CLIENT[1]} {CLIENT[1] + ports - 1}", "net.ipv4.tcp_tw_reuse=0")
    lab.record("client")
    return lab.listen()


def _connected(lab: Lab, listener: socket.socket) -> bool:
    """One short connection from whatever port is free, closed by the client; False when none is free."""
    with lab.client.socket() as client:
        try:
            client.connect(SERVER)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
        server, _ = listener.accept()
        client.shutdown(socket.SHUT_WR)
        server.recv(1)
        server.close()
        client.recv(1)
    return True


CASES = (
    Case(
        "midstream-open",
        midstream_open,
        f"{TALK}>A",
        near_misses=("one-sided-capture", "capture-loss"),
        healthy=True,
    ),
    Case(
        "midstream-close",
        midstream_close,
        rf"{TALK}{CLIENT_CLOSES}",
        near_misses=("one-sided-capture", "capture-loss", "close-wait-stuck"),
        healthy=True,
    ),
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
    Case(
        "stale-connection",
        stale,
        rf"{HANDSHAKE}{TALK}>S <A >R >S <SA >A {TALK}{CLIENT_CLOSES}",
        causes=("stale-connection",),
        near_misses=("port-reuse", "first-data-reset", "syn-dropped-by-server"),
    ),
    Case("port-exhaustion", ports_exhausted, causes=("port-exhaustion",), near_misses=("syn-flood",)),
    Case("port-exhaustion-reuse", ports_reused, causes=("port-exhaustion", "port-reuse"), near_misses=("syn-flood",)),
    Case("enough-ports", enough_ports, near_misses=("port-exhaustion", "syn-flood"), healthy=True),
)
