"""Positions from raw numbers, against the definition by brute force."""

from hypothesis import given
from hypothesis import strategies as st

from tcptrace.tcp.sequence import CYCLE, unwrap

NUMBER = st.integers(0, CYCLE - 1)


@given(NUMBER, st.integers(CYCLE, 2**40))
def test_nearest_position_with_that_number(number, near):
    cycles = near // CYCLE
    candidates = [number + CYCLE * cycle for cycle in (cycles - 1, cycles, cycles + 1)]
    distance = min(abs(candidate - near) for candidate in candidates)
    got = unwrap(number, near)
    assert got % CYCLE == number
    assert abs(got - near) == distance


@given(NUMBER)
def test_first_number_of_a_stream_is_never_negative(number):
    assert unwrap(number, -1) == number + CYCLE
