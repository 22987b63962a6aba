import pytest

from tcptrace.report import units
from tcptrace.schema import NO_TIME


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (640, "640 ns"),
        (1_000, "1.00 µs"),
        (301_000, "301 µs"),
        (999_600, "1.00 ms"),
        (129_000_000, "129 ms"),
        (999_600_000, "1.000 s"),
        (1_042_000_000, "1.042 s"),
        (12_345_000_000, "12.3 s"),
        (125_000_000_000, "2 min 5 s"),
        (3_600_000_000_000, "1 h"),
        (11_520_000_000_000, "3 h 12 min"),
        (187_200_000_000_000, "2 d 4 h"),
        (-301_000, "-301 µs"),
    ],
)
def test_a_duration_has_three_digits_and_a_unit(ns: int, text: str) -> None:
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (1450, "1.45k"),
        (999_499, "999k"),
        (999_999, "1.00M"),
        (12_345_678, "12.3M"),
    ],
)
def test_a_size_has_three_digits(count: int, text: str) -> None:
    assert units.size(count) == text


def test_moments_are_shown_in_the_zone_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    units._calendar.cache_clear()
    try:
        assert units.moment(1_714_572_191_250_000_000, utc=False) == "2024-05-01 16:03:11.250 XYZ"
        assert units.moment(1_714_572_191_250_000_000, utc=True) == "2024-05-01 14:03:11.250 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
        units._calendar.cache_clear()


def test_a_clock_out_of_the_calendar_is_no_failure() -> None:
    assert "since 1970" in units.moment(2**63 - 1, utc=True) or units.moment(2**63 - 1, utc=True).endswith("UTC")
    assert units.time_of_day(NO_TIME, utc=True) == ""
