"""Writing pcapng: one section, an interface for every place, nanoseconds, and comments on frames.

dpkt writes pcapng too, but takes the captured length for the original one, and the machine's byte order.
Source: draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO

from tcptrace.capture.pcapng import BYTE_ORDER_MAGIC, IF_NAME, IF_TSRESOL
from tcptrace.capture.walk_pcapng import ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER

COMMENT = 1
"""Option of any block."""
APPLICATION = 4
"""Option of a section header: what wrote it."""
NANOSECONDS = b"\x09"

OPTION_BYTES_MAX = 0xFFFF
_WRITER = "tcptrace"


class PcapngWriter:
    """Blocks of one section, written in order to a stream of bytes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._interfaces = 0
        self._write(SECTION_HEADER, struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1), [_text(APPLICATION, _WRITER)])

    def add_interface(self, name: str, link_type: int) -> int:
        """Describe an interface that frames come from; its number. It may stand before or between frames."""
        options = [_text(IF_NAME, name)] if name else []
        self._write(
            INTERFACE_DESCRIPTION, struct.pack("<HHI", link_type, 0, 0), [*options, _option(IF_TSRESOL, NANOSECONDS)]
        )
        self._interfaces += 1
        return self._interfaces - 1

    def write(self, interface: int, time_ns: int, data: bytes, original_len: int, comments: Sequence[str] = ()) -> None:
        """A frame. The format knows no time before the epoch, and none that is unknown: they become the epoch."""
        ticks = max(time_ns, 0)
        fields = struct.pack("<5I", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), original_len & 0xFFFFFFFF)
        self._write(ENHANCED_PACKET, fields + _padded(data), [_text(COMMENT, comment) for comment in comments])

    def _write(self, kind: int, body: bytes, options: Sequence[bytes]) -> None:
        end = _option(0, b"") if options else b""
        length = len(body) + sum(map(len, options)) + len(end) + 12
        self._out.write(b"".join([struct.pack("<II", kind, length), body, *options, end, struct.pack("<I", length)]))


def _text(code: int, text: str) -> bytes:
    """An option of text, at most as long as options can be."""
    value = text.encode(errors="replace")[:OPTION_BYTES_MAX]
    return _option(code, value.decode(errors="ignore").encode())


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
