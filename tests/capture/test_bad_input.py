"""Hostile, damaged and foreign files in: what is readable, or one clear CaptureError, and never more memory."""

import gzip
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcptrace.capture.reader import open_capture
from tcptrace.capture.summary import CaptureSummary
from tcptrace.errors import CaptureError
from tests.capture_files import COMPRESS, Pcapng, Row, drain, erf, frames, pcap, pcapng, read, tcp_frame

TEXT = b"10:00:00.000001 IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [S], seq 1, win 10, options [mss 1460], length 0\n" * 3
SMALL = {
    "pcap": pcap(frames(4)),
    "pcap, big-endian": pcap(frames(4), ">"),
    "modified pcap": pcap(frames(4), magic=0xA1B2CD34, extra=struct.pack("<IHBB", 2, 0x0800, 0, 0)),
    "pcapng": pcapng(frames(4)),
    "pcapng, big-endian": pcapng(frames(4), ">"),
    "pcapng, old blocks": Pcapng().section().interface().simple(tcp_frame()).obsolete(tcp_frame(), 1).data,
    "ERF": erf(frames(4)),
    "tcpdump text": TEXT,
    **{name: compress(pcap(frames(4))) for name, compress in COMPRESS.items()},
}


def outcome(path: Path, data: bytes) -> tuple[list[Row], CaptureSummary] | None:
    """What a file gives; None when it ends in a CaptureError that says what and what to do."""
    path.write_bytes(data)
    try:
        return drain(open_capture(path))
    except CaptureError as error:
        complete = bool(error.problem and error.remedy and str(error).startswith(str(path)))
    assert complete
    return None


@pytest.mark.parametrize("format", SMALL)
def test_every_truncation_point(tmp_path: Path, format: str) -> None:
    data = SMALL[format]
    whole = outcome(tmp_path / "whole", data)
    assert whole
    for cut in range(len(data)):
        result = outcome(tmp_path / "cut", data[:cut])
        if result is None:
            continue
        rows, summary = result
        if format != "tcpdump text":  # half a line of text says what it says
            assert rows == whole[0][: len(rows)]
        assert summary.frames <= whole[1].frames
        assert summary.truncated == bool(summary.problems) or format == "tcpdump text"
        if summary.truncated and not summary.format.endswith(tuple(COMPRESS)):
            assert f"byte {cut:,}" in summary.problems[0]


@pytest.mark.parametrize("format", SMALL)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6), cut=st.integers(0, 20))
def test_mutated_files(tmp_path: Path, format: str, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(SMALL[format])
    for place, value in changes:
        data[place % len(data)] = value
    outcome(tmp_path / "mutated", bytes(data[: len(data) - cut]))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", *(data[:28] for data in SMALL.values())]),
    rest=st.binary(max_size=300),
)
def test_noise_behind_a_good_beginning(tmp_path: Path, start: bytes, rest: bytes) -> None:
    outcome(tmp_path / "noise", start + rest)


FOREIGN = {
    b"\x7fELF\2\1\1": "an ELF program",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"%PDF-1.7": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"BZh91AY": "bzip2 data",
    b"\n <!doctype html><html>": "an HTML page",
    b'{"flows": []}': "JSON",
    b"[\n  {": "JSON",
    b"[root@host ~]# ip addr\n": "text",
    b"No.,Time,Source\n1,0.0,10.0.0.1\n": "text",
    "für später\n".encode(): "text",
    b"snoop\0\0\0\0\0\0\2": "a snoop capture",
    b"version https://git-lfs.github.com/spec/v1\n": "a Git LFS pointer",
    bytes(5000): "nothing but zero bytes",
    bytes(257) + b"ustar": "a tar archive",
    b"\xd4\xc3\xb2": "binary data of an unknown kind",
    gzip.compress(gzip.compress(b"x")): "gzip data once more",
}


@pytest.mark.parametrize(
    ("data", "what"), FOREIGN.items(), ids=[f"{i}-{what}" for i, what in enumerate(FOREIGN.values())]
)
def test_a_file_that_is_no_capture(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(CaptureError, match=f"no capture: it looks like {what}"):
        read(tmp_path, data)
    with pytest.raises(CaptureError, match="the zstd data in it is no capture"):
        read(tmp_path, COMPRESS["zstd"](data))


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is empty"):
        read(tmp_path, b"")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        open_capture(tmp_path / "missing.pcap")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is a directory"):
        open_capture(tmp_path)


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be opened: embedded null byte"):
        open_capture("a\0b")
    with pytest.raises(CaptureError, match="cannot be opened: File name too long"):
        open_capture("x" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_permissions(tmp_path: Path) -> None:
    path = tmp_path / "secret.pcap"
    path.write_bytes(pcap(frames(1)))
    path.chmod(0)
    with pytest.raises(CaptureError, match="permission denied"):
        open_capture(path)


def test_permission_denied_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("io.FileIO", refuse)
    with pytest.raises(CaptureError, match="permission denied") as raised:
        open_capture("secret.pcap")
    assert raised.value.remedy.startswith("make it readable: sudo chmod a+r ")
    monkeypatch.setattr("os.access", lambda folder, mode: str(folder) != "/no way")
    with pytest.raises(CaptureError, match="permission denied") as raised:
        open_capture("/no way/in/secret.pcap")
    assert raised.value.remedy == "let its folder be entered: sudo chmod a+x '/no way'"


def test_a_file_that_cannot_be_read_further(tmp_path: Path) -> None:
    class Failing:
        """A disk that fails after some bytes."""

        given = 0

        def readinto(self, buffer: memoryview) -> int:
            if self.given == len(data):
                raise OSError(5, "Input/output error")
            size = min(len(buffer), len(data) - self.given)
            buffer[:size] = data[self.given : self.given + size]
            self.given += size
            return size

    data = pcap(frames(3))
    with open_capture(_file(tmp_path, data)) as capture:
        capture._source._stream = Failing()  # type: ignore[assignment]  # all that a stream needs
        capture._source._start = memoryview(b"")
        rows, summary = drain(capture)
    assert len(rows) == 3
    assert summary.truncated
    assert summary.problems == ["it cannot be read further: Input/output error"]


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "capture"
    path.write_bytes(data)
    return path


def bomb(start: bytes, repeated: bytes, times: int) -> bytes:
    """gzip data of `start` and many times `repeated`, made without compressing it many times."""
    squeeze = zlib.compressobj(9, wbits=31)
    head = squeeze.compress(start) + squeeze.flush(zlib.Z_FULL_FLUSH)
    once = squeeze.compress(repeated) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return head + once * times


def peak_bytes(path: Path) -> tuple[int, CaptureSummary | str]:
    """Most memory that reading a capture held, and what came of it."""
    tracemalloc.start()
    try:
        result = drain(open_capture(path))[1]
    except CaptureError as error:
        return tracemalloc.get_traced_memory()[1], error.problem
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, result


def test_a_gzip_bomb_of_zeros_is_no_capture(tmp_path: Path) -> None:
    path = _file(tmp_path, bomb(b"", bytes(1 << 20), 1024))  # a gigabyte
    peak, problem = peak_bytes(path)
    assert problem == "the gzip data in it is no capture: it looks like nothing but zero bytes"
    assert peak < 2_000_000


def test_a_gzip_bomb_of_large_blocks_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcptrace.capture.kernel_choice.BYTES_WORTH", 1 << 40)  # numba's own memory is another matter
    start = Pcapng().section().interface().data
    repeated = Pcapng().block(0xBEEF, bytes(1 << 20)).data
    path = _file(tmp_path, bomb(start, repeated, 300))
    peak, summary = peak_bytes(path)
    assert isinstance(summary, CaptureSummary)
    assert summary.frames == 0
    assert summary.problems == [f"the gzip data is cut short at its byte {path.stat().st_size:,}"]
    assert peak < 40_000_000


def test_a_record_of_four_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    record = struct.pack("<4I", 1, 1, 0xFFFFFFFF, 0xFFFFFFFF)
    block = struct.pack("<II", 6, 0xFFFFFFFC)
    for data in (pcap(frames(2)) + record, pcapng(frames(2)) + block + bytes(20)):
        peak, summary = peak_bytes(_file(tmp_path, data))
        assert isinstance(summary, CaptureSummary)
        assert summary.frames == 2
        assert summary.truncated
        assert peak < 40_000_000


def test_interfaces_without_end_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcptrace.capture.pcapng.INTERFACES_MAX", 1000)
    start = Pcapng().section().data
    rows, summary = read(tmp_path, start + Pcapng().interface().data * 2000)
    assert rows == []
    assert "more than 1,000 interfaces" in summary.problems[0]


def test_sections_without_end_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tcptrace.capture.pcapng.SECTIONS_MAX", 1000)
    _, summary = read(tmp_path, Pcapng().section().data * 2000)
    assert "more than 1,000 sections" in summary.problems[0]
