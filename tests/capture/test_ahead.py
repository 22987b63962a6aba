"""Items made in a thread: all of them, in order, never too many, with their errors."""

import threading
import time
from collections.abc import Generator

import pytest

from tcptrace.capture.ahead import ITEMS_ALIVE, Ahead


def counting(made: list[int], stop: int) -> Generator[int, None, None]:
    """The numbers below `stop`, each noted in `made` as its making begins."""
    for number in range(stop):
        made.append(number)
        yield number


def test_all_items_in_order() -> None:
    assert list(Ahead(counting([], 1000))) == list(range(1000))


def test_no_more_items_alive_than_promised() -> None:
    made: list[int] = []
    for item in Ahead(counting(made, 20)):
        time.sleep(0.002)
        assert max(made) - item < ITEMS_ALIVE


def test_what_the_generator_raises_comes_after_its_items() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise MemoryError("no more")

    items = iter(Ahead(failing()))
    assert next(items) == 1
    with pytest.raises(MemoryError, match="no more"):
        next(items)


def test_closed_midway_the_thread_ends() -> None:
    made: list[int] = []
    ahead = Ahead(counting(made, 1_000_000))
    assert next(iter(ahead)) == 0
    assert ahead.close()
    assert len(made) <= ITEMS_ALIVE


def test_a_blocked_thread_is_left_alone() -> None:
    pipe = threading.Event()

    def waiting() -> Generator[int, None, None]:
        yield 1
        pipe.wait()

    ahead = Ahead(waiting())
    assert next(iter(ahead)) == 1
    assert not ahead.close()
    pipe.set()
