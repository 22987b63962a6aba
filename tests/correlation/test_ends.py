"""The states of both ends, where the capture that tells of an end missed what other points and its peer show."""

from pathlib import Path

import pytest

import tcptrace
from tcptrace.flows import FIN
from tests.correlation.wire import Tcp
from tests.diagnosis.varied import RECORD, points_of, records_of, without

CLOSED = ("TIME_WAIT", "CLOSED")


def fins(path: Path) -> list[int]:
    """The frames of a capture that bear a FIN."""
    records = enumerate(records_of(path), 1)
    return [number for number, one in records if Tcp.of(one[RECORD:]).flags & FIN]


def states_without(folder: Path, case: str, point: str, frames: range | list[int]) -> tuple[str, str]:
    [connection] = tcptrace.correlate(without(folder, case, {point: frames})).connections
    return connection.states


@pytest.mark.parametrize("case", ["ipvs-dr", "ipvs-nat", "fullnat", "cluster-ip", "lost-between"])
def test_a_fin_that_an_end_s_own_capture_missed(tmp_path: Path, case: str) -> None:
    for point, path in points_of(case).items():
        for frame in fins(path):
            assert states_without(tmp_path, case, point, [frame]) == CLOSED, (point, frame)


@pytest.mark.parametrize("case", ["clocks-nat", "clocks-dr-step", "ipvs-tun", "random-loss"])
def test_the_close_by_the_others_where_one_capture_ended_early(tmp_path: Path, case: str) -> None:
    for point, path in points_of(case).items():
        count = len(records_of(path))
        assert states_without(tmp_path, case, point, range(count - count // 3 + 1, count + 1)) == CLOSED, point


def test_a_fin_that_no_point_has_was_never_sent(tmp_path: Path) -> None:
    """Without the close at any point both ends stay as they were."""
    missed = {point: range(fins(path)[0], 99) for point, path in points_of("ipvs-nat").items()}
    [connection] = tcptrace.correlate(without(tmp_path, "ipvs-nat", missed)).connections
    assert connection.states == ("ESTABLISHED", "ESTABLISHED")
