"""The segments of every stream, each once, and where each was seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tcptrace.correlate.result import NOWHERE, Points
from tcptrace.schema import I8, I32, I64, NO_TIME, Sightings

Flags2D = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Passages:
    """Transmissions of the streams, N rows in order of stream, then of first sight.

    A segment sent again is a row of its own. Positions count from the sender's ISN, at all points alike, also where
    the sequence numbers were shifted on the way.
    """

    points: Points
    sightings: Sightings
    stream: I64
    """(N,) number of the stream."""
    direction: I8
    """(N,) REQUEST or REPLY."""
    start: I64
    """(N,) position of its first number; -1 unknown."""
    end: I64
    """(N,) position after payload, SYN and FIN."""
    ack: I64
    """(N,) its acknowledgement, a position of the other direction; -1 without."""
    flags: I64
    """(N,) TCP flags."""
    len: I64
    """(N,) payload in bytes; -1 unknown."""
    row: I32
    """(N, points) row in the sightings; NOWHERE where that point lacks it."""
    partly: Flags2D
    """(N, points) whether the point saw its bytes in segments of other sizes (segmentation offload): `row` is then
    the one that holds its last byte."""

    @property
    def time_ns(self) -> I64:
        """(N, points) times by the points' own clocks; NO_TIME where it was not seen."""
        return np.where(self.row >= 0, self.sightings.time_ns[self.row], NO_TIME)

    @property
    def frame(self) -> I64:
        """(N, points) frames; NOWHERE where it was not seen."""
        return np.where(self.row >= 0, self.sightings.frame[self.row], NOWHERE)
