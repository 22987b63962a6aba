"""Opening an input: a file or standard input, as a plain stream of bytes whatever compresses it."""

import io
import os
import shlex
import stat
import sys
from functools import partial
from pathlib import Path

from tcptrace.capture.decompress import COPY_AGAIN, DamageError, Decompressed, RawStream, beginning, compression_of
from tcptrace.errors import CaptureError

HEAD_BYTES = 1 << 16
"""What is read ahead to see what an input is."""

STANDARD_INPUT = "-"


class Source(io.RawIOBase):
    """The bytes of one input, decompressed, with its first bytes readable in advance as `head`.

    A file that cannot be read to its end, or compressed data that is cut short or corrupt, ends
    where the trouble is; `damage` then says what it was, `remedy` what to do.
    """

    def __init__(self, path: str, raw: RawStream, size: int | None) -> None:
        self.path = path
        self.damage = ""
        self.remedy = COPY_AGAIN
        self._file = raw
        start, skipped = self._beginning()
        self.compression = compression_of(start)
        """`gzip`, `zstd`, `lz4`, `xz` or `` for none."""
        self.size = None if self.compression else size
        """Bytes the stream holds, if that is known before reading it."""
        self._start = memoryview(start)
        self._stream: RawStream | Decompressed = raw
        if self.compression:
            self._stream = Decompressed(self.compression, raw, start, skipped)
            self._start = memoryview(b"")
        self.head = _peek(self, HEAD_BYTES)
        """The first bytes of the stream; `readinto` gives them again."""
        self._start = memoryview(self.head)

    def _beginning(self) -> tuple[bytes, int]:
        """The first bytes behind what is skipped, and how much that is."""
        try:
            return beginning(partial(_peek, self._file))
        except DamageError as error:
            self.damage = str(error)
            return b"", 0

    def look_ahead(self, count: int) -> bytes:
        """Have `head` hold `count` bytes, fewer only at the end of the stream; before anything is read."""
        self._start = memoryview(b"")
        self.head += _peek(self, count - len(self.head))
        self._start = memoryview(self.head)
        return self.head

    def readable(self) -> bool:
        """True: a stream for reading."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower: only memoryviews come in
        """Fill the start of `buffer`; how many bytes, 0 at the end."""
        if self._start:
            taken = min(len(buffer), len(self._start))
            buffer[:taken] = self._start[:taken]
            self._start = self._start[taken:]
            return taken
        try:
            return self._stream.readinto(buffer) or 0
        except DamageError as error:
            self.damage, self.remedy = str(error), error.remedy
        except OSError as error:
            self.damage = f"it cannot be read further: {error.strerror or error}"
        return 0

    def close(self) -> None:
        """Close the file, unless it is standard input."""
        if not self.closed and self.path != STANDARD_INPUT:
            self._file.close()
        super().close()


def open_source(path: str) -> Source:
    """Open a path or standard input (`-`); CaptureError when that cannot be."""
    try:
        raw = _standard_input() if path == STANDARD_INPUT else io.FileIO(path)
    except FileNotFoundError:
        raise CaptureError(path, "no such file", "check the path, quote it if it holds spaces") from None
    except IsADirectoryError:
        raise CaptureError(path, "is a directory", "name the captures in it") from None
    except PermissionError:
        raise CaptureError(path, "permission denied", _way_in(Path(path))) from None
    except (OSError, ValueError) as error:
        raise CaptureError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from None
    try:
        return Source(path, raw, _size_of(raw))
    except OSError as error:
        raw.close()
        raise CaptureError(path, f"cannot be read: {error.strerror or error}") from None


def _way_in(path: Path) -> str:
    """What lets a file be read that may not be: entering its folders comes first."""
    closed = next((folder for folder in reversed(path.absolute().parents) if not os.access(folder, os.X_OK)), None)
    if closed:
        return f"let its folder be entered: sudo chmod a+x {shlex.quote(str(closed))}"
    return f"make it readable: sudo chmod a+r {shlex.quote(str(path))}"


def _standard_input() -> RawStream:
    """Standard input without a buffer, so that a thread reading from it holds no lock of Python's."""
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError(STANDARD_INPUT, "standard input is closed", "pipe a capture into it")
    if sys.stdin.isatty():
        raise CaptureError(STANDARD_INPUT, "standard input is a terminal", "pipe a capture into it: tcpdump -w - | ...")
    try:
        return io.FileIO(sys.stdin.fileno(), closefd=False)
    except (OSError, io.UnsupportedOperation):
        return sys.stdin.buffer  # type: ignore[return-value]  # replaced by an object without a descriptor


def _size_of(raw: RawStream) -> int | None:
    """Bytes of a regular file; None of a pipe or device."""
    try:
        state = os.fstat(raw.fileno())
    except (OSError, io.UnsupportedOperation):
        return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def _peek(stream: RawStream, count: int) -> bytes:
    """Up to `count` bytes, fewer only at the end of the stream."""
    data = bytearray(count)
    filled = 0
    with memoryview(data) as view:
        while filled < count and (got := stream.readinto(view[filled:])):
            filled += got
    return bytes(data[:filled])
