"""The files of a rotated capture are read as the one they were cut from."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tcptrace.capture.rotated import RotatedReader
from tcptrace.capture.summary import CaptureSummary
from tests.capture_files import SECOND, Pcapng, tcp_frame
from tests.correlation.wire import CAPTURES, pcap, recorded


def rows_of(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], CaptureSummary, RotatedReader]:
    """All rows, with addresses as text."""
    reader = RotatedReader([str(path) for path in paths], lambda text: None)
    rows = []
    for chunk in reader.chunks():
        columns = ("frame", "time_ns", "seq", "len", "interface", "src", "dst")
        rows += [
            dict(zip(columns, row, strict=True))
            for row in zip(*(getattr(chunk.packets, name).tolist() for name in columns), strict=True)
        ]
    for row in rows:
        row["src"], row["dst"] = reader.addresses.endpoint(row["src"], 0), reader.addresses.endpoint(row["dst"], 0)
    return rows, reader.summary, reader


def test_files_of_years_apart(tmp_path: Path) -> None:
    frames = recorded("many-connections", "client.pcap")[:10]
    later = [frame._replace(time_ns=frame.time_ns + 400 * 86_400 * SECOND) for frame in frames]
    paths = [tmp_path / name for name in ("new.pcap", "old.pcap")]
    for path, some in zip(paths, (later, frames), strict=True):
        path.write_bytes(pcap(some))
    _, summary, _ = rows_of(paths)
    assert summary.recordings == [(some[0].time_ns, some[-1].time_ns) for some in (frames, later)]
    assert (summary.end_ns or 0) > 400 * 86_400 * SECOND


@pytest.mark.parametrize("seed", range(4))
def test_three_files_in_any_order(tmp_path: Path, seed: int) -> None:
    frames = recorded("many-connections", "client.pcap")
    whole = tmp_path / "whole.pcap"
    whole.write_bytes(pcap(frames))
    parts = [tmp_path / f"part.pcap{i}" for i in range(3)]
    for i, path in enumerate(parts):
        path.write_bytes(pcap(frames[i * 100 : (i + 1) * 100 if i < 2 else None]))
    random.Random(seed).shuffle(parts)
    expected, summary, _ = rows_of([whole])
    found, joined, _ = rows_of(parts)
    assert found == expected
    assert [row["frame"] for row in found] == list(range(1, len(frames) + 1))
    for name in ("frames", "tcp_frames", "start_ns", "end_ns", "link_types", "format", "interfaces", "truncated"):
        assert getattr(joined, name) == getattr(summary, name), name


def test_a_file_without_frames_between_others(tmp_path: Path) -> None:
    frames = recorded("http", "client.pcap")
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, part in zip(paths, (frames[:5], [], frames[5:]), strict=True):
        path.write_bytes(pcap(part))
    rows, summary, _ = rows_of(paths)
    assert [row["frame"] for row in rows] == list(range(1, len(frames) + 1))
    assert summary.frames == len(frames)


def file_of(names: Sequence[str], interfaces: Sequence[int], second: int) -> bytes:
    file = Pcapng().section()
    for name in names:
        file.interface((2, name.encode()))
    for i, interface in enumerate(interfaces):
        file.enhanced(tcp_frame(seq=1 + i), (second + i) * 1_000_000, interface)
    return file.data


def test_interfaces_go_by_name(tmp_path: Path) -> None:
    files = {
        "a": file_of(["eth0", ""], [], SECOND),
        "b": file_of(["eth1", "eth0", ""], [0, 1, 2], SECOND + 10),
        "c": file_of(["", "eth0", "eth0"], [0, 1, 2], SECOND + 20),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    rows, summary, _ = rows_of([tmp_path / name for name in files])
    names = [summary.interfaces[row["interface"]] for row in rows]
    assert names == ["eth1", "eth0", "", "", "eth0", "eth0"]
    assert rows[4]["interface"] == rows[1]["interface"] != rows[5]["interface"]
    assert rows[2]["interface"] == rows[3]["interface"]


def test_interfaces_of_one_file_are_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(file_of(["eth0", "eth0", ""], [0, 1, 2], SECOND))
    rows, summary, _ = rows_of([tmp_path / "a"])
    assert [row["interface"] for row in rows] == [0, 1, 2]
    assert summary.interfaces == ["eth0", "eth0", ""]


def test_what_one_file_lacks_is_said_of_it(tmp_path: Path) -> None:
    frames = recorded("http", "client.pcap")
    (tmp_path / "a").write_bytes(pcap(frames[:5])[:-10])
    (tmp_path / "b").write_bytes(pcap(frames[5:]))
    rows, summary, _ = rows_of([tmp_path / "b", tmp_path / "a"])
    assert summary.truncated
    assert [problem.partition(":")[0] for problem in summary.problems] == [str(tmp_path / "a")]
    assert len(rows) == len(frames) - 1


def test_text_and_pcap_together(tmp_path: Path) -> None:
    frames = recorded("http", "client.pcap")
    (tmp_path / "later.pcap").write_bytes(pcap(frames))
    text = CAPTURES / "baidu-handshake"
    paths = [tmp_path / "later.pcap", *sorted(text.glob("*.txt"))[:1]]
    rows, summary, _ = rows_of(paths)
    assert not summary.dated
    assert [row["frame"] for row in rows] == list(range(1, len(rows) + 1))
    assert summary.frames == len(rows)


def test_context_counts_frames_and_interfaces_on(tmp_path: Path) -> None:
    frames = recorded("vip-arp-conflict", "router-eth1.pcap")
    half = len(frames) // 2
    whole, parts = tmp_path / "whole", [tmp_path / "a", tmp_path / "b"]
    whole.write_bytes(pcap(frames))
    parts[0].write_bytes(pcap(frames[:half]))
    parts[1].write_bytes(pcap(frames[half:]))
    _, expected, _ = rows_of([whole])
    _, summary, _ = rows_of(parts)
    assert expected.context.arp
    assert summary.context.arp == expected.context.arp
    assert summary.context.icmp == expected.context.icmp
    assert summary.other_frames == expected.other_frames
