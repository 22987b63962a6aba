#!/usr/bin/env python3
"""Write bench/data/syn-flood.pcap: 2 million flows of one SYN each, from random sources.

The case that costs a flow tracker the most memory a byte of capture. Random but repeatable; the
frames are complete, with options and right checksums.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

DATA = Path(__file__).resolve().parent / "data"
FILE = DATA / "syn-flood.pcap"
FLOWS = 2_000_000
SEED = 1
START_S = 1_750_000_000
RATE_PER_S = 500_000
CHUNK = 100_000

PCAP_HEADER = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000")
ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
IP = bytes.fromhex("4500 003c 0000 4000 40 06 0000 00000000 0a000002")
TCP = bytes.fromhex("0000 0050 00000000 00000000 a002 faf0 0000 0000 020405b4 0402 080a 00000000 00000000 01 030307")
FRAME = ETHERNET + IP + TCP

RECORD = np.dtype(
    [
        ("seconds", "<u4"),
        ("microseconds", "<u4"),
        ("captured", "<u4"),
        ("original", "<u4"),
        ("ethernet", "V14"),
        ("ip_start", "V10"),
        ("ip_checksum", ">u2"),
        ("source", ">u4"),
        ("destination", "V4"),
        ("source_port", ">u2"),
        ("destination_port", ">u2"),
        ("seq", ">u4"),
        ("tcp_middle", "V8"),
        ("tcp_checksum", ">u2"),
        ("urgent_and_mss", "V8"),
        ("timestamp_start", "V2"),
        ("tsval", ">u4"),
        ("rest", "V8"),
    ]
)
IP_PSEUDO_HEADER = 6 + len(TCP)


def records(first: int, count: int, random: np.random.Generator) -> npt.NDArray[np.void]:
    """`count` records from flow number `first` on."""
    template = np.frombuffer(b"\0" * 16 + FRAME, RECORD)
    rows = np.repeat(template, count)
    number = np.arange(first, first + count)
    rows["seconds"] = START_S + number // RATE_PER_S
    rows["microseconds"] = number % RATE_PER_S * (1_000_000 // RATE_PER_S)
    rows["captured"] = rows["original"] = len(FRAME)
    rows["source"] = random.integers(0x0B000000, 0xDF000000, count)
    rows["source_port"] = random.integers(1024, 65536, count)
    rows["seq"] = random.integers(0, 2**32, count)
    rows["tsval"] = random.integers(0, 2**32, count)
    words = rows.view(np.uint8).reshape(count, RECORD.itemsize)[:, 16 + len(ETHERNET) :].copy().view(">u2")
    half = len(IP) // 2
    rows["ip_checksum"] = _checksums(words[:, :half])
    rows["tcp_checksum"] = _checksums(words[:, half - 4 :], extra=IP_PSEUDO_HEADER)
    return rows


def _checksums(words: npt.NDArray[np.uint16], extra: int = 0) -> npt.NDArray[np.uint32]:
    """The Internet checksum (RFC 1071) of each row; `extra` is what a pseudo header adds."""
    total = words.sum(axis=1, dtype=np.uint32) + np.uint32(extra)
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    sums: npt.NDArray[np.uint32] = ~total & 0xFFFF
    return sums


def main() -> None:
    """Write the file; it appears when it is whole."""
    DATA.mkdir(exist_ok=True)
    random = np.random.default_rng(SEED)
    unfinished = FILE.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.write(PCAP_HEADER)
        for first in range(0, FLOWS, CHUNK):
            file.write(records(first, CHUNK, random).tobytes())
    unfinished.replace(FILE)


if __name__ == "__main__":
    main()
