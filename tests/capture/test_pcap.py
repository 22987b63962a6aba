"""pcap files in, frames with their times out: byte orders, resolutions, variants of the headers."""

import struct
from pathlib import Path

import pytest

from tcptrace.errors import CaptureError
from tests.capture_files import SECOND, frames, pcap, read, tcp_frame


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("magic", "format", "time_ns"),
    [
        (0xA1B2C3D4, "pcap", SECOND * 10**9 + 123_000),
        (0xA1B23C4D, "nanosecond pcap", SECOND * 10**9 + 123),
    ],
)
def test_byte_order_and_resolution(tmp_path: Path, order: str, magic: int, format: str, time_ns: int) -> None:
    rows, summary = read(tmp_path, pcap(frames(3), order, magic, fraction=123))
    assert [row.frame for row in rows] == [1, 2, 3]
    assert [row.time_ns for row in rows] == [time_ns, time_ns + 10**9, time_ns + 2 * 10**9]
    assert [row.len for row in rows] == [0, 1, 2]
    assert (summary.format, summary.frames, summary.tcp_frames, summary.link_types) == (format, 3, 3, ["EN10MB"])
    assert (summary.start_ns, summary.end_ns) == (time_ns, time_ns + 2 * 10**9)
    assert summary.interfaces == [""]
    assert not summary.truncated
    assert not summary.problems


@pytest.mark.parametrize(
    ("format", "magic", "extra"),
    [
        ("modified pcap", 0xA1B2CD34, struct.pack("<IHBB", 2, 0x0800, 0, 0)),
        ("SuSE 6.3 pcap", 0xA1B2CD34, struct.pack("<IHBBI", 2, 0x0800, 0, 0, 0)),
        ("RedHat 6.1 pcap", 0xA1B2C3D4, struct.pack("<IHBB", 2, 0x0800, 4, 0)),
        ("Nokia pcap", 0xA1B2C3D4, struct.pack("<I", 0x9FBFB602 & ~0xF0)),
    ],
)
def test_longer_record_headers_are_recognised(tmp_path: Path, format: str, magic: int, extra: bytes) -> None:
    rows, summary = read(tmp_path, pcap(frames(4), magic=magic, extra=extra))
    assert summary.format == format
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert not summary.problems


@pytest.mark.parametrize(("magic", "unit_ns"), [(0x1C0001AC, 1), (0x1C0001AB, 1000)])
def test_ixia_header_holds_four_bytes_more(tmp_path: Path, magic: int, unit_ns: int) -> None:
    data = pcap(frames(3), magic=magic)
    rows, summary = read(tmp_path, data[:24] + struct.pack("<I", len(data) - 24) + data[24:])
    assert [row.time_ns - SECOND * 10**9 for row in rows] == [unit_ns, 10**9 + unit_ns, 2 * 10**9 + unit_ns]
    assert summary.frames == 3


@pytest.mark.parametrize(
    ("version", "swapped"), [((2, 2), True), ((2, 3), True), ((2, 3), False), ((543, 0), True), ((2, 4), False)]
)
def test_lengths_in_the_order_of_the_version(tmp_path: Path, version: tuple[int, int], swapped: bool) -> None:
    rows, summary = read(tmp_path, pcap(frames(4), version=version, swapped=swapped))
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert not summary.problems


def test_only_the_low_half_of_the_link_type_names_it(tmp_path: Path) -> None:
    _, summary = read(tmp_path, pcap(frames(1), link_type=0x34000001))
    assert summary.link_types == ["EN10MB"]


def test_frame_check_sequences_and_reserved_bits_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="reserved bits set in its link type"):
        read(tmp_path, pcap(frames(1), link_type=0x00300001))


def test_unknown_version_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"unknown version 1\.0"):
        read(tmp_path, pcap(frames(1), version=(1, 0)))


def test_unknown_link_type_is_named_and_counted(tmp_path: Path) -> None:
    rows, summary = read(tmp_path, pcap(frames(3), link_type=300))
    assert rows == []
    assert summary.frames == 3
    assert summary.link_types == ["LINKTYPE_300"]
    assert sum(summary.other_frames.values()) == 3


def test_header_only_is_an_empty_capture(tmp_path: Path) -> None:
    rows, summary = read(tmp_path, pcap([]))
    assert rows == []
    assert (summary.frames, summary.start_ns, summary.truncated, summary.problems) == (0, None, False, [])


def test_record_cut_short_is_reported_with_its_place(tmp_path: Path) -> None:
    data = pcap([tcp_frame(), tcp_frame()])
    rows, summary = read(tmp_path, data[:-9])
    assert [row.frame for row in rows] == [1]
    assert summary.truncated
    assert summary.problems == [
        f"cut short at byte {len(data) - 9} after frame 1: the next record lacks 9 of its 75 bytes"
    ]


def test_record_header_cut_short(tmp_path: Path) -> None:
    data = pcap([tcp_frame()])
    _, summary = read(tmp_path, data + b"\1")
    assert summary.problems == [
        "cut short at byte 100 after frame 1: the next record is cut within its header (1 byte of it there)"
    ]


def test_impossible_length_ends_the_reading(tmp_path: Path) -> None:
    data = pcap([tcp_frame()]) + struct.pack("<4I", 1, 1, 0xFFFFFFF0, 100) + bytes(500)
    rows, summary = read(tmp_path, data)
    assert len(rows) == 1
    assert summary.truncated
    assert summary.problems == [
        "damaged at byte 99 after frame 1: a record claims 4,294,967,280 bytes, "
        "more than the 262,144 a frame can have; the last 516 bytes are not read"
    ]


def test_long_frames_of_bus_protocols_are_stepped_over(tmp_path: Path) -> None:
    long, short = bytes(9_000_000), bytes(100)
    _, summary = read(tmp_path, pcap([long, short], link_type=231))
    assert (summary.frames, summary.truncated, summary.problems) == (2, False, [])
    _, summary = read(tmp_path, pcap([short, long], link_type=231)[:-1000])
    assert summary.frames == 2
    assert summary.problems == [
        "cut short at byte 8999156 after frame 2: the last record lacks 1,000 bytes".replace("8999156", "8,999,156")
    ]
