"""Cases of points whose clocks disagree: recorded by one clock, the times then moved as other clocks would read them.

Small requests and answers for the better part of a minute, over cables without length: a drift is told where it adds
up to more than a round trip.
"""

import socket
from collections.abc import Mapping
from dataclasses import replace

from case import Case, Route, Truth
from directing import FORTH, PAST, UNHARMED
from hosts import Host
from ipvs import Site
from lab import Lab, close_in_turn, must, pause, read
from mistime import WrongClock, mistime
from services import fullnat_site
from uml import under_uml

LONG_S, SHORT_S, EVERY_S = 45.0, 6.0, 0.5
MINUTES_AHEAD, SECONDS_BEHIND = 180.0, -47.0
SLOW = {"lvs": WrongClock(MINUTES_AHEAD), "rs": WrongClock(SECONDS_BEHIND)}
DRIFTING = {"lvs": WrongClock(MINUTES_AHEAD, 100.0), "rs": WrongClock(SECONDS_BEHIND, -60.0)}
NO_WIRES: Mapping[str, float] = {}
STEP = {"step_s": 2.5, "step_after_s": SHORT_S / 2}


def chat(near: socket.socket, far: socket.socket, seconds: float) -> None:
    """A short request and a short answer, twice a second, and the client closes."""
    for _ in range(round(seconds / EVERY_S)):
        near.sendall(b"how much?")
        read(far, 9)
        far.sendall(b"so much.")
        read(near, 8)
        pause(EVERY_S)
    close_in_turn(near, far)


def _through(lab: Lab, mode: str, seconds: float, clocks: dict[str, WrongClock]) -> None:
    site = Site(lab, mode, wired=False)
    site.record()
    with site.listen() as listener:
        near, far = site.connect(listener)
    chat(near, far, seconds)
    _mistime(lab, (site.client, site.realservers[0]), clocks)


def _mistime(lab: Lab, ends: tuple[Host, Host], clocks: dict[str, WrongClock]) -> None:
    """Set the clocks wrong; what a busy machine has repeated would be a finding of its own."""
    repeated = [lab.count(end, "TcpRetransSegs")["TcpRetransSegs"] for end in ends]
    must(not any(repeated), "a segment was repeated")
    must(lab.stop_recording(), "frames were dropped while recording")
    lab.path.update(mistime(lab.folder, clocks))


@under_uml
def nat_shifted(lab: Lab) -> None:
    """LVS NAT; the director's clock is 3 minutes ahead of the client's, the realserver's 47 s behind."""
    _through(lab, "nat", SHORT_S, SLOW)


@under_uml
def nat_drifting(lab: Lab) -> None:
    """LVS NAT; the director's clock is 3 minutes ahead and gains 100 ppm, the realserver's 47 s behind, losing 60."""
    _through(lab, "nat", LONG_S, DRIFTING)


@under_uml
def nat_stepping(lab: Lab) -> None:
    """LVS NAT; the director's clock, 3 minutes ahead, is set 2.5 s further ahead on the way; the realserver's is 47 s
    behind."""
    _through(lab, "nat", SHORT_S, {**SLOW, "lvs": WrongClock(MINUTES_AHEAD, **STEP)})


@under_uml
def dr_shifted(lab: Lab) -> None:
    """LVS DR; the director, which sees requests only, is 3 minutes ahead of the client, the realserver 47 s behind."""
    _through(lab, "dr", SHORT_S, SLOW)


@under_uml
def dr_drifting(lab: Lab) -> None:
    """LVS DR; the director, which sees requests only, is 3 minutes ahead and gains 100 ppm; the realserver is 47 s
    behind, losing 60."""
    _through(lab, "dr", LONG_S, DRIFTING)


@under_uml
def dr_stepping(lab: Lab) -> None:
    """LVS DR; the director is 3 minutes ahead; the realserver's clock, 47 s behind, is set 2.5 s ahead on the way."""
    _through(lab, "dr", SHORT_S, {**SLOW, "rs": WrongClock(SECONDS_BEHIND, **STEP)})


def fullnat_drifting(lab: Lab) -> None:
    """FULLNAT; the director's clock is 3 minutes ahead and gains 100 ppm, the server's 47 s behind, losing 60."""
    _fullnat(lab, LONG_S, {"dpvs": DRIFTING["lvs"], "rs": DRIFTING["rs"]})


def fullnat_stepping(lab: Lab) -> None:
    """FULLNAT; the director's clock is 3 minutes ahead and gains 100 ppm; the server's, 47 s behind and losing 60,
    is set 2.5 s ahead half way."""
    server = WrongClock(SECONDS_BEHIND, -60.0, step_s=2.5, step_after_s=LONG_S / 2)
    _fullnat(lab, LONG_S, {"dpvs": DRIFTING["lvs"], "rs": server})


def fullnat_untold(lab: Lab) -> None:
    """FULLNAT; the director's clock is 3 minutes ahead and gains 100 ppm, the server's 47 s behind, losing 60: 2.7 ms
    in all. A wire 2 ms long leads to the server, so that its drift is too little to be told, and no less true."""
    _fullnat(lab, LONG_S, {"dpvs": DRIFTING["lvs"], "rs": DRIFTING["rs"]}, wires={"eth1": 0.002})


def _fullnat(lab: Lab, seconds: float, clocks: dict[str, WrongClock], wires: Mapping[str, float] = NO_WIRES) -> None:
    (client, server), (near, far) = fullnat_site(lab, wires)
    chat(near, far, seconds)
    _mistime(lab, (client, server), clocks)


DPVS = ("client", "dpvs:eth0", "dpvs:eth1", "rs:eth0")
NEAR = (*UNHARMED, "capture-loss")
NAT = Route("nat", FORTH, FORTH[::-1], (), (*NEAR, "asymmetric-path"), healthy=True)
DR = Route("dr", FORTH, PAST, ("asymmetric-path",), NEAR, healthy=True)
FULLNAT = Route("fullnat", DPVS, DPVS[::-1], (), (*NEAR, "asymmetric-path"), healthy=True)
NOT_IDLE = ("idle-timeout", "rto-stall")

CASES = (
    Case("clocks-nat", nat_shifted, healthy=True, route=NAT, built=True),
    Case("clocks-nat-drift", nat_drifting, healthy=True, route=NAT, built=True),
    Case(
        "clocks-nat-step",
        nat_stepping,
        near_misses=NOT_IDLE,
        captures=dict.fromkeys(("lvs-eth0.pcap", "lvs-eth1.pcap"), Truth(None, ("clock-step",), NOT_IDLE)),
        route=replace(NAT, healthy=False, causes=("clock-step",)),
        built=True,
    ),
    Case("clocks-dr", dr_shifted, healthy=True, route=DR, built=True),
    Case("clocks-dr-drift", dr_drifting, healthy=True, route=DR, built=True),
    Case(
        "clocks-dr-step",
        dr_stepping,
        near_misses=NOT_IDLE,
        route=replace(DR, healthy=False, causes=("asymmetric-path", "clock-step")),
        built=True,
    ),
    Case("clocks-fullnat-drift", fullnat_drifting, healthy=True, route=FULLNAT, built=True),
    Case("clocks-fullnat-untold", fullnat_untold, healthy=True, route=FULLNAT, built=True),
    Case(
        "clocks-fullnat-step",
        fullnat_stepping,
        near_misses=NOT_IDLE,
        route=replace(FULLNAT, healthy=False, causes=("clock-step",)),
        built=True,
    ),
)
