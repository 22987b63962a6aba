"""pcapng out: read back by the reader, and by tshark where it is installed."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from tcptrace.capture.frames import Frame, FrameReader
from tcptrace.capture.pcapng_writer import PcapngWriter
from tests.capture_files import SECOND, tcp_frame

NS = SECOND * 10**9 + 123_456_789
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """Frames at two interfaces of different link types, the second of which is described late."""
    out = io.BytesIO()
    writer = PcapngWriter(out)
    client = writer.add_interface("client", 1)
    writer.write(client, NS, tcp_frame(), 60, ["tcptrace: syn-unanswered: nobody → anybody", "another"])
    raw = writer.add_interface("lvs:eth0", 101)
    writer.write(raw, NS + 1, tcp_frame()[14:], 1400)
    writer.write(client, NS + 2, b"odd", 3, ["x" * 70_000])
    place = tmp_path / "story.pcapng"
    place.write_bytes(out.getvalue())
    return place


def test_what_is_written_is_read(story: Path) -> None:
    reader = FrameReader([str(story)])
    assert list(reader.frames()) == [
        Frame(1, 0, 1, NS, tcp_frame(), 60),
        Frame(2, 1, 101, NS + 1, tcp_frame()[14:], 1400),
        Frame(3, 0, 1, NS + 2, b"odd", 3),
    ]
    assert reader.interfaces == ["client", "lvs:eth0"]


def test_a_time_that_is_unknown_becomes_the_epoch(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = PcapngWriter(out)
    writer.write(writer.add_interface("", 1), -(2**63), b"", 0)
    place = tmp_path / "timeless.pcapng"
    place.write_bytes(out.getvalue())
    assert [frame.time_ns for frame in FrameReader([str(place)]).frames()] == [0]


@needs_tshark
def test_tshark_reads_interfaces_times_and_comments(story: Path) -> None:
    fields = "frame.interface_name frame.time_epoch frame.len tcp.dstport frame.comment".split()
    command = ["tshark", "-r", str(story), "-T", "fields", *(word for field in fields for word in ("-e", field))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second, third = (line.split("\t") for line in done.stdout.splitlines())
    assert first[:4] == ["client", f"{SECOND}.123456789", "60", "80"]
    assert first[4] == "tcptrace: syn-unanswered: nobody → anybody,another"
    assert second[:4] == ["lvs:eth0", f"{SECOND}.123456790", "1400", "80"]
    assert third[4].strip("x") == ""
    assert done.stderr == "" or "root" in done.stderr
