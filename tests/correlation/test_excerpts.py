"""The first bytes of streams, from the captures that hold them."""

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tcptrace.correlation import excerpts as under_test
from tcptrace.correlation.excerpts import Excerpts, excerpts
from tcptrace.correlation.legs import legs_of
from tcptrace.correlation.passages import passages_of
from tcptrace.correlation.points import Captures, inputs_of
from tcptrace.correlation.recording import read
from tcptrace.correlation.streams import match
from tests.capture_files import SECOND
from tests.correlation.proxied import ACK, PSH, SYN, tcp

CAPTURES = Path(__file__).parents[2] / "captures"
CLIENT, SERVER = "10.0.0.1:1000", "10.0.0.2:80"
Segment = tuple[int, bytes]


def of(captures: Captures) -> Excerpts:
    points, recordings = read(inputs_of(captures), lambda text: None)
    legs = legs_of(points, recordings)
    matched = match(legs)
    return excerpts(range(len(matched.streams)), passages_of(legs, matched.of_leg, points), recordings)


def written(path: Path, segments: Sequence[Segment], *, kept: int = 65535, syn: bool = True) -> Path:
    """The client's segments, each with its place in the stream, cut after `kept` bytes of frame."""
    frames = [tcp(CLIENT, SERVER, 99, 0, SYN), tcp(SERVER, CLIENT, 499, 100, SYN | ACK)] if syn else []
    frames += [tcp(CLIENT, SERVER, 100 + place, 500, PSH | ACK, data) for place, data in segments]
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for number, frame in enumerate(frames):
        parts += [struct.pack("<4I", SECOND, number * 1000, min(kept, len(frame)), len(frame)), frame[:kept]]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("segments", "data"),
    [
        ([(0, b"hello "), (6, b"world")], b"hello world"),
        ([(6, b"world"), (0, b"hello ")], b"hello world"),
        ([(0, b"hello "), (0, b"hello "), (6, b"world"), (0, b"hello world")], b"hello world"),
        ([(0, b"hello w"), (4, b"o world!")], b"hello world!"),
        ([(0, b"hello "), (7, b"orld")], b"hello "),
        ([], None),
    ],
)
def test_bytes_in_order_up_to_a_hole(tmp_path: Path, segments: list[Segment], data: bytes | None) -> None:
    assert of({"client": written(tmp_path / "a.pcap", segments)}).get((0, 0)) == data


def test_no_more_than_an_excerpt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "EXCERPT_BYTES", 8)
    segments = [(place, bytes(range(place, place + 5))) for place in range(0, 50, 5)]
    assert of({"client": written(tmp_path / "a.pcap", segments)})[0, 0] == bytes(range(8))


def test_cut_frames_end_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcap", [(0, b"hello "), (6, b"world")], kept=14 + 40 + 3)
    assert of({"client": path})[0, 0] == b"hel"


def test_what_begins_in_the_middle_is_told_from_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcap", [(700, b"hello "), (706, b"world")], syn=False)
    assert of({"client": path})[0, 0] == b"hello world"


def test_a_point_of_text_leaves_it_to_the_other(tmp_path: Path) -> None:
    text = CAPTURES / "lvs-dr"
    assert of({"client": text / "client.txt"}) == {}


def test_recorded() -> None:
    case = CAPTURES / "haproxy-proxy-v1"
    said = of({"proxy:eth0": case / "proxy-eth0.pcap", "proxy:eth1": case / "proxy-eth1.pcap"})
    assert said[0, 0].startswith(b"GET /orders/17 HTTP/1.1\r\n")
    assert said[1, 0].startswith(b"PROXY TCP4 10.0.0.1 10.0.0.254 40000 80\r\nGET /orders/17 HTTP/1.1\r\n")
    assert said[0, 1] == said[1, 1]
    assert len(said[0, 1]) == 666
