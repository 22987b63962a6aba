import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.rows import places

numbers = st.lists(st.integers(0, 20), unique=True)


@given(numbers, numbers)
def test_rows_are_found_by_value_in_the_order_asked_for(column: list[int], wanted: list[int]) -> None:
    column.sort()
    expected = [column.index(value) for value in wanted if value in column]
    assert places(np.array(column, np.int64), wanted).tolist() == expected
