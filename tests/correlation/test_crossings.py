import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace.correlation import crossings as module
from tcptrace.correlation.crossings import crossings, lower_hull
from tcptrace.correlation.order import routes
from tests.correlation.passing import written


def naive_hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Andrew's monotone chain."""
    chain: list[tuple[int, int]] = []
    for point in sorted(set(points)):
        if chain and chain[-1][0] == point[0]:
            continue
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2:]
            if (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) > 0:
                break
            chain.pop()
        chain.append(point)
    return chain


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=60))
def test_the_hull_is_that_of_the_naive_twin(points: list[tuple[int, int]]) -> None:
    x, y = np.array(points).T
    found = lower_hull(x, y)
    assert [points[row] for row in found] == naive_hull(points)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_hull_of_many_points_is_that_of_the_naive_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 10**6, module.MANY + 500)
    y = rng.exponential(10_000, len(x)).astype(np.int64) + x // 50
    found = lower_hull(x, y)
    assert [(int(x[row]), int(y[row])) for row in found] == naive_hull(list(zip(x.tolist(), y.tolist(), strict=True)))


def test_a_segment_ties_neighbours_and_where_one_lacks_it_those_beyond() -> None:
    points = ["client", "lvs:eth0", "lvs:eth1", "rs"]
    passages = written(
        points,
        """
        > SYN client=0/64 lvs:eth0=10/63 lvs:eth1=11/62 rs=20/61
        > ACK client=30/64 rs=50/61
        > ACK client=60/64 lvs:eth0=70/63
        """,
    ).passages()
    found = list(crossings(passages, routes(passages, passages.points), range(4)))
    assert [(points[c.source], points[c.target], c.passage.tolist()) for c in found] == [
        ("client", "lvs:eth0", [0, 2]),
        ("lvs:eth1", "rs", [0]),
        ("client", "rs", [1]),
    ]
