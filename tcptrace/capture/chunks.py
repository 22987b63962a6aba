"""A stream in chunks, each in a buffer of its own while the ones before are still worked on.

Each buffer begins with room for what its predecessor left over, so that a record which lies across
two chunks lies whole in one buffer.
"""

from itertools import cycle
from mmap import mmap
from typing import NamedTuple

from tcptrace.capture.ahead import ITEMS_ALIVE
from tcptrace.capture.source import Source

CHUNK_BYTES = 6 << 20
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

    @property
    def last(self) -> bool:
        """Whether the stream ends with it."""
        return self.end < len(self.buffer)


class Chunks:
    """The chunks of a stream, one after the other; ITEMS_ALIVE of them are valid at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffers = cycle([new_buffer() for _ in range(ITEMS_ALIVE)])

    def first(self) -> Window:
        """The first chunk."""
        buffer = next(self._buffers)
        return Window(buffer, CARRY_BYTES, self._fill(buffer), -CARRY_BYTES)

    def next(self, window: Window, place: int) -> Window:
        """The chunk after `window`, begun with the bytes of it from `place` on; a place beyond its end skips bytes."""
        buffer = next(self._buffers)
        start = CARRY_BYTES - (window.end - place)
        if place < window.end:
            buffer[start:CARRY_BYTES] = memoryview(window.buffer)[place : window.end]
        return Window(buffer, start, self._fill(buffer), window.offset + window.end - CARRY_BYTES)

    def _fill(self, buffer: mmap) -> int:
        """Read until the buffer is full or the stream ends; the place behind the last byte."""
        end = CARRY_BYTES
        with memoryview(buffer) as view:
            while end < len(buffer) and (got := self._source.readinto(view[end:])):
                end += got
        return end
