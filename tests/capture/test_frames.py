"""Frames by number, byte for byte, out of every kind of capture."""

from pathlib import Path

import numpy as np
import pytest

from tcptrace.capture import chunks, walking
from tcptrace.capture.frames import Frame, FrameReader
from tcptrace.errors import CaptureError
from tcptrace.schema import NO_TIME
from tests.capture_files import COMPRESS, SECOND, Pcapng, erf, frames, pcap, pcapng, tcp_frame

FILES = {"pcap": pcap, "pcapng": pcapng, "ERF": erf}
CAPTURES = Path(__file__).parents[2] / "captures"


def written(folder: Path, *files: bytes) -> FrameReader:
    paths = [folder / f"capture{number}" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return FrameReader([str(path) for path in paths])


def wanted(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


@pytest.mark.parametrize("format", FILES)
def test_every_format(tmp_path: Path, format: str) -> None:
    there = frames(40)
    reader = written(tmp_path, FILES[format](there))
    assert [frame.data for frame in reader.frames()] == there
    assert [(frame.frame, frame.data) for frame in reader.frames(wanted(1, 17, 40))] == [
        (number, there[number - 1]) for number in (1, 17, 40)
    ]
    assert list(reader.frames(wanted())) == []


@pytest.mark.parametrize("compression", COMPRESS)
def test_every_compression(tmp_path: Path, compression: str) -> None:
    reader = written(tmp_path, COMPRESS[compression](pcap(frames(5))))
    assert [frame.data for frame in reader.frames(wanted(2, 4))] == [frames(5)[1], frames(5)[3]]


def test_what_is_known_of_a_frame(tmp_path: Path) -> None:
    file = Pcapng().section().interface((2, b"eth0")).interface((2, b"lo"), link_type=113)
    file.enhanced(b"first", SECOND * 10**6, interface=1, original=1500).simple(b"second")
    reader = written(tmp_path, file.data)
    assert list(reader.frames()) == [
        Frame(1, 1, 113, SECOND * 10**9, b"first", 1500),
        Frame(2, 0, 1, NO_TIME, b"second", 6),
    ]
    assert reader.interfaces == ["eth0", "lo"]


def test_blocks_without_a_packet_have_a_number_and_no_frame(tmp_path: Path) -> None:
    file = Pcapng().section().interface().enhanced(b"a", SECOND).block(0xBAD, b"vendor's").enhanced(b"b", SECOND)
    reader = written(tmp_path, file.data)
    assert [(frame.frame, frame.data) for frame in reader.frames()] == [(1, b"a"), (3, b"b")]
    assert [frame.data for frame in reader.frames(wanted(2, 3))] == [b"b"]


def test_frames_across_buffers_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 301)
    monkeypatch.setattr(walking, "CHUNK_RECORDS", 7)
    monkeypatch.setattr(walking, "FIRST_RECORDS", 3)
    there = frames(200)
    reader = written(tmp_path, pcap(there))
    assert [frame.data for frame in reader.frames()] == there
    assert [frame.frame for frame in reader.frames(wanted(3, 4, 11, 199))] == [3, 4, 11, 199]


def test_numbers_go_on_through_rotated_files_and_interfaces_go_by_name(tmp_path: Path) -> None:
    first = Pcapng().section().interface((2, b"eth0")).enhanced(b"1", SECOND).enhanced(b"2", SECOND)
    second = Pcapng().section().interface((2, b"eth1")).interface((2, b"eth0"))
    second.enhanced(b"3", SECOND, interface=1).enhanced(b"4", SECOND, interface=0)
    reader = written(tmp_path, first.data, second.data)
    assert [(frame.frame, frame.interface, frame.data) for frame in reader.frames()] == [
        (1, 0, b"1"),
        (2, 0, b"2"),
        (3, 0, b"3"),
        (4, 1, b"4"),
    ]
    assert reader.interfaces == ["eth0", "eth1"]
    assert [frame.data for frame in reader.frames(wanted(2, 4))] == [b"2", b"4"]
    assert [frame.data for frame in reader.frames(wanted(1))] == [b"1"]


def test_a_capture_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    reader = written(tmp_path, pcap(frames(5))[:-3])
    assert [frame.frame for frame in reader.frames(wanted(4, 5))] == [4]


def test_text_holds_no_frames() -> None:
    reader = FrameReader([str(CAPTURES / "cilium-synack-mismatch" / "client.txt")])
    with pytest.raises(CaptureError, match=r"client\.txt: is text, which holds no frames\n  name the capture"):
        list(reader.frames(wanted(1)))


def test_frames_of_a_missing_file() -> None:
    with pytest.raises(CaptureError, match="no such file"):
        list(FrameReader(["/no/such.pcap"]).frames())


def test_a_frame_is_what_its_bytes_say(tmp_path: Path) -> None:
    reader = written(tmp_path, pcap([tcp_frame(payload=b"hello")]))
    (frame,) = reader.frames()
    assert frame.data.endswith(b"hello")
    assert frame.original_len == len(frame.data) + 100
