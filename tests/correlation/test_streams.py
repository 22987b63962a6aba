"""Flows of several captures become streams: one for each TCP connection, whatever rewrites it on the way."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptrace.correlation.points import inputs_of
from tcptrace.correlation.result import Translation
from tests.correlation.matched import at_points, matched, of_case
from tests.correlation.wire import CAPTURES, Frame, Tcp, changed, dnat, fullnat, recorded, say

CLIENT, SERVER = "10.0.0.1:40000", "10.0.0.2:80"
TALK = """
C S 0
S S. 0 1
C . 1 1
C P. 1:101 1
S . 1 101
S P. 1:501 101
S P. 501:901 101
C . 101 901
C P. 101:181 901
S P. 901:1001 181
C F. 181 1001
S F. 1001 182
C . 182 1002
"""


def cases_with_points() -> dict[str, dict[str, Any]]:
    cases = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(CAPTURES.glob("*/case.toml"))}
    return {name: case for name, case in cases.items() if "points" in case}


def truths() -> dict[str, dict[str, Any]]:
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(CAPTURES.glob("*/truth.json"))}
    return {name: truth["path"] for name, truth in found.items() if "path" in truth}


def on_path(truth: dict[str, Any], way: str) -> list[list[str]]:
    """Of every place on a way the points that may be meant."""
    return [one.split(" or ") for one in truth[way]]


@pytest.mark.parametrize("name", cases_with_points())
def test_a_case_has_as_many_streams_as_connections_and_nothing_in_doubt(name: str) -> None:
    found, truth = of_case(name), truths().get(name)
    expected = cases_with_points()[name]["expect"].get("connections", 1)
    assert found.candidates == ()
    is_proxied = bool(truth) and truth["mode"] == "proxy"
    assert len(found.streams) > expected if is_proxied else len(found.streams) == expected
    assert all(leg.confidence >= 0.9 for stream in found.streams for leg in stream.legs)


@pytest.mark.parametrize("name", [name for name, truth in truths().items() if truth["mode"] != "proxy"])
def test_a_stream_was_seen_at_the_points_of_its_path(name: str) -> None:
    found, truth = of_case(name), truths()[name]
    for seen in found.seen_at():
        assert all(set(place) & set(seen) for place in on_path(truth, "request"))


@pytest.mark.parametrize("name", [name for name, truth in truths().items() if truth["mode"] == "proxy"])
def test_a_proxy_parts_streams(name: str) -> None:
    found, path = of_case(name), truths()[name]["request"]
    ways = {tuple(dict.fromkeys(seen)) for seen in found.seen_at()}
    assert len(ways) == 2
    assert sorted(point for way in ways for point in way) == sorted(path)


@pytest.mark.parametrize("name", [name for name, truth in truths().items() if truth["dropped"]])
def test_what_was_dropped_is_seen_before_and_never_after(name: str) -> None:
    found = of_case(name)
    p = found.passages
    for dropped in truths()[name]["dropped"]:
        here, there = (found.point(dropped[key]) for key in ("seen_at", "never_at"))
        streams = [
            stream.stream
            for stream in found.streams
            if there in stream.points and stream.legs[0].client.startswith(dropped.get("client", ""))
        ]
        sent = np.isin(p.stream, streams) & (p.direction == (dropped["sender"] == "server")) & (p.row[:, here] >= 0)
        lost = sent & (p.row[:, there] < 0)
        if dropped["times"]:
            same = (p.start == dropped["seq"]) & (p.len == dropped["len_bytes"])
            assert int((lost & same).sum()) == dropped["times"]
        else:
            sent &= (p.end > dropped["seq"]) | (dropped["seq"] == 0)
            assert lost.sum() == sent.sum() > 0


def test_two_interfaces_of_one_capture_are_two_points() -> None:
    found = matched(inputs_of({"router": CAPTURES / "two-interfaces" / "router.pcapng"}))
    assert len(found.names) == 2
    assert all(name.startswith("router:") for name in found.names)
    assert found.seen_at() == [found.names]
    assert found.lost(*found.names) == []


def test_interfaces_in_cooked_headers_are_points() -> None:
    found = matched(inputs_of({"router": CAPTURES / "any-sll2" / "any.pcap"}))
    assert found.names == ["router:if1", "router:if2"]
    assert found.seen_at() == [["router:if1"], ["router:if2"]]


def test_what_a_tunnel_carries_is_the_same_stream(tmp_path: Path) -> None:
    outer = recorded("vxlan", "underlay.pcap")
    inner = [Frame(frame.time_ns - 20_000, frame.data[50:]) for frame in outer if frame.data[36:38] == b"\x12\xb5"]
    found = at_points(tmp_path, {"pod": inner, "node": outer})
    assert found.seen_at() == [["pod", "node"]]
    assert found.lost("pod", "node") == []


def test_hairpin_keeps_one_stream() -> None:
    assert of_case("untranslated-same-node").seen_at() == [["client", "client", "node:eth0", "node:eth0", "pod:eth0"]]


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (lambda one: one, "same addresses and ports, same client ISN 1000000"),
        (dnat("10.9.9.9:81"), "same client ISN 1000000 and server ISN 4294967000"),
        (fullnat("10.7.7.7:1025", "10.9.9.9:81", 123_456_789), "same server ISN 4294967000"),
    ],
    ids=["direct", "NAT", "FULLNAT"],
)
def test_evidence_is_told(tmp_path: Path, change: Callable[[Tcp], Tcp], evidence: str) -> None:
    found = at_points(tmp_path, {"client": say(TALK), "server": changed(say(TALK), change, later_ms=1)})
    assert found.seen_at() == [["client", "server"]]
    assert all(leg.evidence[0] == evidence for leg in found.streams[0].legs)
    assert found.lost("client", "server") == found.lost("server", "client") == []


def test_an_unanswered_syn_is_followed_through_nat(tmp_path: Path) -> None:
    syns = say("0 C S 0\n1000 C S 0\n3000 C S 0")
    found = at_points(tmp_path, {"client": syns, "server": changed(syns, dnat("10.9.9.9:81"), later_ms=1)})
    assert found.seen_at() == [["client", "server"]]
    assert found.frames("client", "server") == [(1, 1), (2, 2), (3, 3)]


def test_a_syn_proxy_gives_the_server_other_numbers(tmp_path: Path) -> None:
    def change(one: Tcp) -> Tcp:
        return (
            one._replace(seq=one.seq + 5555) if one.from_server else one._replace(ack=one.ack + 5555 if one.ack else 0)
        )

    found = at_points(tmp_path, {"client": say(TALK), "server": changed(say(TALK), change, later_ms=1)})
    assert found.seen_at() == [["client", "server"]]
    assert found.lost("client", "server") == []


@pytest.mark.parametrize(("at_client", "at_server"), [(0, 4), (4, 0), (4, 4), (3, 6), (6, 3)])
@pytest.mark.parametrize(
    "change",
    [lambda one: one, dnat("10.9.9.9:31000"), fullnat("10.7.7.7:1025", "10.9.9.9:8080", 1_234_567_890)],
    ids=["direct", "NAT", "FULLNAT"],
)
def test_captures_that_begin_midstream(
    tmp_path: Path, change: Callable[[Tcp], Tcp], at_client: int, at_server: int
) -> None:
    talk = say(TALK, isn=(3_000_000_000, 2_000_000_000))
    found = at_points(tmp_path, {"client": talk[at_client:], "server": changed(talk, change, later_ms=1)[at_server:]})
    assert found.seen_at() == [["client", "server"]]
    assert {leg.client for leg in found.streams[0].legs} <= {CLIENT, "10.7.7.7:1025"}
    assert found.lost("client", "server") == list(range(1, max(at_server - at_client, 0) + 1))
    assert found.lost("server", "client") == list(range(1, max(at_client - at_server, 0) + 1))


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        (name, cut)
        for name in ("ipvs-dr", "ipvs-nat", "ipvs-tun")
        for cut in (*cases_with_points()[name]["points"], "all")
    ],
)
def test_a_recorded_case_cut_at_its_head(tmp_path: Path, name: str, cut: str) -> None:
    points = {point: recorded(name, file) for point, file in cases_with_points()[name]["points"].items()}
    later_ns = points["client"][3].time_ns
    for point in points if cut == "all" else [cut]:
        points[point] = [frame for frame in points[point] if frame.time_ns >= later_ns]
    found = at_points(tmp_path, points)
    assert found.seen_at() == [list(points)]
    assert found.candidates == ()


def test_one_way_points_meet_by_what_is_acknowledged(tmp_path: Path) -> None:
    talk = say(TALK)
    ways = [[frame for frame in talk if Tcp.of(frame.data).from_server == way] for way in (False, True)]
    found = at_points(tmp_path, {"in": ways[0], "out": ways[1]})
    assert found.seen_at() == [["in", "out"]]
    late = at_points(tmp_path, {"in": ways[0][2:], "out": ways[1][2:]})
    assert late.seen_at() == [["in", "out"]]
    assert late.passages.start.min() == 1


def test_a_reset_without_ack_belongs_to_its_stream(tmp_path: Path) -> None:
    talk = say("C S 0\nS S. 0 1\nC . 1 1\nC P. 1:101 1\nS R 1\nC P. 101:201 1\nS R 1")
    found = at_points(tmp_path, {"client": talk, "server": changed(talk, dnat("10.9.9.9:81"), later_ms=1)})
    assert found.frames("client", "server")[-2:] == [(6, 6), (7, 7)]
    assert found.lost("client", "server") == []


def test_ipv6(tmp_path: Path) -> None:
    talk = say(TALK, "[2001:db8::1]:40000", "[2001:db8::2]:80")
    found = at_points(
        tmp_path, {"client": talk, "server": [Frame(frame.time_ns + 10**6, frame.data) for frame in talk]}
    )
    assert found.seen_at() == [["client", "server"]]
    assert found.streams[0].legs[0].server == "[2001:db8::2]:80"


def test_sequence_numbers_wrap_at_different_frames(tmp_path: Path) -> None:
    talk = say(TALK, isn=(2**32 - 150, 2**32 - 950))
    whole = at_points(tmp_path, {"client": talk, "server": changed(talk, dnat("10.9.9.9:81"), later_ms=1)})
    assert (whole.seen_at(), whole.lost("client", "server")) == ([["client", "server"]], [])
    late = at_points(tmp_path, {"client": talk[4:], "server": changed(talk, dnat("10.9.9.9:81"), later_ms=1)[5:]})
    assert late.seen_at() == [["client", "server"]]
    assert late.lost("client", "server") == [1]


@pytest.mark.parametrize("change", [lambda one: one, dnat("10.9.9.9:81")], ids=["direct", "NAT"])
def test_two_lives_of_one_tuple_are_two_streams(tmp_path: Path, change: Callable[[Tcp], Tcp]) -> None:
    talk = say(TALK) + say(TALK, isn=(77_000_000, 99_000_000), at_ms=5000)
    found = at_points(tmp_path, {"client": talk, "server": changed(talk, change, later_ms=1)})
    assert found.seen_at() == [["client", "server"]] * 2
    assert found.lost("client", "server") == []


def test_two_lives_are_two_streams_where_only_answers_pass(tmp_path: Path) -> None:
    talk = say(TALK) + say(TALK, isn=(77_000_000, 99_000_000), at_ms=5000)
    answers = [frame for frame in talk if Tcp.of(frame.data).from_server]
    found = at_points(tmp_path, {"client": talk, "rs:bond0": answers})
    assert found.seen_at() == [["client", "rs:bond0"]] * 2
    assert found.lost("rs:bond0", "client") == []


def test_a_directors_table_joins_what_nothing_else_does(tmp_path: Path) -> None:
    talk = say(TALK)
    other = fullnat("10.7.7.7:1025", "10.9.9.9:81", 5555)

    def change(one: Tcp) -> Tcp:
        there = other(one)
        return there._replace(seq=one.seq + 9999) if one.from_server else there._replace(ack=one.ack + 9999)

    points = {"client": talk, "server": changed(talk, change, later_ms=1)}
    assert at_points(tmp_path, points).seen_at() == [["client"], ["server"]]
    table = [Translation(CLIENT, SERVER, "10.7.7.7:1025", "10.9.9.9:81")]
    paths = {name: str(tmp_path / f"{name}.pcap") for name in points}
    found = matched(inputs_of(paths), table)
    assert found.seen_at() == [["client", "server"]]
    assert found.streams[0].legs[0].evidence[0] == (
        "the director's table: 10.0.0.1:40000 → 10.0.0.2:80 goes to 10.9.9.9:81"
    )


def test_published_transcripts(tmp_path: Path) -> None:
    fullnat_case = of_case("dpvs-fullnat")
    evidence = [text for leg in fullnat_case.streams[0].legs for text in leg.evidence]
    assert "same server ISN 4072520983" in evidence
    assert any("TOA option carries port 33896" in text for text in evidence)
    assert fullnat_case.lost("client", "rs") == fullnat_case.lost("rs", "client") == []
