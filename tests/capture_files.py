"""Capture files as bytes, written by hand: what each format looks like, without the code under test."""

import gzip
import lzma
import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import lz4.frame
import zstandard

from tcptrace.capture.reader import CaptureReader, open_capture
from tcptrace.capture.summary import CaptureSummary

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": partial(lz4.frame.compress, content_checksum=True),
    "xz": lzma.compress,
}

SECOND = 1_700_000_000


def tcp_frame(sport: int = 1000, seq: int = 1, flags: int = 0x18, payload: bytes = b"hello") -> bytes:
    """Ethernet, IPv4 and TCP from 10.0.0.1 to 10.0.0.2:80."""
    tcp = struct.pack(">HHIIBBHHH", sport, 80, seq, 1, 5 << 4, flags, 1000, 0, 0) + payload
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    )
    return bytes(6) + bytes(5) + b"\1" + b"\x08\0" + ip + tcp


def frames(count: int = 5) -> list[bytes]:
    """Frames of one flow that differ in sequence number and length."""
    return [tcp_frame(seq=1 + i, payload=b"x" * (i % 50)) for i in range(count)]


def pcap(
    frames: Sequence[bytes],
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    link_type: int = 1,
    fraction: int = 1,
    extra: bytes = b"",
    swapped: bool = False,
) -> bytes:
    """A pcap file; frame i was taken at SECOND + i and `fraction`; `extra` ends every record header."""
    parts = [struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, 262144, link_type)]
    for i, frame in enumerate(frames):
        captured, original = len(frame), len(frame) + 100
        lengths = (original, captured) if swapped else (captured, original)
        parts += [struct.pack(f"{order}4I", SECOND + i, fraction, *lengths), extra, frame]
    return b"".join(parts)


class Pcapng:
    """A pcapng file, block by block."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.data = b""

    def block(self, kind: int, body: bytes) -> "Pcapng":
        body += bytes(-len(body) % 4)
        length = struct.pack(f"{self.order}I", len(body) + 12)
        self.data += struct.pack(f"{self.order}I", kind) + length + body + length
        return self

    def options(self, *options: tuple[int, bytes]) -> bytes:
        parts = [
            struct.pack(f"{self.order}HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
        ]
        return b"".join(parts) + (bytes(4) if parts else b"")

    def section(self, order: str = "<", version: tuple[int, int] = (1, 0)) -> "Pcapng":
        self.order = order
        return self.block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, *version, -1))

    def interface(self, *options: tuple[int, bytes], link_type: int = 1, snap_len: int = 0) -> "Pcapng":
        return self.block(1, struct.pack(f"{self.order}HHI", link_type, 0, snap_len) + self.options(*options))

    def enhanced(self, frame: bytes, ticks: int, interface: int = 0, original: int | None = None) -> "Pcapng":
        lengths = len(frame), len(frame) if original is None else original
        fields = struct.pack(f"{self.order}5I", interface, ticks >> 32, ticks & 0xFFFFFFFF, *lengths)
        return self.block(6, fields + frame + bytes(-len(frame) % 4) + self.options((1, b"a comment")))

    def obsolete(self, frame: bytes, ticks: int, interface: int = 0) -> "Pcapng":
        fields = struct.pack(f"{self.order}HH4I", interface, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        return self.block(2, fields + frame)

    def simple(self, frame: bytes, original: int | None = None) -> "Pcapng":
        return self.block(3, struct.pack(f"{self.order}I", original or len(frame)) + frame)


def pcapng(frames: Sequence[bytes], order: str = "<") -> bytes:
    """A pcapng file of one section and one interface, eth0, with times as in `pcap`."""
    file = Pcapng().section(order).interface((2, b"eth0"))
    for i, frame in enumerate(frames):
        file.enhanced(frame, (SECOND + i) * 1_000_000 + 1)
    return file.data


def erf(frames: Sequence[bytes]) -> bytes:
    """An ERF file of Ethernet records, one second apart."""
    parts = []
    for i, frame in enumerate(frames):
        header = struct.pack("<II", 1 << 31, SECOND + i) + struct.pack(">BBHHH", 2, 4, 18 + len(frame), 0, len(frame))
        parts.append(header + b"\0\0" + frame)
    return b"".join(parts)


class Row(NamedTuple):
    """What the tests look at of a TCP row."""

    frame: int
    time_ns: int
    interface: int
    seq: int
    len: int


def drain(reader: CaptureReader) -> tuple[list[Row], CaptureSummary]:
    """All rows of a capture, and its summary."""
    rows: list[Row] = []
    with reader:
        for chunk in reader.chunks():
            packets = chunk.packets
            columns = packets.frame, packets.time_ns, packets.interface, packets.seq, packets.len
            rows += map(Row, *(column.tolist() for column in columns))
    return rows, reader.summary


def read(folder: Path, data: bytes, name: str = "capture") -> tuple[list[Row], CaptureSummary]:
    """Rows and summary of a file that holds `data`."""
    path = folder / name
    path.write_bytes(data)
    return drain(open_capture(path))
