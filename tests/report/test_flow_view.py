"""One flow in full, as `analyze --flow N` shows it below the summary."""

import io
import re
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.report import console
from tcptrace.report.direction_rows import slow_start
from tcptrace.report.flow_view import write_flow
from tcptrace.report.handshake_words import halves, place
from tcptrace.report.terminal import Screen
from tcptrace.report.view import View
from tcptrace.schema import TAKEN_NEAR
from tcptrace.selection import Selection
from tests.report import samples

CAPTURES = Path(__file__).parents[2] / "captures"
LVS, LOST_FIN = CAPTURES / "lvs-dr" / "client.txt", CAPTURES / "fin-retransmitted" / "client.pcap"


def full(path: Path, width: int | None = None, *, flow: int = 0, color: bool = False) -> str:
    analysis = tcptrace.analyze(path, selection=Selection(flow=flow))
    return written(analysis, width, color=color)


def written(analysis: Any, width: int | None = None, *, color: bool = False) -> str:
    out = io.StringIO()
    screen = Screen(out, width=width, color=color)
    write_flow(screen, analysis.flow_table, analysis.books[0], analysis.summaries[0], analysis.measured[0], utc=True)
    return out.getvalue()


def figures(text: str, title: str) -> list[str]:
    """Both sides' figures in the line of this title."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"  {title}  ")]
    return re.split(r"  +", line.removeprefix(f"  {title}").strip())


def test_a_flow_in_full() -> None:
    text = full(LVS)
    assert text.startswith(
        "flow 0   123.58.180.188:32935 → 123.58.180.123:80\n"
        "         129 ms, 77 + 636 bytes, fin by client, from 14:42:51.151998, no date\n"
        "\n"
        "  handshake   348 µs: SYN → SYN-ACK 301 µs | SYN-ACK → ACK 47.0 µs\n"
        "  capture     taken between client and server, inferred from the handshake's halves\n"
        "  complete    31: SYN, SYN-ACK, ACK, data, FIN\n"
        "  Zeek        SF  ShADadFf, upper case the client\n"
    )
    for title, expected in {
        "state": ["TIME_WAIT", "CLOSED"],
        "packets": ["6", "4"],
        "payload bytes, unique": ["77", "636"],
        "throughput": ["597 B/s", "4.93k B/s"],
        "round trips, samples": ["3", "3"],
        "  p50": ["193 µs", "32.0 µs"],
        "bytes in flight, max": ["77", "636"],
        "window, min": ["3,072", "3,072"],
        "offered": ["mss 1460 ws 9 sack ts"] * 2,
    }.items():
        assert figures(text, title) == expected
    assert text.endswith(
        "  limited by\n"
        "  application      99.4%      128 ms  nothing was on its way; longest silence: client 128 ms, server 128 ms\n"
        "  path              0.3%      411 µs  other data was on its way; median round trip: "
        "client 193 µs, server 32.0 µs\n"
        "  handshake         0.3%      348 µs  before both had acknowledged; SYN to ACK: 348 µs\n"
    )


def test_a_loss_is_told_by_its_repeats_and_how_long_its_repair_took() -> None:
    text = full(LOST_FIN)
    assert figures(text, "retransmissions") == figures(text, "  by timeout") == ["1", "0"]
    assert figures(text, "loss recoveries") == ["1 in 57.4 ms", "0"]
    assert "  loss             60.2%      272 ms  a loss was repaired; retransmissions: client 1, server 0\n" in text


def test_time_that_no_cause_can_be_seen_for_is_told_as_such(tmp_path: Path) -> None:
    text = (
        "00:00:00.000000 IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [P.], seq 1:101, ack 1, win 500, length 100\n"
        "00:00:09.000000 IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [P.], seq 101:201, ack 1, win 500, length 100\n"
        "00:00:09.010000 IP 10.0.0.2.80 > 10.0.0.1.1000: Flags [.], ack 201, win 500, length 0\n"
        "00:00:10.000000 IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [P.], seq 201:301, ack 1, win 500, length 100\n"
    )
    tmp_path.joinpath("late.txt").write_text(text)
    analysis = tcptrace.analyze(tmp_path / "late.txt")
    assert "  unknown          90.1%     9.010 s  met midstream, or one direction is missing: nothing tells\n" in (
        written(analysis)
    )
    [flow] = analysis.to_dict()["flows"]
    assert flow["limited_by"] == {"application": 0.099, "unknown": 0.901}


def test_what_is_not_known_is_a_dash() -> None:
    text = written(samples.analysis(samples.UNANSWERED))
    assert "handshake   not seen whole\n" in text
    assert "capture     taken" not in text
    assert figures(text, "state") == ["SYN_SENT", "?"]
    assert figures(text, "  p50") == figures(text, "segment bytes, min") == ["-", "-"]
    assert figures(text, "offered")[1] == "-"
    assert "limited by" not in text


@pytest.mark.parametrize(
    ("path", "width"),
    list(zip(sorted(CAPTURES.glob("*/*.pcap*")), cycle([80, 100]), strict=False)),
    ids=lambda value: str(value) if isinstance(value, int) else value.parent.name,
)
def test_it_fits_the_terminal_in_the_words_of_a_pipe(path: Path, width: int) -> None:
    for flow in tcptrace.analyze(path).flow_table.flow[:1].tolist():
        text = full(path, width, flow=flow)
        assert max(map(len, text.splitlines())) <= width
        assert sorted(text.split()) == sorted(full(path, flow=flow).split())


def test_addresses_too_long_for_a_line_are_not_cut() -> None:
    text = written(samples.analysis(samples.IPV6), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "ffff]:65535" in text


def test_colour_is_by_meaning_and_changes_no_word() -> None:
    plain, colored = full(LOST_FIN), full(LOST_FIN, color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain
    assert re.search(r"\x1b\[33m *1 in 57.4 ms", colored)
    assert re.search(r"\x1b\[31m *loss ", colored)


def test_every_place_has_its_words() -> None:
    words = ["", "near the client", "near the server", "between client and server"]
    assert [place(i) for i in range(len(TAKEN_NEAR))] == words


def test_what_was_spent_waiting_is_told_where_there_is_any() -> None:
    assert "  stalled     215 ms silent with something unacknowledged, at most 215 ms at a time\n" in full(LOST_FIN)
    assert "stalled" not in full(LVS)


def test_round_trips_by_timestamp_stand_beside_the_others() -> None:
    assert figures(full(LOST_FIN), "  by timestamps") == ["2, mean 10.4 ms", "3, mean 25.7 µs"]
    assert figures(written(samples.analysis(samples.UNANSWERED)), "  by timestamps") == ["0", "0"]


def test_half_a_handshake_is_told_as_far_as_it_goes() -> None:
    flow = {"handshake_total_ns": -1, "syn_to_synack_ns": 301_000, "synack_to_ack_ns": -1}
    assert halves(flow) == "not seen whole: SYN → SYN-ACK 301 µs"


def test_only_a_flow_asked_for_by_its_number_is_shown_in_full() -> None:
    analysis = replace(tcptrace.analyze(LVS), found=())
    texts = []
    for view in (View(utc=True), View(utc=True, full=True)):
        out = io.StringIO()
        console.write_analyses([analysis], out, view)
        texts.append(out.getvalue())
    assert "limited by" not in texts[0]
    assert "1 flow: 1 closed by FIN" in texts[0]
    assert "TCP         10 frames in 1 flow\n\nno findings in 1 flow\n\nflow 0   123.58.180.188:32935 → " in texts[1]
    assert "limited by" in texts[1]


def test_slow_start_is_told_where_it_ended() -> None:
    assert slow_start({"slow_start_bytes": 14_600, "slow_start_ns": 30_100_000}) == "14,600 after 30.1 ms"
    assert slow_start({"slow_start_bytes": 0, "slow_start_ns": -1}) == "-"
