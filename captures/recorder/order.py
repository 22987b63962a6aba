"""Cases of segments that arrive late or out of order, and of repeats that were not needed."""

import random

from case import Case, Truth
from fates import delay_data, spike, swap_data
from lab import Lab, close_in_turn, must, pause, talk
from losses import COUNTERS, SMALL_MTU, connected

NOT_LOST = ("high-retransmission", "capture-loss", "rto-stall", "duplicate-frames")


def reordering(lab: Lab) -> None:
    """The wire lets every tenth segment of the answer arrive behind the next one; nothing is lost, nothing repeated."""
    client, server = connected(lab)
    lab.wire.treat("right", swap_data(range(5, 60, 10)))
    talk(client, server, answer_bytes=40_000)
    close_in_turn(client, server)
    must(not lab.count(lab.server, *COUNTERS)["TcpRetransSegs"], "something was repeated")


def spurious_timeout(lab: Lab) -> None:
    """The path stands still for 0.7 s in the middle of an answer: the timer repeats what then arrives twice (DSACK)."""
    client, server = connected(lab)
    lab.wire.treat("right", spike(6, 0.7))
    talk(client, server, answer_bytes=30_000)
    pause(0.5)
    close_in_turn(client, server)
    counted = lab.count(lab.server, *COUNTERS, "TcpExtTCPSpuriousRTOs")
    must(counted["TcpExtTCPTimeouts"] >= 1 and counted["TcpExtTCPDSACKRecv"] >= 1, "no DSACK after a timeout")


def spurious_fast_retransmit(lab: Lab) -> None:
    """Some segments come 15 ms late and look lost: the sender, an old one without RACK that never learns, repeats them.

    tcp_recovery=0 and tcp_max_reordering=3 make it believe in three duplicate ACKs; a DSACK tells it wrong each time.
    """
    client, server = connected(lab, SMALL_MTU, "net.ipv4.tcp_recovery=0", "net.ipv4.tcp_max_reordering=3")
    lab.wire.treat("right", delay_data(random.Random(1).sample(range(20, 250), 20), 0.015))
    talk(client, server, answer_bytes=100_000)
    close_in_turn(client, server)
    counted = lab.count(lab.server, *COUNTERS, "TcpExtTCPFastRetrans")
    must(counted["TcpExtTCPDSACKRecv"] >= 10, f"too few needless repeats: {counted}")
    must(counted["TcpRetransSegs"] == counted["TcpExtTCPDSACKRecv"], "some were needed")


CASES = (
    Case(
        "reordering",
        reordering,
        near_misses=(*NOT_LOST, "spurious-retransmission"),
        healthy=True,
        captures={
            "client.pcap": Truth(
                causes=("reordering",), near_misses=(*NOT_LOST, "spurious-retransmission"), healthy=True
            )
        },
    ),
    Case(
        "spurious-retransmission",
        spurious_timeout,
        causes=("spurious-retransmission",),
        near_misses=("capture-loss", "high-retransmission", "duplicate-frames"),
    ),
    Case(
        "spurious-fast-retransmit",
        spurious_fast_retransmit,
        causes=("spurious-retransmission",),
        near_misses=("capture-loss", "high-retransmission", "rto-stall", "duplicate-frames"),
        healthy=True,
    ),
)
