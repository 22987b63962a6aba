"""Points in time as a user writes them, to nanoseconds since the epoch.

A time of day alone means that time on the day a capture begins, so it stays a `TimeOfDay` until
the capture's first frame is known.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from tcptrace.errors import UsageError

SECOND_NS = 1_000_000_000

_YEAR_NS = 365 * 86_400 * SECOND_NS
_EPOCH = re.compile(r"(-?\d+)(?:\.(\d{1,9}))?$")
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$")
_FRACTION = re.compile(r"(:\d\d)\.(\d{1,9})")


@dataclass(frozen=True)
class TimeOfDay:
    """Hours to nanoseconds of a day that only the capture knows; local time unless `utc`."""

    ns: int
    utc: bool = False

    def on_day_of(self, first_ns: int) -> int:
        """Nanoseconds since the epoch, on the day of a capture's first frame."""
        zone = _zone(self.utc or is_undated(first_ns))
        day = datetime.fromtimestamp(first_ns // SECOND_NS, zone)
        moment = day.replace(
            hour=self.ns // (3600 * SECOND_NS),
            minute=self.ns // (60 * SECOND_NS) % 60,
            second=self.ns // SECOND_NS % 60,
            tzinfo=zone,
            fold=0,
        )
        return int(moment.timestamp()) * SECOND_NS + self.ns % SECOND_NS


Moment = int | TimeOfDay
"""Nanoseconds since the epoch, or a time of day."""


def parse_time(text: str, *, utc: bool = False) -> Moment:
    """What `--since` and `--until` take: `2024-05-01T14:03:11.25`, `1714572191.25`, `14:03`.

    A time without an offset is local time unless `utc`. Raises UsageError.
    """
    text = text.strip()
    if match := _EPOCH.match(text):
        seconds, fraction = int(match[1]) * SECOND_NS, _nanoseconds(match[2])
        return seconds - fraction if text.startswith("-") else seconds + fraction
    if match := _TIME_OF_DAY.match(text):
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        if hours < 24 and minutes < 60 and seconds < 60:
            return TimeOfDay((hours * 3600 + minutes * 60 + seconds) * SECOND_NS + _nanoseconds(match[4]), utc)
    return _parse_date(text, utc)


def is_undated(time_ns: int) -> bool:
    """Whether a time is that of text without a date: a clock's reading, counted from 1970-01-01 and in no zone."""
    return 0 <= time_ns < _YEAR_NS


def resolve(moment: Moment | None, first_ns: int) -> int | None:
    """A moment as nanoseconds since the epoch, for a capture that begins at `first_ns`."""
    return moment.on_day_of(first_ns) if isinstance(moment, TimeOfDay) else moment


def _parse_date(text: str, utc: bool) -> int:
    fraction = _FRACTION.search(text)
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(utc))
        return int(moment.timestamp()) * SECOND_NS + (_nanoseconds(fraction[2]) if fraction else 0)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{text!r} is no time\n"
            "  write 2024-05-01T14:03:11 (a fraction or an offset may follow), seconds since the epoch, or 14:03:11"
        ) from error


def _zone(utc: bool) -> tzinfo | None:
    """UTC, or None: datetime takes that for local time."""
    return UTC if utc else None


def _nanoseconds(digits: str | None) -> int:
    return int((digits or "").ljust(9, "0"))
