"""What the tracker measures of a conversation in words."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.schema import LIMITS, NO_TIME, REPEATS, Packets, Segments
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets

OPEN = "0 C S 0\n 10 S S. 0 1\n 20 C . 1 1\n"
MS = 1_000_000


def told(*chunks: Packets, with_kernels: Kernels | None = None) -> tuple[Tracker, Segments]:
    """The tracker after these chunks, and all their segments."""
    tracker = Tracker()
    chosen = with_kernels or kernels.plain()
    taken = [Segments._make(c.copy() for c in tracker.take(Chunk.of(chunk, chosen))) for chunk in chunks]
    return tracker, Segments._make(np.concatenate(columns) for columns in zip(*taken, strict=True))


def measures(tracker: Tracker) -> Any:
    """Those of the first flow, whose client sent first."""
    tracker.finish(NO_TIME)
    return Measured(tracker, np.zeros(1, np.int8)).of(np.zeros(1, np.int64))


def last_of(chunk: Packets) -> Any:
    """The columns of the last segment, its kind of repeat by name, the kinds of all, and the measures of the flow."""
    tracker, segments = told(chunk)
    values = {name: column[-1] for name, column in segments._asdict().items()}
    kinds = [REPEATS[kind] for kind in segments.repeat.tolist()]
    return SimpleNamespace(**values, measures=measures(tracker), kind=kinds[-1], kinds=kinds, segments=segments)


def last(text: str) -> Any:
    """The same of a conversation after its handshake."""
    return last_of(packets(OPEN + text))


def limits(text: str) -> dict[str, int]:
    """Milliseconds by cause of a conversation after its handshake."""
    return limits_of(packets(OPEN + text))


def limits_of(chunk: Packets) -> dict[str, int]:
    """Milliseconds by cause, those that took any."""
    found = last_of(chunk).measures
    return {name: int(getattr(found, f"{name}_ns")[0]) // MS for name in LIMITS if getattr(found, f"{name}_ns")[0]}
