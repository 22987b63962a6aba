"""What a capture missed is told as that, and makes no other finding false."""

from collections.abc import Iterable
from pathlib import Path

import pytest

import tcptrace
from tcptrace.diagnosis.rule import Finding
from tests.correlation.wire import Tcp, say, write
from tests.diagnosis.on_paths import found_by, on_path
from tests.diagnosis.varied import RECORD, points_of, records_of, without

CLIENT = bytes([10, 0, 0, 1])
LOST = {"lost-between", "vanished-in-host"}


def found_without(folder: Path, case: str, **missed: Iterable[int]) -> list[Finding]:
    """What is found in a case of which some points, their names with `_` for `:`, missed frames."""
    by_point = {name.replace("_", ":"): frames for name, frames in missed.items()}
    return list(tcptrace.correlate(without(folder, case, by_point)).found)


def points_told(found: list[Finding], *rules: str) -> list[str]:
    return [finding.point for finding in found if finding.rule in rules]


@pytest.mark.parametrize("first", [6, 7, 8, 10])
def test_pieces_that_the_next_capture_missed_did_leave_the_host_before(tmp_path: Path, first: int) -> None:
    found = found_without(tmp_path, "tso-at-sender", server_eth0=range(first, 50, 6))
    assert points_told(found, *LOST) == []
    assert points_told(found, "capture-loss") == ["server:eth0"]


def test_pieces_that_two_captures_missed_are_missed_at_the_first(tmp_path: Path) -> None:
    found = found_without(tmp_path, "tso-at-sender", router_eth1=range(8, 40, 6), server_eth0=range(8, 40, 6))
    assert points_told(found, *LOST) == []
    assert set(points_told(found, "capture-loss")) == {"router:eth1", "server:eth0"}


def path_of(result: tcptrace.Correlation) -> list[list[str]]:
    [connection] = result.connections
    return [[result.points[point].name for point in way] for way in connection.path]


@pytest.mark.parametrize("frames", [3, 5])
@pytest.mark.parametrize("case", ["ipvs-dr", "ipvs-tun", "clocks-dr", "lost-between"])
def test_a_path_without_its_handshake_is_the_same(tmp_path: Path, case: str, frames: int) -> None:
    whole = points_of(case)
    result = tcptrace.correlate(without(tmp_path, case, dict.fromkeys(whole, range(1, frames + 1))))
    assert path_of(result) == path_of(tcptrace.correlate(whole))
    assert {clock.drift_ppm for clock in result.clocks.values()} <= {None}
    assert all(hop.delay.min_ns >= 0 for one in result.connections for hop in one.hops if hop.delay)


@pytest.mark.parametrize("late", ["client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0"])
def test_a_capture_without_the_handshake_does_not_turn_a_path(tmp_path: Path, late: str) -> None:
    for order in (sorted, lambda names: sorted(names, reverse=True)):
        points = without(tmp_path, "ipvs-dr", {late: range(1, 6)})
        result = tcptrace.correlate({name: points[name] for name in order(points)})
        assert path_of(result) == path_of(tcptrace.correlate(points_of("ipvs-dr")))


BARE = """
    C S 0            | 0   2
    S S. 0 1         | 6   4
    C . 1 1          | 7   9
    C P. 1:81 1      | 10 12
    S P. 1:201 81    | 20 18
    C . 81 201       | 21  -
    C P. 81:90 201   | 30 32
"""
AGAIN = "    S P. 1:201 81    | 60 58\n    C . 90 201       | 61 63\n"


@pytest.mark.parametrize(("text", "severity"), [(BARE, "info"), (BARE + AGAIN, "error")])
def test_a_bare_acknowledgement_that_nothing_came_of_is_a_note(text: str, severity: str) -> None:
    [finding] = found_by("lost-between", on_path("client server" + text, ((0, 1), (1, 0))))
    assert finding.severity == severity
    assert (finding.confidence > 0.9) == (severity == "error")


@pytest.mark.parametrize("case", ["ipvs-dr", "lost-between", "random-loss"])
@pytest.mark.parametrize("frames", [3, 5])
def test_what_passed_before_a_capture_began_is_not_lost(tmp_path: Path, case: str, frames: int) -> None:
    whole = points_of(case)
    result = tcptrace.correlate(without(tmp_path, case, dict.fromkeys(whole, range(1, frames + 1))))
    before = points_told(list(tcptrace.correlate(whole).found), *LOST)
    assert points_told(list(result.found), *LOST) == [point for point in before if case != "lost-between" or frames < 5]


def losses(result: tcptrace.Correlation, but: str) -> set[tuple[str, int]]:
    """Points and frames of what was lost behind them; the frames of one point are not asked."""
    names = [point.name for point in result.points]
    hops = [hop for connection in result.connections for hop in connection.hops if names[hop.source] != but]
    return {(names[hop.source], frame) for hop in hops for frame in hop.lost_frames}


@pytest.mark.parametrize(
    ("case", "late", "frames"),
    [
        ("random-loss-in-director", "lvs:eth0", 50),
        ("random-loss-in-director", "lvs:eth0", 101),
        ("crowd-nat", "lvs:eth1", 90),
        ("crowd-dr", "rs1:bond1", 40),
        ("lost-between-reply", "rs:bond1", 9),
    ],
)
def test_a_late_capture_makes_no_losses(tmp_path: Path, case: str, late: str, frames: int) -> None:
    result = tcptrace.correlate(without(tmp_path, case, {late: range(1, frames + 1)}))
    assert losses(result, late) <= losses(tcptrace.correlate(points_of(case)), late)


@pytest.mark.parametrize(
    ("point", "frame"), [("rs:bond0", 1), ("rs:bond0", 2), ("rs:bond0", 3), ("client", 2), ("client", 5)]
)
def test_answers_of_other_sequence_numbers_are_not_one(tmp_path: Path, point: str, frame: int) -> None:
    """Each repeated SYN is answered with another initial sequence number; one answer is missed."""
    result = tcptrace.correlate(without(tmp_path, "untranslated-reply", {point: [frame]}))
    whole = tcptrace.correlate(points_of("untranslated-reply"))
    assert {one.rule for one in result.found} <= {one.rule for one in whole.found} | {"capture-loss"}
    assert [one.point for one in result.found if one.rule == "capture-loss"] in ([point], [])
    assert max(hop.delay.p50_ns for hop in result.connections[0].hops if hop.delay) < 20_000_000


def test_an_end_whose_capture_missed_a_segment_is_not_bypassed(tmp_path: Path) -> None:
    """A call that was refused: of its two segments the client's capture lacks the first."""
    found = found_without(tmp_path, "backend-down", client=[1])
    assert points_told(found, "asymmetric-path") == []


def test_a_capture_that_never_saw_requests_is_bypassed_by_them(tmp_path: Path) -> None:
    """The near miss: no connection's requests begin there."""
    points = points_of("backend-down")
    requests = [n for n, one in enumerate(records_of(points["client"]), 1) if one[RECORD + 26 : RECORD + 30] == CLIENT]
    found = found_without(tmp_path, "backend-down", client=requests)
    assert set(points_told(found, "asymmetric-path")) == {"client"}


def test_the_rounds_of_a_circling_segment_are_told_apart_though_some_are_missed(tmp_path: Path) -> None:
    result = tcptrace.correlate(
        without(tmp_path, "vip-less-forwards", {"lvs:eth0": range(7, 60, 4), "lvs:eth1": range(10, 60, 7)})
    )
    assert points_told(list(result.found), "field-rewritten", *LOST) == []
    assert all(hop.delay.min_ns >= 0 for one in result.connections for hop in one.hops if hop.delay)


TALK = """
    0 C S 0 ts=10
    1 S S. 0 1 ts=100
    2 C . 1 1 ts=20
    3 C P. 1:81 1 ts=30
    4 S P. 1:201 81 ts=110
    5 C . 81 201 ts=40
    9 S P. 201:301 81 ts=120
    10 C . 81 301 ts=50
    11 C P. 81:90 301 ts=60
"""
BARE_ACK, NEXT_REPLY = 6, 7
"""Frames."""


@pytest.mark.parametrize(("echo", "told"), [(40, {"capture-loss"}), (30, {"lost-between"})])
def test_an_echoed_timestamp_proves_that_an_acknowledgement_arrived(tmp_path: Path, echo: int, told: set[str]) -> None:
    talk = say(TALK)
    next_reply = Tcp.of(talk[NEXT_REPLY - 1].data)
    options = next_reply.options[:6] + echo.to_bytes(4, "big") + next_reply.options[10:]
    talk[NEXT_REPLY - 1] = next_reply._replace(options=options).frame(talk[NEXT_REPLY - 1].time_ns)
    there = [frame for number, frame in enumerate(talk, 1) if number != BARE_ACK]
    result = tcptrace.correlate(write(tmp_path, {"client": talk, "server": there}))
    assert {finding.rule for finding in result.found} & {"capture-loss", *LOST} == told


@pytest.mark.parametrize(
    ("case", "point", "frames"),
    [
        ("all-backends-refuse", "rs1:bond1", [1]),
        ("all-backends-refuse", "rs2:bond1", [3]),
        ("backend-down", "rs2:bond1", [1]),
        ("haproxy-503", "app:eth0", [1]),
    ],
)
def test_a_syn_that_a_rst_acknowledges_came_to_who_sent_that(
    tmp_path: Path, case: str, point: str, frames: list[int]
) -> None:
    found = list(tcptrace.correlate(without(tmp_path, case, {point: frames})).found)
    assert points_told(found, *LOST) == []
    assert points_told(found, "capture-loss") == [point]


def test_a_syn_and_its_rst_that_one_capture_missed_are_not_lost(tmp_path: Path) -> None:
    """Somebody answered it; nothing tells whether where the capture is."""
    found = found_without(tmp_path, "haproxy-503", app_eth0=[1, 2])
    assert points_told(found, *LOST) == []
    assert points_told(found, "upstream-refused") == ["proxy:eth1"]


def lost_in(result: tcptrace.Correlation) -> set[tuple[str, int]]:
    return {(one.client, frame) for one in result.connections for hop in one.hops for frame in hop.lost_frames}


@pytest.mark.parametrize("case", ["backend-silent", "vip-less", "crowd-dr", "all-backends-refuse"])
def test_what_a_balancer_sent_to_a_server_without_a_capture_is_not_lost(case: str) -> None:
    whole = points_of(case)
    points = {name: path for name, path in whole.items() if not name.startswith("rs2")}
    behind = {name: path for name, path in points.items() if name != "client"}
    told = lost_in(tcptrace.correlate(whole))
    assert len(points) < len(whole)
    assert lost_in(tcptrace.correlate(points)) <= told
    assert lost_in(tcptrace.correlate(behind)) <= told


def test_where_a_balancer_without_a_capture_sent_a_call_is_not_known() -> None:
    points = points_of("all-backends-refuse")
    assert lost_in(tcptrace.correlate({name: points[name] for name in ("client", "rs1:bond1")})) == set()


@pytest.mark.parametrize(
    ("case", "point", "frame", "side", "host"),
    [
        ("untranslated-reply", "client", 3, "client", "client"),
        ("reset-by-director", "lvs:eth0", 9, "middlebox", "lvs"),
        ("reset-by-director", "lvs:eth0", 8, "middlebox", "lvs"),
        ("reset-by-director", "lvs:eth1", 8, "middlebox", "lvs"),
    ],
)
def test_a_rst_or_what_it_answers_that_one_capture_missed(
    tmp_path: Path, case: str, point: str, frame: int, side: str, host: str
) -> None:
    result = tcptrace.correlate(without(tmp_path, case, {point: [frame]}))
    (connection,) = result.connections
    assert connection.reset_origin is not None
    assert (connection.reset_origin.side, connection.reset_origin.host) == (side, host)
    assert points_told(list(result.found), *LOST) == []


def test_a_server_s_rsts_that_its_own_capture_missed(tmp_path: Path) -> None:
    whole = tcptrace.correlate(points_of("accept-queue-overflow-abort"))
    refused = [one.reset_origin for one in whole.connections if one.reset_origin]
    missed = {"server": [origin.frame for origin in refused]}
    result = tcptrace.correlate(without(tmp_path, "accept-queue-overflow-abort", missed))
    found = [one.reset_origin for one in result.connections if one.reset_origin]
    assert refused
    assert [(origin.side, origin.host) for origin in found] == [("server", "server")] * len(refused)


def test_a_rst_at_the_server_s_ttl_that_answers_what_never_came_there_is_not_the_server_s() -> None:
    """The director's RST has lost as many hops as what the realserver sends past it."""
    points = points_of("director-timeout")
    result = tcptrace.correlate({name: points[name] for name in ("client", "rs:bond1", "rs:bond0")})
    origin = result.connections[0].reset_origin
    assert origin is not None
    assert (origin.side, origin.host) == ("middlebox", "")


def test_of_a_realserver_and_one_side_of_its_director() -> None:
    points = points_of("director-timeout")
    result = tcptrace.correlate({name: points[name] for name in ("lvs:eth0", "rs:bond0", "rs:bond1")})
    assert points_told(list(result.found), *LOST) == []


def test_a_director_that_forgot_is_told_though_its_capture_began_with_what_it_refused(tmp_path: Path) -> None:
    points = without(tmp_path, "director-timeout", {"lvs:eth0": range(1, 5)})
    result = tcptrace.correlate(points)
    assert points_told(list(result.found), "director-timeout") == ["lvs:eth0"]
    assert result.connections[0].states == tcptrace.correlate(points_of("director-timeout")).connections[0].states


def test_a_host_that_resets_at_once_has_not_forgotten(tmp_path: Path) -> None:
    found = found_without(tmp_path, "reset-by-director", lvs_eth0=range(1, 8))
    assert points_told(found, "director-timeout") == []
