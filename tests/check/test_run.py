"""What there is to check is found, checked in order by several processes, and ends in the right status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tcptrace import cli
from tcptrace.check import run
from tcptrace.report import progress
from tests.check.recorded import CAPTURES, altered, copied

BASELINE = "known.json"
FORMATS = ("table", "json", "junit", "sarif", "github", "markdown")
REFUSED = CAPTURES / "refused" / "client.pcap"
HEALTHY = CAPTURES / "http" / "client.pcap"
STALL = CAPTURES / "rto-stall" / "client.pcap"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, ["check", *map(str, words)], env={"COLUMNS": "100", "TERM": "dumb"})


def problem(*words: str | Path) -> str:
    """The message of a run that could not begin."""
    outcome = invoke(*words)
    assert outcome.exception is not None
    assert not isinstance(outcome.exception, SystemExit)
    return str(outcome.exception)


def test_all_as_expected_is_0() -> None:
    done = invoke(CAPTURES / "http", HEALTHY, STALL)
    assert done.exit_code == 0
    assert "3 cases: 3 as expected" in done.stdout


def test_an_unmet_expectation_is_1(tmp_path: Path) -> None:
    done = invoke(altered(copied("http", tmp_path), "flows = 1", "flows = 2"))
    assert done.exit_code == 1
    assert "1 not as expected" in done.stdout


def test_an_error_in_a_bare_capture_is_1_and_its_story_is_told() -> None:
    done = invoke(REFUSED)
    assert done.exit_code == 1
    assert "✖ connection-refused" in done.stdout
    assert f"tcptrace timeline {REFUSED} --flow 0" in done.stdout


@pytest.mark.parametrize(("least", "status"), [("info", 1), ("warning", 1), ("error", 0)])
def test_what_fails_can_be_set(least: str, status: int) -> None:
    assert invoke(STALL, "--fail-on", least).exit_code == status


def test_what_a_case_expects_does_not_fail_whatever_is_set() -> None:
    assert invoke(CAPTURES / "refused", "--fail-on", "error").exit_code == 0


def test_a_threshold_is_set() -> None:
    assert invoke(STALL, "--fail-on", "warning", "--set", "rto-stall.silence_ms=5000").exit_code == 0


def test_a_capture_without_tcp_is_a_capture(tmp_path: Path) -> None:
    (tmp_path / "empty.pcap").write_bytes(HEALTHY.read_bytes()[:24])
    assert invoke(tmp_path).exit_code == 0
    (tmp_path / "case.toml").write_text("[expect]\nflows = 0\n")
    assert invoke(tmp_path).exit_code == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_path_that_is_not_there_is_told_in_every_format_and_the_others_are_checked(name: str, tmp_path: Path) -> None:
    done = invoke("nowhere", REFUSED, "--format", name, "-o", tmp_path / "out")
    assert done.exit_code == 2
    report = (tmp_path / "out").read_text()
    assert "nowhere: there is no such file or folder" in report
    assert "connection-refused" in report


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied("http", tmp_path)
    (tmp_path / "secret").mkdir()
    shutil.copy(REFUSED, tmp_path / "z.pcap")
    listed = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    results = run.check([tmp_path], jobs=1).results
    assert {Path(one.path).name: bool(one.problem) for one in results} == {
        "z.pcap": False,
        "http": False,
        "secret": True,
    }


def test_a_link_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop.pcap").symlink_to("loop.pcap")
    done = invoke(tmp_path)
    assert done.exit_code == 2
    assert "loop.pcap: cannot be opened" in done.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_captures_that_a_case_does_not_look_at_are_named(name: str, tmp_path: Path) -> None:
    folder = copied("lvs-dr", tmp_path)
    (folder / "sub" / "deeper").mkdir(parents=True)
    shutil.copy(REFUSED, folder / "forgotten.pcap")
    shutil.copy(REFUSED, folder / "sub" / "deeper")
    copied("http", folder / "sub")
    done = invoke(folder, "--format", name)
    assert done.exit_code == 0
    assert "forgotten.pcap" in done.stdout
    assert "sub/deeper/client.pcap" in done.stdout
    assert "http/client.pcap" not in done.stdout.replace("\n", "") or name == "json"


@pytest.mark.parametrize("name", FORMATS)
def test_a_capture_that_was_cut_short_is_told(name: str, tmp_path: Path) -> None:
    folder = altered(copied("idle", tmp_path), "only = true\n", "")
    (folder / "client.pcap").write_bytes((folder / "client.pcap").read_bytes()[:-1])
    bare = tmp_path / "cut.pcap"
    bare.write_bytes(HEALTHY.read_bytes()[:60])
    done = invoke(bare, folder, "--format", name)
    told = " ".join(done.stdout.split())
    assert "cut.pcap breaks off before its first frame" in told
    assert "client.pcap breaks off after frame" in told
    (folder / "case.toml").write_text('[expect]\nfindings = ["truncated-file"]\n')
    assert invoke(folder).stdout.startswith("1 case: 1 as expected")


def test_what_tcpdump_printed_is_named_where_points_do_not(tmp_path: Path) -> None:
    folder = copied("lvs-dr", tmp_path)
    shutil.copy(folder / "client.txt", folder / "forgotten.txt")
    (folder / "notes.txt").write_text("What was seen.\n")
    told = invoke(folder).stdout
    assert "nothing checks forgotten.txt:" in told


def test_notes_beside_a_capture_are_no_capture(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    (folder / "README.txt").write_text("10.0.0.1 is the client.\n")
    assert invoke(folder).exit_code == 0
    (folder / "case.toml").unlink()
    assert invoke("--init", folder / "client.pcap").exit_code == 0
    (folder / "case.toml").write_text('[points]\nclient = "README.txt"\n')
    assert invoke(folder).exit_code == 2


def test_a_fifo_in_a_folder_is_no_recorded_capture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "live.pcap")
    shutil.copy(HEALTHY, tmp_path)
    assert invoke(tmp_path).exit_code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a name of any bytes needs a file system that takes it")
def test_a_name_of_any_bytes_is_known(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"a\xff")
    folder.mkdir()
    shutil.copy(REFUSED, folder)
    for name in FORMATS:
        assert invoke(folder, "--format", name, "-o", tmp_path / "out").exit_code == 1
    known = ("--baseline", tmp_path / BASELINE)
    assert invoke(folder, *known, "--write-baseline").exit_code == 0
    assert invoke(folder, *known).exit_code == 0
    assert invoke("--init", folder).exit_code == 0
    assert invoke(folder).exit_code == 0


def test_nothing_to_check_could_not_run(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no case")
    assert "nothing to check" in problem(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"), [("flows = 1", "flow_count = 1"), ('absent = ["', 'absent = ["emty-reply", "')]
)
def test_a_misspelt_word_could_not_run_and_the_other_cases_are_checked(before: str, after: str, tmp_path: Path) -> None:
    done = invoke(altered(copied("http", tmp_path), before, after), CAPTURES / "refused", "--quiet")
    assert done.exit_code == 2
    assert "2 cases: 1 as expected, 1 could not be checked" in done.stdout


def test_an_unreadable_capture_could_not_run(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    (folder / "client.pcap").write_bytes(b"\x00\x01no capture at all, and not text\xff")
    done = invoke(folder, REFUSED)
    assert done.exit_code == 2
    assert f"{folder / 'client.pcap'}: " in done.stdout
    assert "connection-refused" in done.stdout


def test_cases_are_found_at_any_depth_each_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git" / "c").mkdir(parents=True)
    http = copied("http", tmp_path / "a" / "b")
    copied("refused", tmp_path / ".git" / "c")
    (http / "parts").mkdir()
    shutil.copy(REFUSED, http / "parts")
    shutil.copy(HEALTHY, tmp_path / "a" / "bare.pcap")
    shutil.copy(HEALTHY, tmp_path / "a" / "notes.txt")
    found = run.check([tmp_path, http, http / "case.toml"], jobs=1)
    assert [Path(result.path).name for result in found.results] == ["bare.pcap", "http"]


def test_a_linked_folder_is_a_folder_and_each_is_checked_once(tmp_path: Path) -> None:
    altered(copied("http", tmp_path / "elsewhere"), "flows = 1", "flows = 2")
    shutil.copy(REFUSED, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path)
    (tmp_path / "here").mkdir()
    for name in ("a", "b"):
        (tmp_path / "here" / name).symlink_to(tmp_path / "elsewhere")
    found = run.check([tmp_path / "here"], jobs=1)
    assert [Path(result.path) for result in found.results] == [
        tmp_path / "here" / "a" / "client.pcap",
        tmp_path / "here" / "a" / "http",
    ]
    assert found.status == 1


def test_results_stand_in_order_however_many_processes_there_are(tmp_path: Path) -> None:
    names = ["vip-arp-conflict", "http", "few-losses", "refused", "lvs-dr", "idle"]
    folders = [CAPTURES / name for name in names]
    seen: list[int] = []
    alone, together = (
        run.check(folders, jobs=jobs, advance=lambda done, total, last: seen.append(done)) for jobs in (1, 3)
    )
    assert [Path(result.path).name for result in together.results] == names
    assert [result.outcomes for result in alone.results] == [result.outcomes for result in together.results]
    assert seen == [*range(1, 7), *range(1, 7)]


def test_a_process_that_is_ended_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "look_at", lambda *_, **__: os._exit(9))
    with pytest.raises(run.TcptraceError, match="try -j 1"):
        run.check([HEALTHY, STALL], jobs=2)


@pytest.mark.parametrize(
    "words",
    [
        ["--init", "--update"],
        ["--init", "--part", "flows"],
        ["--update", "-j", "2"],
        ["--update", "--quiet"],
        ["--part", "flows"],
        ["--write-baseline"],
    ],
)
def test_options_that_do_not_go_together_are_refused(words: list[str]) -> None:
    assert "\n" in problem(CAPTURES / "http", *words)


def test_a_report_does_not_take_the_place_of_what_was_checked(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    altered(copied("refused", tmp_path), "[expect]", "[expects]")
    baseline = ("--baseline", tmp_path / BASELINE)
    for words in (
        (folder, "-o", folder / "case.toml"),
        (folder, "-o", folder / "client.pcap"),
        (folder / "client.pcap", "-o", folder / "client.pcap"),
        (tmp_path / "refused", "-o", tmp_path / "refused" / "client.pcap"),
        (copied("lvs-dr", tmp_path), "-o", tmp_path / "lvs-dr" / "client.txt"),
        (folder, *baseline, "--write-baseline", "-o", tmp_path / BASELINE),
    ):
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert "is an input" in problem(*words)
        assert all(file.read_bytes() == bytes_ for file, bytes_ in before.items())


def test_an_interrupt_ends_all_processes() -> None:
    words = [sys.executable, "-m", "tcptrace", "check", str(CAPTURES), "-j", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            process.kill()
            pytest.skip("needs /proc to see the processes")
        while process.poll() is None and len(children.read_text().split()) < 2:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert (out, err) == (b"", b"")
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    with progress.checking() as advance:
        advance(1, 2, "captures/a")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.checking() as advance:
        advance(1, 2, "captures/\x1b")
    assert "checked 1 of 2, captures/\\x1b" in capsys.readouterr().err


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
