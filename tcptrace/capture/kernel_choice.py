"""Which set of kernels a capture is worth: plain ones at once, or compiled ones that must be loaded.

Loading numba and the compiled kernels takes half a second, in which the plain ones, at 16 us a frame
through all stages, do FRAMES_WORTH frames. So a capture that is known to hold more gets compiled
kernels from the start; where the size says nothing (pipes, compressed data), the plain ones work
until they have cost as much as loading.
"""

from tcptrace import kernels
from tcptrace.kernels import Kernels, Notice

FRAMES_WORTH = 30_000
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
        if not self._chosen.compiled and (expected > FRAMES_WORTH or read_bytes > BYTES_WORTH):
            self._chosen = kernels.compiled(self._notice)
        return self._chosen
