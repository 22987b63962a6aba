"""Segments of a stream, each once, and where each was seen."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.correlation.matched import at_points
from tests.correlation.wire import Frame, Tcp, changed, dnat, fullnat, merged, recorded, say

OPEN = "0 C S 0 id=1\nS S. 0 1 id=1\nC . 1 1 id=2\n"
REWRITES = [
    pytest.param(lambda one: one, id="direct"),
    pytest.param(dnat("10.9.9.9:81"), id="NAT"),
    pytest.param(fullnat("10.7.7.7:1025", "10.9.9.9:81", 5_000_000), id="FULLNAT"),
]


def without(frames: Sequence[Frame], *numbers: int) -> list[Frame]:
    """All frames but these."""
    return [frame for number, frame in enumerate(frames, 1) if number not in numbers]


def later(frames: Sequence[Frame], by_ms: float) -> list[Frame]:
    return [Frame(frame.time_ns + round(by_ms * 1e6), frame.data) for frame in frames]


@pytest.mark.parametrize("change", REWRITES)
@pytest.mark.parametrize("clock_ms", [0, -60_000, 90_000])
def test_a_lost_original_is_not_its_repeat(tmp_path: Path, change: Callable[[Tcp], Tcp], clock_ms: float) -> None:
    talk = say(OPEN + "10 C P. 1:101 1 id=3\n11 C P. 101:201 1 id=4\n230 C P. 1:101 1 id=5\n231 S . 1 201 id=2")
    behind = changed(without(talk, 4), change, later_ms=clock_ms + 1)
    found = at_points(tmp_path, {"client": talk, "server": behind})
    assert found.lost("client", "server") == [4]
    assert (6, 5) in found.frames("client", "server")


@pytest.mark.parametrize("clock_ms", [0, -60_000, 90_000])
def test_repeats_without_identification_are_told_by_time(tmp_path: Path, clock_ms: float) -> None:
    """IPv6 has none; a clock ahead by minutes is no matter."""
    talk = say(
        "0 C S 0\nS S. 0 1\nC . 1 1\n10 C P. 1:101 1\n210 C P. 1:101 1\n620 C P. 1:101 1\n621 S . 1 101",
        "[2001:db8::1]:40000",
        "[2001:db8::2]:80",
    )
    for lost in (4, 5, 6):
        found = at_points(tmp_path, {"client": talk, "server": later(without(talk, lost), clock_ms + 1)})
        assert found.lost("client", "server") == [lost]


def test_timestamps_tell_repeats(tmp_path: Path) -> None:
    talk = say("0 C S 0 ts=1\nS S. 0 1 ts=1\nC . 1 1 ts=2\nC P. 1:101 1 ts=3\nC P. 1:101 1 ts=4\nC P. 1:101 1 ts=5")
    found = at_points(tmp_path, {"client": talk, "server": later(without(talk, 5), 1)})
    assert found.lost("client", "server") == [5]


@pytest.mark.parametrize("identified", [True, False])
def test_duplicate_acknowledgements_of_which_some_are_lost(tmp_path: Path, identified: bool) -> None:
    acks = "".join(f"{20 + 5 * i} C . 1 101 {f'id={10 + i}' if identified else ''}\n" for i in range(6))
    talk = say("0 C S 0\nS S. 0 1\nC . 1 1\nS P. 1:101 1\n10 S P. 201:301 1\n11 S P. 301:401 1\n" + acks)
    found = at_points(tmp_path, {"client": talk, "server": later(without(talk, 8, 11), 40)})
    assert found.lost("client", "server") == [8, 11]
    assert found.passed("client", "server") == [len(talk), len(talk) - 2]


def test_repeated_syns_of_which_the_first_is_lost(tmp_path: Path) -> None:
    talk = say("0 C S 0\n1000 C S 0\n3000 C S 0\n3001 S S. 0 1\n3002 C . 1 1\n3003 C P. 1:5 1\n3004 S . 1 5")
    found = at_points(tmp_path, {"client": talk, "server": later(without(talk, 1), 60_000)})
    assert found.lost("client", "server") == [1]


def test_reordered_between_points(tmp_path: Path) -> None:
    talk = say(OPEN + "C P. 1:101 1 id=3\nC P. 101:201 1 id=4\nC P. 201:301 1 id=5\nS . 1 301 id=2")
    swapped = [talk[i] for i in (0, 1, 2, 5, 3, 4, 6)]
    there = [Frame(one.time_ns + 10**6, other.data) for one, other in zip(talk, swapped, strict=True)]
    found = at_points(tmp_path, {"client": talk, "server": there})
    assert found.lost("client", "server") == found.lost("server", "client") == []
    assert sorted(found.frames("client", "server"))[3:6] == [(4, 5), (5, 6), (6, 4)]


def test_duplicated_on_the_way(tmp_path: Path) -> None:
    talk = say(OPEN + "C P. 1:101 1 id=3\n5 S . 1 101 id=2\n90 C P. 101:201 1 id=4\n91 S . 1 201 id=3")
    twice = sorted([*talk, Frame(talk[3].time_ns + 50_000_000, talk[3].data)])
    found = at_points(tmp_path, {"client": talk, "server": later(twice, 1)})
    assert found.lost("client", "server") == []
    assert found.lost("server", "client") == [6]


def test_a_copy_by_the_capture_is_no_sighting(tmp_path: Path) -> None:
    talk = say(OPEN + "C P. 1:101 1 id=3\n5 S . 1 101 id=2")
    copied = sorted([*talk, *later(talk, 0.002)])
    found = at_points(tmp_path, {"client": talk, "server": copied})
    assert found.passed("client", "server") == [5, 5]
    assert found.lost("server", "client") == []


@pytest.mark.parametrize("most", [2, 3, 16])
def test_segments_joined_by_an_offload(tmp_path: Path, most: int) -> None:
    talk = recorded("bulk-transfer", "client.pcap")[:400]
    found = at_points(tmp_path, {"wire": talk, "host": merged(talk, most)})
    assert found.seen_at() == [["wire", "host"]]
    assert found.lost("wire", "host") == found.lost("host", "wire") == []
    assert found.passages.partly.any()


def test_a_segment_lost_before_an_offload_joins_the_rest(tmp_path: Path) -> None:
    data = "".join(f"{10 + i} C P. {1 + 100 * i}:{101 + 100 * i} 1 id={10 + i}\n" for i in range(6))
    talk = say(OPEN + data + "20 S . 1 301 id=2\n200 C P. 301:401 1 id=20\n201 S . 1 601 id=3")
    behind = merged(without(talk, 7))
    found = at_points(tmp_path, {"client": talk, "server": behind})
    assert found.lost("client", "server") == [7]


def test_a_repeat_joined_with_what_follows_does_not_hide_the_loss(tmp_path: Path) -> None:
    talk = say(OPEN + "10 C P. 1:101 1 id=3\n200 C P. 1:101 1 id=4\n201 C P. 101:201 1 id=5\n202 S . 1 201 id=2")
    found = at_points(tmp_path, {"client": talk, "server": merged(without(talk, 4))})
    assert found.lost("client", "server") == [4]


def test_pieces_lie_in_the_segment_that_holds_their_last_byte(tmp_path: Path) -> None:
    cut = say(OPEN + "10 C P. 1:101 1 id=3\n11 C P. 101:201 1 id=4\n20 S . 1 201 id=2")
    found = at_points(tmp_path, {"host": merged(cut), "wire": cut})
    rows = [
        row
        for row, partly in zip(found.frames("host", "wire"), found.passages.partly.tolist(), strict=True)
        if any(partly)
    ]
    assert sorted(rows) == [(4, 4), (4, 5), (4, 5)]


def test_the_passages_of_a_stream(tmp_path: Path) -> None:
    talks = [say(OPEN, f"10.0.0.1:{40000 + i}", isn=(10**9 + 10**6 * i, 2 * 10**9 + 10**6 * i)) for i in range(4)]
    frames = sorted(itertools.chain(*talks))
    passages = at_points(tmp_path, {"a": frames, "b": later(frames, 1)}).passages
    assert passages.stream[passages.rows(3)].tolist() == [3] * 3
    assert len(passages.rows(4)) == 0


def test_positions_are_those_of_the_sender_wherever_numbers_are_shifted(tmp_path: Path) -> None:
    talk = say(OPEN + "C P. 1:101 1\nS P. 1:51 101\nC . 101 51")
    found = at_points(tmp_path, {"a": talk, "b": changed(talk, fullnat("10.7.7.7:1025", "10.9.9.9:81", 2**31), 1)})
    p = found.passages
    assert list(zip(p.start.tolist(), p.end.tolist(), p.ack.tolist(), strict=True)) == [
        (0, 1, -1),
        (0, 1, 1),
        (1, 1, 1),
        (1, 101, 1),
        (1, 51, 101),
        (101, 101, 51),
    ]


def test_many_alike_do_not_take_long(tmp_path: Path) -> None:
    """Thousands of probes that say the same, some of them lost."""
    probes = "".join(f"{10 + i} C . 1 1\n{10.5 + i} S . 1 1\n" for i in range(1000))
    talk = say("0 C S 0\nS S. 0 1\nC . 1 1\n" + probes, "[2001:db8::1]:40000", "[2001:db8::2]:80")
    lost = set(range(100, 2000, 37))
    found = at_points(tmp_path, {"client": talk, "server": later(without(talk, *lost), 0.1)})
    assert set(found.lost("client", "server")) == lost


def test_no_sightings(tmp_path: Path) -> None:
    found = at_points(tmp_path, {"a": [], "b": []})
    assert found.names == ["a", "b"]
    assert found.streams == ()
    assert found.passages.row.shape == (0, 2)
    assert found.passages.time_ns.shape == (0, 2)


def test_a_point_that_saw_nothing(tmp_path: Path) -> None:
    talk = say(OPEN)
    udp = Frame(talk[0].time_ns, bytes(12) + b"\x08\x00" + talk[0].data[14:23] + b"\x11" + talk[0].data[24:])
    found = at_points(tmp_path, {"a": talk, "empty": [], "no-tcp": [udp], "b": later(talk, 1)})
    assert found.seen_at() == [["a", "b"]]
    assert found.passed("a", "empty", "no-tcp", "b") == [3, 0, 0, 3]


def test_wire_reads_what_it_writes() -> None:
    for frame in recorded("ipvs-nat", "client.pcap"):
        if frame.data[12:14] == b"\x08\x00":
            ours = Tcp.of(Tcp.of(frame.data).frame().data)
            assert ours == Tcp.of(frame.data)
