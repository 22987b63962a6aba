"""Frame counts of real captures, as another program counted them (manifest.csv in $TCPTRACE_CORPUS)."""

import csv
import os
from pathlib import Path

import pytest

from tcptrace.capture.reader import open_capture
from tcptrace.errors import CaptureError

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
            frames = capture.summary.frames
        except CaptureError as error:
            frames = str(error)
        if frames != int(row["packets"]):
            different.append((row["file"], frames, row["packets"]))
    assert captures
    assert different == []
