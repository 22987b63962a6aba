"""The recorded captures, printed by the tcpdump installed here: text reads as the capture itself does.

Each is printed in three of the ways tcpdump has, so that each way prints a quarter of them.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tcptrace.capture.reader import open_capture
from tests.tcpdump_reading import Reading, read, row

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
CUT = {"truncated-file", "truncated-frames"}
"""tcpdump fails at the end of the one, and names a cut option that a capture read by itself leaves unknown."""

OUTER = {"vxlan-between-nodes/node1-eth0.pcap", "vxlan-between-nodes/node2-eth0.pcap"}
"""Linux' old port of VXLAN, 8472, which tcpdump prints as OTV."""

RECORDED = sorted(
    capture
    for capture in CAPTURES.glob("*/*.pcap*")
    if capture.parent.name not in CUT and f"{capture.parent.name}/{capture.name}" not in OUTER
)
TURNS = (0, 5, 10)
OPTIONS = ["-n", "-nS", "-ntt", "-ntttt", "-n#", "-nt", "-ne", "-nv", "-nvvS", "-nvvve#", "-nX", "-nvA"]
ALIKE = "src dst flags window len mss window_scale sack_permitted tsval tsecr option_kinds sack".split()

pytestmark = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")


def printed(capture: Path, options: str) -> Reading:
    """A capture printed by tcpdump and read back."""
    command = ["tcpdump", options, "-r", str(capture)]
    return read(subprocess.run(command, capture_output=True, check=True, env={**os.environ, "TZ": "UTC"}).stdout)


def recorded(capture: Path) -> Reading:
    """The capture itself, read."""
    with open_capture(capture) as reader:
        rows = [
            row(chunk.packets, place, reader.addresses)
            for chunk in reader.chunks()
            for place in range(len(chunk.packets.frame))
            if not chunk.packets.quoted[place]
        ]
        return Reading(rows, reader.summary)


@pytest.mark.parametrize(
    ("capture", "options"),
    [
        (capture, OPTIONS[(place + turn) % len(OPTIONS)])
        for place, capture in enumerate(RECORDED)
        for turn in (0, 5, 10)
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.parent.name}/{value.name}",
)
def test_text_reads_as_the_capture_does(capture: Path, options: str) -> None:
    text, whole = printed(capture, options), recorded(capture)
    assert text.summary.frames == whole.summary.frames
    assert text.column("frame") == whole.column("frame")
    begun = {(row["src"], row["dst"]) for row in whole.rows if row["flags"] & 0x02}
    for ours, theirs in zip(text.rows, whole.rows, strict=True):
        assert {name: ours[name] for name in ALIKE} == {name: theirs[name] for name in ALIKE}
        if theirs["flags"] & 0x10 and (ours["dst"], ours["src"]) in begun:
            assert ours["ack"] == theirs["ack"]
        if not ours["inferred"] and (ours["src"], ours["dst"]) in begun:
            assert ours["seq"] == theirs["seq"]
        if "v" in options:
            assert (ours["ttl"], ours["ip_id"]) == (theirs["ttl"], theirs["ip_id"])
    if options == "-ntttt":
        assert [time // 1000 for time in text.column("time_ns")] == [time // 1000 for time in whole.column("time_ns")]
