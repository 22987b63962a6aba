"""gzip, zstd, lz4 and xz as streams: flat memory, several members in a row, everything before damage.

A decoder that meets damage throws away the output of that one call. So it is asked for little at
first and for more the more it has given: what is lost before damage is at most about 2 % of the whole.
"""

import io
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from tcptrace.capture.zstd_frames import ZstdFrames

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
"""RFC 1952, RFC 8878, the LZ4 frame format and the .xz file format."""

SKIPPABLE = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))
"""How frames begin that both zstd and lz4 data may hold, for others than their decoders: RFC 8878 section 3.1.2."""

MAGIC_BYTES = max(map(len, MAGIC))
_SKIPPABLE_HEADER_BYTES = 8
INPUT_BYTES = 1 << 14
OUTPUT_BYTES_MIN = 1 << 6
OUTPUT_BYTES_MAX = 1 << 18

MEMORY_MAX = 1 << 27
"""Of a decoder: `xz -9` needs half of it, `zstd --long` all; a header can ask for 4 GB."""

_TOO_LARGE = {"xz": ("Memory usage limit", "xz"), "zstd": ("too much memory", "zstd --long=31")}
"""How a library says that MEMORY_MAX is not enough, and the command that does with more."""

COPY_AGAIN = "copy or record it again"
"""What to do about damage."""

RawStream = io.RawIOBase | io.BufferedIOBase


class DamageError(Exception):
    """Compressed data ends early, is corrupt or asks for too much; what could be had before it has been delivered."""

    def __init__(self, problem: str, remedy: str = COPY_AGAIN) -> None:
        super().__init__(problem)
        self.remedy = remedy


class Decoder(Protocol):
    """A decoder of one member (gzip), frame (lz4) or stream (xz), with bounded output."""

    @property
    def eof(self) -> bool:
        """The member's end has been reached."""

    @property
    def needs_input(self) -> bool:
        """Further output needs further input."""

    @property
    def unused_data(self) -> bytes | None:
        """Input beyond the member's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes of output; `data` is kept when it holds more."""


class _Gunzip:
    """zlib's decoder in the form that lzma and lz4 give theirs."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)  # 31: a gzip header and the largest window

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail or data, max_length)


def _gzip() -> tuple[Callable[[], Decoder], type[Exception]]:
    return _Gunzip, zlib.error


def _xz() -> tuple[Callable[[], Decoder], type[Exception]]:
    import lzma

    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY_MAX), lzma.LZMAError


def _lz4() -> tuple[Callable[[], Decoder], type[Exception]]:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor, RuntimeError


_DECODERS = {"gzip": _gzip, "xz": _xz, "lz4": _lz4}
"""How to make a decoder, and what it raises; imported when met."""


def compression_of(start: bytes) -> str:
    """Name of the compression whose data begins so; empty for none."""
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def beginning(read: Callable[[int], bytes]) -> tuple[bytes, int]:
    """The bytes that tell what an input is, and how many lie before them in skippable frames.

    `read` gives up to so many bytes, fewer at the end. Raises DamageError where nothing follows the frames.
    """
    start, skipped = read(MAGIC_BYTES), 0
    while start.startswith(SKIPPABLE):
        start += read(_SKIPPABLE_HEADER_BYTES - MAGIC_BYTES)
        skipped += len(start)
        rest = int.from_bytes(start[4:], "little")
        while piece := read(min(rest, INPUT_BYTES)):
            rest -= len(piece)
            skipped += len(piece)
        start = read(MAGIC_BYTES)
        if not start:
            raise DamageError(f"it ends at byte {skipped:,}, and all of it is frames that decoders skip")
    return start, skipped


class Decompressed:
    """The plain bytes of `raw`, of which `skipped` bytes and then `start` have been read already."""

    def __init__(self, compression: str, raw: RawStream, start: bytes, skipped: int = 0) -> None:
        self._compressed = _Compressed(raw, start, skipped)
        kind = _Zstandard if compression == "zstd" else _Members
        self._stream = kind(compression, self._compressed)
        self._given = 0
        self._damage: DamageError | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Fill the start of `buffer`; 0 at the end. Raises DamageError at damage, and whenever called after it."""
        if self._damage:
            raise self._damage
        room = min(len(buffer), max(self._given // 64, OUTPUT_BYTES_MIN), OUTPUT_BYTES_MAX)
        try:
            got = self._stream.readinto(buffer[:room])
        except DamageError as damage:
            self._damage = damage
            raise
        self._given += got
        return got


class _Compressed:
    """The compressed bytes of a file, counted with those skipped before, some of them given back."""

    def __init__(self, raw: RawStream, start: bytes, skipped: int) -> None:
        self._raw = raw
        self._ahead = start
        self.used = skipped

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; none only at the end."""
        data = self._ahead[:count] or self._raw.read(count) or b""
        self._ahead = self._ahead[count:]
        self.used += len(data)
        return data

    def give_back(self, data: bytes) -> None:
        """Have `data` read again."""
        self._ahead = data + self._ahead
        self.used -= len(data)


class _Members:
    """gzip, lz4 or xz data: one or more members in a row."""

    def __init__(self, compression: str, compressed: _Compressed) -> None:
        self._compression = compression
        self._compressed = compressed
        self._new_decoder, self._error = _DECODERS[compression]()
        self._decoder = self._new_decoder()

    def readinto(self, buffer: memoryview) -> int:
        while not self._decoder.eof or self._next_member():
            data = self._decode(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _decode(self, room: int) -> bytes:
        """Some output, perhaps none yet."""
        wanted = self._decoder.needs_input
        piece = self._compressed.read(INPUT_BYTES) if wanted else b""
        try:
            data = self._decoder.decompress(piece, room)
        except self._error as error:
            raise _damage(self._compression, error, self._compressed.used) from None
        if wanted and not piece and not data and not self._decoder.eof:
            raise DamageError(f"the {self._compression} data is cut short at its byte {self._compressed.used:,}")
        return data

    def _next_member(self) -> bool:
        """Begin what follows a member: another, or the end; zeros may pad both."""
        following = (self._decoder.unused_data or b"").lstrip(b"\0")
        while len(following) < MAGIC_BYTES and (more := self._compressed.read(INPUT_BYTES)):
            following = (following + more).lstrip(b"\0")
        if not following:
            return False
        self._compressed.give_back(following)
        is_skippable = self._compression == "lz4" and following.startswith(SKIPPABLE)
        if compression_of(following) != self._compression and not is_skippable:
            place = f"byte {self._compressed.used:,}"
            raise DamageError(f"the {self._compression} data ends at {place}; what follows it was not read")
        self._decoder = self._new_decoder()
        return True


class _Zstandard:
    """zstd data, by the library's own bounded stream, which takes cut data for whole: its frames tell."""

    def __init__(self, compression: str, compressed: _Compressed) -> None:
        import zstandard

        self._compressed = compressed
        self._frames = ZstdFrames()
        self._last = b""
        self._released = False
        self._error = zstandard.ZstdError
        source: Any = self
        decoder = zstandard.ZstdDecompressor(max_window_size=MEMORY_MAX)
        self._stream = decoder.stream_reader(source, read_across_frames=True)

    def readinto(self, buffer: memoryview) -> int:
        try:
            got: int = self._stream.readinto(buffer)
        except self._error as error:
            raise _damage("zstd", error, self._compressed.used) from None
        if not got and not self._frames.whole:
            raise DamageError(f"the zstd data is cut short at its byte {self._compressed.used:,}")
        return got

    def read(self, count: int) -> bytes:
        """Compressed bytes for the library, which keeps output to itself when it has read all: the last one waits.

        Where the data is cut in front of a header, a byte in its place lets go of what came before.
        """
        given = b""
        while not given and (more := self._compressed.read(count)):
            self._frames.follow(more)
            given, self._last = self._last + more[:-1], more[-1:]
        if not given:
            given, self._last = self._last, b""
        if not given and not self._released and self._frames.lacks_header:
            given, self._released = b"\0", True
        return given


def _damage(compression: str, error: Exception, used: int) -> DamageError:
    """What a decoder's error means; `used` bytes had been read."""
    sign, command = _TOO_LARGE.get(compression, ("", ""))
    if sign and sign in str(error):
        needs = f"the {compression} data needs more than {MEMORY_MAX >> 20} MiB of memory, the limit here"
        return DamageError(needs, f"unpack it outside: {command} -dc FILE | tcptrace analyze -")
    return DamageError(f"the {compression} data is corrupt at or before its byte {used:,} ({error})")
