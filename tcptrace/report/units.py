"""Numbers as a person reads them: durations, sizes, times of day."""

import time
from functools import lru_cache

from tcptrace.schema import NO_TIME
from tcptrace.times import is_undated

_SECOND = 1_000_000_000
_SHORT = ((999_500, 1_000, "µs"), (999_500_000, 1_000_000, "ms"))
_LONG = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_SIZES = ((1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def duration(ns: int) -> str:
    """`0 s`, `640 ns`, `301 µs`, `1.25 ms`, `1.042 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`."""
    if ns < 0:
        return f"-{duration(-ns)}"
    if 0 < ns < 1000:
        return f"{ns} ns"
    for below_ns, unit_ns, unit in _SHORT:
        if 0 < ns < below_ns:
            return f"{_three_digits(ns / unit_ns)} {unit}"
    if ns < 10 * _SECOND:
        return f"{ns / _SECOND:.3f} s" if ns else "0 s"
    if ns < 100 * _SECOND:
        return f"{_three_digits(ns / _SECOND)} s"
    seconds = round(ns / _SECOND)
    large_s, large, small_s, small = next(row for row in _LONG if seconds >= row[0])
    rest = seconds % large_s // small_s
    return f"{seconds // large_s} {large}" + (f" {rest} {small}" if rest else "")


def size(count: int) -> str:
    """`0`, `636`, `1.45k`, `12.3M`: three digits and a decimal unit."""
    for factor, unit in _SIZES:
        if count >= -(-factor * 9995 // 10000):
            return f"{_three_digits(count / factor)}{unit}"
    return str(count)


def sizes(client: int, server: int) -> str:
    """Bytes each side sent: `77/636`."""
    return f"{size(client)}/{size(server)}"


def milliseconds(ns: int) -> str:
    """A place on a timeline, to the microsecond: `128.589`."""
    return f"{ns / 1_000_000:.3f}"


def count(number: int, noun: str) -> str:
    """`1 flow`, `2,048 frames`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def moment(ns: int, *, utc: bool) -> str:
    """`2024-05-01 14:03:11.250 CEST`."""
    date, clock, zone = _calendar(ns // _SECOND, utc)
    return f"{date} {clock}.{ns % _SECOND // 1_000_000:03d} {zone}"


def time_of_day(ns: int, *, utc: bool) -> str:
    """`14:03:11.250123`, as the text says it where that has no date; empty for NO_TIME."""
    if ns == NO_TIME:
        return ""
    return f"{_calendar(ns // _SECOND, utc or is_undated(ns))[1]}.{ns % _SECOND // 1000:06d}"


def day(ns: int, *, utc: bool) -> str:
    """`2024-05-01`; empty where there is no date."""
    return "" if ns == NO_TIME or is_undated(ns) else _calendar(ns // _SECOND, utc)[0]


@lru_cache(maxsize=4096)
def _calendar(second: int, utc: bool) -> tuple[str, str, str]:
    """Date, time of day and zone of a second; a clock that left the calendar is shown as a number."""
    try:
        parts = time.gmtime(second) if utc else time.localtime(second)
    except (OverflowError, ValueError, OSError):
        return "no date", f"{second} s", "since 1970"
    return time.strftime("%Y-%m-%d", parts), time.strftime("%H:%M:%S", parts), "UTC" if utc else parts.tm_zone


def _three_digits(value: float) -> str:
    """Three significant digits, trailing zeros kept: `1.25`, `12.3`, `301`."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
