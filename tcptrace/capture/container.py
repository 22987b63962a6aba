"""What every binary capture format offers to the reader: records out of a window."""

from typing import NamedTuple, Protocol

from tcptrace.capture.chunks import Window
from tcptrace.kernels import Kernels
from tcptrace.schema import Records


class Walk(NamedTuple):
    """How far a walk through a window came."""

    place: int
    """The first record not taken; beyond the end of the window when the tail of a long one is stepped over."""
    filled: int
    """Records taken."""
    damage: str = ""
    """What ended the capture at `place`; empty when more can follow."""


class Container(Protocol):
    """A capture file format, opened."""

    format: str

    def walk(self, window: Window, place: int, records: Records, kernels: Kernels) -> Walk:
        """Fill `records`, from row 0 on, with those that lie in the window from `place` on."""

    def bytes_needed(self, window: Window, place: int) -> int:
        """Length of the record at `place`, which the window's end cuts; 0 when not even that is there."""
