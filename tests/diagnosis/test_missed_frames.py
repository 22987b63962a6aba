"""What a capture missed is told as that, and makes no other finding false."""

from collections.abc import Iterable
from pathlib import Path

import pytest

import tcptrace
from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.varied import points_of, without

LOST = {"lost-between", "vanished-in-host"}


def found_without(folder: Path, case: str, **missed: Iterable[int]) -> list[Finding]:
    """What is found in a case of which some points, their names with `_` for `:`, missed frames."""
    by_point = {name.replace("_", ":"): frames for name, frames in missed.items()}
    return list(tcptrace.correlate(without(folder, case, by_point)).found)


def points_told(found: list[Finding], *rules: str) -> list[str]:
    return [finding.point for finding in found if finding.rule in rules]


@pytest.mark.parametrize("first", (6, 7, 8, 10))
def test_pieces_that_the_next_capture_missed_did_leave_the_host_before(tmp_path: Path, first: int) -> None:
    found = found_without(tmp_path, "tso-at-sender", server_eth0=range(first, 50, 6))
    assert points_told(found, *LOST) == []
    assert points_told(found, "capture-loss") == ["server:eth0"]


def test_pieces_that_two_captures_missed_are_missed_at_the_first(tmp_path: Path) -> None:
    found = found_without(tmp_path, "tso-at-sender", router_eth1=range(8, 40, 6), server_eth0=range(8, 40, 6))
    assert points_told(found, *LOST) == []
    assert set(points_told(found, "capture-loss")) == {"router:eth1", "server:eth0"}


def path_of(result: tcptrace.Correlation) -> list[list[str]]:
    [connection] = result.connections
    return [[result.points[point].name for point in way] for way in connection.path]


@pytest.mark.parametrize("frames", [3, 5])
@pytest.mark.parametrize("case", ["ipvs-dr", "ipvs-tun", "clocks-dr", "lost-between"])
def test_a_path_without_its_handshake_is_the_same(tmp_path: Path, case: str, frames: int) -> None:
    whole = points_of(case)
    result = tcptrace.correlate(without(tmp_path, case, dict.fromkeys(whole, range(1, frames + 1))))
    assert path_of(result) == path_of(tcptrace.correlate(whole))
    assert {clock.drift_ppm for clock in result.clocks.values()} <= {None}
    assert all(hop.delay.min_ns >= 0 for one in result.connections for hop in one.hops if hop.delay)


@pytest.mark.parametrize("late", ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"])
def test_a_capture_without_the_handshake_does_not_turn_a_path(tmp_path: Path, late: str) -> None:
    for order in (sorted, lambda names: sorted(names, reverse=True)):
        points = without(tmp_path, "ipvs-dr", {late: range(1, 6)})
        result = tcptrace.correlate({name: points[name] for name in order(points)})
        assert path_of(result) == path_of(tcptrace.correlate(points_of("ipvs-dr")))
