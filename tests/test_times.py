import time
from collections.abc import Iterator

import pytest

from tcptrace.errors import UsageError
from tcptrace.times import TimeOfDay, parse_time, resolve

START_NS = 1_714_572_191_250_000_000  # 2024-05-01 14:03:11.250 UTC


@pytest.fixture(autouse=True)
def _two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T14:03:11.25Z",
        "2024-05-01T16:03:11.250",
        "2024-05-01 16:03:11.250000000",
        "2024-05-01T16:03:11.25+02:00",
        "1714572191.25",
    ],
)
def test_a_moment_can_be_written_in_many_ways(text: str) -> None:
    assert parse_time(text) == START_NS


def test_utc_is_for_times_that_do_not_say() -> None:
    assert parse_time("2024-05-01T14:03:11.25", utc=True) == START_NS
    assert parse_time("2024-05-01T16:03:11.25+02:00", utc=True) == START_NS


def test_nanoseconds_are_kept() -> None:
    assert parse_time("2024-05-01T14:03:11.250000001Z") == START_NS + 1
    assert parse_time("1714572191.250000001") == START_NS + 1


@pytest.mark.parametrize(("text", "utc"), [("16:03:11.25", False), ("14:03:11.25", True)])
def test_a_time_of_day_is_of_the_day_the_capture_begins(text: str, utc: bool) -> None:
    moment = parse_time(text, utc=utc)
    assert isinstance(moment, TimeOfDay)
    assert resolve(moment, START_NS + 3_600_000_000_000) == START_NS


def test_a_time_of_day_of_a_capture_without_date_is_what_the_text_says() -> None:
    for utc in (False, True):
        assert resolve(parse_time("00:00:02", utc=utc), 0) == 2_000_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "2024-13-01", "12:61", "9999999-01-01"])
def test_what_is_no_time_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(UsageError, match="since the epoch"):
        parse_time(text)


def test_resolving_a_moment_is_that_moment() -> None:
    assert resolve(START_NS, 0) == START_NS
    assert resolve(None, 0) is None
