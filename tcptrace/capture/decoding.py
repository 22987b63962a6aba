"""Drives the decode kernel over the records of a capture, chunk by chunk."""

from collections import Counter
from mmap import mmap
from typing import Any, NamedTuple, Self

import numpy as np

from tcptrace.capture import cursor as c
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.ahead import ITEMS_ALIVE
from tcptrace.capture.context_frames import TELLING, read_context
from tcptrace.capture.dissect import step
from tcptrace.capture.frame_names import frame_name
from tcptrace.capture.summary import CUT_EXAMPLES, CaptureSummary
from tcptrace.kernels import Kernels, plain
from tcptrace.rows import part
from tcptrace.schema import UNKNOWN, Packets, Records, allocate

ROOM_STEP = 4096
"""Addresses for which room is made at a time."""


class Chunk(NamedTuple):
    """The TCP rows of some frames in a row."""

    packets: Packets
    kernels: Kernels
    """The set that decoded them; later stages use the same."""
    view: Any
    """`packets` as these kernels take them."""

    @classmethod
    def of(cls, packets: Packets, kernels: Kernels) -> Self:
        """A chunk of rows that no kernel has made."""
        return cls(packets, kernels, kernels.view(packets))


class Decoder:
    """Records of one capture into rows of Packets; counts in `summary` what made none."""

    def __init__(self, book: AddressBook, summary: CaptureSummary) -> None:
        self.book, self.summary = book, summary
        self._tables = [Chunk.of(allocate(Packets, 0), plain()) for _ in range(ITEMS_ALIVE)]
        self._cursor = np.zeros(c.CURSOR_SIZE, np.int64)
        self._verdicts = np.zeros(0, np.int32)

    def decode_chunk(
        self, buffer: bytearray | mmap, records: Records, n: int, first_frame: int, kernels: Kernels
    ) -> Chunk:
        """The rows of the first `n` records; record 0 is frame `first_frame`.

        The columns are views of arrays that a later call uses again; ITEMS_ALIVE of them are valid at a time.
        """
        room = self._room(n, kernels)
        rows = self._decode(buffer, records, n, first_frame, room)
        packets = part(room.packets, 0, rows)
        met = self._count(n)
        if not TELLING.isdisjoint(met):
            read_context(buffer, records, first_frame, self._verdicts[:n], met, packets, self.summary.context)
        self._note_cuts(packets, records, first_frame)
        return room._replace(packets=packets)

    def _room(self, n: int, kernels: Kernels) -> Chunk:
        """Columns for `n` rows, without SACK blocks."""
        room = self._tables.pop(0)
        is_new = n > len(room.packets.frame)
        if is_new or kernels is not room.kernels:
            room = Chunk.of(allocate(Packets, n) if is_new else room.packets, kernels)
        self._tables.append(room)
        if n > len(self._verdicts):
            self._verdicts = np.empty(n, np.int32)
        if is_new or room.packets.sack_count.any():  # a quarter of the table, and seldom needed
            room.packets.sack[:] = UNKNOWN
            room.packets.sack_count[:] = 0
        return room

    def _decode(self, buffer: bytearray | mmap, records: Records, n: int, first_frame: int, room: Chunk) -> int:
        """Fill the columns; how many rows."""
        _, kernels, table = room
        decode = kernels["capture.decode"].decode
        data, cursor, verdicts = kernels.view_bytes(buffer), kernels.view(self._cursor), kernels.view(self._verdicts)
        chunk = kernels.view(records)
        self._cursor[c.KIND] = c.NEXT_FRAME
        record = row = 0
        while True:
            addresses = kernels.view(self.book.table)
            record, row = decode(data, chunk, record, n, first_frame, table, row, addresses, verdicts, cursor)
            if record == n:
                return int(row)
            if self._cursor[c.KIND] == c.NEXT_FRAME:
                self.book.reserve(ROOM_STEP, kernels)
            else:
                self._dissect(buffer)

    def _dissect(self, buffer: bytearray | mmap) -> None:
        """Strip the headers of the long tail at which the kernel stopped."""
        array: Any = self._cursor  # mypy knows no buffer protocol of arrays
        with memoryview(buffer) as view, memoryview(array) as cursor:
            while cursor[c.KIND] >= c.LONG_TAIL:
                cursor[c.KIND] = step(view, cursor, cursor[c.KIND])

    def _count(self, n: int) -> set[int]:
        """Count frames by what they were; the verdicts met, but IS_TCP."""
        verdicts = self._verdicts[:n]
        others = verdicts[verdicts != c.IS_TCP]
        self.summary.tcp_frames += n - len(others)
        if not len(others):
            return set()
        counts = Counter(self.summary.other_frames)
        met, numbers = np.unique(others, return_counts=True)
        for verdict, count in zip(met.tolist(), numbers.tolist(), strict=True):
            counts[frame_name(verdict)] += count
        self.summary.other_frames = dict(counts)
        return set(met.tolist())

    def _note_cuts(self, packets: Packets, records: Records, first_frame: int) -> None:
        """Keep which segments were cut, and to what length."""
        self.summary.unflagged_frames += int(((packets.flags < 0) & (packets.window < 0) & (packets.quoted == 0)).sum())
        if packets.len_cut.max(initial=0) == 0:
            return
        cut, summary = np.flatnonzero(packets.len_cut), self.summary
        captured_lens = records.captured_len[packets.frame[cut] - first_frame]
        summary.cut_frames += len(cut)
        summary.cut_examples += packets.frame[cut[: CUT_EXAMPLES - len(summary.cut_examples)]].tolist()
        summary.cut_to_bytes = max(summary.cut_to_bytes, int(captured_lens.max()))
