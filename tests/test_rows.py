import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.rows import distinct, places, stable_order

numbers = st.lists(st.integers(0, 20), unique=True)


@given(numbers, numbers)
def test_rows_are_found_by_value_in_the_order_asked_for(column: list[int], wanted: list[int]) -> None:
    column.sort()
    expected = [column.index(value) for value in wanted if value in column]
    assert places(np.array(column, np.int64), wanted).tolist() == expected


repeated = st.lists(st.integers(0, 20) | st.integers(0, 2**40))


@given(repeated)
def test_distinct_values_are_told_once_and_in_order(values: list[int]) -> None:
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


@given(repeated)
def test_a_stable_order_leaves_equal_numbers_as_they_stand(values: list[int]) -> None:
    assert stable_order(np.array(values, np.int64)).tolist() == sorted(range(len(values)), key=values.__getitem__)
