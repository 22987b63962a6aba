"""Captures that do not belong together stay apart: a wrong join is worse than none."""

from pathlib import Path

import pytest

from tcptrace.correlation.points import inputs_of
from tests.correlation.matched import Matched, at_points, matched
from tests.correlation.wire import CAPTURES, Frame, changed, dnat, fullnat, say

TALK = "C S 0\nS S. 0 1\nC . 1 1\nC P. 1:101 1\nS P. 1:501 101\nC F. 101 501\nS F. 501 102\nC . 102 502"
OTHER = "C S 0\nS S. 0 1\nC . 1 1\nC P. 1:78 1\nS P. 1:333 78\nC F. 78 333\nS F. 333 79\nC . 79 334"
SILENT = "C S 0\nS S. 0 1\nC . 1 1\nC F. 1 1\nS F. 1 2\nC . 2 2"
RANDOM = (3_141_592_653, 2_718_281_828)
OTHER_RANDOM = (1_618_033_988, 1_414_213_562)


def apart(found: Matched) -> bool:
    """Whether no stream was seen at two points."""
    return all(len(set(seen)) == 1 for seen in found.seen_at())


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("ipvs-dr/client.pcap", "ipvs-nat/rs-bond1.pcap"),
        ("ipvs-dr/client.pcap", "lost-between/rs-bond1.pcap"),
        ("http/client.pcap", "https/client.pcap"),
        ("fullnat/client.pcap", "ipvs-nat/rs-bond1.pcap"),
        ("many-connections/client.pcap", "several-servers/server.pcap"),
        ("lvs-dr/client.txt", "dpvs-fullnat/rs.txt"),
        ("haproxy/client.pcap", "haproxy-503/app-eth0.pcap"),
        ("midstream-open/client.pcap", "midstream-close/client.pcap"),
        ("port-reuse/client.pcap", "port-reuse-time-wait/client.pcap"),
    ],
)
def test_recordings_of_different_days(here: str, there: str) -> None:
    """Many of them have the same addresses and ports."""
    found = matched(inputs_of({"a": CAPTURES / here, "b": CAPTURES / there}))
    assert apart(found)
    assert found.candidates == ()


def two_directors(
    server: str, other_server: str, isn: tuple[int, int], other_isn: tuple[int, int], other: str
) -> dict[str, list[Frame]]:
    """Two clients of one address and port, in two networks, each before a director of its own."""
    here, there = say(TALK, isn=isn), say(other, isn=other_isn, at_ms=30)
    return {
        "a:eth0": here,
        "a:eth1": changed(here, dnat(server), later_ms=1),
        "b:eth0": there,
        "b:eth1": changed(there, dnat(other_server), later_ms=1),
    }


@pytest.mark.parametrize("other_server", ["10.9.9.9:81", "10.9.9.8:81"], ids=["same server", "another server"])
@pytest.mark.parametrize("other", [TALK, OTHER], ids=["equal payload", "other payload"])
def test_one_client_address_before_two_directors(tmp_path: Path, other_server: str, other: str) -> None:
    found = at_points(tmp_path, two_directors("10.9.9.9:81", other_server, RANDOM, OTHER_RANDOM, other))
    assert found.seen_at() == [["a:eth0", "a:eth1"], ["b:eth0", "b:eth1"]]


@pytest.mark.parametrize("other_server", ["10.9.9.9:81", "10.9.9.8:81"], ids=["same server", "another server"])
@pytest.mark.parametrize("isn", [(0, 0), (1000, 1000), (1000, 2000)])
def test_generators_with_constant_numbers_before_two_directors(
    tmp_path: Path, other_server: str, isn: tuple[int, int]
) -> None:
    """Nothing tells which is whose: what the directors translate is told as a candidate only."""
    found = at_points(tmp_path, two_directors("10.9.9.9:81", other_server, isn, isn, OTHER))
    assert not any({seen[0][0], seen[-1][0]} == {"a", "b"} for seen in found.seen_at())
    assert all(candidate.confidence <= 0.5 for candidate in found.candidates)


@pytest.mark.parametrize("isn", [(0, 0), (1000, 1000)])
def test_constant_numbers_of_other_addresses(tmp_path: Path, isn: tuple[int, int]) -> None:
    here = say(TALK, isn=isn) + say(TALK, "10.0.0.1:40001", isn=isn, at_ms=20)
    there = say(TALK, "10.0.0.7:50000", "10.8.8.8:80", isn=isn)
    found = at_points(tmp_path, {"a": here, "b": there})
    assert apart(found)
    assert all(candidate.confidence <= 0.5 for candidate in found.candidates)
    assert found.candidates


def test_constant_numbers_of_one_connection_each(tmp_path: Path) -> None:
    found = at_points(
        tmp_path, {"a": say(TALK, isn=(0, 0)), "b": say(TALK, "10.0.0.7:50000", "10.8.8.8:80", isn=(0, 0))}
    )
    assert apart(found)
    assert [candidate.streams for candidate in found.candidates] == [(0, 1)]


def test_large_constant_numbers_of_two_connections(tmp_path: Path) -> None:
    """Translated, or not the same at all: which is which cannot be told."""
    here = say(TALK, isn=RANDOM) + say(TALK, "10.0.0.1:40001", isn=RANDOM, at_ms=20)
    there = say(TALK, "10.0.0.7:50000", isn=RANDOM) + say(TALK, "10.0.0.8:50000", isn=RANDOM, at_ms=20)
    found = at_points(tmp_path, {"a": here, "b": there})
    assert apart(found)
    assert found.candidates


def test_constant_numbers_with_timestamps_are_told_apart(tmp_path: Path) -> None:
    def stamped(first: int) -> str:
        return "\n".join(f"{line} ts={first + i}" for i, line in enumerate(TALK.splitlines()))

    here = [*say(stamped(100), isn=(0, 0)), *say(stamped(900), "10.0.0.1:40001", isn=(0, 0), at_ms=20)]
    found = at_points(tmp_path, {"a": here, "b": changed(here, dnat("10.9.9.9:81"), later_ms=1)})
    assert found.seen_at() == [["a", "b"], ["a", "b"]]


def test_many_connections_of_equal_payload(tmp_path: Path) -> None:
    """Each finds its own behind a director that gives the server other addresses and numbers."""
    here, there = [], []
    for i in range(12):
        isn = (3_000_000_000 + 17_000_001 * i, 1_000_000_000 + 13_000_001 * i)
        talk = say(TALK, f"10.0.0.1:{40000 + i}", isn=isn, at_ms=i)
        here += talk
        there += changed(talk, fullnat(f"10.7.7.7:{1025 + i}", "10.9.9.9:8080", 77_777_777 * (i + 1)), later_ms=1)
    found = at_points(tmp_path, {"a": sorted(here), "b": sorted(there)})
    assert found.seen_at() == [["a", "b"]] * 12
    for stream in found.streams:
        here_leg, there_leg = stream.legs
        assert int(here_leg.client[-5:]) - 40000 == int(there_leg.client[-4:]) - 1025


def test_one_tuple_at_different_times(tmp_path: Path) -> None:
    found = at_points(tmp_path, {"a": say(TALK, isn=RANDOM), "b": say(TALK, isn=OTHER_RANDOM, at_ms=3_600_000)})
    assert apart(found)


def test_one_tuple_at_different_times_midstream(tmp_path: Path) -> None:
    found = at_points(tmp_path, {"a": say(TALK, isn=RANDOM), "b": say(TALK, isn=OTHER_RANDOM, at_ms=60_000)[3:]})
    assert apart(found)


@pytest.mark.parametrize(("here", "there"), [(TALK, OTHER), (TALK, SILENT)], ids=["other payload", "no payload"])
def test_a_server_number_equal_by_accident(tmp_path: Path, here: str, there: str) -> None:
    isn = (OTHER_RANDOM[0], RANDOM[1])
    found = at_points(tmp_path, {"a": say(here, isn=RANDOM), "b": say(there, "10.0.0.7:50000", "10.8.8.8:81", isn=isn)})
    assert apart(found)


def test_a_client_number_equal_by_accident(tmp_path: Path) -> None:
    isn = (RANDOM[0], OTHER_RANDOM[1])
    found = at_points(tmp_path, {"a": say(TALK, isn=RANDOM), "b": say(OTHER, "10.0.0.7:50000", "10.8.8.8:81", isn=isn)})
    assert apart(found)


def test_midstream_numbers_as_text_prints_them(tmp_path: Path) -> None:
    """tcpdump counts from the first segment it saw: the same small numbers in every connection."""
    lines = (
        "12:00:00.1 IP {0} > {1}: Flags [P.], seq 1:101, ack 1, win 100, length 100\n"
        "12:00:00.2 IP {1} > {0}: Flags [P.], seq 1:501, ack 101, win 100, length 500\n"
        "12:00:00.3 IP {0} > {1}: Flags [P.], seq 101:201, ack 501, win 100, length 100\n"
        "12:00:00.4 IP {1} > {0}: Flags [P.], seq 501:1001, ack 201, win 100, length 500\n"
    )
    paths = {}
    for name, ends in {"a": ("10.0.0.1.40000", "10.0.0.2.80"), "b": ("10.0.0.7.50000", "10.8.8.8.81")}.items():
        path = tmp_path / f"{name}.txt"
        path.write_text(lines.format(*ends))
        paths[name] = str(path)
    assert apart(matched(inputs_of(paths)))
