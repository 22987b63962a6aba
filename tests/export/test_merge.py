"""Several points as one capture: interfaces, order and times by one clock, comments."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tcptrace
from tcptrace import cli
from tcptrace.capture.frames import Frame, FrameReader
from tcptrace.correlation.clock_limits import reference_ns
from tcptrace.export import aligned
from tests.capture_files import SECOND, Pcapng, pcap, tcp_frame
from tests.export.shown import needs_tshark, shown

CASES = Path(__file__).parents[2] / "captures"
ARP = bytes(12) + b"\x08\x06" + bytes(28)


def case(name: str) -> dict[str, str]:
    points = tomllib.loads((CASES / name / "case.toml").read_text())["points"]
    return {point: str(CASES / name / path) for point, path in points.items()}


def read(path: Path) -> tuple[list[Frame], list[str]]:
    reader = FrameReader([str(path)])
    return list(reader.frames()), reader.interfaces


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "all.pcapng"


def test_every_frame_is_there_once_at_its_point_in_order(out: Path) -> None:
    points = case("ipvs-nat")
    written = tcptrace.merge(points, out)
    found, names = read(out)
    assert sorted(names) == sorted(points)
    for point, path in points.items():
        there = [frame.data for frame in found if names[frame.interface] == point]
        assert there == [frame.data for frame in read(Path(path))[0]]
    assert written.frames == len(found)
    assert found == sorted(found, key=lambda frame: frame.time_ns)


def test_times_are_by_the_first_points_clock(out: Path) -> None:
    points = case("lost-between")
    tcptrace.merge(points, out)
    found, names = read(out)
    joint = tcptrace.correlate(points)
    for number, (point, path) in enumerate(points.items()):
        before = np.array([frame.time_ns for frame in read(Path(path))[0]])
        after = [frame.time_ns for frame in found if names[frame.interface] == point]
        clock = joint.clocks[point.partition(":")[0]]
        assert after == reference_ns(clock, number, np.arange(len(before)) + 1, before).tolist()
    syns = [names[frame.interface] for frame in found[:5]]
    assert syns == ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"], "as the SYN and its answer went"


def test_clocks_may_be_taken_as_they_are(out: Path) -> None:
    points = case("lost-between")
    tcptrace.merge(points, out, trust_clocks=True)
    found, names = read(out)
    assert [frame.time_ns for frame in found if names[frame.interface] == "rs:bond0"] == [
        frame.time_ns for frame in read(Path(points["rs:bond0"]))[0]
    ]


def test_link_types_may_differ_and_what_is_not_tcp_is_in_too(tmp_path: Path, out: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap([tcp_frame(), ARP]))
    (tmp_path / "b.pcap").write_bytes(pcap([tcp_frame()[14:]], link_type=101))
    tcptrace.merge({"a": tmp_path / "a.pcap", "b": tmp_path / "b.pcap"}, out, trust_clocks=True)
    found, names = read(out)
    assert [(names[frame.interface], frame.link_type, frame.data) for frame in found] == [
        ("a", 1, tcp_frame()),
        ("b", 101, tcp_frame()[14:]),
        ("a", 1, ARP),
    ]
    assert {frame.original_len - len(frame.data) for frame in found} == {100}


def test_interfaces_of_one_capture_are_points_also_where_no_segment_passed(tmp_path: Path, out: Path) -> None:
    file = Pcapng().section().interface((2, b"eth0")).interface((2, b"eth1")).interface((2, b"eth2"))
    file.enhanced(tcp_frame(), SECOND * 10**6).enhanced(tcp_frame(), SECOND * 10**6 + 9, interface=1)
    file.enhanced(ARP, SECOND * 10**6 + 10, interface=2)
    path = tmp_path / "router.pcapng"
    path.write_bytes(file.data)
    tcptrace.merge({"router": path}, out)
    assert read(out)[1] == ["router:eth0", "router:eth1", "router:eth2"]


def test_interfaces_of_a_cooked_capture_are_points(out: Path) -> None:
    tcptrace.merge({"client": CASES / "any-sll2" / "any.pcap"}, out)
    found, names = read(out)
    joint = tcptrace.correlate({"client": str(CASES / "any-sll2" / "any.pcap")})
    assert {point.name for point in joint.points} <= set(names)
    assert len(names) > 1
    assert {frame.link_type for frame in found} == {276}


def test_frames_out_of_order_are_put_in_their_places(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligned, "HELD", 2)
    monkeypatch.setattr(aligned, "BATCH", 3)
    file = Pcapng().section().interface((2, b"eth0"))
    for moment in (1, 3, 2, 4, 6, 5, 9, 8, 7, 0):
        file.enhanced(bytes([moment]) * 20, SECOND * 10**6 + moment)
    path = tmp_path / "a.pcapng"
    path.write_bytes(file.data)
    notices: list[str] = []
    tcptrace.merge({"a": path}, out, notice=notices.append)
    assert [frame.data[0] for frame in read(out)[0]] == [1, 2, 3, 4, 5, 6, 7, 0, 8, 9]
    assert [text for text in notices if "after later ones" in text] == [
        f"{path}: 1 frame left after later ones: its clock went back, or it was joined from several"
    ]


def test_a_frame_without_a_time_stays_with_the_one_before_it(tmp_path: Path, out: Path) -> None:
    file = Pcapng().section().interface((2, b"eth0"))
    file.enhanced(tcp_frame(), SECOND * 10**6).simple(ARP).enhanced(tcp_frame(seq=6), SECOND * 10**6 + 5)
    path = tmp_path / "a.pcapng"
    path.write_bytes(file.data)
    tcptrace.merge({"a": path}, out)
    assert [frame.time_ns - SECOND * 10**9 for frame in read(out)[0]] == [0, 0, 5000]


@needs_tshark
def test_tshark_shows_points_order_and_findings(out: Path) -> None:
    points = case("lost-between")
    joint = tcptrace.correlate(points)
    tcptrace.merge(points, out)
    rows = shown(out, "frame.interface_name", "frame.time_epoch", "frame.comment")
    assert {row[0] for row in rows} == set(points)
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    stall = next(finding for finding in joint.found if finding.point and len(finding.frames) == 1)
    told = f"tcptrace: {stall.rule}: {stall.summary} [frame {stall.frames[0]} of {stall.point}]"
    assert any(name == stall.point and told in said for name, _, said in rows)


def test_text_is_correlated_and_left_out(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "rs.pcap"
    path.write_bytes(pcap([tcp_frame()]))
    notices: list[str] = []
    text = CASES / "lvs-dr" / "client.txt"
    assert tcptrace.merge({"client": text, "rs": path}, out, notice=notices.append).frames == 1
    assert f"{text}: is text printed by tcpdump, which holds no frames: left out" in notices
    with pytest.raises(tcptrace.CaptureError, match="is text, as all are"):
        tcptrace.merge(case("lvs-dr"), out)


def test_what_cannot_be_merged(tmp_path: Path) -> None:
    out = tmp_path / "all.pcapng"
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([tcp_frame()]))
    for captures, output, told in (
        ({"a": "-"}, out, "standard input: its frames are read after"),
        ({"a": path}, path, "is an input"),
        ({"a": "/no/such.pcap"}, out, "no such file"),
        ({}, out, "no capture given"),
    ):
        with pytest.raises(tcptrace.TcptraceError, match=told):
            tcptrace.merge(captures, output)
    assert [one.name for one in tmp_path.iterdir()] == ["a.pcap"]


def test_the_command(out: Path) -> None:
    result = CliRunner().invoke(cli.app, ["merge", str(CASES / "ipvs-nat"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    frames = len(read(out)[0])
    assert result.stderr.splitlines()[-1].startswith(f"{out}: {frames} frames, ")
    assert result.stdout == ""


def test_a_director_s_table_helps_as_it_does_in_correlate(out: Path, tmp_path: Path) -> None:
    table, notices = tmp_path / "table.txt", list[str]()
    table.write_text("TCP 14:59  ESTABLISHED 10.0.0.1:40000 10.1.0.100:80 10.2.0.99:80\n")
    tcptrace.merge(case("ipvs-nat"), out, director_tables=[table], notice=notices.append)
    assert any("goes to 10.2.0.99:80, but was captured going to 10.2.0.11:80" in text for text in notices)


@pytest.mark.parametrize(
    "command", [["merge", str(CASES / "ipvs-nat")], ["extract", str(CASES / "ipvs-nat" / "client.pcap"), "--flow", "0"]]
)
def test_a_dash_is_standard_output(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    to_file, to_pipe = (CliRunner().invoke(cli.app, [*command, "-o", place]) for place in (str(out), "-"))
    assert (to_file.exit_code, to_pipe.exit_code) == (0, 0)
    assert to_pipe.stdout_bytes == out.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
