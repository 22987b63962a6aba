"""Frames as a capture holds them, byte for byte, by their numbers: what decoding leaves behind, read once more."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tcptrace.capture.kernel_choice import KernelChoice
from tcptrace.capture.reader import identify
from tcptrace.capture.source import STANDARD_INPUT, open_source
from tcptrace.capture.summary import CaptureSummary
from tcptrace.capture.walk_pcapng import NO_PACKET
from tcptrace.capture.walking import Walked, Walker
from tcptrace.errors import CaptureError, UsageError
from tcptrace.kernels import Notice
from tcptrace.schema import I64

LINKTYPE_LINUX_SLL2 = 276
SLL2_BYTES = 20


class Frame(NamedTuple):
    """One frame of a recording."""

    frame: int
    """Its number, from 1."""
    interface: int
    """Index into the recording's interfaces."""
    link_type: int
    """LINKTYPE_ number."""
    time_ns: int
    """Time of capture since the epoch; NO_TIME when not recorded."""
    data: bytes
    """What was captured of it."""
    original_len: int
    """Bytes it had on the wire."""

    @property
    def if_index(self) -> int:
        """The interface's number in a Linux cooked header of version 2; -1 without."""
        is_cooked = self.link_type == LINKTYPE_LINUX_SLL2 and len(self.data) >= SLL2_BYTES
        return int.from_bytes(self.data[4:8]) & 0x7FFFFFFF if is_cooked else -1


def require_files(paths: Iterable[str]) -> None:
    """Raises UsageError for standard input and for a pipe: what can be read only once."""
    for path in paths:
        if path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file()):
            name = "standard input" if path == STANDARD_INPUT else path
            raise UsageError(f"{name}: its frames are read after its findings are known\n  save it to a file first")


class FrameReader:
    """The frames of a recording: a binary capture, or the files into which one was cut, in the order they are read.

    Frame numbers go on from file to file, and interfaces of one name are one.
    """

    def __init__(self, paths: Sequence[str], notice: Notice = lambda text: None) -> None:
        self._paths, self._notice = paths, notice
        self.interfaces: list[str] = []
        """Names, by the numbers that frames have; grows while they are read."""

    def frames(self, wanted: I64 | None = None) -> Iterator[Frame]:
        """Frames by number, once: those of `wanted`, which ascends, or all.

        Blocks of pcapng that hold no packet have numbers and are left out. Ends where reading must; what is damaged
        was told by who read the capture first. Raises CaptureError when it cannot be read at all or is text.
        """
        before = 0
        for path in self._paths:
            if wanted is not None and (not len(wanted) or wanted[-1] <= before):
                return
            before = yield from self._of_file(path, wanted, before)

    def _of_file(self, path: str, wanted: I64 | None, before: int) -> Generator[Frame, None, int]:
        """The frames of one file after `before` frames; how many there are then, as far as it was read."""
        summary = CaptureSummary(path, "")
        with open_source(path) as source:
            container = identify(source, summary)
            if container is None:
                raise CaptureError(path, "is text, which holds no frames", "name the capture that tcpdump printed")
            walker = Walker(source, container, summary, KernelChoice(source.size, self._notice))
            last = before
            for part in walker.parts():
                places = _places(part, before, wanted)
                numbers = self._numbers(summary.interfaces, is_first=before == 0)
                for frame in _frames(part, places, before):
                    yield frame._replace(interface=numbers[frame.interface])
                last = before + part.first_frame + len(part.records.offset) - 1
                if wanted is not None and last >= wanted[-1]:
                    break
        return last

    def _numbers(self, names: list[str], *, is_first: bool) -> list[int]:
        """For each interface of a file its number among those of the recording."""
        if is_first:
            self.interfaces[:] = names
            return list(range(len(names)))
        self.interfaces += [name for name in dict.fromkeys(names) if name not in self.interfaces]
        return [self.interfaces.index(name) for name in names]


def _places(part: Walked, before: int, wanted: I64 | None) -> I64:
    """The records among these that are wanted and hold a packet."""
    count = len(part.records.offset)
    if wanted is None:
        return np.flatnonzero(part.records.link_type != NO_PACKET)
    first = before + part.first_frame
    low, high = np.searchsorted(wanted, (first, first + count))
    places = wanted[low:high] - first
    found: I64 = places[part.records.link_type[places] != NO_PACKET]
    return found


def _frames(part: Walked, places: I64, before: int) -> Iterator[Frame]:
    """The frames at these places."""
    records = part.records
    columns = (
        places + (before + part.first_frame),
        records.interface[places],
        records.link_type[places],
        records.time_ns[places],
        records.offset[places],
        records.captured_len[places],
        records.original_len[places],
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for frame, interface, link_type, time_ns, offset, captured_len, original_len in rows:
        yield Frame(frame, interface, link_type, time_ns, part.buffer[offset : offset + captured_len], original_len)
