"""Recorded cases of several points as they would be, had some captures missed frames."""

import struct
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.correlation.wire import CAPTURES

HEADER, RECORD = 24, 16
"""Bytes of a pcap file's header, and of each record's."""


def points_of(case: str) -> dict[str, Path]:
    """The captures of a recorded case by point."""
    told = tomllib.loads((CAPTURES / case / "case.toml").read_text())
    return {name: CAPTURES / case / path for name, path in told["points"].items()}


def records_of(path: Path) -> list[bytes]:
    """The records of a pcap of the usual byte order, each with its header."""
    data, at, found = path.read_bytes(), HEADER, []
    while at < len(data):
        size = RECORD + struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at : at + size])
        at += size
    return found


def without(folder: Path, case: str, missed: Mapping[str, Iterable[int]]) -> dict[str, Path]:
    """The captures of a case by point; those of `missed` lack these frames."""
    points = points_of(case)
    for name, numbers in missed.items():
        lacking = set(numbers)
        kept = [one for number, one in enumerate(records_of(points[name]), 1) if number not in lacking]
        path = folder / points[name].name
        path.write_bytes(points[name].read_bytes()[:HEADER] + b"".join(kept))
        points[name] = path
    return points
