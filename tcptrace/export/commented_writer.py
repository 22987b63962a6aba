"""A capture that says itself what was found: a pcapng whose frames have findings as comments."""

from collections.abc import Hashable, Iterable
from typing import BinaryIO, NamedTuple

from tcptrace.capture.frames import Frame
from tcptrace.capture.pcapng_writer import PcapngWriter
from tcptrace.diagnosis.rule import Finding


class Written(NamedTuple):
    """What a capture was given."""

    frames: int
    commented: int
    """Frames that have comments."""


class CommentedWriter:
    """Writes frames in the order given; interfaces are described when their first frame comes."""

    def __init__(self, out: BinaryIO) -> None:
        self._writer = PcapngWriter(out)
        self._interfaces: dict[tuple[Hashable, int], int] = {}
        self.frames = 0
        self.commented = 0

    def write(
        self, frame: Frame, time_ns: int, interface: Hashable, name: str, found: Iterable[Finding], origin: str
    ) -> None:
        """A frame as of that time, of an interface of that name, and what findings say of it.

        `origin` is where the numbers count that findings give frames.
        """
        key = interface, frame.link_type
        if key not in self._interfaces:
            self._interfaces[key] = self._writer.add_interface(name, frame.link_type)
        comments = [f"tcptrace: {one.rule}: {one.summary} [frame {frame.frame} of {origin}]" for one in found]
        self._writer.write(self._interfaces[key], time_ns, frame.data, frame.original_len, comments)
        self.frames += 1
        self.commented += bool(comments)

    @property
    def written(self) -> Written:
        """How much there is."""
        return Written(self.frames, self.commented)
