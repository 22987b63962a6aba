"""Cases of resets, heeded and not."""

import socket
import struct

from case import CLIENT_CLOSES, HANDSHAKE, TALK, Case
from lab import Lab, close_in_turn, pause, talk

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


CASES = (
    Case("rst-established", established, rf"{HANDSHAKE}{TALK}>RA", causes=("abortive-close",)),
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
)
