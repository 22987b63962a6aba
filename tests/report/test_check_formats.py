"""What a check came to, in every format: valid, whole, and harmless."""

import json
import os
import re
import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from tcptrace.check.case_file import IN_A_CASE
from tcptrace.check.run import check
from tcptrace.check.vocabulary import json_schema
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.report.check import console
from tcptrace.report.terminal import text_width
from tcptrace.report.view import View
from tests.check.recorded import CAPTURES, altered, copied
from tests.check.schemas import ROOT, problems_of_junit, problems_of_sarif, problems_of_schema
from tests.check.test_run import FORMATS, invoke


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One case as expected, one with a finding too many, one with a wrong count, one misspelt, a bare capture."""
    cases = tmp_path / "cases"
    copied("idle", cases)
    altered(copied("rto-stall", cases), 'findings = ["rto-stall"]', "findings = []")
    altered(copied("lvs-dr", cases), "connections = 1", "connections = 2")
    altered(copied("http", cases), "[expect]", "[expects]")
    (cases / "a b,c%.pcap").write_bytes((CAPTURES / "refused" / "client.pcap").read_bytes())
    monkeypatch.chdir(tmp_path)
    return Path("cases")


def written(mixed: Path, name: str, *words: str) -> Path:
    """A report in a file, which appears whole."""
    file = Path(f"check.{name}")
    assert invoke(mixed, "--format", name, "-o", file, *words).exit_code == 2
    return file


def test_json_has_every_expectation(mixed: Path) -> None:
    told = json.loads(written(mixed, "json").read_text())
    assert told["schema"] == "tcptrace.check/1"
    assert told["status"] == 2
    verdicts = {case["case"]: case["verdict"] for case in told["cases"]}
    assert verdicts == {
        "cases/a b,c%.pcap": "failed",
        "cases/http": "error",
        "cases/idle": "passed",
        "cases/lvs-dr": "failed",
        "cases/rto-stall": "failed",
    }
    (connections,) = (
        one for case in told["cases"] for one in case["expectations"] if not one["met"] and one["name"] == "connections"
    )
    assert (connections["expected"], connections["found"]) == ("2", "1")
    assert connections["line"] == 19
    assert connections["look"] == "tcptrace correlate cases/lvs-dr"


def test_junit_is_valid(mixed: Path) -> None:
    assert problems_of_junit(written(mixed, "junit")) == []


def test_junit_has_a_test_for_each_expectation_with_the_story_as_failure(mixed: Path) -> None:
    root = Xml.parse(written(mixed, "junit")).getroot()
    told = json.loads(written(mixed, "json").read_text())
    for suite, case in zip(root.iter("testsuite"), told["cases"], strict=True):
        tests = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(tests) == max(1, len(case["expectations"]))
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "")) == len(suite.findall("testcase/error")) == (case["verdict"] == "error")
        assert {test.get("classname") for test in tests} == {case["case"]}
        assert [test.get("name") for test in tests if test.find("failure") is not None] == [
            one["name"] for one in case["expectations"] if not one["met"]
        ]
    (failure,) = (one for one in root.iter("failure") if one.get("type") == "only")
    assert failure.text
    assert "▲ rto-stall" in failure.text
    assert "tcptrace timeline cases/rto-stall/client.pcap --flow 0" in failure.text
    assert failure.text.startswith("cases/rto-stall/case.toml:")
    (error,) = root.iter("error")
    assert "did you mean 'expect'?" in (error.text or "")


def test_sarif_is_valid(mixed: Path) -> None:
    known = ("--baseline", "known.json")
    invoke(mixed, *known, "--write-baseline")
    for words in ((), known, ("--fail-on", "info")):
        assert problems_of_sarif(json.loads(written(mixed, "sarif", *words).read_text())) == []


def sarif(mixed: Path, *words: str) -> dict[str, Any]:
    (run,) = json.loads(written(mixed, "sarif", *words).read_text())["runs"]
    return dict(run)


def test_sarif_names_captures_rules_and_lines(mixed: Path) -> None:
    run = sarif(mixed)
    places = {
        (one["ruleId"], place["artifactLocation"]["uri"], place["region"]["startLine"])
        for one in run["results"]
        for place in (one["locations"][0]["physicalLocation"],)
    }
    assert ("connection-refused", "cases/a%20b%2Cc%25.pcap", 1) in places
    assert ("unmet-expectation", "cases/lvs-dr/case.toml", 19) in places
    assert ("rto-stall", "cases/rto-stall/server.pcap", 1) in places
    rules = run["tool"]["driver"]["rules"]
    assert [rules[one["ruleIndex"]]["id"] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    assert all(rule["help"]["markdown"] and rule["shortDescription"]["text"] for rule in rules)
    assert "How to fix" in next(rule for rule in rules if rule["id"] == "rto-stall")["help"]["markdown"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    assert "expects" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_fingerprints_are_stable_and_tell_findings_apart(mixed: Path) -> None:
    first, second = (
        [one["partialFingerprints"]["primaryLocationLineHash"] for one in sarif(mixed, *words)["results"]]
        for words in ((), ("--set", "rto-stall.silence_ms=201"))
    )
    assert first == second
    assert len(set(first)) == len(first)


def test_sarif_fingerprints_do_not_depend_on_where_the_check_began(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprints(path: str) -> list[str]:
        (run,) = json.loads(invoke(path, "--format", "sarif").stdout)["runs"]
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]]

    for repository in (False, True):
        if repository:
            Path(".git").mkdir()
        first = fingerprints("cases/lvs-dr")
        monkeypatch.chdir("cases")
        assert fingerprints("lvs-dr") == first
        monkeypatch.chdir("lvs-dr")
        assert fingerprints(".") == first
        monkeypatch.chdir("../..")


def test_equal_expectations_have_names_of_their_own(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    with (folder / "case.toml").open("a") as file:
        file.write('\n[[expect.flow]]\nclient = "10.0.0.1:40000"\nclose = "rst"\n' * 2)
    (run,) = json.loads(invoke(folder, "--format", "sarif").stdout)["runs"]
    assert len({one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]}) == 2
    root = Xml.fromstring(invoke(folder, "--format", "junit").stdout)
    names = [(test.get("classname"), test.get("name")) for test in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_sarif_tells_what_a_baseline_knows(mixed: Path) -> None:
    invoke(mixed / "rto-stall", "--baseline", "known.json", "--write-baseline")
    results = sarif(mixed, "--baseline", "known.json")["results"]
    states = {one["ruleId"]: (one.get("baselineState"), bool(one.get("suppressions"))) for one in results}
    assert states["rto-stall"] == ("unchanged", True)
    assert states["connection-refused"] == ("new", False)


def test_github_annotates_the_line_and_escapes(mixed: Path) -> None:
    lines = written(mixed, "github").read_text().splitlines()
    assert all(line.startswith("::error file=") for line in lines[:-1])
    assert any(
        line.startswith("::error file=cases/lvs-dr/case.toml,line=19,title=cases/lvs-dr%3A connections::")
        for line in lines
    )
    assert any(line.startswith("::error file=cases/a b%2Cc%25.pcap,title=") for line in lines)
    assert lines[-1].startswith("5 cases: 1 as expected, 3 not as expected, 1 could not be checked (")


def test_markdown_has_a_row_for_each_failure(mixed: Path) -> None:
    text = written(mixed, "markdown").read_text()
    assert text.startswith("## ✖ Captures: 5 cases")
    assert re.search(r"^\| cases/lvs-dr \| connections \| 2 \| 1 \|$", text, re.MULTILINE)
    assert text.count("<details>") == 3


@pytest.mark.parametrize("name", FORMATS)
def test_all_well_is_told_in_every_format(name: str, tmp_path: Path) -> None:
    done = invoke(CAPTURES / "http", "--format", name, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert (tmp_path / "out").stat().st_size > 0
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", FORMATS)
def test_all_faults_of_a_case_are_told_at_their_lines(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = copied("http", Path())
    (folder / "case.toml").write_text("[expect]\nfindigs = []\nonly = 1\n")
    out = invoke("http", "--format", name).stdout
    assert "did you mean 'findings'?" in out
    assert "write true or false" in out
    lines = {"github": "case.toml,line={},", "sarif": '"startLine": {}\n'}.get(name, "case.toml:{}: ")
    assert lines.format(2) in out
    assert lines.format(3) in out


def test_a_narrow_terminal_gets_narrow_lines(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        out = Terminal()
        console.write_check(check([mixed], jobs=1), out, View(color=False))
        long = [line for line in out.getvalue().splitlines() if text_width(line) > width]
        assert all(" " not in line.strip() for line in long)


@pytest.mark.parametrize("name", FORMATS)
def test_text_of_a_case_has_no_power(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied("http", tmp_path)
    folder = folder.rename(tmp_path / "evil\x1b[31m<b>|`")
    text = (folder / "case.toml").read_text().replace("flows = 1", "flows = 2")
    (folder / "case.toml").write_text(re.sub("^title.*", r'title = "a\\u001b[2J]]>\\u202e"', text, flags=re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    out = invoke(".", "--format", name).stdout
    assert "\x1b" not in out
    assert "\u202e" not in out or name == "json"
    if name == "junit":
        Xml.fromstring(out)
    if name == "markdown":
        assert "\\<b\\>\\|\\`" in out
        assert "&lt;b&gt;|`: flows</summary>" in out  # HTML knows no backslash


def test_the_schema_of_cases_takes_every_recorded_case_and_refuses_what_check_refuses() -> None:
    schema = json_schema()
    for file in CAPTURES.glob("*/case.toml"):
        assert problems_of_schema(schema, tomllib.loads(file.read_text())) == []
    points = {"points": {"a": ["a.pcap", "b.pcap"]}}
    for wrong in (
        {"expect": {"finding": []}},
        {"expect": {"findings": ["no-rule"]}},
        {"limits": {"lost": -1}},
        {"limits": {"lost": 1}},
        {"expect": {"mode": "dr"}},
        {"expect": {"flow": [{}]}},
        {"expect": {"flow": [{"states": {}}]}},
        {"expect": {"flow": [{"path": {"reply": ["a"]}}]}},
        {**points, "expect": {"flow": [{"close": "fin"}]}},
    ):
        assert problems_of_schema(schema, wrong)
    for right in ({"expect": {"flows": 12.0}}, {**points, "limits": {"lost": 1}}):
        assert problems_of_schema(schema, right) == []
    assert set(schema["properties"]["expect"]["properties"]["findings"]["items"]["enum"]) == set(BY_NAME)


def action(**inputs: str) -> subprocess.CompletedProcess[str]:
    """The script of action.yml, as a runner calls it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": "summary.md", **inputs}
    script = ROOT / ".github" / "check.py"
    return subprocess.run([sys.executable, script], env=environment, capture_output=True, encoding="utf-8", check=False)


def test_the_action_runs_annotates_and_fails_as_the_check_does(mixed: Path) -> None:
    Path("cases/idle").rename("cases/not busy")
    Path("summary.md").write_text("# Of another step\n", encoding="utf-8")
    done = action(PATHS="cases/n*y\n'cases/not busy' cases/lvs-dr\n", ARGS="-j 1", SARIF="reports/out.sarif")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=cases/lvs-dr/case.toml,line=19,")
    assert Path("summary.md").read_text().startswith("# Of another step\n## ✖ Captures: 2 cases")
    assert json.loads(Path("reports/out.sarif").read_text())["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"PATHS": "cases/idle/points"}, "cases/idle/points: "),
        ({"PATHS": ""}, "Missing argument"),
        ({"PATHS": "cases/idle", "ARGS": "-o x.txt"}, "-o is not for args"),
        ({"PATHS": "cases/idle", "ARGS": "--set 'a b=1'"}, "a b=1"),
        ({"PATHS": "cases/idle", "SARIF": "cases/idle/case.toml"}, "is an input"),
        ({"PATHS": "cases/it's"}, "a quote is not closed: cases/it's"),
        ({"PATHS": "cases/idle", "ARGS": '--baseline "kn'}, "a quote is not closed"),
        ({"PATHS": "cases/idle", "SARIF": "cases/idle/case.toml/x.sarif"}, "case.toml"),
        ({"PATHS": "cases/idle", "ARGS": "--fail-on bogus"}, "bogus"),
        ({"PATHS": "cases\\idle"}, "cases\\idle"),
    ],
)
def test_the_action_says_why_it_could_not_check(inputs: dict[str, str], told: str, mixed: Path) -> None:
    done = action(**inputs)
    assert done.returncode == 2
    (error,) = (line for line in done.stdout.splitlines() if line.startswith("::error "))
    assert told in error
    heading, *lines = Path("summary.md").read_text(encoding="utf-8").splitlines()
    assert heading.startswith("## ✖ Captures")
    assert all(line.startswith(("    ", "| ")) for line in lines if line)


def test_pre_commit_takes_the_hook() -> None:
    clientlib = pytest.importorskip("pre_commit.clientlib")
    (hook,) = clientlib.load_manifest(ROOT / ".pre-commit-hooks.yaml")
    assert (hook["entry"], hook["pass_filenames"]) == ("tcptrace check", False)
    assert re.compile(hook["files"]).pattern.endswith(IN_A_CASE.pattern)
    for name in ("case.toml", "client.pcap.gz", "client.txt", "X.PCAP", "x.pcap0"):
        assert re.search(hook["files"], f"captures/http/{name}")
    for name in ("README.md", "my-case.toml", "pcap", "case.tomls"):
        assert not re.search(hook["files"], name)
