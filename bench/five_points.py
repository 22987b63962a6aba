#!/usr/bin/env python3
"""Make of recorded traffic what five points would have captured of it: what correlating is measured on.

    python3 bench/five_points.py [FOLDER]       writes client.pcap, lvs-eth0.pcap, ... of 300 MB each

The head of bench/data/http-1gb.pcap, as a client, a director that translates the server's address, a router
and a realserver saw it: each hop takes time and loses one frame in a thousand, every host's clock has an offset
of its own, and every router takes one from the TTL. Checksums stay as they were, as with offload.
"""

import random
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from record_traffic import DATA, PCAP_HEADER_BYTES, SMALL

POINT_BYTES = 300_000_000
FOLDER = DATA / "five-points"
SEED = 5
LOSS = 0.001
HOP_NS = 40_000
JITTER_NS = 10_000
NANOSECOND_MAGIC = 0xA1B23C4D
SOURCE_AT, DESTINATION_AT, TTL_AT = 26, 30, 22
"""Where an Ethernet frame of IPv4 has them."""
REALSERVER = bytes([10, 99, 0, 9])


class Place(NamedTuple):
    """A point, in the order a request passes them."""

    name: str
    clock_ns: int
    """What its host's clock is ahead of the client's."""
    routers: int
    """Passed before it."""
    translated: bool


PLACES = (
    Place("client", 0, 0, translated=False),
    Place("lvs-eth0", 1_500_000_000, 0, translated=False),
    Place("lvs-eth1", 1_500_000_000, 1, translated=True),
    Place("router", -40_000_000, 2, translated=True),
    Place("rs", 7_000_000, 2, translated=True),
)


def main() -> None:
    """Write every point's capture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with SMALL.open("rb") as recorded:
        data = recorded.read(POINT_BYTES)
    (magic,) = struct.unpack_from("<I", data)
    seen = pass_on(data, 1 if magic == NANOSECOND_MAGIC else 1000)
    header = struct.pack("<I", NANOSECOND_MAGIC) + data[4:PCAP_HEADER_BYTES]
    for place, frames in zip(PLACES, seen, strict=True):
        with (folder / f"{place.name}.pcap").open("wb") as file:
            file.write(header)
            for time_ns, at, captured, original, to_server in sorted(frames):
                frame = rewritten(data[at : at + captured], place, to_server)
                file.write(struct.pack("<4I", *divmod(time_ns + place.clock_ns, 10**9), captured, original) + frame)


def pass_on(data: bytes, tick_ns: int) -> list[list[tuple[int, int, int, int, bool]]]:
    """For every place when it saw which frames: time, where the frame lies, its lengths, whether a request.

    What was recorded is what the realserver saw: requests had set out earlier, replies arrive later.
    """
    chance = random.Random(SEED)
    seen: list[list[tuple[int, int, int, int, bool]]] = [[] for _ in PLACES]
    at = PCAP_HEADER_BYTES
    while at + 16 <= len(data):
        second, ticks, captured, original = struct.unpack_from("<4I", data, at)
        at += 16
        if at + captured > len(data):
            break
        to_server = data[at + 36 : at + 38] == b"\0\x50"
        time_ns = second * 10**9 + ticks * tick_ns
        lost_after = next((n for n in range(1, len(PLACES)) if chance.random() < LOSS), len(PLACES))
        for number in range(lost_after) if to_server else range(len(PLACES) - lost_after, len(PLACES)):
            hops = len(PLACES) - 1 - number
            apart_ns = hops and hops * HOP_NS + chance.randint(0, JITTER_NS)
            there_ns = time_ns - apart_ns if to_server else time_ns + apart_ns
            seen[number].append((there_ns, at, captured, original, to_server))
        at += captured
    return seen


def rewritten(frame: bytes, place: Place, to_server: bool) -> bytes:
    """The frame as it looks there."""
    passed = place.routers if to_server else PLACES[-1].routers - place.routers
    found = bytearray(frame)
    found[TTL_AT] -= passed
    if place.translated:
        first = DESTINATION_AT if to_server else SOURCE_AT
        found[first : first + 4] = REALSERVER
    return bytes(found)


if __name__ == "__main__":
    main()
