"""A capture's packets in chunks: the same however the buffers fall, whichever kernels are chosen."""

import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptrace import kernels
from tcptrace.capture import chunks, decoding, kernel_choice, walking
from tcptrace.capture.reader import open_capture
from tcptrace.capture.summary import RECORDINGS_MAX, CaptureSummary
from tcptrace.schema import NO_TIME
from tests.capture_files import drain, erf, frames, pcap, pcapng, read, tcp_frame

FILES = {"pcap": pcap, "pcapng": pcapng, "ERF": erf}
every_file = pytest.mark.parametrize("format", FILES)


@every_file
@pytest.mark.parametrize("size", [64, 100, 101, 4096])
def test_records_across_buffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, size: int) -> None:
    data = FILES[format](frames(300))
    whole, _ = read(tmp_path, data)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", size)
    rows, summary = read(tmp_path, data)
    assert len(whole) == 300
    assert rows == whole
    assert not summary.problems


@every_file
def test_cut_in_a_later_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    data = FILES[format](frames(300))[:-30]
    _, whole = read(tmp_path, data)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    rows, summary = read(tmp_path, data)
    assert len(rows) == 299
    assert summary == whole
    assert f"cut short at byte {len(data):,} after frame 299" in summary.problems[0]


@pytest.mark.parametrize("per_part", [1, 2, 100])
def test_a_day_without_a_frame_or_back_begins_another_recording(per_part: int) -> None:
    day, hour = 86_400 * 10**9, 3_600 * 10**9
    times = np.array([hour, NO_TIME, 2 * hour, 3 * day, 3 * day + hour, 4 * day + hour - 1, 9 * day, hour // 2, hour])
    summary = CaptureSummary("words", "words")
    for start in range(0, len(times), per_part):
        summary.note_times(times[start : start + per_part])
    assert (summary.start_ns, summary.end_ns) == (hour // 2, 9 * day)
    assert summary.recordings == [
        (hour, 2 * hour),
        (3 * day, 4 * day + hour - 1),
        (9 * day, 9 * day),
        (hour // 2, hour),
    ]
    ends = summary.recorded_until(np.array([hour // 2, 2 * hour, 3 * day, 4 * day, 9 * day]))
    assert ends.tolist() == [hour, 2 * hour, 4 * day + hour - 1, 4 * day + hour - 1, 9 * day]


def test_clocks_of_other_days_are_not_kept_as_recordings_without_end() -> None:
    summary = CaptureSummary("words", "words")
    summary.note_times(np.arange(3000) % 2 * 10**18)
    assert len(summary.recordings) == RECORDINGS_MAX
    assert summary.end_ns == 10**18


@every_file
def test_record_table_smaller_than_a_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    data = FILES[format](frames(300))
    whole, _ = read(tmp_path, data)
    monkeypatch.setattr(walking, "CHUNK_RECORDS", 7)
    monkeypatch.setattr(walking, "FIRST_RECORDS", 3)
    rows, _ = read(tmp_path, data)
    assert rows == whole


@every_file
def test_plain_and_compiled_kernels_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(FILES[format](frames(1000)))
    plain, plain_summary = drain(open_capture(path))
    monkeypatch.setattr(kernel_choice, "FRAMES_WORTH_MAKING", 0)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 10_000)
    sets = []
    with open_capture(path) as capture:
        sets = [chunk.kernels.compiled for chunk in capture.chunks()]
    assert sets[0] is False
    assert set(sets[1:]) == {True}
    compiled, compiled_summary = drain(open_capture(path))
    assert compiled == plain
    assert compiled_summary == plain_summary


@pytest.mark.parametrize(("kept", "frame_bytes"), [(True, 1000), (False, 60)])
def test_size_tells_whether_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch, kept: bool, frame_bytes: int) -> None:
    monkeypatch.setattr(kernels, "are_kept", lambda: kept)
    small = kernel_choice.KernelChoice(3_000 * frame_bytes, print)
    assert not small.next(0, 0).compiled
    assert not small.next(1000, 1000 * frame_bytes).compiled
    large = kernel_choice.KernelChoice(400_000 * frame_bytes, print)
    assert not large.next(0, 0).compiled
    assert large.next(1000, 1000 * frame_bytes).compiled
    unknown = kernel_choice.KernelChoice(None, print)
    assert not unknown.next(1000, 1000 * frame_bytes).compiled
    assert unknown.next(400_000, 400_000 * frame_bytes).compiled
    assert unknown.next(0, 0).compiled


def test_a_capture_of_medium_size_waits_for_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    for kept in (True, False):
        monkeypatch.setattr(kernels, "are_kept", lambda kept=kept: kept)
        assert kernel_choice.KernelChoice(5_000_000, print).next(1000, 100_000).compiled == kept


def test_times_out_of_order(tmp_path: Path) -> None:
    data = pcap(frames(3))
    record = 16 + len(tcp_frame(payload=b""))
    rows, summary = read(tmp_path, data[:24] + data[24 + record :] + data[24 : 24 + record])
    assert [row.seq for row in rows] == [2, 3, 1]
    assert summary.start_ns == rows[2].time_ns
    assert summary.end_ns == rows[1].time_ns


def test_chunks_may_be_left_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    path = tmp_path / "capture"
    path.write_bytes(pcap(frames(1000)))
    with open_capture(path) as capture:
        next(capture.chunks())
    assert capture.summary.frames < 1000
    assert "tcptrace-read" not in [thread.name for thread in threading.enumerate()]


def test_a_small_capture_starts_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda thread: pytest.fail("a thread is started"))
    rows, _ = read(tmp_path, pcap(frames(1000)))
    assert len(rows) == 1000


def test_chunks_hold_while_the_thread_runs_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture"
    path.write_bytes(pcap(frames(300)))
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(walking, "CHUNK_RECORDS", 7)
    decode_chunk = decoding.Decoder.decode_chunk

    def slow(*arguments: Any) -> decoding.Chunk:
        time.sleep(0.002)
        return decode_chunk(*arguments)

    monkeypatch.setattr(decoding.Decoder, "decode_chunk", slow)
    rows, summary = drain(open_capture(path))
    assert [row.seq for row in rows] == list(range(1, 301))
    assert summary.frames == 300


def test_buffers_without_frames_do_not_overtake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pcapng(frames(40))
    name_resolution = struct.pack("<II", 4, 6000) + bytes(5988) + struct.pack("<I", 6000)
    path = tmp_path / "capture"
    path.write_bytes(whole + name_resolution * 5)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    decode_chunk = decoding.Decoder.decode_chunk

    def slow(*arguments: Any) -> decoding.Chunk:
        time.sleep(0.01)
        return decode_chunk(*arguments)

    monkeypatch.setattr(decoding.Decoder, "decode_chunk", slow)
    rows, summary = drain(open_capture(path))
    assert [row.seq for row in rows] == list(range(1, 41))
    assert not summary.problems
