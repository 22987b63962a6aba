import io
from typing import Any

import pytest

from tcptrace.report import console
from tcptrace.report.terminal import Screen
from tcptrace.report.view import View
from tests.report import samples
from tests.report.samples import HALF, IPV6, MIDSTREAM, OPEN, REFUSED, UNANSWERED

MIXED = ({}, UNANSWERED, REFUSED, OPEN, HALF, MIDSTREAM, IPV6)


def shown(analysis: Any, width: int | None, *, top: int = 30, color: bool = False) -> str:
    out = io.StringIO()
    screen = Screen(out, width=width, color=color)
    console.write_summary(screen, analysis.summaries[0], len(analysis.flow_table.flow), utc=True)
    console.write_flows(screen, analysis.flow_table, analysis.books[0], analysis.measured[0].joined, top=top)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(width: int) -> None:
    long = {
        "client_payload_bytes": 123_456_789,
        "server_payload_bytes": 987_654_321,
        "end_ns": samples.START_NS + 10**13,
    }
    text = shown(
        samples.analysis(*MIXED, {**IPV6, **long}, other_frames={f"ethertype {i:#06x}": i for i in range(30)}), width
    )
    assert max(map(len, text.splitlines())) <= width
    joined = "".join(text.split())
    for word in (
        "2001:db8:1234:5678:",
        "5678]:40000",
        "ffff]:65535",
        "123M/988M",
        "10.0.0.1:40000",
        "no answer",
        "fin by client, half",
    ):
        assert word.replace(" ", "") in joined


def test_a_wide_terminal_shows_a_line_a_flow() -> None:
    text = shown(samples.analysis({}, UNANSWERED), 160)
    assert (
        "   0  10.0.0.1:40000  10.0.0.9:80  TIME_WAIT  CLOSED         10  77/636  129 ms     348 µs  fin by client"
        in text
    )
    assert (
        "   1  10.0.0.1:40000  10.0.0.9:80  SYN_SENT   ?               2     0/0  129 ms          -  no answer" in text
    )


def test_a_narrow_terminal_shows_states_below_their_endpoints() -> None:
    lines = shown(samples.analysis({}), 80).splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("   0"))
    assert lines[row].index("10.0.0.1:40000") == lines[row + 1].index("TIME_WAIT")
    assert lines[row].index("10.0.0.9:80") == lines[row + 1].index("CLOSED")


def test_a_pipe_gets_a_line_a_flow_whatever_its_length() -> None:
    text = shown(samples.analysis(IPV6), None)
    assert "[2001:db8:1234:5678:9abc:def0:1234:5678]:40000  [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535" in text


def test_the_summary_says_what_the_capture_is() -> None:
    text = shown(
        samples.analysis({}, interfaces=["eth0", ""], problems=["cut short after frame 12"], truncated=True), None
    )
    for words in (
        "client.pcap\n",
        "pcap, EN10MB",
        "12 frames in 1.042 s from 2024-05-01 14:03:11.250 UTC",
        "9 frames in 1 flow\n",
        "2 UDP, 1 ARP",
        "eth0, (no name)",
        "warning     cut short after frame 12",
    ):
        assert words in text


def test_of_many_interfaces_the_first_are_named_and_the_others_counted() -> None:
    names = [f"veth{number}" for number in range(30)]
    assert "veth28, veth29\n" in shown(samples.analysis({}, interfaces=names), None)
    many = shown(samples.analysis({}, interfaces=[*names, *["tap"] * 1500]), None)
    assert "veth28, veth29 and 1,500 more: --format json\n" in many
    assert "tap" not in many


def test_times_without_a_date_say_so() -> None:
    facts = {"dated": False, "start_ns": 52_991_250_000_000, "end_ns": 52_992_292_000_000}
    assert "from 14:43:11.250000, no date" in shown(samples.analysis({}, **facts), None)
    assert "12 frames, no time" in shown(samples.analysis({}, start_ns=None, end_ns=None), None)


def test_flows_are_counted_by_what_became_of_them() -> None:
    text = shown(samples.analysis(*MIXED), None)
    assert "7 flows: 2 closed by FIN, 2 open, 1 half-closed, 1 reset, 1 never answered" in text
    assert "1 flow began before the capture: which end is the client is a guess" in text


def test_of_many_flows_the_most_telling_are_shown_and_the_others_counted() -> None:
    text = shown(samples.analysis({}, {"client_payload_bytes": 10_000}, {}, UNANSWERED, REFUSED), None, top=3)
    numbers = [line.split()[0] for line in text.splitlines() if "10.0.0.1:40000" in line]
    assert numbers == ["3", "4", "1"]
    assert "… and 2 more flows: --top, --format csv" in text


def test_a_capture_without_tcp_is_a_summary_only() -> None:
    text = shown(samples.analysis(tcp_frames=0), None)
    assert "0 frames in 0 flows" in text
    assert "client is" not in text


def test_text_from_a_capture_has_no_power_over_the_terminal() -> None:
    facts = {"interfaces": ["\x1b]0;owned\x07"], "problems": ["\x1b[2J gone \u202e"], "other_frames": {"\x9b1m": 1}}
    text = shown(samples.analysis({}, path="a\x1b[31m\n.pcap", **facts), 80, color=False)
    assert text.replace("\n", "").isprintable()
    assert r"a\x1b[31m\n.pcap" in text
    assert "\\u202e" in text


def test_colour_is_by_meaning_and_changes_no_word() -> None:
    import re

    plain, colored = (shown(samples.analysis(*MIXED), 160, color=color) for color in (False, True))
    assert re.search(r"\x1b\[32m *fin by client", colored)
    assert re.search(r"\x1b\[31m *no answer", colored)
    assert re.search(r"\x1b\[33m *open", colored)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


@pytest.mark.parametrize(("variable", "colored"), [(None, True), ("NO_COLOR", False)])
def test_a_terminal_has_colours_unless_the_user_says_no(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, colored: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if variable:
        monkeypatch.setenv(variable, "1")
    out = samples.Terminal()
    console.write_analyses([samples.analysis({})], out, View(utc=True))
    assert ("\x1b[" in out.getvalue()) == colored
    out = samples.Terminal()
    console.write_analyses([samples.analysis({})], out, View(utc=True, color=False))
    assert "\x1b[" not in out.getvalue()


def test_captures_follow_each_other_with_a_blank_line() -> None:
    out = io.StringIO()
    console.write_analyses([samples.analysis({}), samples.analysis({}, path="server.pcap")], out, View(utc=True))
    assert "closed by FIN\n\nserver.pcap\n" in out.getvalue()
