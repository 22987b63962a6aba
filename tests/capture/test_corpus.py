"""Real captures: frame counts as capinfos counted them (manifest.csv in $TCPTRACE_CORPUS), plain and compiled kernels.

capinfos leaves out pcapng's custom blocks, to which Wireshark and we give frame numbers.
"""

import csv
import hashlib
import json
import os
from pathlib import Path

import pytest

import tcptrace
from tcptrace.capture import kernel_choice
from tcptrace.capture.cursor import LINK_TYPE
from tcptrace.capture.frame_names import frame_name
from tcptrace.capture.reader import open_capture
from tcptrace.capture.walk_pcapng import NO_PACKET
from tcptrace.errors import CaptureError

NO_PACKET_NAME = frame_name(LINK_TYPE - NO_PACKET)
CORPUS = Path(os.environ.get("TCPTRACE_CORPUS", ""))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif("TCPTRACE_CORPUS" not in os.environ, reason="TCPTRACE_CORPUS names no folder of captures"),
]


def test_frames_of_every_readable_capture() -> None:
    with (CORPUS / "manifest.csv").open() as manifest:
        captures = [row for row in csv.DictReader(manifest) if row["status"] == "ok"]
    different = []
    for row in captures:
        try:
            with open_capture(CORPUS / row["file"]) as capture:
                for _ in capture.chunks():
                    pass
            frames = capture.summary.frames - capture.summary.other_frames.get(NO_PACKET_NAME, 0)
        except CaptureError as error:
            frames = str(error)
        if frames != int(row["packets"]):
            different.append((row["file"], frames, row["packets"]))
    assert captures
    assert different == []


def test_compiled_kernels_find_what_plain_ones_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every column of every segment, every flow, transition and measure of every capture."""
    files = [path for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    different = []
    for path in files:
        outcomes = []
        for worth in (1 << 60, -1):
            monkeypatch.setattr(kernel_choice, "FRAMES_WORTH_MAKING", worth)
            monkeypatch.setattr(kernel_choice, "FRAMES_WORTH_LOADING", 1 << 60)
            try:
                outcomes.append(_digest(path))
            except CaptureError as error:
                outcomes.append(str(error))
        if outcomes[0] != outcomes[1]:
            different.append(str(path.relative_to(CORPUS)))
    assert files
    assert different == []


def _digest(path: Path) -> str:
    """A hash of all that an analysis says of a capture."""
    digest = hashlib.sha256()
    for packets, segments, *_ in tcptrace.packets(path):
        for column in (*packets, *segments):
            digest.update(column.tobytes())
    analysis = tcptrace.analyze(path)
    digest.update(json.dumps(analysis.to_dict()).encode())
    return digest.hexdigest()
