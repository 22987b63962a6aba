"""Connections whose beginning nobody saw: positions count alike at all points, whatever a director adds to numbers."""

from pathlib import Path

import pytest

import tcptrace
from tests.correlation.matched import at_points
from tests.correlation.wire import Frame, changed, fullnat, recorded, say, write

TALK = (
    "0 C P. 1:81 1\nS . 1 81\nS P. 1:1461 81\nS P. 1461:2921 81\nC . 81 1461\nC . 81 2921\nC P. 81:200 2921\n"
    "S . 2921 200\nC F. 200 2921\nS F. 2921 201\nC . 201 2922"
)
RANDOM = (3_141_592_653, 2_718_281_828)
SHIFTS = [5_000_000, 710_000_862, 2**30 + 7, 2**31 - 1, 3_500_000_000, 2**32 - 710_000_862]


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_of_any_size_is_no_loss(tmp_path: Path, shift: int) -> None:
    talk = say(TALK, isn=RANDOM)
    there = changed(talk, fullnat("10.7.7.7:1025", "10.9.9.9:81", shift), later_ms=1)
    found = at_points(tmp_path, {"director:eth0": talk, "director:eth1": there})
    numbers = list(range(1, len(talk) + 1))
    assert found.frames("director:eth0", "director:eth1") == list(zip(numbers, numbers, strict=True))


@pytest.mark.parametrize("name", ["fullnat", "clocks-fullnat-step", "clocks-fullnat-drift", "ipvs-nat"])
def test_a_recorded_connection_without_its_handshake(tmp_path: Path, name: str) -> None:
    """No loss, and both ends as the whole recording tells them, though a point may have taken one for the other."""
    hosts = ("lvs", "rs-bond1") if name == "ipvs-nat" else ("dpvs", "rs-eth0")
    captures = ("client", f"{hosts[0]}-eth0", f"{hosts[0]}-eth1", hosts[1])
    whole = {capture.replace("-", ":"): recorded(name, f"{capture}.pcap") for capture in captures}
    late = {point: frames[3:] for point, frames in whole.items()}
    (known,), (told,) = (tcptrace.correlate(write(tmp_path, points)).connections for points in (whole, late))
    assert [hop.lost + hop.missed for hop in told.hops] == [0] * len(known.hops)
    assert told.states == known.states


def upload(segments: int) -> list[Frame]:
    """A client that sends on and on; acknowledged now and then."""
    lines = [f"{number} C P. {1 + 1000 * number}:{1001 + 1000 * number} 1" for number in range(segments)]
    return say("\n".join([*lines, f"{segments + 5} S . 1 {1 + 1000 * segments}"]), isn=RANDOM)


def test_a_part_that_one_point_did_not_see_is_no_shift(tmp_path: Path) -> None:
    """One began long after the other had ended: raw numbers tell how far on it is."""
    talk = upload(400)
    found = at_points(tmp_path, {"a": talk[:100], "b": talk[300:]})
    assert found.seen_at() == [["a", "b"]]
    places = {frames: start for frames, (_, start, _, _) in zip(found.frames("a", "b"), found.told(), strict=True)}
    assert places[-1, 1] - places[1, -1] == 300_000
