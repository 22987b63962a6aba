"""Findings that are known do not fail a check; what is written of them is whole."""

import json
import shutil
from pathlib import Path

import pytest

from tests.check.invoked import BASELINE, HEALTHY, REFUSED, STALL, invoke, problem
from tests.check.recorded import CAPTURES, altered, copied


def test_known_findings_do_not_fail_new_ones_do_and_gone_ones_are_told(tmp_path: Path) -> None:
    known, cases = tmp_path / BASELINE, tmp_path / "cases"
    cases.mkdir()
    shutil.copy(REFUSED, cases / "refused.pcap")
    assert invoke(cases, "--baseline", known, "--write-baseline").exit_code == 0
    assert invoke(cases, "--baseline", known).exit_code == 0
    assert invoke(cases).exit_code == 1
    shutil.copy(STALL, cases / "stall.pcap")
    done = invoke(cases, "--baseline", known)
    assert done.exit_code == 1
    assert "✖ connection-refused" not in done.stdout
    assert "▲ rto-stall" in done.stdout
    assert invoke(cases, "--baseline", known, "--fail-on", "error").exit_code == 0
    (cases / "stall.pcap").unlink()
    shutil.copy(HEALTHY, cases / "refused.pcap")
    done = invoke(cases, "--baseline", known)
    assert done.exit_code == 0
    assert "gone  connection-refused of 10.0.0.1:40000 → 10.0.0.2:80" in done.stdout


def test_what_is_known_of_a_capture_is_gone_when_a_case_takes_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    shutil.copy(REFUSED, tmp_path / "new")
    known = ("--baseline", BASELINE, "--write-baseline")
    assert invoke("new", *known).exit_code == 0
    assert invoke("--init", "new").exit_code == 0
    assert "in new/client.pcap at client.pcap" in invoke("new", "--baseline", BASELINE).stdout
    assert invoke("new", *known).exit_code == 0
    assert json.loads(Path(BASELINE).read_text())["findings"] == []
    (tmp_path / "new" / "case.toml").write_text("[expect]\nonly = true\n")
    assert invoke("new", *known).exit_code == 0
    (tmp_path / "new" / "case.toml").unlink()
    assert invoke("new", *known).exit_code == 0
    assert [one["case"] for one in json.loads(Path(BASELINE).read_text())["findings"]] == ["new/client.pcap"]


def test_a_baseline_knows_what_a_case_forbids(tmp_path: Path) -> None:
    folder = altered(copied("rto-stall", tmp_path), 'findings = ["rto-stall"]', "findings = []")
    known = tmp_path / BASELINE
    assert invoke(folder, "--baseline", known, "--write-baseline").exit_code == 0
    assert invoke(folder, "--baseline", known).exit_code == 0
    altered(folder, "flows = 1", "flows = 2")
    assert invoke(folder, "--baseline", known, "--write-baseline").exit_code == 1


def test_a_baseline_holds_from_any_folder_and_for_the_cases_that_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / BASELINE
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(REFUSED, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert invoke("one", "two", "--baseline", BASELINE, "--write-baseline").exit_code == 0
    entries = json.loads(known.read_text())["findings"]
    assert [entry["case"] for entry in entries] == ["one/client.pcap", "two/client.pcap"]
    assert not any("frame" in key for entry in entries for key in entry)
    monkeypatch.chdir(tmp_path / "two")
    assert invoke("client.pcap", "--baseline", f"../{BASELINE}").exit_code == 0
    assert "gone" not in invoke("client.pcap", "--baseline", f"../{BASELINE}").stdout
    assert invoke("client.pcap", "--baseline", f"../{BASELINE}", "--write-baseline").exit_code == 0
    assert json.loads(known.read_text())["findings"] == entries


ENTRY = '{"schema": "tcptrace.baseline/1", "findings": [{"rule": "a", "case": "b", "place": "", "ends": %s}]}'
NO_BASELINES = {
    "nothing": ("", "it is no JSON"),
    "half of it": ('{"schema": 1', "it is no JSON"),
    "endless lists": ("[" * 99_999, "it is no JSON"),
    "a list": ("[]", "its schema is not"),
    "a check's report": ('{"schema": "tcptrace.check/1", "findings": []}', "its schema is not"),
    "no list of findings": ('{"schema": "tcptrace.baseline/1", "findings": {}}', "findings is no list"),
    "a finding that is none": ('{"schema": "tcptrace.baseline/1", "findings": [[]]}', "findings is no list"),
    "ends that are one text": (ENTRY % '"abc"', "findings is no list"),
    "ends that are no text": (ENTRY % "[1]", "findings is no list"),
}


@pytest.mark.parametrize(("text", "told"), NO_BASELINES.values(), ids=NO_BASELINES)
def test_what_is_no_baseline_is_refused_and_stays(text: str, told: str, tmp_path: Path) -> None:
    known = tmp_path / BASELINE
    known.write_text(text)
    assert f"{known}: is no baseline: {told}" in problem(HEALTHY, "--baseline", known, "--write-baseline")
    assert known.read_text() == text


@pytest.mark.parametrize("other", [HEALTHY, CAPTURES])
def test_no_one_is_told_to_remove_what_is_no_baseline(other: Path) -> None:
    told = problem(HEALTHY, "--baseline", other, "--write-baseline")
    assert "name another file" in told
    assert "remove" not in told


def test_a_baseline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no such baseline" in problem(HEALTHY, "--baseline", tmp_path / BASELINE)


def test_a_baseline_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = tmp_path / BASELINE
    assert invoke(REFUSED, "--baseline", known, "--write-baseline").exit_code == 0
    before = known.read_text()

    def broken(*_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("tcptrace.check.baseline.document", broken)
    assert problem(STALL, "--baseline", known, "--write-baseline")
    assert known.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == [BASELINE]
