"""Cases of segments lost on the way, and of how the sender finds out."""

import random
import socket

from case import Case, Truth
from fates import lose_data
from lab import Lab, close_in_turn, must, pause, talk
from wire import Fate

SMALL_MTU = "576"
"""Segments of 524 bytes: many of them in a small file."""

SMALLEST_MTU = "296"
BULK_BYTES = 100_000
COUNTERS = ("TcpRetransSegs", "TcpExtTCPTimeouts", "TcpExtTCPLossProbes", "TcpExtTCPDSACKRecv")


def high_retransmission(lab: Lab) -> None:
    """Of a transfer's segments the wire loses 8 in 100 at random; recorded before the loss (server) and behind it."""
    dice = random.Random(1)
    counted = _download(lab, lose_data([n for n in range(1000) if dice.random() < 0.08]))
    must(counted["TcpRetransSegs"] >= 10, "too few were lost")
    must(not counted["TcpExtTCPDSACKRecv"], "some were repeated without need")


def few_losses(lab: Lab) -> None:
    """Of a transfer's 400 segments the wire loses 3, each repaired within a round trip."""
    counted = _download(lab, lose_data([50, 150, 250]), mtu=SMALLEST_MTU)
    must(counted["TcpRetransSegs"] == 3, "not just three were repeated")
    must(not counted["TcpExtTCPTimeouts"] and not counted["TcpExtTCPDSACKRecv"], "a timer was needed")


def fast_retransmit(lab: Lab) -> None:
    """A segment lost in the middle of a flight: duplicate ACKs tell, the sender repeats it within a round trip."""
    client, server = connected(lab)
    lab.wire.treat("right", lose_data([4]))
    talk(client, server, answer_bytes=30_000)
    close_in_turn(client, server)
    counted = lab.count(lab.server, *COUNTERS, "TcpExtTCPFastRetrans")
    must(counted["TcpExtTCPFastRetrans"] == 1 and not counted["TcpExtTCPTimeouts"], "not repaired by fast retransmit")


def tail_loss_probe(lab: Lab) -> None:
    """The last two segments of an answer are lost; a probe, sent long before the timer, has them repaired."""
    client, server = connected(lab)
    lab.wire.treat("right", lose_data([5, 6]))
    talk(client, server, answer_bytes=10_000)
    close_in_turn(client, server)
    counted = lab.count(lab.server, *COUNTERS)
    must(counted["TcpExtTCPLossProbes"] >= 1 and not counted["TcpExtTCPTimeouts"], "not repaired by a probe")


def rto_stall(lab: Lab) -> None:
    """The last segments of an answer are lost and the probe too: nothing comes until the timer runs out, twice.

    The second answer is lost whole, its first repeat with it, so that the timer doubles.
    """
    client, server = connected(lab)
    lab.wire.treat("right", lose_data(range(4, 8)))
    talk(client, server, answer_bytes=10_000)
    lab.wire.treat("right", lose_data(range(3)))
    talk(client, server, answer_bytes=1000)
    close_in_turn(client, server)
    counted = lab.count(lab.server, *COUNTERS)
    must(counted["TcpExtTCPTimeouts"] >= 2, "the timer was not needed")


def connected(lab: Lab, mtu: str = "1500", *of_server: str) -> tuple[socket.socket, socket.socket]:
    """A connection recorded at both ends; the client's MTU bounds the segments of both, the server runs CUBIC.

    The algorithm is the socket's own choice: in a namespace the kernel lets only its default be set for all.
    """
    lab.two_hosts()
    lab.client.ip("link", "set", "eth0", "mtu", mtu)
    if of_server:
        lab.server.set(*of_server)
    lab.record("client")
    lab.record("server", lab.server)
    client, server = lab.connect()
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    return client, server


def _download(lab: Lab, fate: Fate, mtu: str = SMALL_MTU) -> dict[str, int]:
    client, server = connected(lab, mtu)
    lab.wire.treat("right", fate)
    talk(client, server, answer_bytes=BULK_BYTES)
    close_in_turn(client, server)
    pause(0.2)
    return lab.count(lab.server, *COUNTERS)


CASES = (
    Case(
        "high-retransmission",
        high_retransmission,
        causes=("high-retransmission",),
        near_misses=("capture-loss", "duplicate-frames", "spurious-retransmission", "reordering"),
    ),
    Case(
        "few-losses",
        few_losses,
        near_misses=("high-retransmission", "rto-stall", "spurious-retransmission", "reordering", "capture-loss"),
        healthy=True,
    ),
    Case(
        "fast-retransmit",
        fast_retransmit,
        near_misses=("high-retransmission", "rto-stall", "spurious-retransmission", "reordering", "capture-loss"),
        healthy=True,
    ),
    Case(
        "tail-loss-probe",
        tail_loss_probe,
        near_misses=("high-retransmission", "rto-stall", "capture-loss"),
        healthy=True,
    ),
    Case(
        "rto-stall",
        rto_stall,
        near_misses=("high-retransmission", "capture-loss", "idle-timeout"),
        captures={
            "server.pcap": Truth(
                causes=("rto-stall",),
                near_misses=("high-retransmission", "capture-loss", "idle-timeout"),
            )
        },
    ),
)
