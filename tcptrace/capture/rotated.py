"""The files into which one recording was cut (`tcpdump -C` and `-G`), read as the one it was."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.context import Context
from tcptrace.capture.decoding import Chunk
from tcptrace.capture.reader import open_capture
from tcptrace.capture.summary import CUT_EXAMPLES, CaptureSummary
from tcptrace.kernels import Notice
from tcptrace.schema import I32


class RotatedReader:
    """Captures in order of their first frame; frame numbers go on from file to file.

    `paths` are in that order. `summary` is of all of them, complete once `chunks` is exhausted; `addresses` grows with
    it.
    """

    def __init__(self, paths: Sequence[str], notice: Notice) -> None:
        self.paths, self._notice = tuple(sorted(paths, key=_begins_ns) if len(paths) > 1 else paths), notice
        self.summary = CaptureSummary(", ".join(self.paths), "")
        self.addresses = AddressBook(self.summary.context.names)
        self._by_name: dict[str, list[int]] = defaultdict(list)

    def chunks(self) -> Iterator[Chunk]:
        """All packets, once. Raises CaptureError for a file that cannot be read at all."""
        for path in self.paths:
            yield from self._of_file(path)
        self.addresses.settle()

    def _of_file(self, path: str) -> Iterator[Chunk]:
        with open_capture(path, self._notice, self.addresses) as reader:
            before, several = self.summary.frames, len(self.paths) > 1
            places = np.empty(0, np.int32)
            for chunk in reader.chunks():
                if len(places) < len(reader.summary.interfaces):
                    places = self._places(reader.summary.interfaces)
                if several:
                    chunk.packets.interface[:] = places[chunk.packets.interface]
                    chunk.packets.frame[:] += before
                yield chunk
            places = self._places(reader.summary.interfaces)
            _add(self.summary, reader.summary, places.tolist(), several=several)

    def _places(self, names: Sequence[str]) -> I32:
        """The numbers of a file's interfaces among those of all files: the second eth0 of each is one interface."""
        known, met = self.summary.interfaces, Counter[str]()
        found = []
        for name in names:
            places = self._by_name[name]
            if len(places) <= met[name]:
                places.append(len(known))
                known.append(name)
            found.append(places[met[name]])
            met[name] += 1
        return np.array(found, np.int32)


def _begins_ns(path: str) -> tuple[int, str]:
    """When a file's first frames were taken."""
    with open_capture(path) as reader:
        next(reader.chunks(), None)
        return reader.summary.start_ns or 0, path


def _add(whole: CaptureSummary, part: CaptureSummary, places: Sequence[int], *, several: bool) -> None:
    """Add what is known of one file to what is known of those before it."""
    before = whole.frames
    whole.problems += [f"{part.path}: {problem}" if several else problem for problem in part.problems]
    whole.link_types += [name for name in part.link_types if name not in whole.link_types]
    whole.format = whole.format or part.format
    whole.tick_ns = max(whole.tick_ns, part.tick_ns)
    whole.dated &= part.dated
    whole.truncated |= part.truncated
    for first_ns, last_ns in part.recordings:
        whole.note_recording(first_ns, first_ns, last_ns)
    for name, count in part.other_frames.items():
        whole.other_frames[name] = whole.other_frames.get(name, 0) + count
    whole.cut_examples += [frame + before for frame in part.cut_examples][: CUT_EXAMPLES - len(whole.cut_examples)]
    whole.cut_to_bytes = max(whole.cut_to_bytes, part.cut_to_bytes)
    whole.frames += part.frames
    whole.tcp_frames += part.tcp_frames
    whole.cut_frames += part.cut_frames
    whole.unflagged_frames += part.unflagged_frames
    _add_context(whole.context, part.context, places, before)


def _add_context(whole: Context, part: Context, places: Sequence[int], before: int) -> None:
    whole.icmp += [error._replace(frame=error.frame + before) for error in part.icmp]
    whole.arp += [claim._replace(frame=claim.frame + before, interface=places[claim.interface]) for claim in part.arp]
    for address, name in part.names.items():
        whole.name(address, name)
    whole.met.update(part.met)
