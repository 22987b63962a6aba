"""A cable with a length: a host that hands frames from one interface to the other after a delay.

It takes the place of netem, which plain kernels may lack, and loses or holds up exactly the frame a
case asks for. It can forge a reset in an endpoint's name, as a middlebox would, and tag frames as a switch.
"""

import heapq
import math
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count

from frames import Segment, segment
from hosts import Host

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
FRAME_MAX = 65536

Change = Callable[[bytes], bytes | None]
"""What becomes of a frame; None: it is lost."""

Fate = Callable[[Segment, float], float | None]
"""Of a segment and the time it is due at the far end: when it arrives there; None, it is lost."""

BEHIND_NEXT = math.inf
"""Arrive right behind the next one from the same side."""


def unchanged(frame: bytes) -> bytes:
    return frame


def undisturbed(_: Segment, due: float) -> float | None:
    return due


class Wire(threading.Thread):
    """Joins two interfaces of `host`; `left` and `right` name the directions by where a frame comes from."""

    def __init__(
        self,
        host: Host,
        left: str,
        right: str,
        delay_s: float = 0.0,
        change: Mapping[str, Change] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.delay_s = delay_s
        self.change = change or {}
        self.ends = {"left": _open(host, left), "right": _open(host, right)}
        self.last: dict[str, Segment] = {}
        self._far = {"left": self.ends["right"], "right": self.ends["left"]}
        self._doomed: dict[tuple[str, int], int] = {}
        self._fates: dict[str, Fate] = {}
        self._overtaken: dict[str, bytes] = {}
        self._under_way: list[tuple[float, int, socket.socket, bytes]] = []
        self._order = count()
        self._stopped = threading.Event()
        self.start()

    def lose(self, source: str, flags: int, times: int = 1) -> None:
        """Lose the next `times` segments from `source` whose SYN, FIN, RST and ACK flags are just these."""
        self._doomed[source, flags] = times

    def treat(self, source: str, fate: Fate) -> None:
        """From now on `fate` decides on every segment from `source`."""
        self._fates[source] = fate

    def forge_reset(self, source: str, seq_shift: int) -> None:
        """Put a forged RST on the wire as if from `source`, off its true sequence number by `seq_shift`."""
        self._far[source].send(self.last[source].forged_reset(seq_shift))

    def close(self) -> None:
        self._stopped.set()
        self.join()
        for end in self.ends.values():
            end.close()

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source, end in self.ends.items():
                selector.register(end, selectors.EVENT_READ, source)
            while not self._stopped.is_set():
                for key, _ in selector.select(self._until_next()):
                    self._take(key.data, self.ends[key.data].recv(FRAME_MAX))
                self._deliver()

    def _until_next(self) -> float:
        return max(0.0, self._under_way[0][0] - time.monotonic()) if self._under_way else 0.05

    def _take(self, source: str, frame: bytes) -> None:
        found = segment(frame)
        due = time.monotonic() + self.delay_s
        arrival: float | None = due
        if found:
            self.last[source] = found
            arrival = self._arrival(source, found, due)
        changed = self.change.get(source, unchanged)(frame)
        if changed is not None and arrival is not None:
            self._send_on(source, changed, arrival)

    def _arrival(self, source: str, found: Segment, due: float) -> float | None:
        """When a segment arrives that was due then; None: it is lost."""
        kind = source, found.flags
        if self._doomed.get(kind, 0):
            self._doomed[kind] -= 1
            return None
        return self._fates.get(source, undisturbed)(found, due)

    def _send_on(self, source: str, frame: bytes, due: float) -> None:
        if due == BEHIND_NEXT:
            self._overtaken[source] = frame
            return
        for late in (frame, self._overtaken.pop(source, b"")):
            if late:
                heapq.heappush(self._under_way, (due, next(self._order), self._far[source], late))

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(self._under_way)
            end.send(frame)


def _open(host: Host, interface: str) -> socket.socket:
    end = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.bind((interface, ETH_P_ALL))
    return end
