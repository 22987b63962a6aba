"""Headers of frames, written by hand, and what decoding makes of frames."""

import ipaddress
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tcptrace import kernels
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.decoding import Decoder
from tcptrace.capture.summary import CaptureSummary
from tcptrace.schema import Records, allocate

SRC, DST = "10.0.0.1", "10.0.0.2"
SRC6, DST6 = "2001:db8::1", "2001:db8::2"


def tcp(
    payload: bytes = b"data", options: bytes = b"", flags: int = 0x18, seq: int = 7, offset: int | None = None
) -> bytes:
    """A segment from port 1000 to port 80; `offset` overrides the header's length in words."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4 if offset is None else offset
    return struct.pack(">HHIIHHHH", 1000, 80, seq, 9, words << 12 | flags, 500, 0, 0) + options + payload


def udp(dport: int, payload: bytes, length: int | None = None) -> bytes:
    return struct.pack(">HHHH", 50000, dport, 8 + len(payload) if length is None else length, 0) + payload


def ipv4(
    payload: bytes, protocol: int = 6, length: int | None = None, fragment: int = 0, options: bytes = b""
) -> bytes:
    total = 20 + len(options) + len(payload) if length is None else length
    first = 0x45 + len(options) // 4
    head = struct.pack(">BBHHHBBH", first, 0, total, 0x1234, fragment, 63, protocol, 0)
    return head + ipaddress.ip_address(SRC).packed + ipaddress.ip_address(DST).packed + options + payload


def ipv6(payload: bytes, following: int = 6, length: int | None = None) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(payload) if length is None else length, following, 61)
    return head + ipaddress.ip_address(SRC6).packed + ipaddress.ip_address(DST6).packed + payload


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return b"\2\0\0\0\0\2\2\0\0\0\0\1" + struct.pack(">H", ethertype) + payload


def llc(payload: bytes, ethertype: int = 0x0800) -> bytes:
    """LLC with SNAP."""
    return b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", ethertype) + payload


class Decoded:
    """Rows, addresses as text, and the summary of some frames, each a chunk's record."""

    def __init__(
        self,
        frames: Sequence[bytes],
        link_type: int = 1,
        original: int | None = None,
        between: bytes = b"",
        compiled: bool = False,
    ) -> None:
        chosen = kernels.compiled() if compiled else kernels.plain()
        self.book, self.summary = AddressBook(), CaptureSummary("", "")
        buffer, offsets = bytearray(between), []
        for frame in frames:
            offsets.append(len(buffer))
            buffer += frame + between
        count = len(frames)
        records = allocate(Records, count)
        records.offset[:] = offsets
        records.captured_len[:] = [len(frame) for frame in frames]
        records.original_len[:] = records.captured_len if original is None else original
        records.time_ns[:] = np.arange(count) * 1000
        records.interface[:] = 0
        records.link_type[:] = link_type
        packets = Decoder(self.book, self.summary).decode_chunk(buffer, records, count, 1, chosen).packets
        self.columns = {name: array.tolist() for name, array in packets._asdict().items()}
        self.rows = len(packets.frame)

    def __getattr__(self, name: str) -> Any:
        """A column's only value, of a single row."""
        (value,) = self.columns[name]
        return value

    @property
    def ends(self) -> tuple[str, str]:
        """Sender and receiver of the only row."""
        return self.book.endpoint(self.src, self.sport), self.book.endpoint(self.dst, self.dport)
