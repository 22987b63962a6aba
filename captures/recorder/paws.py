"""Cases of clients with clocks of their own behind one address."""

import socket
from collections.abc import Callable

from case import Case
from frames import ETHERNET, FIN, SYN, Segment, segment
from hosts import cable
from lab import CLIENT, SERVER, Lab, close_in_turn, must, talk
from topology import Station, acquaint
from wire import Wire

TURNS = range(6)
GIVES_UP_S = 3.5
UPTIME_MS = 10 * 24 * 3600 * 1000
"""The second client has run for 10 days longer than the first: its clock is that far ahead."""

FIXED_CLOCK = "net.ipv4.tcp_timestamps=2"
"""One clock for all connections, without the offset for each that newer kernels add."""


class PerHostPaws:
    """The rule of Linux before 4.12 with tcp_tw_recycle: a SYN older than the last stamp of its address is dropped."""

    def __init__(self) -> None:
        self.dropped = 0
        self._last: dict[bytes, int] = {}

    def __call__(self, found: Segment, due: float) -> float | None:
        at = found.timestamps
        if at is None:
            return due
        source = found.frame[ETHERNET + 12 : ETHERNET + 16]
        stamp = int.from_bytes(found.frame[at : at + 4])
        if found.flags == SYN and self._is_older(source, stamp):
            self.dropped += 1
            return None
        if found.flags & FIN:
            self._last[source] = stamp
        return due

    def _is_older(self, source: bytes, stamp: int) -> bool:
        """By serial numbers, more than TCP_PAWS_WINDOW = 1 behind."""
        return source in self._last and 1 < (self._last[source] - stamp) & 0xFFFFFFFF < 1 << 31


def one_of_two_dropped(lab: Lab) -> None:
    """Two clients behind one address take turns; the server drops the SYNs of the one whose clock is behind.

    TCP is the kernel's at both ends. No kernel since 4.12 has the rule (net.ipv4.tcp_tw_recycle), so a
    program behind the recorded interface drops what it would drop; another moves the second client's clock.
    """
    wire = _two_clients_behind_one_address(lab)
    rule = PerHostPaws()
    wire.treat("left", rule)
    answered = _take_turns(lab)
    lab.observe("server", "SYNs dropped by the rule", rule.dropped)
    must(answered == [0, 1, 3, 5], "the client that is behind is answered until the other has come")


def both_answered(lab: Lab) -> None:
    """The same two clients with two clocks behind one address, at a server of today: both are answered."""
    _two_clients_behind_one_address(lab)
    must(_take_turns(lab) == list(TURNS), "both clients are answered")


def _two_clients_behind_one_address(lab: Lab) -> Wire:
    """clients --- clocks --- (recorded) machine --- server; the second client has the odd ports."""
    lab.client, clocks, machine, lab.server = (lab.host(name) for name in ("client", "clocks", "machine", "server"))
    cable(lab.client, "eth0", clocks, "left")
    cable(clocks, "right", machine, "eth0")
    cable(machine, "inside", lab.server, "eth0")
    ends = (Station(lab.client, "eth0", (CLIENT[0],)), Station(lab.server, "eth0", (SERVER[0],)))
    for station in ends:
        station.assign()
        station.host.set(FIXED_CLOCK)
    acquaint(*ends)
    change = {"left": _moved(0, UPTIME_MS, 0), "right": _moved(1, 0, -UPTIME_MS)}
    lab.callback(Wire(clocks, "left", "right", 0.005, change).close)
    wire = Wire(machine, "eth0", "inside")
    lab.callback(wire.close)
    lab.record("server", machine, "eth0")
    return wire


def _moved(side: int, tsval_by: int, tsecr_by: int) -> Callable[[bytes], bytes]:
    """Move the timestamps of segments whose port on the client's side is odd."""

    def change(frame: bytes) -> bytes:
        found = segment(frame)
        return found.retimed(tsval_by, tsecr_by) if found and found.ports[side] % 2 else frame

    return change


def _take_turns(lab: Lab) -> list[int]:
    """The clients connect in turn, from a new port each time; the turns that were answered."""
    listener = lab.listen()
    return [turn for turn in TURNS if _answered(lab, listener, CLIENT[1] + turn)]


def _answered(lab: Lab, listener: socket.socket, port: int) -> bool:
    client = lab.bound(lab.client, (CLIENT[0], port))
    client.settimeout(GIVES_UP_S)
    try:
        client.connect(SERVER)
    except TimeoutError:
        client.close()
        return False
    accepted, _ = listener.accept()
    server = lab.enter_context(accepted)
    talk(client, server, answer_bytes=200)
    close_in_turn(client, server)
    return True


CASES = (
    Case("paws-nat-drop", one_of_two_dropped, causes=("paws-nat-drop",), near_misses=("syn-flood",), built=True),
    Case("nat-two-clocks", both_answered, near_misses=("paws-nat-drop", "syn-dropped-by-server"), healthy=True),
)
