"""Findings as a person reads them: on a terminal, in a pipe, among segments, in Markdown."""

import io
import re
from array import array
from typing import Any

import pytest

from tcptrace.report import console, markdown
from tcptrace.report.finding_ends import ends, flows_told
from tcptrace.report.findings import write_findings
from tcptrace.report.ladder import write_ladder
from tcptrace.report.terminal import Screen
from tcptrace.report.view import View
from tests.report import samples
from tests.report.samples import IPV6, OPEN, REFUSED, finding


def shown(*found: Any, width: int | None = None, top: int = 30, color: bool = False, flows: Any = (REFUSED,)) -> str:
    out = io.StringIO()
    analysis = samples.analysis(*flows, found=found)
    write_findings(
        Screen(out, width=width, color=color), analysis.found, analysis.flow_table, analysis.books[0], top=top
    )
    return out.getvalue()


def test_a_finding_is_a_story_in_a_few_lines() -> None:
    assert shown(finding(symptoms=("abortive-close",))) == (
        "\n"
        "✖ connection-refused   10.0.0.1:40000 → 10.0.0.9:80                         flow 0   confidence 0.95\n"
        "  10.0.0.9:80 was called by 10.0.0.1:40000 and refused (frame 2), 301 µs after the SYN.\n"
        "  cause     nothing listens on that address and port, or a firewall answers in the server's name\n"
        "  evidence  a RST that acknowledges the SYN\n"
        "            TTL 64, IP ID 0\n"
        "  frames    2, 1\n"
        "  seen as   abortive-close\n"
        "  unless    a listener on 10.0.0.9:80 that was there at that time\n"
        "  confirm   Wireshark: frame.number in {1, 2}\n"
        "            server: ss -ltn 'sport = :80'\n"
        "  next      start the service; more: tcptrace explain connection-refused\n"
    )


@pytest.mark.parametrize("width", [50, 80, 100, 160])
@pytest.mark.parametrize("flow", [REFUSED, IPV6])
def test_nothing_is_cut_and_no_line_is_wider_than_the_terminal(width: int, flow: dict[str, Any]) -> None:
    text = shown(finding(), width=width, flows=[flow])
    assert max(map(len, text.splitlines())) <= width
    wide = shown(finding(), flows=[flow])
    assert sorted("".join(text.split())) == sorted("".join(wide.split()))
    first = text.splitlines()[1]
    assert first.startswith("✖ connection-refused")
    assert first.endswith("flow 0   confidence 0.95")
    assert len(first) == min(width, 100)


def test_what_is_to_be_copied_stays_in_one_piece_in_a_pipe() -> None:
    way = f"Wireshark: frame.number in {{{', '.join(map(str, range(100)))}}}"
    text = shown(finding(confirm=f"{way}   server: ss -ltn"))
    assert f"  confirm   {way}\n            server: ss -ltn\n" in text


def test_colour_is_by_severity_and_changes_no_word() -> None:
    found = [finding(severity=severity) for severity in ("error", "warning", "info")]
    plain, colored = (shown(*found, color=color) for color in (False, True))
    assert [line[0] for line in plain.splitlines() if line[:1] in "✖▲•" and line] == ["✖", "▲", "•"]
    assert "\x1b[31m✖" in colored
    assert "\x1b[33m▲" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_nothing_wrong_is_one_line() -> None:
    assert shown(flows=[OPEN] * 3) == "\nno findings in 3 flows\n"


def test_of_many_findings_the_first_are_told_and_the_others_counted() -> None:
    text = shown(*[finding(rule="rto-stall")] * 5, top=2)
    assert text.count("✖ rto-stall") == 2
    assert text.endswith("\n… and 3 more findings: --top, --format json\n")


def test_of_many_frames_the_first_are_told() -> None:
    assert "  frames    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 88 more\n" in shown(finding(frames=range(1, 101)))


def test_text_from_a_capture_has_no_power_over_the_terminal() -> None:
    text = shown(finding(evidence=("GET /\x1b]0;owned\x07 \u202e",)), width=80)
    assert text.replace("\n", "").isprintable()
    assert r"GET /\x1b]0;owned\x07" in text


def test_the_last_line_counts_findings_by_severity() -> None:
    out = io.StringIO()
    found = (finding(), finding(severity="info"), finding(severity="info"))
    console.write_analyses([samples.analysis({}, found=found), samples.analysis({})], out, View(utc=True))
    assert "\n1 error, 0 warnings, 2 notes\n\nclient.pcap\n" in out.getvalue()
    assert out.getvalue().endswith("1 flow: 1 closed by FIN\n")


@pytest.mark.parametrize(
    ("flows", "told", "count"),
    [
        ((0,), "10.0.0.1:40000 → 10.0.0.9:80", "flow 0"),
        ((0, 1), "10.0.0.1 → 10.0.0.9:80", "2 flows"),
        ((0, 2), "10.0.0.1:40000, 10.0.0.2:40000 → 10.0.0.9:80", "2 flows"),
        ((0, 2, 4), "3 clients, port 40000 → 10.0.0.9:80", "3 flows"),
        ((0, 1, 2), "2 clients → 10.0.0.9:80", "3 flows"),
        (array("q", [0, 1]), "10.0.0.1 → 10.0.0.9:80", "2 flows"),
        ((), "the whole capture", ""),
        ((7,), "", "flow 7"),
    ],
)
def test_several_flows_are_told_by_what_they_share(flows: Any, told: str, count: str) -> None:
    kinds = ({}, {"client": "10.0.0.1:40001"}, {"client": "10.0.0.2:40000"}, IPV6, {"client": "10.0.0.3:40000"})
    analysis = samples.analysis(*kinds)
    of_flows = finding(flows=flows)
    assert ends(of_flows, analysis.flow_table, analysis.books[0]) == told
    assert flows_told(of_flows) == count


def ladder(*found: Any, width: int | None = None) -> list[str]:
    out = io.StringIO()
    write_ladder(Screen(out, width=width), samples.timeline(found=found), View(utc=True))
    return out.getvalue().splitlines()


def test_a_ladder_has_a_finding_below_the_frame_it_names_first_and_in_full_at_the_end() -> None:
    lines = ladder(finding(frames=(99, 2, 1)), finding(rule="rto-stall", severity="warning", frames=()))
    at = next(i for i, line in enumerate(lines) if line.lstrip().startswith("✖"))
    assert "SYN+ACK" in lines[at - 1]
    assert lines[at].strip().startswith("✖ connection-refused   10.0.0.9:80 was called by 10.0.0.1:40000 and refused")
    assert sum("▲ rto-stall" in line for line in lines) == 1
    assert [line.split("  ")[0] for line in lines if line[:1] in "✖▲" and line] == [
        "✖ connection-refused",
        "▲ rto-stall",
    ]
    assert lines[-2:] == ["", "1 error, 1 warning, 0 notes"]


@pytest.mark.parametrize("width", [80, 110, 200])
def test_findings_in_a_ladder_fit_the_terminal(width: int) -> None:
    assert max(map(len, ladder(finding(), width=width))) <= width


def in_markdown(write: Any, what: Any) -> list[str]:
    out = io.StringIO()
    write(what, out, View(utc=True))
    return out.getvalue().splitlines()


def test_markdown_has_findings_before_the_flows() -> None:
    analyses = [samples.analysis({}), samples.analysis(REFUSED, found=(finding(),))]
    lines = in_markdown(markdown.write_analyses, analyses)
    assert lines[:5] == [
        "## Findings",
        "",
        "- ✖ **connection-refused** 10.0.0.1:40000 → 10.0.0.9:80, flow 0, client.pcap, confidence 0.95  ",
        r"  10.0.0.9:80 was called by 10.0.0.1:40000 and refused \(frame 2\), 301 µs after the SYN.",
        "  - *cause* nothing listens on that address and port, or a firewall answers in the server's name",
    ]
    assert r"  - *confirm* Wireshark: frame.number in \{1, 2\}" in lines
    end = lines.index("1 error, 0 warnings, 0 notes")
    assert lines[end : end + 4] == ["1 error, 0 warnings, 0 notes", "", "## Flows", ""]
    assert len(lines) == end + 4 + 2 + 2


def test_markdown_of_a_timeline_has_its_findings_too() -> None:
    lines = in_markdown(markdown.write_timeline, samples.timeline(found=(finding(),)))
    assert lines[2].startswith("- ✖ **connection-refused**")
    assert lines.index("## Segments") < next(i for i, line in enumerate(lines) if line.startswith("| frame |"))


def test_markdown_says_that_nothing_is_wrong() -> None:
    assert in_markdown(markdown.write_analyses, [samples.analysis({}, OPEN)])[2] == "no findings in 2 flows"


def test_text_cannot_leave_its_place_in_markdown() -> None:
    hostile = finding(evidence=("</li><script>alert(1)</script>\n# [x](http://x)",))
    (line,) = (
        line
        for line in in_markdown(markdown.write_analyses, [samples.analysis({}, found=(hostile,))])
        if "script" in line
    )
    assert line == r"  - *evidence* \</li\>\<script\>alert\(1\)\</script\>\\n\# \[x\]\(http://x\)"
