"""What a capture missed is told as that, and makes no other finding false."""

from collections.abc import Iterable
from pathlib import Path

import pytest

import tcptrace
from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.varied import without

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
