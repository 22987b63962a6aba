from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace.correlation.linear_program import Floats, maximize


def naive(goal: Floats, rows: Floats, limits: Floats) -> float:
    """The best of all corners."""
    best = -np.inf
    for basis in combinations(range(len(rows)), rows.shape[1]):
        corner = rows[list(basis)]
        if abs(np.linalg.det(corner)) > 1e-9:
            x = np.linalg.solve(corner, limits[list(basis)])
            if (rows @ x <= limits + 1e-6).all():
                best = max(best, float(goal @ x))
    return best


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 6))
def test_the_best_corner_is_found(seed: int, size: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.vstack((np.eye(size), -np.eye(size), rng.integers(-2, 3, (more, size))))
    limits = np.concatenate((np.full(2 * size, 1000.0), rng.integers(0, 500, more)))
    goal = rng.integers(-3, 4, size).astype(float)
    found = maximize(goal, rows, limits)
    assert found.bounded or not goal.any()
    assert (rows @ found.x <= limits + 0.02).all()
    assert abs(goal @ found.x - naive(goal, rows, limits)) < 0.1
    for row in found.binding:
        assert abs(rows[row] @ found.x - limits[row]) < 0.02


def test_what_nothing_keeps_is_unbounded() -> None:
    rows, limits = np.array([[1.0, -1.0]]), np.array([5.0])
    assert not maximize(np.array([1.0, 0.0]), rows, limits).bounded
    apart = maximize(np.array([1.0, -1.0]), rows, limits)
    assert apart.bounded
    assert apart.x[0] - apart.x[1] == 5


def test_the_rows_that_hold_it_are_told() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    found = maximize(np.array([2.0, 1.0]), rows, np.array([6.0, 9.0, 10.0, 0.0, 0.0]))
    assert found.x.tolist() == [6, 4]
    assert sorted(found.binding) == [0, 2]
