"""Where flights stop growing: flights in, their size and the time out."""

import pytest

from tests.conversation import packets
from tests.tcp.measured import MS, last_of

MSS = 536  # of a SYN that names none


HANDSHAKE = "0 C S 0\n 10 S S. 0 1\n 11 C . 1 1\n"


def flights(*counts: int, opened: str = HANDSHAKE, size: int = MSS, tail: int = 0, here: str = "", ms: int = 30) -> str:
    """Flights of so many segments, each released by the ACKs of the one before, which come `ms` later, of 31.

    Each ends with a segment of `tail` bytes, if that is not 0; `here` follows each ACK.
    """
    lines, position, now = [opened], 1, 100
    for count in counts:
        ends = [position + size * (n + 1) for n in range(count)]
        ends[-1] += tail - size if tail else 0
        for start, end in zip([position, *ends], ends, strict=False):
            lines.append(f"{now} C . {start}:{end} 1")
        half = ends[len(ends) // 2]
        lines += [f"{now + ms} S . 1 {end} {here}" for end in sorted({half, ends[-1]})]
        position, now = ends[-1], now + 31
    return "\n".join(lines)


def slow_start(text: str) -> tuple[int, int]:
    """Bytes and milliseconds; (0, -1): it was not seen to end."""
    found = last_of(packets(text)).measures
    ended_ns = int(found.client_slow_start_ns[0])
    return int(found.client_slow_start_bytes[0]), ended_ns // MS if ended_ns >= 0 else -1


def test_it_ends_at_the_first_of_two_flights_that_grow_no_more() -> None:
    assert slow_start(flights(2, 4, 8, 16)) == (0, -1)
    assert slow_start(flights(2, 4, 8, 8, 8, 8)) == (8 * MSS, 123)


def test_one_flight_that_does_not_grow_is_no_end() -> None:
    assert slow_start(flights(2, 4, 8, 8, 16, 32)) == (0, -1)


def test_a_loss_ends_it() -> None:
    grown = flights(2, 4, 8)
    assert slow_start(f"{grown}\n 194 C . 7505:8041 1\n 900 C . 7505:8041 1") == (8 * MSS, 800)


@pytest.mark.parametrize(
    "text",
    [
        flights(1, 1, 1, 1, 1, 1, size=100),  # never a full segment
        flights(4, 4, 4, 4, 4, 4, tail=100),  # nothing more to say at the end of each
        flights(8, 8, 8, 8, 8, here="window=34"),  # no more than the receiver lets
        flights(8, 8, 8, 8, 8, opened="0 C . 1 1\n 10 S . 1 1\n"),  # its beginning was not seen
        flights(8, 8, 8, 8, 8, opened="0 C S 0\n 1 S S. 0 1\n 30 C . 1 1\n", ms=1),  # seen near the receiver
        flights(1, size=100) + "\n 131 C . 101:637 1\n 132 C . 637:700 1\n 900 C . 101:637 1",  # no ACK let that go
        flights(1, size=100) + "\n 900 C . 101:201 1\n 1900 C . 101:201 1",  # a loss of what the application limited
    ],
)
def test_it_is_not_told_where_the_window_of_the_sender_is_not_what_it_waits_for(text: str) -> None:
    assert slow_start(text) == (0, -1)
