"""Frames of which a capture kept so little that they cannot be matched: the user is told why a point stands apart."""

from pathlib import Path

import pytest

import tcptrace
from tcptrace.report.correlation.overview import problems
from tests.correlation.wire import Frame, recorded, write

POINTS = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0")


def tunnelled(folder: Path, at: str, kept: int) -> tcptrace.Correlation:
    """A recorded tunnel, of whose frames one point kept so many bytes."""
    points = {point: recorded("ipvs-tun", f"{point.replace(':', '-')}.pcap") for point in POINTS}
    points[at] = [Frame(frame.time_ns, frame.data[:kept], len(frame.data)) for frame in points[at]]
    return tcptrace.correlate(write(folder, points))


@pytest.mark.parametrize("at", ["lvs:eth1", "rs:bond1"])
def test_segments_cut_before_their_flags_are_told(tmp_path: Path, at: str) -> None:
    """60 bytes of a frame hold both IP headers and the ports."""
    (problem,) = problems(tunnelled(tmp_path, at, 60))
    assert "8 of 8 segments end before their flags (cut, or of a false IP length) and belong to no flow" in problem


def test_what_has_its_flags_is_matched_without_a_word(tmp_path: Path) -> None:
    result = tunnelled(tmp_path, "lvs:eth1", 96)
    assert problems(result) == []
    assert [[result.points[point].name for point in way] for way in result.connections[0].path] == [
        ["client", "lvs:eth0", "lvs:eth1", "rs:bond1"],
        ["rs:bond0", "client"],
    ]
