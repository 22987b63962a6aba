from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace.correlation.clock_fit import STAMPS_NS
from tcptrace.correlation.clocks import Alignment, align
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.fates import fates
from tcptrace.correlation.hops import hops
from tcptrace.correlation.order import routes
from tcptrace.correlation.passages import Passages
from tcptrace.schema import NO_TIME
from tests.correlation.passing import Passing, WrongClock, conversation, written
from tests.correlation.rearranged import cut_off, rearranged, warped
from tests.correlation.recorded import Case, case, recorded_by_one_clock

S = 1_000_000_000
DRIFT_NS = 200
"""More than two clocks may drift apart in the shortest of captures here."""
MS = 1_000_000

TWO = ["client", "rs"], (["client", "rs"], ["rs", "client"])
NAT = (
    ["client", "lvs:eth0", "lvs:eth1", "rs"],
    (["client", "lvs:eth0", "lvs:eth1", "rs"], ["rs", "lvs:eth1", "lvs:eth0", "client"]),
)
DR = (
    ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"],
    (["client", "lvs:eth0", "lvs:eth1", "rs:bond1"], ["rs:bond0", "client"]),
)


def aligned(passing: Passing, *, trust: bool = False) -> Alignment:
    passages = passing.passages()
    return align(passages, routes(passages, passages.points), passages.points, passing.first_ns(), trust=trust)


def aligned_case(recorded: Case) -> Alignment:
    passages, points = recorded.passages, recorded.passages.points
    starts = [recorded.recordings[point.recording].summary.start_ns for point in points]
    first_ns = [NO_TIME if start is None else start for start in starts]
    return align(passages, routes(passages, points), points, first_ns)


def intervals(alignment: Alignment) -> dict[str, tuple[int, int | None, int | None]]:
    return {host: (clock.offset_ns, clock.low_ns, clock.high_ns) for host, clock in alignment.clocks.items()}


def least_delay_ns(passing: Passing, alignment: Alignment) -> int:
    """Of all segments between all points of a way."""
    return least_delay_of(passing.passages(), alignment)


def least_delay_of(passages: Passages, alignment: Alignment) -> int:
    times = alignment.reference_ns(passages)
    ways = routes(passages, passages.points)
    least = []
    for row, (stream, direction) in enumerate(zip(passages.stream.tolist(), passages.direction.tolist(), strict=True)):
        order = [p for p in ways[stream].resets[direction] if passages.row[row, p] != NOWHERE]
        least += [int(times[row, b] - times[row, a]) for a, b in combinations(order, 2)]
    return min(least, default=0)


# What is published


def test_a_director_that_sees_requests_only_is_bound_by_the_realserver() -> None:
    alignment = aligned_case(case("lvs-dr"))
    assert intervals(alignment) == {
        "client": (0, 0, 0),
        "lvs": (-289_667, -327_028, -220_948),
        "rs": (-185_333, -257_024, -150_952),
    }
    assert alignment.bounds["rs", "lvs"] == (69_944, 176_076)
    assert alignment.clocks["lvs"].basis == "segments exchanged with client and rs"


def test_the_clocks_of_the_published_fullnat_case_are_12_7_seconds_apart() -> None:
    alignment = aligned_case(case("dpvs-fullnat"))
    assert intervals(alignment)["rs"] == (-12_718_743_000, -12_718_872_100, -12_718_613_944)
    points = case("dpvs-fullnat").passages.points
    assert alignment.delay_error_ns(points, 0, 1) == (-130_099, 130_055)


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


# What can be made up


class Scenario(NamedTuple):
    """What conversations are made of."""

    layout: tuple[list[str], tuple[list[str], list[str]]]
    clocks: dict[str, WrongClock]
    span_ns: int
    count: int
    seed: int

    def passing(self) -> Passing:
        rng = np.random.default_rng(self.seed)
        return conversation(rng, *self.layout, count=self.count, span_ns=self.span_ns, clocks=self.clocks, streams=5)


@st.composite
def scenarios(draw: st.DrawFn, spans_ns: Sequence[int], counts: Sequence[int], ppm: int) -> Scenario:
    drifts, seconds = st.integers(-ppm, ppm), st.integers(-300, 300)
    clocks = {host: WrongClock(draw(seconds) * S, draw(drifts)) for host in ("lvs", "rs")}
    clocks["client"] = WrongClock(0, draw(drifts))
    layout, span_ns, count = (draw(st.sampled_from(given)) for given in ([TWO, NAT, DR], spans_ns, counts))
    return Scenario(layout, clocks, span_ns, count, draw(st.integers(0, 2**32 - 1)))


Ties = dict[tuple[int, int], int]


def ties(passing: Passing) -> Ties:
    """Between hosts: the greatest that the first's offset less the second's may be, by every pair of points."""
    passages = passing.passages()
    hosts = list(dict.fromkeys(point.host for point in passages.points))
    ways = routes(passages, passages.points)
    found: Ties = {}
    for row, (stream, direction) in enumerate(zip(passages.stream.tolist(), passages.direction.tolist(), strict=True)):
        order = [p for p in ways[stream].resets[direction] if passages.row[row, p] != NOWHERE]
        for a, b in combinations(order, 2):
            pair = hosts.index(passages.points[a].host), hosts.index(passages.points[b].host)
            if pair[0] != pair[1]:
                apart = int(passages.time_ns[row, b] - passages.time_ns[row, a])
                found[pair] = min(found.get(pair, apart), apart)
    return found


def closure(known: Ties, hosts: int) -> Ties:
    """Floyd and Warshall's, as a naive twin."""
    found = dict(known)
    for middle, a, b in ((m, a, b) for m in range(hosts) for a in range(hosts) for b in range(hosts)):
        if (a, middle) in found and (middle, b) in found:
            way = found[a, middle] + found[middle, b]
            found[a, b] = min(found.get((a, b), way), way)
    return found


def greatest_least_slack(known: Ties, hosts: int) -> float:
    """The least mean of all cycles."""
    means = [
        sum(known[pair] for pair in pairs) / size
        for size in range(2, hosts + 1)
        for cycle in permutations(range(hosts), size)
        for pairs in [list(zip(cycle, (*cycle[1:], cycle[0]), strict=True))]
        if all(pair in known for pair in pairs)
    ]
    return min(means)


@settings(max_examples=40, deadline=None)
@given(scenarios([5_000], [4, 12, 40], ppm=0))
def test_offsets_are_those_of_the_naive_twin(scenario: Scenario) -> None:
    """Of captures so short that drift hardly counts."""
    passing = scenario.passing()
    alignment = aligned(passing)
    known = ties(passing)
    hosts = list(alignment.clocks)
    bounds = closure(known, len(hosts))
    for number, (host, clock) in enumerate(alignment.clocks.items()):
        truth = -passing.clocks.get(host, WrongClock()).ahead_ns
        if number:
            assert clock.low_ns is not None
            assert clock.high_ns is not None
            assert 0 <= -bounds[0, number] - clock.low_ns < DRIFT_NS
            assert 0 <= clock.high_ns - bounds[number, 0] < DRIFT_NS
            assert -bounds[0, number] <= truth <= bounds[number, 0]
            both_ways = known[0, number] + known[number, 0] if (number, 0) in known else None
            assert both_ways is None or bounds[number, 0] + bounds[0, number] <= both_ways
    slack = min(
        apart + alignment.clocks[hosts[b]].offset_ns - alignment.clocks[hosts[a]].offset_ns
        for (a, b), apart in known.items()
    )
    assert slack >= greatest_least_slack(known, len(hosts)) - 1.5
    assert least_delay_ns(passing, alignment) >= 0


def true_offset_ns(passing: Passing, host: str) -> int:
    """At the host's first frame."""
    first = passing.true_ns[:, [name.partition(":")[0] == host for name in passing.points]]
    at_ns = np.array([first[first != NO_TIME].min()])
    return int((passing.clocks["client"].shows(at_ns) - passing.clocks[host].shows(at_ns))[0])


@settings(max_examples=40, deadline=None)
@given(scenarios([100 * MS, S, 10 * S, 100 * S], [30, 400], ppm=50))
def test_the_truth_is_inside_and_nothing_arrives_before_it_left(scenario: Scenario) -> None:
    passing = scenario.passing()
    alignment = aligned(passing)
    for host, clock in alignment.clocks.items():
        assert clock.low_ns is not None
        assert clock.high_ns is not None
        assert clock.low_ns - 1 <= true_offset_ns(passing, host) <= clock.high_ns + 1
        assert clock.low_ns - 1 <= clock.offset_ns <= clock.high_ns + 1
        assert clock.steps == ()
    assert least_delay_ns(passing, alignment) >= -STAMPS_NS


def test_drift_is_told_where_the_capture_is_long_enough() -> None:
    clocks = {"rs": WrongClock(90 * S, 40), "lvs": WrongClock(-S, -25)}
    for span_ns, is_told in ((10 * MS, False), (60 * S, True)):
        rng = np.random.default_rng(1)
        alignment = aligned(conversation(rng, *DR, count=1000, span_ns=span_ns, clocks=clocks))
        for host, ppm in (("lvs", 25), ("rs", -40)):
            drift_ppm = alignment.clocks[host].drift_ppm
            assert drift_ppm == (pytest.approx(ppm, abs=1) if is_told else None)
        assert alignment.clocks["client"].drift_ppm is None


def test_a_drift_that_cannot_be_told_widens_the_interval() -> None:
    """100 ppm of 5 s are 500 us: less than the two ways take, more than one of them does."""
    text = """
        > SYN client=0 rs=400
        < ACK rs=401 client=801
        > ACK client=5000000 rs=5000400
        < ACK rs=5000401 client=5000801
    """
    alignment = aligned(written(*TWO[:1], text, {"rs": WrongClock(0, -100)}))
    clock = alignment.clocks["rs"]
    assert clock.drift_ppm is None
    assert clock.low_ns is not None
    assert clock.high_ns is not None
    assert clock.low_ns <= 0 <= clock.high_ns


Set = Mapping[str, Sequence[tuple[int, int]]]


@pytest.mark.parametrize("seed", range(3))
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


@pytest.mark.parametrize("seed", range(4))
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


# What ties little or nothing


def test_one_way_leaves_one_side_open() -> None:
    alignment = aligned(written(["client", "rs"], "> SYN client=0/64 rs=150/63\n> SYN client=900/64 rs=990/63"))
    assert intervals(alignment)["rs"] == (0, -91_083, None)
    assert alignment.clocks["rs"].basis.startswith("one way only")


def test_one_way_a_clock_is_believed_unless_delays_were_none() -> None:
    text = "> SYN client=1000/64 rs=1150/63"
    early = aligned(written(["client", "rs"], text, {"rs": WrongClock(-500_000)}))
    assert intervals(early)["rs"] == (349_001, 349_001, None)
    late = aligned(written(["client", "rs"], text, {"rs": WrongClock(12 * S)}))
    assert intervals(late)["rs"] == (-12 * S - 150_999, -12 * S - 150_999, None)


def test_nothing_shared_is_no_common_reference() -> None:
    text = """
        0 > SYN client=0 lvs=100
        0 < ACK client=230 lvs=130
        1 > SYN a=0 b=100
        1 < ACK a=230 b=130
    """
    alignment = aligned(written(["client", "lvs", "a", "b"], text, {"b": WrongClock(5 * S)}))
    assert intervals(alignment)["lvs"] == (0, -100_999, 101_002)
    assert intervals(alignment)["a"] == (0, None, None)
    assert intervals(alignment)["b"] == (-5 * S, None, None)
    assert alignment.clocks["a"].basis == "no common reference"
    assert alignment.bounds["b", "a"] == (-5 * S - 100_999, -5 * S + 101_025)


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
