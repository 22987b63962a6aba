"""Times as tcpdump prints them: midnight, file order, dates and the relative forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.capture import tcpdump_text
from tcptrace.schema import NO_TIME
from tests.tcpdump_reading import Reading, read

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
PACKET = "IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [P.], seq 1:78, ack 1, win 6, length 77"


def printed(*stamps: str) -> Reading:
    """Packets with these stamps, read."""
    return read("\n".join(f"{stamp} {PACKET}" for stamp in stamps))


def clock(ns: int) -> str:
    """A time of day as tcpdump prints it."""
    seconds = ns // SECOND % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ns % SECOND // 1000:06}"


@pytest.mark.parametrize(
    ("stamps", "seconds"),
    [
        (["23:59:59.5", "00:00:00.5"], [86_399.5, 86_400.5]),
        (["23:59:59.5", "00:00:00.5", "23:59:59.75", "00:00:01.0"], [86_399.5, 86_400.5, 86_399.75, 86_401]),
        (["23:00:00.0", "01:00:00.0", "23:00:00.0", "01:00:00.0"], [82_800, 90_000, 169_200, 176_400]),
        (["12:00:00.5", "12:00:00.25", "12:00:01.0"], [43_200.5, 43_200.25, 43_201]),
        (["02:59:59.0", "02:00:00.0"], [10_799, 7_200]),
        (["20:00:00.0", "10:00:00.0"], [72_000, 122_400]),
        (["00:30:00.0", "23:30:00.0"], [1_800, 84_600]),
    ],
    ids=[
        *("midnight", "out of order at midnight", "three days", "file order"),
        *("summer time ends", "a night between", "a long day"),
    ],
)
def test_time_of_day(stamps: list[str], seconds: list[float]) -> None:
    reading = printed(*stamps)
    assert reading.column("time_ns") == [round(second * SECOND) for second in seconds]
    assert reading.summary.dated is False


@given(st.lists(st.integers(0, 20 * 3600 * SECOND // 1000), min_size=1, max_size=20), st.integers(1, DAY // 1000 - 1))
def test_any_times_of_day_in_order_count_on_over_days(gaps: list[int], start: int) -> None:
    times = [start * 1000]
    for gap in gaps:
        times.append(times[-1] + gap * 1000)
    assert printed(*map(clock, times)).column("time_ns") == times


def test_times_since_the_previous_packet() -> None:
    stamps = [" 00:00:00.000000", " 00:00:00.127522", " 00:00:00.000088", "-00:00:00.000010", " 00:00:01.000000"]
    assert printed(*stamps).column("time_ns") == [0, 127_522_000, 127_610_000, 127_600_000, 1_127_600_000]


def test_times_since_the_first_packet() -> None:
    stamps = [" 00:00:00.000000", " 00:00:00.127522", " 00:00:00.127610", " 23:59:59.000000", " 00:00:01.000000"]
    assert printed(*stamps).column("time_ns") == [0, 127_522_000, 127_610_000, DAY - SECOND, DAY + SECOND]


def test_times_since_the_previous_packet_count_on_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = [" 00:00:00.000000", *[" 00:00:01.500000", " 00:00:00.500000"] * 10]
    whole = printed(*stamps)
    monkeypatch.setattr(tcpdump_text, "CHUNK_FRAMES", 4)
    assert printed(*stamps) == whole
    assert whole.rows[-1]["time_ns"] == 20 * SECOND


def test_frames_that_are_not_tcp_count_in_times_since_the_previous_packet() -> None:
    reading = read(
        f" 00:00:00.000000 {PACKET}\n 00:00:00.500000 ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28\n"
        f" 00:00:00.250000 {PACKET}\n"
    )
    assert reading.column("time_ns") == [0, SECOND * 3 // 4]


@pytest.mark.parametrize("stamp", ["2023-11-14 22:13:20.5", "1700000000.500000", "1700000000.500000000"])
def test_dated(stamp: str) -> None:
    reading = printed(stamp, stamp)
    assert reading.column("time_ns") == [1_700_000_000_500_000_000] * 2
    assert reading.summary.dated is True


@pytest.mark.parametrize("stamp", ["2023-13-45 22:13:20.5", "9999-12-31 22:13:20.5", "9999999999.500000"])
def test_a_time_that_cannot_be_is_unknown(stamp: str) -> None:
    assert printed(stamp).column("time_ns") == [NO_TIME]


def test_no_times_at_all() -> None:
    reading = read(f"{PACKET}\n{PACKET}")
    assert reading.column("time_ns") == [NO_TIME, NO_TIME]
    assert (reading.summary.start_ns, reading.summary.end_ns, reading.summary.dated) == (None, None, False)
