"""Which set of kernels a capture is worth: plain ones at once, or compiled ones that must be loaded, or made.

The plain ones do a frame in 16 us through all stages, so the time it takes to load machine code that an
earlier run has kept is worth a few thousand frames, and the time to make it far more. A capture that is
known to hold more gets compiled kernels from the start; where the size says nothing (pipes, compressed
data), the plain ones work until they have cost as much.
"""

from tcptrace import kernels
from tcptrace.kernels import Kernels, Notice

FRAMES_WORTH_LOADING = 4_000
FRAMES_WORTH_MAKING = 300_000
"""Five seconds of the plain kernels, for twenty of making that later runs are spared."""
BYTES_WORTH = 1 << 26
"""So many bytes are worth it however few frames they hold: there may be nothing but other blocks in them."""


class KernelChoice:
    """The kernels for the next part of a capture; once compiled, always compiled."""

    def __init__(self, size: int | None, notice: Notice) -> None:
        self._size = size
        self._notice = notice
        self._chosen = kernels.plain()

    def next(self, frames: int, read_bytes: int) -> Kernels:
        """The set to use after `frames` frames in `read_bytes` bytes of the stream."""
        expected = frames
        if self._size and read_bytes:
            expected = frames * self._size // read_bytes
        if not self._chosen.compiled and (_are_worth_it(expected) or read_bytes > BYTES_WORTH):
            self._chosen = kernels.compiled(self._notice)
        return self._chosen


def _are_worth_it(frames: int) -> bool:
    """Whether compiled kernels spare more than they cost, for so many frames."""
    return frames > FRAMES_WORTH_MAKING or (frames > FRAMES_WORTH_LOADING and kernels.are_kept())
