from itertools import combinations

import numpy as np
import pytest

from tcptrace.correlation.clock_fit import STAMPS_NS
from tcptrace.correlation.clocks import align
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.fates import fates
from tcptrace.correlation.hops import hops
from tcptrace.correlation.order import routes
from tcptrace.schema import NO_TIME
from tests.correlation.aligned import S, aligned, aligned_case, intervals, least_delay_of
from tests.correlation.passing import WrongClock, written
from tests.correlation.rearranged import cut_off, warped
from tests.correlation.recorded import case, recorded_by_one_clock

# What is published


def test_a_director_that_sees_requests_only_is_bound_by_the_realserver() -> None:
    alignment = aligned_case(case("lvs-dr"))
    assert intervals(alignment) == {
        "client": (0, 0, 0),
        "lvs": (-289_667, -323_000, -223_000),
        "rs": (-185_333, -252_000, -152_000),
    }
    assert alignment.bounds["rs", "lvs"] == (71_000, 171_000)
    assert alignment.clocks["lvs"].basis == "segments exchanged with client and rs"


def test_the_clocks_of_the_published_fullnat_case_are_12_7_seconds_apart() -> None:
    alignment = aligned_case(case("dpvs-fullnat"))
    assert intervals(alignment)["rs"] == (-12_718_743_000, -12_718_871_000, -12_718_615_000)
    points = case("dpvs-fullnat").passages.points
    assert alignment.delay_error_ns(points, 0, 1) == (-128_999, 128_999)


# What was recorded, with clocks that agree


@pytest.mark.parametrize("name", recorded_by_one_clock())
def test_the_true_offset_of_recorded_clocks_is_inside(name: str) -> None:
    recorded = case(name)
    alignment = aligned_case(recorded)
    for clock in alignment.clocks.values():
        assert clock.low_ns is None or clock.low_ns <= 0
        assert clock.high_ns is None or clock.high_ns >= 0
        assert clock.drift_ppm is None
        assert clock.steps == ()
    passages = recorded.passages
    times = alignment.reference_ns(passages)
    for stream, route in enumerate(routes(passages, passages.points)):
        for direction, order in enumerate(route.resets):
            rows = np.flatnonzero((passages.stream == stream) & (passages.direction == direction))
            for a, b in combinations(order, 2):
                both = rows[(passages.row[rows][:, [a, b]] != NOWHERE).all(axis=1)]
                assert (times[both, b] >= times[both, a]).all()


JOINED = {"gro-at-receiver": "set amid a burst, whose segments the receiver saw joined: which came before is not told"}


@pytest.mark.parametrize("name", [name for name in recorded_by_one_clock() if name not in JOINED])
def test_recorded_clocks_that_are_warped_come_right(name: str) -> None:
    """Shifted by minutes, drifting by up to 100 ppm, one of them set."""
    recorded = case(name)
    hosts = list(dict.fromkeys(point.host for point in recorded.passages.points))
    bound = [host for host, clock in aligned_case(recorded).clocks.items() if None not in (clock.low_ns, clock.high_ns)]
    seen_ns = recorded.passages.sightings.time_ns
    start_ns, middle_ns = int(seen_ns.min()), int(np.median(seen_ns))
    for seed, set_by in ((1, ()), (2, ()), (3, [(middle_ns - start_ns, -3 * S)])):
        rng = np.random.default_rng(seed)
        clocks = {host: WrongClock(int(rng.integers(-300 * S, 300 * S)), int(rng.integers(-50, 51))) for host in hosts}
        clocks[hosts[0]] = WrongClock(0, clocks[hosts[0]].fast_ppm)
        if set_by and bound:
            clocks[bound[-1]] = WrongClock(clocks[bound[-1]].ahead_ns, 0, set_by)
        passages = warped(recorded.passages, clocks, start_ns)
        points = passages.points
        true_ns, first_ns = {}, []
        for host in hosts:
            its_ns = seen_ns[[points[number].host == host for number in passages.sightings.point.tolist()]]
            at_ns = np.sort(its_ns)[:1] - start_ns
            true_ns[host] = (clocks[hosts[0]].shows(at_ns) - clocks[host].shows(at_ns)).tolist()
        for number in range(len(points)):
            rows = np.flatnonzero(passages.sightings.point == number)
            first = rows[passages.sightings.frame[rows].argmin()] if len(rows) else None
            first_ns.append(NO_TIME if first is None else int(passages.sightings.time_ns[first]))
        alignment = align(passages, routes(passages, points), points, first_ns)
        for host, clock in alignment.clocks.items():
            for true in true_ns[host]:
                assert clock.low_ns is None or clock.low_ns <= true
                assert clock.high_ns is None or clock.high_ns >= true
            assert "contradictory" not in clock.basis
        assert least_delay_of(passages, alignment) >= -STAMPS_NS


@pytest.mark.parametrize("tick_ns", [1_000, 1_000_000])
@pytest.mark.parametrize("name", ["ipvs-nat", "ipvs-dr", "random-loss", "haproxy", "vxlan-between-nodes"])
def test_times_cut_off_hide_no_truth_and_make_no_delay_negative(name: str, tick_ns: int) -> None:
    """Clocks drift by up to 100 ppm against the first, and show whole microseconds, or milliseconds."""
    recorded = case(name)
    hosts = list(dict.fromkeys(point.host for point in recorded.passages.points))
    middle_ns = int(np.median(recorded.passages.sightings.time_ns))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        clocks = {host: WrongClock(int(rng.integers(-9 * S, 9 * S)), int(rng.integers(-100, 101))) for host in hosts}
        clocks[hosts[0]] = WrongClock()
        passages = cut_off(warped(recorded.passages, clocks, middle_ns), tick_ns)
        points = passages.points
        ways = routes(passages, points)
        first_ns = [int(column[column != NO_TIME].min()) for column in passages.time_ns.T]
        alignment = align(passages, ways, points, first_ns, [tick_ns] * len(points))
        for host, clock in alignment.clocks.items():
            true_ns = clocks[host].true_ns(np.array([clock.start_ns - middle_ns]))[0] + middle_ns - clock.start_ns
            assert clock.low_ns is None or clock.low_ns <= true_ns, (host, seed)
            assert clock.high_ns is None or clock.high_ns >= true_ns, (host, seed)
            assert "contradictory" not in clock.basis
        became = fates(passages, ways, (), {})
        for hop in hops(passages, ways, became, alignment):
            assert hop.delay is None or 0 <= hop.delay.min_ns <= hop.delay.p50_ns <= hop.delay.max_ns
            assert hop.delay is None or 0 <= hop.delay.low_ns <= hop.delay.high_ns
            assert hop.delay is None or hop.delay.p50_ns % tick_ns == 0


# What ties little or nothing


def test_one_way_leaves_one_side_open() -> None:
    alignment = aligned(written(["client", "rs"], "> SYN client=0/64 rs=150/63\n> SYN client=900/64 rs=990/63"))
    assert intervals(alignment)["rs"] == (0, -90_084, None)
    assert alignment.clocks["rs"].basis.startswith("one way only")


def test_one_way_a_clock_is_believed_unless_delays_were_none() -> None:
    text = "> SYN client=1000/64 rs=1150/63"
    early = aligned(written(["client", "rs"], text, {"rs": WrongClock(-500_000)}))
    assert intervals(early)["rs"] == (350_000, 350_000, None)
    late = aligned(written(["client", "rs"], text, {"rs": WrongClock(12 * S)}))
    assert intervals(late)["rs"] == (-12 * S - 150_000, -12 * S - 150_000, None)


def test_nothing_shared_is_no_common_reference() -> None:
    text = """
        0 > SYN client=0 lvs=100
        0 < ACK client=230 lvs=130
        1 > SYN a=0 b=100
        1 < ACK a=230 b=130
    """
    alignment = aligned(written(["client", "lvs", "a", "b"], text, {"b": WrongClock(5 * S)}))
    assert intervals(alignment)["lvs"] == (0, -100_000, 100_000)
    assert intervals(alignment)["a"] == (0, None, None)
    assert intervals(alignment)["b"] == (-5 * S, None, None)
    assert alignment.clocks["a"].basis == "no common reference"
    assert alignment.bounds["b", "a"] == (-5 * S - 100_000, -5 * S + 100_000)


def test_text_without_times_tells_nothing() -> None:
    passing = written(["client", "rs"], "> SYN client=0 rs=100\n< ACK client=230 rs=130")
    passages = passing.passages()
    passages.sightings.time_ns[passages.sightings.point == 1] = NO_TIME
    alignment = align(passages, routes(passages, passages.points), passages.points, [0, NO_TIME])
    assert intervals(alignment)["rs"] == (0, None, None)
    assert alignment.reference_ns(passages).tolist() == [[0, NO_TIME], [230_000, NO_TIME]]


def test_trusted_clocks_are_taken_as_they_are() -> None:
    text = "> SYN client=0 rs=100\n< ACK client=230 rs=130"
    alignment = aligned(written(["client", "rs"], text, {"rs": WrongClock(5 * S)}), trust=True)
    assert intervals(alignment) == {"client": (0, 0, 0), "rs": (0, 0, 0)}
    points = written(["client", "rs"], text).passages().points
    assert alignment.delay_error_ns(points, 0, 1) == (-999, 999)


def test_microseconds_cut_off_are_no_contradiction() -> None:
    """Both ways took 0.4 us and were seen at the turn of one."""
    alignment = aligned(written(["client", "rs"], "> SYN client=10/64 rs=9/63\n< ACK rs=20/64 client=20/63"))
    clock = alignment.clocks["rs"]
    assert clock.steps == ()
    assert clock.drift_ppm is None
    assert "contradictory" not in clock.basis


def test_what_cannot_be_is_said() -> None:
    """Segments that were matched wrongly: no clock explains them."""
    text = "".join(
        f"> ACK client={at}/64 rs={at + 100 * (-1) ** (at // 100)}/63\n< ACK rs={at + 20}/64 client={at + 40}/63\n"
        for at in range(0, 9000, 100)
    )
    assert "contradictory" in aligned(written(["client", "rs"], text)).clocks["rs"].basis
