"""The same capture whatever it comes in: a file, compressed in four ways, standard input."""

import gzip
import io
import lzma
import os
import random
import sys
import threading
from pathlib import Path

import pytest

from tcptrace.capture.reader import open_capture
from tcptrace.errors import CaptureError
from tests.capture_files import COMPRESS, drain, erf, frames, pcap, pcapng, read

TEXT = b"".join(
    b"10:00:00.%06d IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [P.], seq %d:%d, ack 1, win 10, length 10\n"
    % (i, 1 + i * 10, 11 + i * 10)
    for i in range(2000)
)
CAPTURES = {"pcap": pcap(frames(2000)), "pcapng": pcapng(frames(2000)), "ERF": erf(frames(2000)), "tcpdump text": TEXT}
MANY = 5000


def _numbers(seed: int) -> tuple[int, int]:
    return random.Random(seed).getrandbits(32), random.Random(seed).getrandbits(16)


_NOISY = [frame + random.Random(i).randbytes(300) for i, frame in enumerate(frames(MANY))]
INCOMPRESSIBLE = {
    "pcap": pcap(_NOISY),
    "pcapng": pcapng(_NOISY),
    "ERF": erf(_NOISY),
    "tcpdump text": b"".join(
        b"10:00:00.%06d IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [.], ack %d, win %d, length 0\n" % (i, *_numbers(i))
        for i in range(MANY)
    ),
}
every_format = pytest.mark.parametrize("format", CAPTURES)
every_compression = pytest.mark.parametrize("compression", COMPRESS)


@every_format
@every_compression
def test_compressed_captures_read_as_plain_ones(tmp_path: Path, format: str, compression: str) -> None:
    plain, plain_summary = read(tmp_path, CAPTURES[format])
    rows, summary = read(tmp_path, COMPRESS[compression](CAPTURES[format]))
    assert len(plain) == 2000
    assert rows == plain
    assert plain_summary.format == format
    assert summary.format == f"{format}, {compression}"
    assert not summary.problems


@every_compression
def test_members_in_a_row_are_one_stream(tmp_path: Path, compression: str) -> None:
    data = CAPTURES["pcap"]
    members = b"".join(COMPRESS[compression](data[i : i + 9999]) for i in range(0, len(data), 9999))
    rows, summary = read(tmp_path, members)
    assert len(rows) == 2000
    assert not summary.problems


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_frames_that_decoders_skip_are_nothing(tmp_path: Path, compression: str, size: int) -> None:
    data = CAPTURES["pcap"]
    skipped = b"\x5a\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size)
    first, second = (COMPRESS[compression](part) for part in (data[:999], data[999:]))
    rows, summary = read(tmp_path, skipped + skipped + first + skipped + second + skipped)
    assert len(rows) == 2000
    assert summary.format == f"pcap, {compression}"
    assert not summary.problems


@pytest.mark.parametrize("size", [4, 9])
def test_nothing_but_frames_that_decoders_skip(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(b"\x5a\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(4))
    with pytest.raises(CaptureError, match="nothing can be read: it ends at byte 12, and all of it is frames that"):
        open_capture(str(path))


def test_frames_that_decoders_skip_count_where_damage_is(tmp_path: Path) -> None:
    data = COMPRESS["lz4"](CAPTURES["pcap"])[:-100]
    _, summary = read(tmp_path, b"\x5a\x2a\x4d\x18\x05\0\0\0skip!" + data)
    assert f"is cut short at its byte {13 + len(data):,}" in summary.problems[0]


@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_padding_behind_the_data_is_nothing(tmp_path: Path, compression: str) -> None:
    rows, summary = read(tmp_path, COMPRESS[compression](CAPTURES["pcap"]) + bytes(512))
    assert len(rows) == 2000
    assert not summary.problems


@pytest.mark.parametrize("compression", ["gzip", "lz4", "xz"])
def test_other_bytes_behind_the_data_are_reported(tmp_path: Path, compression: str) -> None:
    rows, summary = read(tmp_path, COMPRESS[compression](CAPTURES["pcap"]) + b"and so on")
    assert len(rows) == 2000
    assert "what follows it was not read" in summary.problems[0]


@every_format
@every_compression
def test_cut_short_is_read_up_to_the_cut(tmp_path: Path, format: str, compression: str) -> None:
    data = COMPRESS[compression](INCOMPRESSIBLE[format])
    rows, summary = read(tmp_path, data[: len(data) * 9 // 10])
    assert rows[-1].frame >= summary.frames - 1  # of text, half a line may be there
    assert MANY * 0.75 < summary.frames < MANY
    assert summary.truncated
    assert summary.problems


def flushed(*parts: bytes) -> tuple[bytes, list[int]]:
    """zstd data of one frame that does not say its size, and where each part can be read."""
    zstandard = pytest.importorskip("zstandard")
    squeeze = zstandard.ZstdCompressor().compressobj()
    data, ends = b"", []
    for part in parts:
        data += squeeze.compress(part) + squeeze.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        ends.append(len(data))
    return data + squeeze.flush(), ends


@pytest.mark.parametrize("further", [0, 1, 2, 3, 4, 100])
def test_zstd_data_cut_at_a_flushed_block_is_read_to_its_last_frame(tmp_path: Path, further: int) -> None:
    records = pcap(frames(100))
    noise = pcap(_NOISY[:100])[24:]
    data, (end, _) = flushed(records, noise)
    rows, summary = read(tmp_path, data[: end + further])
    assert len(rows) == 100
    assert summary.truncated
    assert summary.problems[0] == f"the zstd data is cut short at its byte {end + further:,}"


@pytest.mark.parametrize("there", [1, 4, 5, 10, 1000, -1])
def test_a_cut_in_a_later_zstd_frame_is_reported(tmp_path: Path, there: int) -> None:
    first, second = COMPRESS["zstd"](pcap(frames(100))), COMPRESS["zstd"](pcap(_NOISY)[24:])
    rows, summary = read(tmp_path, first + second[:there])
    assert len(rows) >= 100
    assert summary.truncated
    assert "the zstd data is cut short" in summary.problems[0]


def test_a_decoder_that_wants_more_memory_than_it_gets(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    capture = pcap(frames(100))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 28}]
    with pytest.raises(CaptureError, match="the xz data needs more than 128 MiB of memory") as raised:
        read(tmp_path, lzma.compress(capture, filters=filters))
    assert raised.value.remedy == "unpack it outside: xz -dc FILE | tcptrace analyze -"
    parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    squeeze = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(CaptureError, match="the zstd data needs more than 128 MiB of memory") as raised:
        read(tmp_path, squeeze.compress(capture) + squeeze.flush())
    assert raised.value.remedy == "unpack it outside: zstd --long=31 -dc FILE | tcptrace analyze -"


@every_compression
def test_corrupt_data_is_read_up_to_the_damage(tmp_path: Path, compression: str) -> None:
    data = bytearray(COMPRESS[compression](INCOMPRESSIBLE["pcap"]))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    rows, summary = read(tmp_path, bytes(data))
    assert rows
    assert summary.truncated
    assert any(f"the {compression} data is corrupt" in problem for problem in summary.problems)


def test_a_wrong_checksum_costs_little(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(CAPTURES["pcap"]))
    data[-8] ^= 1
    rows, summary = read(tmp_path, bytes(data))
    assert len(rows) > 1950
    assert "corrupt" in summary.problems[0]


@every_compression
def test_nothing_inside(tmp_path: Path, compression: str) -> None:
    with pytest.raises(CaptureError, match=f"holds {compression} data that is empty|nothing can be read"):
        read(tmp_path, COMPRESS[compression](b""))


@every_format
@pytest.mark.parametrize("compression", ["", *COMPRESS])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, format: str, compression: str) -> None:
    data = COMPRESS.get(compression, bytes)(CAPTURES[format])
    receiving, sending = os.pipe()

    def send() -> None:
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=send)
    thread.start()
    with os.fdopen(receiving, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        rows, summary = drain(open_capture("-"))
        assert not stdin.closed
    thread.join()
    assert len(rows) == 2000
    assert summary.path == "-"
    assert not summary.problems


def test_standard_input_without_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(CAPTURES["pcapng"]))
    monkeypatch.setattr(sys, "stdin", stdin)
    rows, _ = drain(open_capture("-"))
    assert len(rows) == 2000
    assert not stdin.closed


def test_a_terminal_is_no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    leading, following = os.openpty()
    with os.fdopen(leading), os.fdopen(following) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(CaptureError, match="standard input is a terminal"):
            open_capture("-")


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="standard input is closed"):
        open_capture("-")


def test_zstd_data_may_begin_with_a_frame_to_skip(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    capture = Path(__file__).parents[2] / "captures" / "refused" / "client.pcap"
    path = tmp_path / "skip.zst"
    path.write_bytes(b"\x50\x2a\x4d\x18\x04\0\0\0note" + zstandard.compress(capture.read_bytes()))
    with open_capture(path) as reader:
        assert reader.summary.format == "pcap, zstd"
