"""What becomes of segments on a wire: fates for `Wire.treat`."""

import random
import socket
from collections import Counter
from collections.abc import Callable, Collection
from itertools import count

from frames import SEQUENCE, SYN, Segment
from wire import BEHIND_NEXT, Fate


def lost(_: Segment, __: float) -> None:
    """All is lost: a pulled plug."""


def lose_data(doomed: Collection[int]) -> Fate:
    """Lose the data segments of these numbers, counted from 0 as they come, repeats too."""
    return _of_data(doomed, lambda _: None)


def delay_data(late: Collection[int], seconds: float) -> Fate:
    """Hold up the data segments of these numbers; what comes after overtakes them."""
    return _of_data(late, lambda due: due + seconds)


def swap_data(late: Collection[int]) -> Fate:
    """Let each data segment of these numbers arrive right behind the next one."""
    return _of_data(late, lambda _: BEHIND_NEXT)


def spike(first: int, seconds: float) -> Fate:
    """From the data segment of this number on all wait until `seconds` have passed, and arrive in order."""
    numbers = count()
    ends = 0.0

    def fate(found: Segment, due: float) -> float:
        nonlocal ends
        if found.len_bytes and next(numbers) == first:
            ends = due + seconds
        return max(due, ends)

    return fate


def _of_data(chosen: Collection[int], then: Callable[[float], float | None]) -> Fate:
    numbers = count()

    def fate(found: Segment, due: float) -> float | None:
        return then(due) if found.len_bytes and next(numbers) in chosen else due

    return fate


class LoseAtRandom:
    """Lose a share of the data segments by dice of one seed, and know which, by relative sequence number."""

    def __init__(self, share: float, seed: int) -> None:
        self.lost: Counter[tuple[str, int, int]] = Counter()
        """How often each was: its sender, its sequence number, the sender's SYN being 0, and its length."""
        self._share, self._dice = share, random.Random(seed)
        self._isn: dict[str, int] = {}

    def __call__(self, found: Segment, due: float) -> float | None:
        sender = f"{socket.inet_ntoa(found.source)}:{found.ports[0]}"
        if found.flags & SYN:
            self._isn[sender] = found.seq
        if found.len_bytes and self._dice.random() < self._share:
            self.lost[sender, (found.seq - self._isn[sender]) % SEQUENCE, found.len_bytes] += 1
            return None
        return due
