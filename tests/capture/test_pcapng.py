"""pcapng files in, frames with their times and interfaces out."""

import struct
from pathlib import Path

import pytest

from tcptrace.errors import CaptureError
from tcptrace.schema import NO_TIME
from tests.capture_files import SECOND, Pcapng, frames, pcapng, read, tcp_frame

FRAME = tcp_frame()


@pytest.mark.parametrize("order", "<>")
def test_enhanced_packets(tmp_path: Path, order: str) -> None:
    rows, summary = read(tmp_path, pcapng(frames(6), order))
    assert [row.frame for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.time_ns for row in rows] == [(SECOND + i) * 10**9 + 1000 for i in range(6)]
    assert [row.len for row in rows] == [0, 1, 2, 3, 4, 5]
    assert (summary.format, summary.interfaces, summary.link_types) == ("pcapng", ["eth0"], ["EN10MB"])
    assert not summary.problems


@pytest.mark.parametrize(
    ("code", "ticks", "time_ns"),
    [
        (0, SECOND, SECOND * 10**9),
        (3, SECOND * 1000 + 7, SECOND * 10**9 + 7_000_000),
        (6, SECOND * 10**6 + 7, SECOND * 10**9 + 7_000),
        (9, SECOND * 10**9 + 7, SECOND * 10**9 + 7),
        (10, SECOND * 10**10 + 79, SECOND * 10**9 + 7),
        (12, 2**64 - 1, (2**64 - 1) // 1000),
        (40, 2**64 - 3, 0),
        (0x80 | 0, SECOND, SECOND * 10**9),
        (0x80 | 10, SECOND << 10 | 3, SECOND * 10**9 + 3 * 10**9 // 1024),
        (0x80 | 32, SECOND << 32 | 0xFFFFFFFF, SECOND * 10**9 + 999_999_999),
        (0x80 | 33, SECOND << 33 | 1, SECOND * 10**9),
        (0x80 | 63, 2**64 - 1, (2**64 - 1) * 10**9 >> 63),
        (0x80 | 127, 2**64 - 1, 0),
        (9, 2**63, NO_TIME),
        (6, 2**64 - 1, NO_TIME),
        (0x80 | 5, 2**64 - 1, NO_TIME),
    ],
)
def test_resolution(tmp_path: Path, code: int, ticks: int, time_ns: int) -> None:
    rows, _ = read(tmp_path, Pcapng().section().interface((9, bytes([code]))).enhanced(FRAME, ticks).data)
    assert [row.time_ns for row in rows] == [time_ns]


def test_times_that_cannot_be_told_are_said_once_and_times_never_recorded_are_not(tmp_path: Path) -> None:
    beyond = Pcapng().section().interface().enhanced(FRAME, 2**64 - 1).simple(FRAME).obsolete(FRAME, 2**64 - 1)
    rows, summary = read(tmp_path, beyond.enhanced(FRAME, SECOND * 10**6).data)
    assert [row.time_ns for row in rows] == [NO_TIME, NO_TIME, NO_TIME, SECOND * 10**9]
    (problem,) = summary.problems
    assert problem.startswith("times beyond the year 2262")
    _, summary = read(tmp_path, Pcapng().section().interface().simple(FRAME).enhanced(FRAME, SECOND * 10**6).data)
    assert summary.problems == []


@pytest.mark.parametrize(
    ("offset", "time_ns"),
    [(5, (SECOND + 5) * 10**9), (-5, (SECOND - 5) * 10**9), (2**62, NO_TIME), (9 * 10**9, NO_TIME)],
)
def test_time_offset(tmp_path: Path, offset: int, time_ns: int) -> None:
    options = (14, struct.pack("<q", offset)), (9, b"\x06")
    rows, _ = read(tmp_path, Pcapng().section().interface(*options).enhanced(FRAME, SECOND * 10**6).data)
    assert [row.time_ns for row in rows] == [time_ns]


def test_simple_and_obsolete_packets(tmp_path: Path) -> None:
    file = Pcapng().section().interface(snap_len=len(FRAME)).simple(FRAME).obsolete(FRAME, SECOND * 10**6)
    rows, summary = read(tmp_path, file.simple(FRAME, original=1000).data)
    assert [row.time_ns for row in rows] == [NO_TIME, SECOND * 10**9, NO_TIME]
    assert (summary.frames, summary.start_ns, summary.end_ns) == (3, SECOND * 10**9, SECOND * 10**9)


def test_sections_differ_in_byte_order_and_number_their_own_interfaces(tmp_path: Path) -> None:
    file = Pcapng().section("<").interface((2, b"eth0")).interface((2, b"eth1\0"), link_type=113)
    file.enhanced(FRAME, SECOND * 10**6, interface=0)
    file.section(">").interface((2, "br\xfcx".encode("latin-1")), (9, b"\x09")).enhanced(FRAME, SECOND * 10**9)
    file.section("<").interface().enhanced(FRAME, SECOND * 10**6)
    rows, summary = read(tmp_path, file.data)
    assert [row.interface for row in rows] == [0, 2, 3]
    assert {row.time_ns for row in rows} == {SECOND * 10**9}
    assert summary.interfaces == ["eth0", "eth1", "br�x", ""]
    assert summary.link_types == ["EN10MB", "LINUX_SLL"]


def test_many_interfaces(tmp_path: Path) -> None:
    file = Pcapng().section()
    for number in range(20):
        file.interface((2, f"veth{number}".encode())).enhanced(FRAME, SECOND * 10**6, interface=number)
    rows, summary = read(tmp_path, file.data)
    assert [row.interface for row in rows] == list(range(20))
    assert summary.interfaces[19] == "veth19"


def test_of_a_name_that_no_machine_has_the_beginning_is_kept(tmp_path: Path) -> None:
    file = Pcapng().section().interface((2, b"n" * 256)).interface((2, b"veth" * 7000)).enhanced(FRAME, 1, interface=1)
    rows, summary = read(tmp_path, file.data)
    assert summary.interfaces == ["n" * 256, "veth" * 64]
    assert [row.interface for row in rows] == [1]


def test_link_types_without_end_are_named_to_a_limit(tmp_path: Path) -> None:
    file = Pcapng().section()
    for number in range(1000, 1100):
        file.interface(link_type=number)
    _, summary = read(tmp_path, file.interface().enhanced(FRAME, 1, interface=100).data)
    assert len(summary.link_types) == 64
    assert (summary.tcp_frames, len(summary.interfaces)) == (1, 101)


def test_unknown_blocks_are_stepped_over_and_have_no_frame_number(tmp_path: Path) -> None:
    file = Pcapng().section().block(0xBEEF, b"?" * 100).interface().block(4, bytes(40)).block(5, bytes(16))
    file.enhanced(FRAME, 1).block(0xBEEF, b"?" * 6_000_000).enhanced(FRAME, 2).block(10, bytes(8))
    rows, summary = read(tmp_path, file.data)
    assert [row.frame for row in rows] == [1, 2]
    assert not summary.problems


def test_blocks_that_wireshark_numbers_take_a_number(tmp_path: Path) -> None:
    file = Pcapng().section().block(0x0BAD, b"?" * 100).interface().enhanced(FRAME, 1)
    file.block(0x40000BAD, b"?" * 6_000_000).block(9, b"__REALTIME_TIMESTAMP=1\n").enhanced(FRAME, 2)
    rows, summary = read(tmp_path, file.data)
    assert [row.frame for row in rows] == [2, 5]
    assert (summary.frames, summary.tcp_frames) == (5, 2)
    assert summary.other_frames == {"link type 65535 (pcapng block without a packet)": 3}
    assert summary.link_types == ["EN10MB"]
    assert not summary.problems


def test_frame_with_long_options_is_read(tmp_path: Path) -> None:
    file = Pcapng().section().interface()
    fields = struct.pack("<5I", 0, 0, 1, len(FRAME), len(FRAME)) + FRAME + bytes(-len(FRAME) % 4)
    file.block(6, fields + bytes(5_000_000)).enhanced(FRAME, 2)
    rows, summary = read(tmp_path, file.data)
    assert [row.time_ns for row in rows] == [1000, 2000]
    assert not summary.problems


def test_version_1_2_means_1_0(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, Pcapng().section(version=(1, 2)).interface().enhanced(FRAME, 1).data)
    assert len(rows) == 1


def test_other_versions_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"section version 2\.0 is not known"):
        read(tmp_path, Pcapng().section(version=(2, 0)).data)
    known = Pcapng().section().interface().enhanced(FRAME, 1)
    rows, summary = read(tmp_path, known.section(version=(2, 0)).data)
    assert len(rows) == 1
    assert summary.truncated
    assert "section version 2.0 is not known" in summary.problems[0]


def test_packets_of_unknown_interfaces_are_left_out_and_reported(tmp_path: Path) -> None:
    file = Pcapng().section().interface().enhanced(FRAME, 1).enhanced(FRAME, 2, interface=7).enhanced(FRAME, 3)
    rows, summary = read(tmp_path, file.data)
    assert [row.frame for row in rows] == [1, 2]
    assert [row.time_ns for row in rows] == [1000, 3000]
    assert not summary.truncated
    assert len(summary.problems) == 1
    assert "names an interface that is not described" in summary.problems[0]


def test_many_unusable_packets_make_few_problems(tmp_path: Path) -> None:
    file = Pcapng().section()
    for tick in range(100):
        file.enhanced(FRAME, tick)
    rows, summary = read(tmp_path, file.data)
    assert rows == []
    assert len(summary.problems) == 11


def test_frame_longer_than_its_block_is_left_out(tmp_path: Path) -> None:
    file = Pcapng().section().interface().block(6, struct.pack("<5I", 0, 0, 0, 5000, 5000) + FRAME).enhanced(FRAME, 1)
    rows, summary = read(tmp_path, file.data)
    assert len(rows) == 1
    assert "claims a frame longer than itself" in summary.problems[0]


@pytest.mark.parametrize("length", [0, 4, 8, 11, 0x90000000, 0xFFFFFFFF])
def test_impossible_block_length_ends_the_reading(tmp_path: Path, length: int) -> None:
    file = Pcapng().section().interface().enhanced(FRAME, 1)
    bad = struct.pack("<II", 6, length) + bytes(100)
    rows, summary = read(tmp_path, file.data + bad)
    assert len(rows) == 1
    assert summary.truncated
    place = len(file.data)
    assert summary.problems == [
        f"damaged at byte {place} after frame 1: a block of type 0x6 claims {length:,} bytes; "
        "the last 108 bytes are not read"
    ]


def test_lengths_that_disagree_end_the_reading(tmp_path: Path) -> None:
    data = bytearray(pcapng([FRAME, FRAME, FRAME]))
    data[-4] += 4
    rows, summary = read(tmp_path, bytes(data))
    assert len(rows) == 2
    assert "at its start and something else at its end" in summary.problems[0]


@pytest.mark.parametrize("options", [b"\x02\0\xff\xff", b"\x02\0\x20\0ab", b"\x09\0\0\0", b"\x0e\0\x02\0ab\0\0"])
def test_malformed_interface_options_are_not_taken(tmp_path: Path, options: bytes) -> None:
    file = Pcapng().section().block(1, struct.pack("<HHI", 1, 0, 0) + options).enhanced(FRAME, 1)
    rows, summary = read(tmp_path, file.data)
    assert [row.time_ns for row in rows] == [1000]
    assert summary.interfaces == [""]
