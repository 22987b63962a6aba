"""Captures of several points, read: which points they are, when, and what each saw."""

from pathlib import Path

import pytest

from tcptrace.correlation.points import inputs_of
from tcptrace.correlation.recording import Recording, read
from tcptrace.correlation.result import Point
from tcptrace.errors import CaptureError, UsageError
from tests.capture_files import Pcapng
from tests.correlation.matched import matched
from tests.correlation.wire import CAPTURES, START_NS, Frame, pcap, say, write

TALK = "0 C S 0\nS S. 0 1\nC . 1 1\nC P. 1:101 1\nS . 1 101"
DAY_NS = 86_400 * 10**9


def points_of(captures: dict[str, str]) -> tuple[tuple[Point, ...], tuple[Recording, ...]]:
    return read(inputs_of(captures), lambda text: None)


def pcapng(frames: list[tuple[Frame, int]], *names: str) -> bytes:
    """Frames and the numbers of the interfaces that saw them; times in whole microseconds."""
    file = Pcapng().section()
    for name in names:
        file.interface((2, name.encode()))
    for frame, interface in frames:
        file.enhanced(frame.data, frame.time_ns // 1000, interface)
    return file.data


def forwarded(frames: list[Frame]) -> list[tuple[Frame, int]]:
    """Every frame at interface 0 and 20 us later at interface 1."""
    return sorted([(f, 0) for f in frames] + [(Frame(f.time_ns + 20_000, f.data), 1) for f in frames])


def test_interfaces_become_points_of_one_host(tmp_path: Path) -> None:
    path = tmp_path / "any.pcapng"
    path.write_bytes(pcapng(forwarded(say(TALK)), "eth0", "eth1"))
    points, _ = points_of({"lvs": str(path)})
    assert [(one.name, one.host, one.recording) for one in points] == [("lvs:eth0", "lvs", 0), ("lvs:eth1", "lvs", 0)]
    found = matched(inputs_of({"lvs": str(path)}))
    assert found.frames("lvs:eth0", "lvs:eth1") == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]


def test_a_named_interface_keeps_its_point(tmp_path: Path) -> None:
    """Of what several interfaces saw each segment counts once."""
    path = tmp_path / "any.pcapng"
    path.write_bytes(pcapng(forwarded(say(TALK)), "eth0", "eth1"))
    found = matched(inputs_of({"lvs:any": str(path)}))
    assert found.names == ["lvs:any"]
    assert found.passages.frame[:, 0].tolist() == [1, 3, 5, 7, 9]


def test_interfaces_of_one_name_are_one_point(tmp_path: Path) -> None:
    path = tmp_path / "merged.pcapng"
    path.write_bytes(pcapng([(frame, i % 2) for i, frame in enumerate(say(TALK))], "eth0", "eth0"))
    points, _ = points_of({"lvs": str(path)})
    assert [point.name for point in points] == ["lvs"]


def test_nameless_interfaces_go_by_number(tmp_path: Path) -> None:
    path = tmp_path / "any.pcapng"
    path.write_bytes(pcapng(forwarded(say(TALK)), "", ""))
    assert [point.name for point in points_of({"lvs": str(path)})[0]] == ["lvs:if0", "lvs:if1"]


def test_two_points_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "any.pcapng"
    path.write_bytes(pcapng(forwarded(say(TALK)), "eth0", "eth1"))
    captures = {"lvs": str(path), **write(tmp_path, {"lvs:eth0": say(TALK)})}
    with pytest.raises(UsageError, match="lvs:eth0: two points of that name"):
        points_of(captures)


@pytest.mark.parametrize("days", [0, 1, -1])
def test_text_without_dates_takes_those_of_a_capture(tmp_path: Path, days: int) -> None:
    """Also where midnight lies between the two clocks."""
    capture = write(tmp_path, {"client": say(TALK)})
    begins_ns = START_NS // DAY_NS * DAY_NS + 30 * 10**9 if days else START_NS
    shifted = [Frame(frame.time_ns - START_NS + begins_ns, frame.data) for frame in say(TALK)]
    (tmp_path / "client.pcap").write_bytes(pcap(shifted))
    skew_ns = -60 * 10**9 if days else 10**9
    clock = (begins_ns + skew_ns) % DAY_NS // 10**9
    stamp = f"{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}.000000"
    text = tmp_path / "server.txt"
    text.write_text(
        f"{stamp} IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1000000, win 1000, length 0\n"
        f"{stamp} IP 10.0.0.2.80 > 10.0.0.1.40000: Flags [S.], seq 4294967000, ack 1000001, win 1000, length 0\n"
    )
    found = matched(inputs_of(capture | {"server": str(text)}))
    assert found.seen_at() == [["client", "server"]]
    told_ns = int(found.passages.time_ns[0, 1])
    assert told_ns == (begins_ns + skew_ns) // 10**9 * 10**9
    server = found.recordings[1]
    assert server.summary.start_ns == told_ns == server.flows.start_ns[0]
    assert not server.summary.dated


def test_text_alone_stays_undated() -> None:
    found = matched(inputs_of({name: str(CAPTURES / "dpvs-fullnat" / f"{name}.txt") for name in ("client", "rs")}))
    assert all((recording.summary.start_ns or 0) < DAY_NS for recording in found.recordings)


def test_a_capture_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(b"no capture at all")
    with pytest.raises(CaptureError, match=r"a\.pcap"):
        points_of({"a": str(tmp_path / "a.pcap")})


def test_sightings_are_in_order_of_point_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "any.pcapng"
    path.write_bytes(pcapng(forwarded(say(TALK)), "eth0", "eth1"))
    _, recordings = points_of({"lvs": str(path), **write(tmp_path, {"client": say(TALK)})})
    seen = recordings[0].sightings
    assert recordings[1].sightings is seen
    assert seen.point.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert seen.frame.tolist() == [1, 3, 5, 7, 9, 2, 4, 6, 8, 10, 1, 2, 3, 4, 5]
    assert seen.side.tolist() == [0, 1, 0, 0, 1] * 3
    assert seen.len.tolist() == [0, 0, 0, 100, 0] * 3
    assert (seen.end - seen.start).tolist() == [1, 1, 0, 100, 0] * 3
