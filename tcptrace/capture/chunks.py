"""A stream in chunks: a thread fills one buffer while the kernels work on another.

Each buffer begins with room for what its predecessor left over, so that a record which lies across
two chunks lies whole in one buffer. A stream that fits into one buffer is read without a thread.
"""

import threading
from mmap import mmap
from queue import SimpleQueue
from typing import NamedTuple

from tcptrace.capture.source import Source

CHUNK_BYTES = 1 << 22
"""Large enough that work per chunk does not count, small enough for the processor's cache and for memory."""

CARRY_BYTES = 1 << 19
"""The longest left over; no record needs more to be taken (walk_pcapng.WHOLE_BYTES_MAX)."""


def new_buffer() -> mmap:
    """A buffer on whole pages: the kernel copies a file into one three times as fast as into a bytearray."""
    return mmap(-1, CARRY_BYTES + CHUNK_BYTES)


class Window(NamedTuple):
    """A part of a stream, in a buffer."""

    buffer: mmap
    start: int
    """Place of the first byte that is part of it."""
    end: int
    """Place behind its last byte."""
    offset: int
    """Where the buffer's place 0 would lie in the stream; may be negative."""


class Filled(NamedTuple):
    """A buffer whose bytes from CARRY_BYTES to `end` come from the stream."""

    buffer: mmap
    end: int
    last: bool


class Chunks:
    """The chunks of a stream, one after the other; call `close` when done."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._empty: SimpleQueue[mmap | None] = SimpleQueue()
        self._filled: SimpleQueue[Filled] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._current = self._fill(new_buffer())
        self._offset = -CARRY_BYTES

    @property
    def first(self) -> Window:
        """The first chunk."""
        return Window(self._current.buffer, CARRY_BYTES, self._current.end, self._offset)

    def next(self, window: Window, place: int) -> Window | None:
        """The next chunk, begun with the bytes of `window` from `place` on; None at the end of the stream.

        The buffer of `window` is filled anew. A place beyond its end skips bytes of the stream.
        """
        if self._current.last:
            return None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tcptrace-read", daemon=True)
            self._thread.start()
            self._empty.put(new_buffer())
        self._current = self._filled.get()
        start = CARRY_BYTES - (window.end - place)
        if place < window.end:
            self._current.buffer[start:CARRY_BYTES] = memoryview(window.buffer)[place : window.end]
        self._empty.put(window.buffer)
        self._offset += window.end - CARRY_BYTES
        return Window(self._current.buffer, start, self._current.end, self._offset)

    def close(self) -> None:
        """Stop reading. A thread that waits for a pipe is left to end with the process."""
        self._empty.put(None)
        if self._thread is not None:
            self._thread.join(timeout=0.2)
        if self._thread is None or not self._thread.is_alive():
            self._source.close()

    def _run(self) -> None:
        """The thread: fill buffers until the stream ends."""
        while (buffer := self._empty.get()) is not None:
            filled = self._fill(buffer)
            self._filled.put(filled)
            if filled.last:
                return

    def _fill(self, buffer: mmap) -> Filled:
        """Read until the buffer is full or the stream ends."""
        end = CARRY_BYTES
        with memoryview(buffer) as view:
            while end < len(buffer) and (got := self._source.readinto(view[end:])):
                end += got
        return Filled(buffer, end, last=end < len(buffer))
