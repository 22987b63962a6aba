"""What there is to check is found, checked in order by several processes, and ends in the right status."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tcptrace.check import run
from tcptrace.report import progress
from tests.check.invoked import BASELINE, FORMATS, HEALTHY, REFUSED, STALL, invoke, problem
from tests.check.recorded import CAPTURES, altered, copied


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
