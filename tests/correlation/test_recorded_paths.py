"""Every recorded case beside its truth: what was lost where, how it was forwarded, who reset it, how it ended."""

import tomllib
from collections import Counter

import pytest

from tcptrace.correlation.ends import end_states
from tcptrace.correlation.hops import hops
from tcptrace.schema import SIDES
from tests.correlation.recorded import CAPTURES, case, recorded_by_one_clock, recorded_paths

CASES = recorded_paths()


@pytest.mark.parametrize("name", CASES)
def test_lost_is_what_was_dropped_and_nothing_else(name: str) -> None:
    told = case(name)
    lost: Counter[tuple[object, ...]] = Counter()
    for hop in hops(told.passages, told.onward, told.fates, told.alignment):
        rows = told.passages.frame[:, hop.source]
        for frame in hop.lost_frames:
            [row] = [
                row for row, one in enumerate(rows) if one == frame and told.passages.direction[row] == hop.direction
            ]
            start, length = int(told.passages.start[row]), int(told.passages.len[row])
            key = (SIDES[hop.direction], start, length, told.name(hop.source), told.name(hop.target))
            lost[key] += 1
    keys = ("sender", "seq", "len_bytes", "seen_at", "never_at")
    dropped: Counter[tuple[object, ...]] = Counter()
    for one in told.truth["dropped"]:
        dropped[tuple(one[key] for key in keys)] += one["times"]
    assert lost.keys() == dropped.keys()
    assert all(times in (0, lost[key]) for key, times in dropped.items())


@pytest.mark.parametrize("name", recorded_by_one_clock())
def test_no_hop_has_a_negative_delay(name: str) -> None:
    told = case(name)
    found = hops(told.passages, told.onward, told.fates, told.alignment)
    assert all(hop.delay.min_ns >= 0 for hop in found if hop.delay is not None)


@pytest.mark.parametrize("name", [name for name in CASES if case(name).truth["mode"] != "proxy"])
def test_mode(name: str) -> None:
    told = case(name)
    assert {mode.mode for mode in told.modes} == {told.truth["mode"]}
    assert all(mode.confidence > 0.5 and mode.evidence for mode in told.modes)


@pytest.mark.parametrize("name", CASES)
def test_first_reset_of_the_client_is_born_at_the_host_that_sent_it(name: str) -> None:
    told = case(name)
    by = {
        origin.host for stream, origin in told.origins.items() if stream == 0 or len(told.origins) == len(told.streams)
    }
    by |= {origin.host for origin in told.origins.values()} if told.truth["mode"] != "proxy" else set()
    assert by <= set(told.truth["reset_by"].split(" or "))
    assert bool(by) == bool(told.truth["reset_by"])


@pytest.mark.parametrize("name", CASES)
def test_states_of_the_ends(name: str) -> None:
    told = case(name)
    states = end_states(told.passages, told.streams, told.routes, told.fates, told.origins, told.recordings)
    expected = tomllib.loads((CAPTURES / name / "case.toml").read_text())["expect"].get("flow", [])
    for flow in expected:
        stream = next(s for s in told.streams for leg in s.legs if leg.client == flow["client"])
        assert dict(zip(SIDES, states[stream.stream], strict=True)).items() >= flow.get("states", {}).items()
