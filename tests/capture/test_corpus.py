"""Frame counts of real captures, as capinfos counted them (manifest.csv in $TCPTRACE_CORPUS).

capinfos leaves out pcapng's custom blocks, to which Wireshark and we give frame numbers.
"""

import csv
import os
from pathlib import Path

import pytest

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
