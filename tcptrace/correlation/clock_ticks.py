"""How finely the points' times are told: as the formats of their captures say, and as the times themselves show."""

from collections.abc import Sequence

import numpy as np

from tcptrace.correlation.passages import Passages
from tcptrace.schema import I64, NO_TIME

MICROSECOND_NS = 1_000
"""Most captures cut times off to that, whatever their format could hold."""
ZEROS = 8
"""Different times must end in so many further zeros, together, before they are taken for cut off to more."""
SAMPLES = 4_096


def ticks_ns(passages: Passages, declared_ns: Sequence[int] = ()) -> list[int]:
    """The unit of each point's times, in nanoseconds: what happened within one has one time, that of its beginning.

    `declared_ns` are the units of the points' formats; times may have been cut off to coarser ones before.
    """
    shown = [_shown_ns(column[column != NO_TIME]) for column in passages.time_ns.T]
    return [max(units) for units in zip(shown, declared_ns or shown, strict=True)]


def _shown_ns(times_ns: I64) -> int:
    """The coarsest unit that all times are whole numbers of."""
    some = np.unique(times_ns[:: len(times_ns) // SAMPLES + 1])
    if not len(some) or (some % MICROSECOND_NS).any():
        return 1
    coarse = (MICROSECOND_NS * 10**zeros for zeros in range(1, 7) if zeros * len(some) >= ZEROS)
    return max((unit for unit in coarse if not (some % unit).any()), default=MICROSECOND_NS)
