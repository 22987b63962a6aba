"""The two published cases: LVS DR at five points, DPVS FULLNAT at two with the director's log."""

import pytest

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.director import directors
from tcptrace.correlation.director_files import read_director_file
from tcptrace.correlation.ends import end_states
from tcptrace.correlation.hops import hops
from tests.correlation.in_words import alignment
from tests.correlation.recorded import CAPTURES, case

DR_CLOCKS = alignment("client 0 lvs -0.290 rs -0.185")
FULLNAT_CLOCKS = alignment("client 0 rs -12718.743", client_rs=(-12718.871, -12718.615))


def test_dr_mode_states_and_director() -> None:
    told = case("lvs-dr")
    [mode] = told.modes
    assert (mode.mode, mode.confidence, mode.director) == ("dr", 0.9, "lvs")
    states = end_states(told.passages, told.streams, told.routes, told.fates, told.origins, told.recordings)
    assert states == [("TIME_WAIT", "CLOSED")]
    [found] = directors(told.passages, told.streams, told.routes, told.modes, told.rewrites, {}, DR_CLOCKS)
    assert found is not None
    assert (found.host, found.table) == ("lvs", "input_only")
    assert [(step.before, step.after, step.event, step.basis) for step in found.timeline] == [
        ("NONE", "SYN_RECV", "SYN from the client", "capture"),
        ("SYN_RECV", "ESTABLISHED", "ACK from the client", "capture"),
        ("ESTABLISHED", "FIN_WAIT", "FIN+ACK from the client", "capture"),
    ]
    assert all(step.time_ns is not None for step in found.timeline)


def test_dr_loses_nothing_though_the_clocks_disagree() -> None:
    told = case("lvs-dr")
    found = hops(told.passages, told.onward, told.fates, DR_CLOCKS)
    told_as = [(hop.direction, told.name(hop.source), told.name(hop.target), hop.frames, hop.lost) for hop in found]
    assert told_as == [
        (REQUEST, "client", "lvs:eth0", 6, 0),
        (REQUEST, "lvs:eth0", "lvs:eth1", 6, 0),
        (REQUEST, "lvs:eth1", "rs:bond1", 6, 0),
        (REPLY, "rs:bond0", "client", 4, 0),
    ]
    assert all(hop.delay is not None and hop.delay.min_ns >= 0 for hop in found)


@pytest.mark.parametrize("file", ["dpvs.log", None])
def test_fullnat_director_s_states_lie_between_those_of_its_neighbours(file: str | None) -> None:
    told = case("dpvs-fullnat")
    files = [read_director_file(CAPTURES / "dpvs-fullnat" / file)] if file else []
    assert [mode.mode for mode in told.modes] == ["fullnat"]
    [found] = directors(told.passages, told.streams, told.routes, told.modes, told.rewrites, {}, FULLNAT_CLOCKS, files)
    assert found is not None
    assert (found.host, found.table) == ("202.108.10.1", "nat")
    assert [found.timeline[0].before, *(step.after for step in found.timeline)] == [
        "NONE",
        "SYN_RECV",
        "ESTABLISHED",
        "CLOSE_WAIT",
        "TIME_WAIT",
    ]
    assert {step.basis for step in found.timeline} == {"log" if file else "neighbours"}
    for step in found.timeline:
        assert step.time_ns is None
        assert step.low_ns is not None
        assert step.high_ns is not None
        assert 0 < step.high_ns - step.low_ns < 1_000_000
    assert [step.low_ns for step in found.timeline] == sorted(step.low_ns or 0 for step in found.timeline)


def test_fullnat_s_rewrites() -> None:
    [found] = case("dpvs-fullnat").rewrites
    by = {(rewrite.direction, rewrite.field): (rewrite.before, rewrite.after) for rewrite in found}
    assert by[REQUEST, "client address"] == ("202.108.10.2", "192.168.168.7")
    assert by[REQUEST, "client port"] == ("33896", "1028")
    assert by[REQUEST, "server address"] == ("202.108.10.1", "192.168.168.2")
    assert by[REQUEST, "initial sequence number"] == ("4164191644", "2976553321")
    assert by[REQUEST, "timestamps"] == ("TSval 125357496", "none")
    assert by[REQUEST, "TOA"] == ("none", "port 33896")
    assert by[REPLY, "MSS"] == ("1460", "1452")
    assert (REPLY, "initial sequence number") not in by
    assert (REQUEST, "server port") not in by
