"""The records of a binary capture, part by part, and how its reading ended."""

from collections.abc import Generator
from itertools import cycle
from mmap import mmap
from typing import NamedTuple

from tcptrace.capture.ahead import ITEMS_ALIVE
from tcptrace.capture.chunks import Chunks, Window
from tcptrace.capture.container import Container
from tcptrace.capture.kernel_choice import KernelChoice
from tcptrace.capture.source import Source
from tcptrace.capture.summary import CaptureSummary
from tcptrace.kernels import Kernels
from tcptrace.rows import part
from tcptrace.schema import Records, allocate

CHUNK_RECORDS = 1 << 15
"""Frames taken at a time: a few megabytes of columns."""

FIRST_RECORDS = 256
"""Frames of the first part: enough to tell how many a file of that size holds."""


class Walked(NamedTuple):
    """Some records in a row, maybe none, and the buffer they lie in; ITEMS_ALIVE of them are valid at a time."""

    buffer: mmap
    records: Records
    first_frame: int
    """Frame number of record 0."""
    kernels: Kernels
    """The set that walked them; later stages use the same."""
    then_reads: bool
    """Whether more of the stream must be read for what follows."""


class Walker:
    """Walks the records of a capture and notes in `summary` where and why it ends early."""

    def __init__(self, source: Source, container: Container, summary: CaptureSummary, choice: KernelChoice) -> None:
        self._source, self._container, self._summary, self._choice = source, container, summary, choice
        self._frames = 0

    def parts(self) -> Generator[Walked, None, None]:
        """All records, once: walk those of a window, take the next window."""
        chunks = Chunks(self._source)
        tables = cycle([allocate(Records, CHUNK_RECORDS) for _ in range(ITEMS_ALIVE)])
        window = chunks.first()
        place, room = window.start, FIRST_RECORDS
        while True:
            kernels = self._choice.next(self._frames, window.offset + place)
            table = part(next(tables), 0, room)
            walk = self._container.walk(window, place, table, kernels)
            place, first_frame = walk.place, self._frames + 1
            self._frames += walk.filled
            ends = walk.damage != "" or (walk.filled < room and window.last)
            then_reads = walk.filled < room and not ends
            # Without records too: that is how a window stays valid until those after it are made.
            yield Walked(window.buffer, part(table, 0, walk.filled), first_frame, kernels, then_reads)
            if walk.damage:
                return self._note_damage(window.offset + place, walk.damage)
            if ends:
                return self._note_end(window, place)
            if then_reads:
                window = chunks.next(window, place)
                place = window.start
            room = CHUNK_RECORDS

    def _note_damage(self, offset: int, damage: str) -> None:
        """The capture cannot be read from `offset` in the stream on."""
        size = self._source.size
        lost = "what follows is" if size is None else f"the last {_bytes(size - offset)} are"
        self._summary.note_truncated(f"damaged at byte {offset:,} {self._after_frame()}: {damage}; {lost} not read")

    def _note_end(self, window: Window, place: int) -> None:
        """The stream ends: as it should, inside a record, or because it cannot be read further."""
        note = self._summary.note_truncated
        if self._source.damage:
            note(self._source.damage)
        if place == window.end:
            return
        where = f"cut short at byte {window.offset + window.end:,} {self._after_frame()}"
        if place > window.end:
            note(f"{where}: the last record lacks {_bytes(place - window.end)}")
            return
        there, needed = window.end - place, self._container.bytes_needed(window, place)
        if needed > there:
            note(f"{where}: the next record lacks {needed - there:,} of its {_bytes(needed)}")
        else:
            note(f"{where}: the next record is cut within its header ({_bytes(there)} of it there)")

    def _after_frame(self) -> str:
        return f"after frame {self._frames:,}" if self._frames else "before the first frame"


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"
