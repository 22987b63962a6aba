"""Cases of resets, heeded and not."""

import socket
import struct

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case, Truth
from hosts import Host
from lab import CLIENT, ROUTED, Lab, close_in_turn, must, pause, talk

ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: close() sends a RST instead of a FIN."""


def established(lab: Lab) -> None:
    """The client closes with SO_LINGER 0: its kernel sends a RST instead of a FIN."""
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    client.close()


def in_syn_rcvd(lab: Lab) -> None:
    """The client gives up while its SYN is under way: the SYN-ACK finds no socket and is reset."""
    lab.two_hosts(delay_s=0.02)
    lab.listen()
    lab.record("client")
    lab.dial().close()
    pause(0.1)


def out_of_window(lab: Lab) -> None:
    """A RST forged in the server's name, 100,000 bytes behind the window: the client goes on undisturbed."""
    _forged(lab, -100_000)


def challenge_ack(lab: Lab) -> None:
    """A RST forged in the server's name, inside the window but not exact: answered by an ACK (RFC 5961)."""
    _forged(lab, 1000)


def _forged(lab: Lab, seq_shift: int) -> None:
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    lab.wire.forge_reset("right", seq_shift)
    pause(0.1)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)


def aborted_by_server(lab: Lab) -> None:
    """The server closes with SO_LINGER 0 after its answer."""
    client, server = _after_a_talk(lab)
    _abort(server)
    pause(0.1)
    counted = lab.count(lab.server, "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose")
    must(counted["TcpExtTCPAbortOnData"] == 1, "the server aborts")
    client.close()


def unread_at_server(lab: Lab) -> None:
    """The server closes after its answer, with the client's next request unread: a RST instead of a FIN."""
    client, server = _after_a_talk(lab)
    client.sendall(b"." * 80)
    pause(0.2)
    server.close()
    _closed_with_unread_data(lab, lab.server)


def unread_at_client(lab: Lab) -> None:
    """The client closes before it has read the rest of the answer."""
    client, server = _after_a_talk(lab)
    server.sendall(b"." * 4000)
    pause(0.2)
    client.recv(1000)
    client.close()
    _closed_with_unread_data(lab, lab.client)


def _closed_with_unread_data(lab: Lab, host: Host) -> None:
    pause(0.1)
    counted = lab.count(host, "TcpExtTCPAbortOnClose", "TcpExtTCPAbortOnData")
    must(counted["TcpExtTCPAbortOnClose"] == 1, "data are unread at close")


def lost_at_server(lab: Lab) -> None:
    """The server has lost the connection, and nobody has told the client: its first request gets a bare RST."""
    lab.two_hosts()
    lab.record_at_both_ends()
    client, server = lab.connect()
    pause(0.1)
    lab.server.nft(
        "table ip filter { chain output { type filter hook output priority 0; tcp flags & rst == rst drop; }; }"
    )
    _abort(server)
    pause(0.2)
    lab.server.nft("flush ruleset")
    must(not lab.sockets(lab.server, "state", "established"), "the server has no connection")
    client.sendall(b"." * 80)
    pause(0.2)
    lab.count(lab.client, "TcpEstabResets")


def reset_after_request(lab: Lab) -> None:
    """The server reads the first request, which its kernel acknowledges, and aborts without an answer."""
    lab.two_hosts()
    lab.record_at_both_ends()
    client, server = lab.connect()
    client.sendall(b"." * 80)
    server.recv(80)
    pause(0.1)
    _abort(server)
    pause(0.1)
    lab.count(lab.server, "TcpExtTCPAbortOnData")


def write_after_close(lab: Lab) -> None:
    """The server closes its connection for good; the client, which has not noticed, writes, and gets a RST."""
    client, server = _after_a_talk(lab)
    server.close()
    pause(0.3)
    client.sendall(b"." * 80)
    pause(0.2)
    lab.count(lab.client, "TcpEstabResets")


def write_after_half_close(lab: Lab) -> None:
    """The server closes its half only, and goes on reading what the client writes."""
    client, server = _after_a_talk(lab)
    server.shutdown(socket.SHUT_WR)
    for _ in range(3):
        pause(0.1)
        client.sendall(b"." * 80)
        server.recv(80)
    client.close()
    server.recv(1)
    server.close()


def injected(lab: Lab) -> None:
    """A middlebox ends the connection by RSTs to both ends, each in the other's name, with its own TTL and IP ID."""
    _after_a_talk(lab)
    lab.wire.forge_reset("right", 0)
    lab.wire.forge_reset("left", 0)
    pause(0.2)
    must(not lab.sockets(lab.client, "state", "established"), "the client heeds the RST")
    must(not lab.sockets(lab.server, "state", "established"), "the server heeds the RST")


def injected_by_firewall(lab: Lab) -> None:
    """A firewall's new rule rejects a running connection: its router resets the client in the server's name."""
    router = lab.two_hosts_behind_a_router()
    lab.record_at_both_ends()
    client, server = lab.connect(CLIENT, ROUTED)
    talk(client, server, answer_bytes=200)
    router.nft("""
        table ip filter {
            counter rejected { }
            chain forward {
                type filter hook forward priority 0;
                tcp dport 80 counter name rejected reject with tcp reset;
            }
        }""")
    client.sendall(b"." * 80)
    pause(0.2)
    must(lab.matched(router)["rejected"] == 1, "the firewall rejects once")


def _after_a_talk(lab: Lab) -> tuple[socket.socket, socket.socket]:
    lab.two_hosts()
    lab.record_at_both_ends()
    client, server = lab.connect()
    talk(client, server, answer_bytes=200)
    return client, server


def _abort(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    end.close()


GENUINE = ("reset-injected", "idle-timeout", "first-data-reset", "sidecar-reset")


CASES = (
    Case("rst-established", established, rf"{HANDSHAKE}{TALK}>RA", ("abortive-close",), near_misses=GENUINE),
    Case("rst-in-syn-rcvd", in_syn_rcvd, r">S <SA >R", near_misses=("connection-refused", "synack-source-mismatch")),
    Case(
        "rst-out-of-window",
        out_of_window,
        rf"{HANDSHAKE}{TALK}<R >D {TALK}{CLIENT_CLOSES}",
        causes=("reset-injected",),
        near_misses=("abortive-close", "first-data-reset", "idle-timeout", "challenge-ack"),
    ),
    Case(
        "challenge-ack",
        challenge_ack,
        rf"{HANDSHAKE}{TALK}<R >A >D {TALK}{CLIENT_CLOSES}",
        causes=("challenge-ack", "reset-injected"),
        near_misses=("abortive-close", "first-data-reset", "idle-timeout"),
    ),
    Case(
        "abortive-close-server", aborted_by_server, rf"{HANDSHAKE}{TALK}<RA", ("abortive-close",), near_misses=GENUINE
    ),
    Case(
        "abortive-close-unread",
        unread_at_server,
        rf"{HANDSHAKE}{TALK}>D <A <RA",
        causes=("abortive-close",),
        near_misses=GENUINE,
    ),
    Case(
        "abortive-close-unread-client",
        unread_at_client,
        rf"{HANDSHAKE}{TALK}(<D |>A )+>RA",
        causes=("abortive-close",),
        near_misses=GENUINE,
    ),
    Case(
        "first-data-reset",
        lost_at_server,
        rf"{HANDSHAKE}>D <R",
        causes=("first-data-reset",),
        near_misses=("abortive-close", "reset-injected", "idle-timeout", "sidecar-reset"),
    ),
    Case(
        "reset-after-request",
        reset_after_request,
        rf"{HANDSHAKE}>D <A <RA",
        near_misses=("first-data-reset", "reset-injected", "write-after-close"),
    ),
    Case(
        "write-after-close",
        write_after_close,
        rf"{HANDSHAKE}{TALK}<FA >A >D <R",
        causes=("write-after-close",),
        near_misses=("half-close", "abortive-close", *GENUINE),
    ),
    Case(
        "half-close-server",
        write_after_half_close,
        rf"{HANDSHAKE}{TALK}<FA >A (>D |<A )+>FA <A( <A)?",
        causes=("half-close",),
        near_misses=("write-after-close", "close-wait-stuck"),
        healthy=True,
    ),
    Case(
        "reset-injected",
        injected,
        captures={
            "client.pcap": Truth(rf"{HANDSHAKE}{TALK}<R", ("reset-injected",), ("abortive-close",)),
            "server.pcap": Truth(rf"{HANDSHAKE}{TALK}>R", ("reset-injected",), ("abortive-close",)),
        },
    ),
    Case(
        "reset-by-firewall",
        injected_by_firewall,
        rf"{HANDSHAKE}{TALK}>D <R",
        causes=("reset-injected",),
        near_misses=("write-after-close", "idle-timeout", "abortive-close"),
        captures={"server.pcap": Truth(rf"{HANDSHAKE}{TALK}[<>]A", healthy=True)},
    ),
)
