"""Captures taken by clocks that were wrong: the times of a recording are moved after it, so the truth is exact."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = 0xA1B2C3D4
"""Of a pcap file with times in microseconds, by the writer's byte order."""

FILE_HEADER, FRAME_HEADER = 24, 16
NS_PER_S, NS_PER_US = 1_000_000_000, 1_000


@dataclass(frozen=True)
class WrongClock:
    """A host's clock: wrong by `shift_s` at its first frame, gaining `drift_ppm`, set by `step_s` some time later."""

    shift_s: float = 0.0
    drift_ppm: float = 0.0
    step_s: float = 0.0
    step_after_s: float = 0.0

    def reads(self, passed_ns: int) -> int:
        """What is added to a true time that is so long after the host's first frame."""
        stepped = self.step_s if self.step_s and passed_ns >= self.step_after_s * NS_PER_S else 0.0
        return round((self.shift_s + stepped) * NS_PER_S + passed_ns * self.drift_ppm / 1e6)

    @property
    def offset_drift_ppm(self) -> float:
        """The rate at which what must be added to its times changes, by its own time."""
        return -self.drift_ppm / (1 + self.drift_ppm / 1e6)


def mistime(folder: Path, clocks: Mapping[str, WrongClock]) -> dict[str, Any]:
    """Give the captures of each host the times that its clock would have given; the truth about these clocks."""
    captures = defaultdict(list)
    for file in sorted(folder.glob("*.pcap")):
        captures[file.stem.partition("-")[0]].append(file)
    truth: dict[str, Any] = {"clocks": "set wrong after the recording", "clock_offsets_ns": {}}
    for host, clock in clocks.items():
        true_ns = sorted(time_ns for file in captures[host] for _, time_ns in _frames(file.read_bytes()))
        for file in captures[host]:
            _rewrite(file, true_ns[0], clock)
        truth["clock_offsets_ns"][host] = -round(clock.shift_s * NS_PER_S)
        if clock.drift_ppm:
            truth.setdefault("drift_ppm", {})[host] = round(clock.offset_drift_ppm, 3)
        if clock.step_s:
            truth.setdefault("steps", {})[host] = [_step(clock, true_ns)]
    return truth


def _step(clock: WrongClock, true_ns: list[int]) -> dict[str, int]:
    """How far the clock was set, and between which of its own times: of the frames before and after, as if both
    came after it."""
    by_ns = round(clock.step_s * NS_PER_S)
    read_ns = [time_ns + clock.reads(time_ns - true_ns[0]) for time_ns in true_ns]
    after = next(i for i, time_ns in enumerate(true_ns) if time_ns - true_ns[0] >= clock.step_after_s * NS_PER_S)
    return {"by_ns": by_ns, "after_ns": read_ns[after - 1] + by_ns, "until_ns": read_ns[after]}


def _rewrite(file: Path, first_ns: int, clock: WrongClock) -> None:
    data = bytearray(file.read_bytes())
    for at, time_ns in _frames(bytes(data)):
        seconds, rest_ns = divmod(time_ns + clock.reads(time_ns - first_ns), NS_PER_S)
        data[at : at + 8] = struct.pack("=II", seconds, rest_ns // NS_PER_US)
    file.write_bytes(data)


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each frame's header stands in a pcap file of this machine's, and its time."""
    if struct.unpack_from("=I", data)[0] != MAGIC:
        raise ValueError("not a pcap file with times in microseconds, written here")
    at = FILE_HEADER
    while at < len(data):
        seconds, micros, length = struct.unpack_from("=III", data, at)
        yield at, seconds * NS_PER_S + micros * NS_PER_US
        at += FRAME_HEADER + length
