"""A correlation as a person reads it on a terminal or in a pipe."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest

from tcptrace.correlation.result import Candidate, ClockStep, ResetOrigin, Rewrite, Stream
from tcptrace.report.correlation.console import write_correlation
from tcptrace.report.view import View
from tests.report.correlation import samples
from tests.report.correlation.samples import DR, LOSSY, LOST, LVS_DR, VIP, clock, hop, leg, lossy, lvs_dr
from tests.report.samples import START_NS, Terminal


def shown(correlation: Any, width: int | None = None, *, color: bool = False, top: int = 30) -> str:
    out = Terminal() if width else io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width or 80))
        patch.setenv("TERM", "xterm")
        write_correlation(correlation, out, View(utc=True, color=color, top=top))
    return out.getvalue()


def with_loss(**facts: Any) -> Any:
    at = samples.points(*samples.POINTS)
    told = {"passages": samples.passages(at, LOSSY), "connections": (lossy(),), "found": (LOST,), **facts}
    return lvs_dr(**told)


def part(text: str, first: str, last: str = "") -> list[str]:
    """The lines from the one that begins with `first` to the one before `last`."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    stop = next((i for i, line in enumerate(lines[start + 1 :], start + 1) if line == last), len(lines))
    return lines[start:stop]


def test_clocks_stand_beside_the_first_points_and_every_point_says_what_passed_it() -> None:
    assert part(shown(lvs_dr(), 80), "5 points", "• asymmetric-path")[:14] == [
        "5 points, 3 hosts, 1 connection",
        "",
        "  clock      offset  at least / at most         drift",
        "  client  reference",
        "  lvs     -0.063 ms  -0.083 ms / -0.043 ms  +1.25 ppm",
        "  rs      +0.120 ms  unbounded / +0.130 ms",
        "",
        "  point              segments  payload  packet mean / max  peak bit/s",
        "  client    request         6       77           64 / 129       3.11k",
        "            reply           4      636          211 / 688       6.75k",
        "  lvs:eth0  request         6       77           64 / 129       3.11k",
        "  lvs:eth1  request         6       77           64 / 129       3.11k",
        "  rs:bond1  request         6       77           64 / 129       3.11k",
        "  rs:bond0  reply           4      636          211 / 688       6.75k",
    ]


def test_a_connection_has_its_way_drawn_and_its_states_told() -> None:
    assert part(shown(lvs_dr(), 80), "connection 0 ", "") == [
        "connection 0   123.58.180.188:32935 → 123.58.180.123:80",
        "  mode        dr, confidence 0.9: same addresses and client ISN at all points;",
        "              replies at rs:bond0 and client only",
        "  request     client ──6──▶ lvs:eth0 ──6──▶ lvs:eth1 ──6──▶ rs:bond1",
        "              nothing lost",
        "  reply       rs:bond0 ──4──▶ client  nothing lost, bypasses lvs: right for DR",
        "  director    lvs: NONE → SYN_RECV → ESTABLISHED → FIN_WAIT (INPUT-ONLY: it",
        "              never sees the server's side of the close)",
        "  states      client TIME_WAIT, server CLOSED",
        "  legs        123.58.180.188:32935 → 123.58.180.123:80, flow 0 at client,",
        "              lvs:eth0, lvs:eth1, rs:bond1, rs:bond0: same addresses and client",
        "              ISN (0.98)",
    ]


def test_hops_have_losses_and_delays_with_their_uncertainty() -> None:
    assert part(shown(with_loss(), 120), "           hop ", "") == [
        "           hop                  segments  lost  missed      p50  p50 within              min / p99 / max",
        "  request  client → lvs:eth0           4     0       0  40.0 µs  -10.0 µs to 90.0 µs     "
        "30.0 µs / 50.0 µs / 60.0 µs",
        "  request  lvs:eth0 → lvs:eth1         3     0       1  40.0 µs  -10.0 µs to 90.0 µs     "
        "30.0 µs / 50.0 µs / 60.0 µs",
        "  request  lvs:eth1 → rs:bond1         2     1       0  40.0 µs  -10.0 µs to 90.0 µs     "
        "30.0 µs / 50.0 µs / 60.0 µs",
        "  request  lvs:eth0 → rs:bond1         1     0       0  40.0 µs  -10.0 µs to 90.0 µs     "
        "30.0 µs / 50.0 µs / 60.0 µs",
        "  reply    rs:bond0 → client           2     0       0        ?  the clocks do not tell",
    ]


def test_the_ladder_marks_what_was_lost_and_what_a_capture_missed_and_has_findings_at_their_frames() -> None:
    assert part(shown(with_loss(), 80), "                                      client", "") == [
        "                                      client        lvs                rs",
        "     ms  segment                                eth0     eth1    bond1    bond0",
        "  0.000  → SYN        seq 0             1 ─────▶ 1 ─────▶ 1 ─────▶ 1        │",
        "  0.320  ← SYN+ACK    seq 0 ack 1       2 ◀──────────────────────────────── 1",
        "  0.500  → ACK        ack 1             3 ─────▶ 2 ─────▶ 2 ─────▶ 2        │",
        "  1.000  → 100 bytes  1:101             4 ─────▶ 3 ─────▶ 3 ───✕   │        │",
        "         ✖ lost-between   1 segment of the client left lvs:eth1 (frame 3) and",
        "                          never came to rs:bond1.",
        "201.000  → 100 bytes  1:101             5 ─────▶ 4 ─────▶ ○ ─────▶ 3        │",
        "201.320  ← RST+ACK    seq 1 ack 101     6 ◀──────────────────────────────── 2",
    ]
    assert "1 segment lost between lvs:eth1 and rs:bond1 (frame 3 at lvs:eth1)" in shown(with_loss())


def test_where_there_is_room_arrows_say_how_long_they_took_unless_the_clocks_do_not_tell() -> None:
    lines = shown(with_loss(), 160).splitlines()
    syn = next(line for line in lines if "SYN  " in line)
    assert "1 ──── 50.0 µs ───▶ 1" in syn
    reply = next(line for line in lines if "RST" in line)
    assert "6 ◀────" in reply
    assert "µs" not in reply


def test_a_finding_that_no_rung_has_is_told_above_only() -> None:
    text = shown(with_loss(found=(replace(LOST, evidence_frames=(("client", (99,)),)),)))
    assert text.count("lost-between") == 2  # in its head, and the rule to ask `explain` for


@pytest.mark.parametrize("width", [50, 80, 100, 160])
@pytest.mark.parametrize("make", [lvs_dr, with_loss])
def test_no_line_is_wider_than_the_terminal(make: Any, width: int) -> None:
    assert max(map(len, shown(make(), width).splitlines())) <= width


@pytest.mark.parametrize("width", [50, 80])
def test_no_line_of_many_connections_and_long_names_is_wider_than_the_terminal(width: int) -> None:
    found = replace(LOST, rule="synack-source-mismatch", point="lvs:eth0")
    assert max(map(len, shown(replace(many(40), found=(found,)), width, top=3).splitlines())) <= width


def test_a_pipe_gets_the_same_words_without_colour() -> None:
    colored = shown(with_loss(), 80, color=True)
    assert "\x1b[31m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == shown(with_loss(), 80)


def test_names_that_do_not_fit_are_numbered() -> None:
    names = ("client-host-with-a-name", "director-one:ens18f0np0", "director-one:ens18f1np1", "rs:bond1", "rs:bond0")
    at = samples.points(*names)
    clocks = {point.host: clock(point.host) for point in at}
    text = shown(lvs_dr(points=at, clocks=clocks, passages=samples.passages(at, LVS_DR)), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "1 client-host-with-a-name  2 director-one:ens18f0np0" in text
    assert re.search(r"^ +ms +segment +1 +2 +3 +4 +5$", text, re.M)


def test_a_proxied_connection_has_its_streams_in_one_ladder() -> None:
    at = samples.points("client", "pod:eth0", "pod:lo")
    outer = ("C 0x002 0 1 -1 0  0.000 0.050 -", "S 0x012 0 1 1 0  0.200 0.150 -", "C 0x018 1 81 1 80  0.300 0.350 -")
    inner = ("C 0x002 0 1 -1 0  - - 0.400", "S 0x014 0 0 1 0  - - 0.410")
    streams = (
        Stream(4, (leg(0), leg(1))),
        Stream(7, (leg(2, "127.0.0.1:5000", "127.0.0.6:8080", flow=1),)),
    )
    hops = (hop(0, 0, 1, 2, stream=4), hop(1, 1, 0, 1, stream=4))
    told = samples.passages(at, (), (), (), (), outer, (), (), inner)
    proxied = replace(
        DR, mode="proxy", streams=streams, path=((0, 1, 2), (2, 1, 0)), hops=hops, director=None, states=("CLOSED",) * 2
    )
    clocks = {"client": clock("client"), "pod": clock("pod")}
    text = shown(lvs_dr(points=at, clocks=clocks, connections=(proxied,), passages=told, found=()), 80)
    assert "client ──2──▶ pod:eth0 ══proxy══▶ pod:lo" in text
    assert "pod:lo ══proxy══▶ pod:eth0 ──1──▶ client" in text
    assert "2: 127.0.0.1:5000 → 127.0.0.6:8080, flow 1 at pod:lo" in text
    rows = [line.split() for line in text.splitlines() if re.match(r"0\.\d{3} ", line)]
    assert [row[1:4] for row in rows] == [
        ["1", "→", "SYN"],
        ["1", "←", "SYN+ACK"],
        ["1", "→", "80"],
        ["2", "→", "SYN"],
        ["2", "←", "RST+ACK"],
    ]


def test_resets_rewrites_steps_and_candidates_are_told() -> None:
    changed = lossy(
        rewrites=(Rewrite(0, 1, 2, "server address", VIP, "10.2.0.11:80", (1, 1)),),
        reset_origin=ResetOrigin(1, "middlebox", "lvs", 2, ("lvs:eth0 has it first", "IP ID 0")),
    )
    steps = (ClockStep(START_NS, 50_000_000),)
    clocks = {**lvs_dr().clocks, "lvs": clock("lvs", -12_718_743, -12_718_871, -12_718_615, steps=steps)}
    text = shown(
        with_loss(clocks=clocks, connections=(changed,), candidates=(Candidate((0,), ("alike in time",), 0.5),))
    )
    assert "-12.718743 s  -12.718871 s / -12.718615 s" in text
    assert "+50.000 ms" in text
    assert "request lvs:eth0 → lvs:eth1: server address 123.58.180.123:80 → 10.2.0.11:80 (frames 1, 1)" in text
    assert "by a middlebox, lvs: lvs:eth0 has it first; IP ID 0" in text
    assert "not joined  connections 0 may be one, confidence 0.5: alike in time" in text


def many(number: int) -> Any:
    """Every third has a loss; frames are counted on from one connection to the next."""
    at = samples.points(*samples.POINTS)
    passed = dict.fromkeys(samples.POINTS, 0)
    kinds, connections, found = [], [], []
    for i in range(number):
        kinds.append(LOSSY if i % 3 == 1 else LVS_DR)
        connections.append(counted_on(lossy(i) if kinds[-1] is LOSSY else DR, i, passed))
        if kinds[-1] is LOSSY:
            frames = ((name, tuple(frame + passed[name] for frame in there)) for name, there in LOST.evidence_frames)
            found.append(replace(LOST, connections=(i,), evidence_frames=tuple(frames)))
        for line in kinds[-1]:
            for name, time in zip(samples.POINTS, line.split()[6:], strict=True):
                passed[name] += time != "-"
    return lvs_dr(passages=samples.passages(at, *kinds), connections=tuple(connections), found=tuple(found))


def counted_on(connection: Any, number: int, passed: dict[str, int]) -> Any:
    """The connection as one that comes after others, which had so many frames at each point."""

    def moved(hop: Any) -> Any:
        before = passed[samples.POINTS[hop.source]]
        lost, missed = (tuple(one + before for one in frames) for frames in (hop.lost_frames, hop.missed_frames))
        return replace(hop, stream=number, lost_frames=lost, missed_frames=missed)

    streams = tuple(replace(stream, stream=number) for stream in connection.streams)
    return replace(connection, connection=number, streams=streams, hops=tuple(map(moved, connection.hops)))


def test_many_connections_are_summed_by_their_way_and_the_worst_are_listed() -> None:
    text = shown(many(9), top=2)
    assert text.startswith("5 points, 3 hosts, 9 connections\n")
    assert "… and 1 more finding: --top, --format json" in text
    assert part(text, "9 connections, mode dr") == [
        "9 connections, mode dr",
        "  request     client ──48──▶ lvs:eth0 ──45, 3 not captured──▶ lvs:eth1 ──42, 3 lost──▶ rs:bond1  "
        "3 segments lost between lvs:eth1 and rs:bond1",
        "  reply       rs:bond0 ──30──▶ client  nothing lost, bypasses lvs: right for DR",
    ]
    assert part(text, "  nr  client") == [
        "  nr  client                server             mode  segments  lost  client is  server is  findings",
        "   1  123.58.180.188:32935  123.58.180.123:80  dr           6     1  CLOSED     CLOSED     lost-between",
        "   4  123.58.180.188:32935  123.58.180.123:80  dr           6     1  CLOSED     CLOSED     lost-between",
    ]
    assert text.endswith(
        "… and 7 more connections: --top, --format json; one in full, with its ladder: --connection 1\n"
        "\n"
        "3 errors, 0 warnings, 0 notes\n"
    )


def test_nothing_found_is_one_line() -> None:
    assert "\nno findings in 1 connection\n" in shown(lvs_dr(found=()))
    assert shown(lvs_dr(connections=(), found=())).endswith("\nno findings in 0 connections\n")


def test_text_from_captures_has_no_power_over_the_terminal() -> None:
    name = "\x1b]0;owned\x07"
    at = samples.points(name, *samples.POINTS[1:])
    clocks = {point.host: clock(point.host) for point in at}
    hostile = lvs_dr(points=at, clocks=clocks, connections=(replace(DR, client=name),))
    for width in (None, 80):
        assert shown(hostile, width).replace("\n", "").isprintable()
