"""Cases of a clock that is set while it times a capture: user-mode Linux's own, never the machine's."""

import time
from pathlib import Path

from case import CONVERSATION, Case
from lab import Lab, close_in_turn, pause, read, talk
from uml import under_uml

NEAR = ("capture-loss", "rto-stall", "high-retransmission", "reordering", "duplicate-frames")


@under_uml
def forward(lab: Lab) -> None:
    """The capturing host's clock is set 2 s ahead while a request is under way; TCP's timestamps do not follow."""
    _set_under_way(lab, 2.0)


@under_uml
def back(lab: Lab) -> None:
    """The capturing host's clock is set 2 s back while a request is under way."""
    _set_under_way(lab, -2.0)


@under_uml
def nudged(lab: Lab) -> None:
    """The capturing host's clock is set 20 ms back while a request is under way: too little to matter."""
    _set_under_way(lab, -0.02)


def _set_under_way(lab: Lab, seconds: float) -> None:
    lab.two_hosts()
    lab.record("client")
    client, server = lab.connect()
    talk(client, server)
    client.sendall(b"." * 80)
    _set_clock(seconds)
    lab.observe("client", "clock_settime", f"{seconds:+} s")
    read(server, 80)
    server.sendall(b"." * 3000)
    read(client, 3000)
    pause(0.1)
    close_in_turn(client, server)


def _set_clock(seconds: float) -> None:
    if "User Mode Linux" not in Path("/proc/cpuinfo").read_text():
        raise RuntimeError("the machine's own clock is not to be touched")
    time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)


CASES = (
    Case("clock-step", forward, CONVERSATION, causes=("clock-step",), near_misses=(*NEAR, "idle-timeout")),
    Case("clock-step-back", back, CONVERSATION, causes=("clock-step",), near_misses=NEAR),
    Case("clock-nudged", nudged, CONVERSATION, near_misses=("clock-step", *NEAR), healthy=True),
)
