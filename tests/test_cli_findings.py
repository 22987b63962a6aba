"""Findings on the command line: which are told, by which thresholds, and the handbook."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tcptrace import cli
from tcptrace.diagnosis.registry import BY_NAME

CASES = Path(__file__).parent.parent / "captures"
REFUSED = str(CASES / "refused" / "client.pcap")
FLOOD = str(CASES / "syn-flood" / "server.pcap")
HEALTHY = str(CASES / "http" / "client.pcap")
STALL = str(CASES / "rto-stall" / "server.pcap")


def invoke(*arguments: str, **environment: str) -> Result:
    variables = {"COLUMNS": "100", "TERM": "dumb", **environment}
    return CliRunner().invoke(cli.app, list(arguments), catch_exceptions=True, env=variables)


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tcptrace", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=variables)


def rules_found(*arguments: str) -> list[str]:
    document = json.loads(invoke("analyze", *arguments, "--format", "json").stdout)
    return [finding["rule"] for finding in document["findings"]]


def test_findings_come_before_the_flows_and_are_counted_last() -> None:
    lines = invoke("analyze", REFUSED).stdout.splitlines()
    finding = next(i for i, line in enumerate(lines) if line.startswith("✖ connection-refused "))
    assert "10.0.0.1:40000 → 10.0.0.2:80" in lines[finding]
    assert finding < next(i for i, line in enumerate(lines) if line.startswith("flow  client"))
    assert lines[-1] == "1 error, 0 warnings, 0 notes"


def test_nothing_wrong_is_said_in_one_line() -> None:
    out = invoke("analyze", HEALTHY, "--severity", "warning").stdout
    assert "\nno findings in 1 flow\n" in out
    assert "errors" not in out


def test_a_finding_in_json_has_the_documented_keys() -> None:
    (finding,) = json.loads(invoke("analyze", REFUSED, "--format", "json").stdout)["findings"]
    contract = "rule severity confidence capture flow frames summary cause evidence disproof confirm fix".split()
    assert set(contract) <= set(finding)
    assert (finding["rule"], finding["severity"], finding["capture"], finding["flow"]) == (
        "connection-refused",
        "error",
        0,
        0,
    )
    assert 0 < finding["confidence"] <= 1
    assert all(isinstance(frame, int) for frame in finding["frames"])
    flood = json.loads(invoke("analyze", FLOOD, "--format", "json").stdout)["findings"][0]
    assert flood["flow"] is None
    assert len(flood["flows"]) == 60


def test_captures_are_numbered_through() -> None:
    document = json.loads(invoke("analyze", HEALTHY, REFUSED, FLOOD, "--format", "json").stdout)
    assert {finding["rule"]: finding["capture"] for finding in document["findings"]} == {
        "connection-refused": 1,
        "syn-flood": 2,
    }


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_rows_stay_a_flow_each(name: str) -> None:
    lines = invoke("analyze", FLOOD, "--format", name).stdout.splitlines()
    assert len(lines) == 60 + (name == "csv")


def test_only_the_rules_asked_for_are_told() -> None:
    both = rules_found(REFUSED, FLOOD)
    assert set(both) == {"connection-refused", "syn-flood"}
    assert rules_found(REFUSED, FLOOD, "--rule", "syn-flood") == ["syn-flood"]
    assert rules_found(REFUSED, FLOOD, "--rule", "syn_flood") == ["syn-flood"], "as Python spells it, as in explain"
    assert rules_found(REFUSED, FLOOD, "--rule", "syn-flood", "--rule", "connection-refused") == both


def test_only_what_is_severe_enough_is_told() -> None:
    assert "rto-stall" in rules_found(STALL)
    assert "rto-stall" in rules_found(STALL, "--severity", "warning")
    assert "rto-stall" not in rules_found(STALL, "--severity", "error")
    for options, found in ((), True), (("--severity", "error"), False), (("--rule", "zero-window"), False):
        assert ("▲ rto-stall " in invoke("timeline", STALL, "--flow", "0", *options).stdout) == found


def test_a_flow_is_shown_with_its_findings_only() -> None:
    several = str(CASES / "synack-source-mismatch" / "client.pcap")
    everything = json.loads(invoke("analyze", several, "--format", "json").stdout)
    for flow in everything["flows"]:
        number = flow["flow"]
        chosen = json.loads(invoke("analyze", several, "--flow", str(number), "--format", "json").stdout)
        assert chosen["findings"] == [
            finding for finding in everything["findings"] if number in (finding["flow"], *finding.get("flows", ()))
        ]
    out = invoke("analyze", REFUSED, "--flow", "0").stdout
    assert out.index("✖ connection-refused ") < out.index("flow 0   10.0.0.1:40000 → 10.0.0.2:80")


def test_as_many_findings_are_shown_as_asked_for() -> None:
    several = str(CASES / "pmtu-black-hole" / "server.pcap")
    found = len(rules_found(several))
    lines = invoke("analyze", several, "--top", "1").stdout.splitlines()
    assert sum(line.startswith(("✖", "▲", "•")) for line in lines) == 1
    assert (f"… and {found - 1} more finding" in "\n".join(lines)) == (found > 1)


def test_a_timeline_shows_findings_at_their_frames() -> None:
    lines = invoke("timeline", REFUSED, "--flow", "0").stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if line.lstrip().startswith("✖ connection-refused"))
    assert lines[first - 1].lstrip().startswith("1 ")
    assert lines[-1] == "1 error, 0 warnings, 0 notes"
    document = json.loads(invoke("timeline", REFUSED, "--flow", "0", "--format", "json").stdout)
    assert [finding["rule"] for finding in document["findings"]] == ["connection-refused"]


@pytest.mark.parametrize(("syns", "found"), [("60", True), ("61", False)])
def test_a_threshold_is_set_for_one_run(syns: str, found: bool) -> None:
    assert ("syn-flood" in rules_found(FLOOD, "--set", f"syn-flood.syns={syns}")) == found
    assert ("syn-flood" in rules_found(FLOOD, "--set", f"syn_flood.syns={syns}")) == found
    flow = invoke("timeline", FLOOD, "--flow", "0", "--set", f"syn-flood.syns={syns}")
    assert ("✖ syn-flood " in flow.stdout) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tcptrace.toml", "[rules.syn-flood]\nsyns = 61\n"),
        ("pyproject.toml", "[tool.tcptrace.rules.syn-flood]\nsyns = 61\n"),
    ],
)
def test_a_threshold_is_set_for_a_folder_and_those_below(tmp_path: Path, name: str, text: str) -> None:
    below = tmp_path / "below"
    below.mkdir()
    assert "✖ syn-flood " in run("analyze", FLOOD, cwd=below).stdout
    (tmp_path / name).write_text(text)
    assert "✖ syn-flood " not in run("analyze", FLOOD, cwd=below).stdout
    assert "✖ syn-flood " in run("analyze", FLOOD, "--set", "syn-flood.syns=60", cwd=below).stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rules.syn-flod]\nsyns = 3\n", ["no rule 'syn-flod'", "did you mean syn-flood?"]),
        ("[rules.syn-flood]\nsins = 3\n", ["no threshold 'sins'", "it has: syns, silence_ms"]),
        ("[rules.syn-flood]\nsyns = 'many'\n", ["'many' is no number from 1"]),
        ("[rules\n", ["cannot be read"]),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "tcptrace.toml"
    file.write_text(text)
    done = run("analyze", REFUSED, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in [f"tcptrace: {file}: ", *words]), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze", REFUSED, "--set", "syn-flood"], ["--set syn-flood", "is not rule.threshold=value"]),
        (["analyze", REFUSED, "--set", "syn-flod.syns=3"], ["no rule 'syn-flod'", "did you mean syn-flood?"]),
        (["timeline", REFUSED, "--flow", "0", "--set", "syn-flood.x=3"], ["syn-flood has no threshold 'x'"]),
        (["analyze", REFUSED, "--rule", "syn-flod"], ["--rule syn-flod", "did you mean syn-flood?"]),
        (["analyze", REFUSED, "--severity", "fatal"], ["fatal", "error"]),
        (["explain", "sidecar-rest"], ["sidecar-rest: there is no such rule", "did you mean sidecar-reset?"]),
        (["explain", "qqqq"], ["qqqq: there is no such rule", "tcptrace explain lists the rules"]),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], words: list[str]) -> None:
    done = run(*arguments, COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


def test_explain_lists_all_rules_by_family() -> None:
    result = invoke("explain")
    assert result.exit_code == 0
    words = result.stdout.split()
    assert [name for name in BY_NAME if name not in words] == []
    assert words.index("handshake") < words.index("connection-refused") < words.index("sidecar-reset")


@pytest.mark.parametrize("name", ["sidecar_reset", "SIDECAR-RESET"])
def test_explain_takes_a_name_however_it_is_spelled(name: str) -> None:
    assert invoke("explain", name).stdout == invoke("explain", "sidecar-reset").stdout


def test_explain_prints_the_page_of_a_rule() -> None:
    out = invoke("explain", "sidecar-reset").stdout
    for heading in ("What it detects", "Why it happens", "How to confirm", "How to fix", "When it stays silent"):
        assert f"\n{heading}\n" in out
    assert "15006" in out
    assert "wait_s = 30 s" in out


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "syn-flood"], ["analyze", REFUSED]])
def test_a_pipe_and_no_color_have_no_colour(arguments: list[str]) -> None:
    plain = run(*arguments)
    assert plain.returncode == 0
    assert "\x1b[" not in plain.stdout
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[" in run(*arguments, **forced).stdout
    assert run(*arguments, "--no-color", **forced).stdout == plain.stdout
    assert run(*arguments, NO_COLOR="1", **forced).stdout == plain.stdout


def test_explain_needs_no_capture_library() -> None:
    program = (
        "import sys; from tcptrace.cli import app\n"
        "try: app(['explain', 'syn-flood'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'pandas', 'numba', 'dpkt', 'pyshark'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_finding_keeps_its_number_whichever_are_asked_for() -> None:
    all_of_them = json.loads(invoke("analyze", STALL, "--format", "json").stdout)["findings"]
    assert [finding["number"] for finding in all_of_them] == list(range(1, len(all_of_them) + 1))
    last = all_of_them[-1]
    (alone,) = json.loads(invoke("analyze", STALL, "--rule", last["rule"], "--format", "json").stdout)["findings"]
    assert alone["number"] == last["number"] > 1
    assert f"finding {last['number']}   flow 0" in invoke("analyze", STALL, "--rule", last["rule"]).stdout
    markdown = invoke("analyze", STALL, "--rule", last["rule"], "--format", "markdown").stdout
    assert f", finding {last['number']}, flow 0, " in markdown


def test_findings_are_numbered_within_their_capture() -> None:
    document = json.loads(invoke("analyze", REFUSED, FLOOD, "--format", "json").stdout)
    assert [(finding["capture"], finding["number"]) for finding in document["findings"]] == [(0, 1), (1, 1)]
