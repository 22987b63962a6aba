import numpy as np
import pytest

from tcptrace.capture.pcapng import resolution
from tcptrace.correlation.clock_ticks import ticks_ns
from tests.correlation.passing import Passing


def shown(times_ns: list[int], declared_ns: int = 1) -> int:
    passages = Passing(["client"], np.array(times_ns)[:, None], [0] * len(times_ns)).passages()
    (found,) = ticks_ns(passages, [declared_ns])
    return found


RANDOM = np.random.default_rng(1).integers(10**17, 10**18, 20)


@pytest.mark.parametrize("tick_ns", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_show_what_they_were_cut_off_to(tick_ns: int) -> None:
    assert shown((RANDOM // tick_ns * tick_ns).tolist()) == tick_ns


def test_a_few_round_times_are_chance() -> None:
    assert shown([1_000_000, 3_000_000]) == 1_000


def test_one_odd_time_shows_that_none_was_cut_off() -> None:
    assert shown([*(RANDOM // 1000 * 1000).tolist(), 7]) == 1


def test_the_format_tells_what_times_do_not_show() -> None:
    """Of units that are no power of ten."""
    tick_ns = resolution(0x80 | 10, 0).unit_ns
    assert tick_ns == 976_563
    assert shown((RANDOM // tick_ns * tick_ns).tolist(), tick_ns) == tick_ns
    assert resolution(9, 0).unit_ns == resolution(12, 0).unit_ns == 1
    assert resolution(6, 0).unit_ns == 1_000


def test_a_point_without_times_has_no_unit_of_its_own() -> None:
    assert shown([]) == 1
