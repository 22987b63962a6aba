"""Clocks that were set while they were recorded."""

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import pytest

from tcptrace.correlation.clock_fit import STAMPS_NS
from tcptrace.correlation.clocks import Alignment, align
from tcptrace.correlation.order import routes
from tcptrace.schema import NO_TIME
from tests.correlation.aligned import DR, MS, NAT, TWO, S, aligned, least_delay_ns
from tests.correlation.passing import WrongClock, conversation
from tests.correlation.rearranged import rearranged, warped
from tests.correlation.recorded import case, recorded_by_one_clock

Set = Mapping[str, Sequence[tuple[int, int]]]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("case_of", "host", "steps"),
    [
        (TWO, "rs", [(30 * S, 2 * S)]),
        (TWO, "rs", [(30 * S, -2 * S)]),
        (TWO, "rs", [(20 * S, 5 * MS), (40 * S, -300 * S)]),
        (TWO, "client", [(30 * S, 2 * S)]),
        (TWO, "client", [(30 * S, -2 * S)]),
        (NAT, "client", [(30 * S, -2 * S)]),
        (NAT, "lvs", [(30 * S, -2 * S)]),
        (NAT, "lvs", [(30 * S, 60 * S), (50 * S, -60 * S)]),
        (NAT, "rs", [(30 * S, 50 * MS)]),
        (DR, "lvs", [(30 * S, S)]),
        (DR, "rs", [(30 * S, -S)]),
    ],
)
def test_a_clock_that_was_set_is_told(
    case_of: tuple[list[str], tuple[list[str], list[str]]], host: str, steps: list[tuple[int, int]], seed: int
) -> None:
    clocks = {"client": WrongClock(), "lvs": WrongClock(3 * S, 20), "rs": WrongClock(-90 * S, -35)}
    clocks[host] = WrongClock(clocks[host].ahead_ns, clocks[host].fast_ppm, steps)
    passing = conversation(np.random.default_rng(seed), *case_of, count=2000, span_ns=60 * S, clocks=clocks, streams=9)
    alignment = aligned(passing)
    for name, clock in alignment.clocks.items():
        assert len(clock.steps) == (len(steps) if name == host else 0), (name, clock.steps)
    clock = alignment.clocks[host]
    gone = 0
    for told, (at_ns, by_ns) in zip(clock.steps, steps, strict=True):
        gone += by_ns
        assert told.by_ns == pytest.approx(by_ns, abs=MS)
        true_ns = told.time_ns - gone - clocks[host].ahead_ns
        assert at_ns - 20 * MS < true_ns < at_ns + 400 * MS
    assert least_delay_ns(passing, alignment) >= -STAMPS_NS


def test_a_step_back_splits_frames_not_times() -> None:
    clocks = {"rs": WrongClock(0, 0, [(30 * S, -2 * S)])}
    passing = conversation(np.random.default_rng(0), *TWO, count=2000, span_ns=60 * S, clocks=clocks)
    (step,) = aligned(passing).clocks["rs"].steps
    at_rs = np.sort(passing.true_ns[:, 1])
    assert step.frames == {1: int(np.searchsorted(at_rs, 30 * S)) + 1}


# Whichever clock is the reference


def rearranged_case(name: str, order: Sequence[int]) -> Alignment:
    recorded = case(name)
    passages = rearranged(recorded.passages, list(order))
    starts = [recorded.recordings[point.recording].summary.start_ns for point in passages.points]
    first_ns = [NO_TIME if start is None else start for start in starts]
    return align(passages, routes(passages, passages.points), passages.points, first_ns)


@pytest.mark.parametrize(
    ("name", "host"), [("clocks-dr-step", "rs"), ("clocks-fullnat-step", "rs"), ("clocks-nat-step", "lvs")]
)
def test_a_step_is_told_of_the_same_host_in_all_orders_of_points(name: str, host: str) -> None:
    """Also where the reference is a director that sees requests only."""
    frames = None
    for order in list(permutations(range(len(case(name).passages.points))))[::7]:
        alignment = rearranged_case(name, order)
        steps = {one: clock.steps for one, clock in alignment.clocks.items() if clock.steps}
        assert list(steps) == [host]
        (step,) = steps[host]
        assert step.by_ns == pytest.approx(2.5 * S, abs=5 * MS)
        at = {case(name).name(order[point]): frame for point, frame in step.frames.items()}
        frames = frames or at
        assert at == frames


@pytest.mark.parametrize("name", recorded_by_one_clock())
def test_no_order_of_points_makes_up_a_step_or_opens_an_interval(name: str) -> None:
    points = range(len(case(name).passages.points))
    given = rearranged_case(name, points)
    alignment = rearranged_case(name, points[::-1])
    for pair, interval in given.bounds.items():
        assert [bound is None for bound in alignment.bounds[pair]] == [bound is None for bound in interval]
    assert not any(clock.steps for clock in alignment.clocks.values())


@pytest.mark.parametrize("seed", range(2))
def test_the_search_follows_the_points_not_the_arguments(seed: int) -> None:
    """Two clients reach one server through a gateway each; the server's clock is set."""
    recorded = case("same-client-two-gateways")
    rng = np.random.default_rng(seed)
    seen_ns = recorded.passages.sightings.time_ns
    start_ns, middle_ns = int(seen_ns.min()), int(np.median(seen_ns))
    clocks = {point.host: WrongClock(int(rng.integers(-300 * S, 300 * S))) for point in recorded.passages.points}
    clocks["server"] = WrongClock(0, 0, [(middle_ns - start_ns, -3 * S)])
    order = rng.permutation(len(recorded.passages.points)).tolist()
    passages = rearranged(warped(recorded.passages, clocks, start_ns), order)
    alignment = align(passages, routes(passages, passages.points), passages.points, [NO_TIME] * len(order))
    assert [host for host, clock in alignment.clocks.items() if clock.steps] == ["server"]
