"""Where zstd data stands between frames, headers and blocks, so that its end is known for whole or cut.

Only lengths are read, nothing is decoded. Source: RFC 8878 section 3.
"""

from collections.abc import Generator

_START_BYTES = 5
"""Magic number, and the first byte behind it, which tells how long the header is."""
_MAGIC_BYTES = 4
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_BLOCK_HEADER_BYTES = 3
_REPEATED_BYTE = 1
_CHECKSUM_BYTES = 4
_KEPT_BYTES = 16
"""Of an item; no header is longer."""


class ZstdFrames:
    """Follows zstd data through its items: headers, blocks, checksums."""

    def __init__(self) -> None:
        self._between_frames = True
        self._lengths = self._item_lengths()
        self._begin(next(self._lengths))

    @property
    def whole(self) -> bool:
        """Whether the data so far ends where a frame does."""
        return self._between_frames and self._missing == self._length

    @property
    def lacks_header(self) -> bool:
        """Whether the data so far ends inside a frame, where a header or checksum of more than a byte begins."""
        return self._missing == self._length > 1 and not (self._is_content or self._between_frames)

    def follow(self, data: bytes) -> None:
        """Take the next bytes; their end may lie anywhere."""
        place = 0
        while place < len(data):
            taken = min(self._missing, len(data) - place)
            self._item += data[place : place + min(taken, _KEPT_BYTES - len(self._item))]
            self._missing -= taken
            place += taken
            while self._missing == 0:
                self._begin(self._lengths.send(self._item))

    def _begin(self, length: int) -> None:
        self._length = self._missing = abs(length)
        self._is_content = length < 0
        self._item = b""

    def _item_lengths(self) -> Generator[int, bytes, None]:
        """The length of every item, negative for content, asked for with the first bytes of the one before."""
        while True:
            self._between_frames = True
            start = yield _START_BYTES
            self._between_frames = False
            if int.from_bytes(start[:_MAGIC_BYTES], "little") in _SKIPPABLE:
                size = start[_MAGIC_BYTES:] + (yield _MAGIC_BYTES - 1)
                yield -int.from_bytes(size, "little")
            else:
                yield from _frame_item_lengths(start[_MAGIC_BYTES])


def _frame_item_lengths(descriptor: int) -> Generator[int, bytes, None]:
    """The rest of a frame by the first byte of its header."""
    single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZE_BYTES[descriptor >> 6] or single_segment
    yield 1 - single_segment + _DICTIONARY_ID_BYTES[descriptor & 3] + content_size
    last = 0
    while not last:
        header = int.from_bytes((yield _BLOCK_HEADER_BYTES), "little")
        last = header & 1
        yield -1 if header >> 1 & 3 == _REPEATED_BYTE else -(header >> 3)
    if descriptor >> 2 & 1:
        yield _CHECKSUM_BYTES
