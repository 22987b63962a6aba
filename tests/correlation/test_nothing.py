"""Captures in which there is nothing to correlate."""

from pathlib import Path

import tcptrace
from tests.capture_files import pcap


def test_captures_without_tcp_are_points_of_no_connection(tmp_path: Path) -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    for name, frames in (("a.pcap", [arp]), ("b.pcap", [])):
        (tmp_path / name).write_bytes(pcap(frames))
    joint = tcptrace.correlate({"a": tmp_path / "a.pcap", "b": tmp_path / "b.pcap"})
    assert [point.name for point in joint.points] == ["a", "b"]
    assert (joint.connections, joint.found) == ((), ())
    assert joint.to_dict()["connections"] == []
