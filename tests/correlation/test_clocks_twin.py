"""Offsets, drift and truth of made-up conversations, beside a naive twin."""

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptrace.correlation.clock_fit import STAMPS_NS
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.order import routes
from tcptrace.schema import NO_TIME
from tests.correlation.aligned import DR, DRIFT_NS, MS, NAT, TWO, S, aligned, least_delay_ns
from tests.correlation.passing import Passing, WrongClock, conversation, written

UNTOLD_DRIFT = 7
"""What drift that cannot be told may move an offset by beyond its interval, as a part of that (docs/limits.md)."""

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
    widest_ns = max((clock.high_ns or 0) - (clock.low_ns or 0) for clock in alignment.clocks.values())
    assert least_delay_ns(passing, alignment) >= -max(STAMPS_NS, widest_ns // UNTOLD_DRIFT)


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
