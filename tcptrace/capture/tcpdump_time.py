"""The times tcpdump prints, to nanoseconds: of day, since the epoch, with a date, and relative.

A time of day has no date: it counts from 1970-01-01 and a large step back is midnight, while a
small one is file order. `-ttt` (since the previous packet) and `-ttttt` (since the first) look
like a time of day and start at 00:00:00; what follows tells them apart. A date (`-tttt`) names no
zone; it is taken as UTC.
"""

import re
from datetime import date
from functools import lru_cache

import numpy as np

from tcptrace.schema import I64, NO_TIME

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MIDNIGHT_STEP_NS = 2 * 3600 * SECOND_NS
"""No clock is set back, and no file out of order, by more than this: midnight lies between."""
_DELTA_SHARE = 0.1
"""Times since the first packet hardly ever go back; times since the previous one do all the time."""
_LATEST_NS = 2**63 - 1

STAMP = (
    r"(?:(?P<date>\d{4}-\d\d-\d\d|\d\d/\d\d/\d{4})[ T])?"
    r"(?P<sign>-?)(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    r"|(?P<epoch>\d{1,10})\.(?P<epoch_fraction>\d{6,9})"
)
"""Any of the forms, as a pattern with named groups that `Clock.note` reads."""

_GROUPS = ("date", "sign", "clock", "fraction", "epoch", "epoch_fraction")
_FRACTION_UNIT_NS = [10 ** (9 - digits) for digits in range(10)]


class Clock:
    """Turns the stamps of one text, in order, into times since the epoch.

    `note` takes the stamps of a chunk's frames, `settle` gives their times: only then are there
    enough of them to tell the forms apart.
    """

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._of_day: list[bool] = []
        self._seen: set[bool] = set()
        self._since_previous: bool | None = None
        self._days = 0
        self._last: int | None = None

    @property
    def dated(self) -> bool:
        """Whether every time so far came with its date, and there was one."""
        return self._seen == {False}

    def note(self, line: re.Match[str]) -> None:
        """Take the stamp of the next frame from a match of a pattern that holds STAMP."""
        value, of_day = _read(*line.group(*_GROUPS))
        self._stamps.append(value)
        self._of_day.append(of_day)

    def settle(self) -> I64:
        """The times of the frames noted since the last call, NO_TIME without."""
        times = np.array(self._stamps, np.int64)
        of_day = np.array(self._of_day, bool)
        self._seen.update(of_day[times != NO_TIME].tolist())
        if of_day.any():
            times[of_day] = self._count_on(times[of_day])
        self._stamps, self._of_day = [], []
        return times

    def _count_on(self, stamps: I64) -> I64:
        """Times of stamps without a date, which continue those of earlier chunks."""
        if self._since_previous is None:
            self._since_previous = _are_since_previous(stamps)
        before = int(stamps[0]) if self._last is None else self._last
        times: I64
        if self._since_previous:
            times = np.cumsum(stamps) + (self._last or 0)
            self._last = int(times[-1])
        else:
            times = stamps + self._day_numbers(np.diff(stamps, prepend=before)) * DAY_NS
            self._last = int(stamps[-1])
        return times

    def _day_numbers(self, steps: I64) -> I64:
        """How many midnights lie before each time, given its step from the one before."""
        turns = np.zeros(len(steps), np.int64)
        for place in np.flatnonzero(np.abs(steps) > MIDNIGHT_STEP_NS).tolist():
            if steps[place] < 0:
                turns[place] = 1
            elif self._days > 0 and steps[place] > DAY_NS - MIDNIGHT_STEP_NS:
                turns[place] = -1  # out of order just after midnight
            self._days += int(turns[place])
        return self._days - int(turns.sum()) + np.cumsum(turns)


def _are_since_previous(stamps: I64) -> bool:
    """Whether the first stamps of a text are those of `-ttt`."""
    steps = np.diff(stamps)
    back = int(((steps < 0) & (steps > -MIDNIGHT_STEP_NS)).sum())
    return int(stamps[0]) == 0 and back > _DELTA_SHARE * len(stamps)


def _read(day: str, sign: str, clock: str, fraction: str, epoch: str, epoch_fraction: str) -> tuple[int, bool]:
    """The stamp in ns, and whether it is a time of day alone; groups that did not match are None."""
    if clock:
        value = _seconds(day, clock) * SECOND_NS
        if fraction:
            value += int(fraction) * _FRACTION_UNIT_NS[len(fraction)]
        if day:
            return (value if value >= 0 else NO_TIME), False
        return (-value if sign else value), True
    if epoch:
        value = int(epoch) * SECOND_NS + int(epoch_fraction) * _FRACTION_UNIT_NS[len(epoch_fraction)]
        return (value if value <= _LATEST_NS else NO_TIME), False
    return NO_TIME, False


@lru_cache(maxsize=64)
def _seconds(day: str, clock: str) -> int:
    """Seconds since the epoch, or of the day; negative when there is no such date."""
    seconds = int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8])
    if not day:
        return seconds
    iso = f"{day[6:]}-{day[:2]}-{day[3:5]}" if "/" in day else day
    try:
        days = date.fromisoformat(iso).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        return -1
    return days * 86_400 + seconds if days < _LATEST_NS // DAY_NS else -1
