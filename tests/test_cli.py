"""The command line as a user meets it: words, files, exit statuses."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from tcptrace import cli

CASES = Path(__file__).parent.parent / "captures"
CLOSED = str(CASES / "close-client-first" / "client.pcap")
REFUSED = str(CASES / "refused" / "client.pcap")
COMMANDS = ("analyze", "timeline", "packets", "correlate", "extract", "merge", "check", "explain")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), catch_exceptions=True, env={"COLUMNS": "100", "TERM": "dumb"})


def run(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tcptrace", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_every_option_a_word(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert f"Example: tcptrace {name} " in result.output
    command = get_command(cli.app).commands[name]  # type: ignore[attr-defined]  the app is a group
    assert command.help
    assert all(getattr(parameter, "help", None) for parameter in command.params if parameter.name != "help")


def test_the_help_names_every_command() -> None:
    result = invoke("--help")
    assert all(name in result.output for name in COMMANDS)
    assert "Begin with: tcptrace analyze capture.pcap" in result.output
    assert "TCPTRACE_CACHE" in result.output


def test_the_version_is_told_before_anything_is_imported() -> None:
    code = (
        "import os, sys; os._exit = sys.exit; sys.argv = ['tcptrace', '--version']\n"
        "from tcptrace.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'typer', 'rich', 'numpy', 'orjson'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.startswith(b"tcptrace ")
    assert invoke("--version").output == result.stdout.decode()


def test_a_small_capture_needs_neither_pandas_nor_numba() -> None:
    code = (
        f"import os, sys; os._exit = sys.exit; sys.argv = ['tcptrace', 'analyze', {REFUSED!r}]\n"
        "from tcptrace.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'pandas', 'numba', 'dpkt', 'orjson'} & set(sys.modules), sorted(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert b"rst by server" in result.stdout


def test_analyze_shows_each_capture() -> None:
    result = invoke("analyze", CLOSED, REFUSED, "--utc")
    assert result.exit_code == 0
    assert "fin by client" in result.stdout
    assert "1 flow: 1 reset" in result.stdout
    assert result.stderr == ""


def test_analyze_as_json_holds_all_captures() -> None:
    document = json.loads(invoke("analyze", CLOSED, REFUSED, "--format", "json").stdout)
    assert [capture["path"] for capture in document["captures"]] == [CLOSED, REFUSED]
    assert [flow["capture"] for flow in document["flows"]] == [0, 1]


def test_a_timeline_is_a_ladder() -> None:
    result = invoke("timeline", CLOSED, "--flow", "0")
    assert result.exit_code == 0
    assert "(FIN_WAIT_2)" in result.stdout


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "markdown", "table"])
@pytest.mark.parametrize("command", [("analyze",), ("timeline", "--flow", "0"), ("packets",)])
def test_every_command_writes_every_format_to_a_file(tmp_path: Path, command: tuple[str, ...], name: str) -> None:
    place = tmp_path / "out"
    result = invoke(command[0], CLOSED, *command[1:], "--format", name, "-o", str(place))
    assert (result.exit_code, result.output) == (0, "")
    assert "10.0.0.1" in place.read_text() or command[0] == "timeline"
    assert place.read_text() == invoke(command[0], CLOSED, *command[1:], "--format", name).stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_packets_can_be_chosen() -> None:
    def rows(*options: str) -> int:
        return len(invoke("packets", CLOSED, "--format", "csv", *options).stdout.splitlines()) - 1

    assert rows() == rows("--flow", "0") == rows("--port", "80") == rows("--host", "10.0.0.1") == 15
    assert rows("--port", "81") == rows("--host", "10.9.9.9") == 0
    first_ns = int(invoke("packets", CLOSED, "--format", "csv").stdout.splitlines()[1].split(",")[1])
    half = f"{(first_ns + 100_000_000) / 1e9:.6f}"
    assert rows("--since", half) + rows("--until", half) == 15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze"], ["Missing argument"]),
        (["analyze", CLOSED, "--format", "xml"], ["xml", "json"]),
        (["analyze", CLOSED, "--since", "yesterday"], ["'yesterday' is no time", "since the epoch"]),
        (["analyze", CLOSED, "--host", "nowhere"], ["'nowhere' is no address"]),
        (["analyze", CLOSED, "-o", CLOSED], ["close-client-first", "is an input"]),
        (["analyze", CLOSED, "-o", "/no/such/place"], ["/no/such/place", "cannot be written"]),
        (["analyze", "-", "-"], ["only once"]),
        (["timeline", CLOSED], ["--flow"]),
        (["timeline", CLOSED, "--flow", "7"], ["close-client-first", "no flow 7", "0 to 0"]),
        (["timeline", "/no/such.pcap", "--flow", "0"], ["/no/such.pcap"]),
        (["packets", CLOSED, "--flow", "7"], ["close-client-first", "no flow 7", "0 to 0"]),
        (["packets", CLOSED, "--host", "nowhere"], ["'nowhere' is no address"]),
        (["analyze", CLOSED, REFUSED, "--flow", "7"], ["close-client-first", "no flow 7", "0 to 0"]),
        (["analyze", CLOSED, REFUSED, "--host", "nowhere"], ["'nowhere' is no address"]),
        (["packets", "/no/such.pcap"], ["/no/such.pcap"]),
        (["packets", str(CASES)], [str(CASES)]),
        (["analyze", "/no/such\x1b[31m.pcap"], [r"/no/such\x1b[31m.pcap"]),
        (["frobnicate"], ["frobnicate"]),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], words: list[str]) -> None:
    result = run(*arguments, COLUMNS="200")
    assert result.returncode == 2
    assert result.stdout == b""
    message = result.stderr.decode()
    assert "Traceback" not in message
    assert all(word in message for word in words), message


def test_one_unreadable_capture_does_not_hide_the_others(tmp_path: Path) -> None:
    result = invoke("analyze", "/no/such.pcap", CLOSED, "--format", "json")
    assert result.exit_code == 2
    assert [capture["path"] for capture in json.loads(result.stdout)["captures"]] == [CLOSED]
    assert "/no/such.pcap" in result.stderr


def test_nothing_is_written_when_nothing_could_be_read(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    assert invoke("analyze", "/no/such.pcap", "--format", "json", "-o", str(place)).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_capture_is_read_from_standard_input() -> None:
    result = run("analyze", "-", "--format", "csv", stdin=Path(CLOSED).read_bytes())
    assert result.returncode == 0
    assert b"10.0.0.1:40000,10.0.0.2:80" in result.stdout


def test_a_reader_that_leaves_early_ends_it_quietly() -> None:
    command = f"{sys.executable} -m tcptrace packets {CLOSED} | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert result.stderr == b""
    assert b"from" in result.stdout


def test_output_that_cannot_be_encoded_is_no_failure() -> None:
    result = run("analyze", CLOSED, PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    result = run("timeline", CLOSED, "--flow", "0", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_an_interrupt_ends_it_with_130_and_no_output_file(tmp_path: Path) -> None:
    code = "import sys; print('up', file=sys.stderr, flush=True); from tcptrace.__main__ import main; main()"
    arguments = ["analyze", "-", "-o", str(tmp_path / "out")]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=pipe, stderr=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()
        process.stdin.write(Path(CLOSED).read_bytes()[:100])
        process.stdin.flush()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert b"Traceback" not in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_a_capture_is_told_beside_its_packets(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(CLOSED).read_bytes()[:300])
    done = subprocess.run(
        [sys.executable, "-m", "tcptrace", "packets", str(cut), "--format", "csv"], capture_output=True, check=True
    )
    assert len(done.stdout.splitlines()) == 4
    assert b"cut short at byte 300" in done.stderr


def test_a_choice_is_told_from_what_there_is() -> None:
    assert "in 1 flow, 0 of them chosen" in invoke("analyze", CLOSED, "--port", "7").stdout


def test_a_flow_or_a_name_that_one_of_the_captures_knows_is_enough(tmp_path: Path) -> None:
    named = tmp_path / "named.txt"
    named.write_text("12:00:00.000000 IP alpha.40000 > beta.http: Flags [S], seq 1, win 100, length 0\n")
    for captures in ((CLOSED, str(named)), (str(named), CLOSED)):
        result = invoke("analyze", *captures, "--host", "beta", "--format", "csv")
        assert result.exit_code == 0, result.output
        assert [line.split(",")[0] for line in result.stdout.splitlines()[1:]] == [str(named)]
    both = invoke("analyze", str(CASES / "port-reuse" / "client.pcap"), CLOSED, "--flow", "1", "--format", "csv")
    assert both.exit_code == 0
    assert len(both.stdout.splitlines()) == 2


def test_packets_name_the_interface_from_the_first_row(tmp_path: Path) -> None:
    line = "12:00:00.000000 {} IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1, win 100, length 0\n"
    text = tmp_path / "any.txt"
    text.write_text(line.format("eth0  Out") * 5000 + line.format("eth1  In "))
    for rows in (
        csv.DictReader(invoke("packets", str(text), "--format", "csv", "--quiet").stdout.splitlines()),
        json.loads(invoke("packets", str(text), "--format", "json", "--quiet").stdout)["packets"],
        json.loads(invoke("timeline", str(text), "--flow", "0", "--format", "json").stdout)["segments"],
    ):
        told = [(row["interface"], row["direction"]) for row in rows]
        assert told == [("eth0", "out")] * 5000 + [("eth1", "in")]


def test_a_name_may_come_late_in_a_capture(tmp_path: Path) -> None:
    line = "12:00:00.000000 IP {}.40000 > beta.http: Flags [S], seq 1, win 100, length 0\n"
    named = tmp_path / "named.txt"
    named.write_text(line.format("alpha") * 5000 + line.format("omega"))
    result = invoke("packets", str(named), "--host", "omega", "--format", "csv", "--quiet")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2


def test_a_closed_standard_output_is_a_message() -> None:
    done = subprocess.run(f"{sys.executable} -m tcptrace packets {REFUSED} >&-", shell=True, capture_output=True)
    assert done.returncode == 2
    assert b"standard output is closed" in done.stderr


def test_terminated_work_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; import tcptrace.report.csv_report as report\n"
        "report.write_analyses = lambda *args: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"sys.argv = ['tcptrace', 'analyze', {CLOSED!r}, '--format', 'csv', '-o', {str(tmp_path / 'o.csv')!r}]\n"
        "from tcptrace.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 128 + 15
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_what_nohup_ignores_stays_ignored() -> None:
    code = (
        "import os, signal, sys; import tcptrace.report.csv_report as report\n"
        "report.write_analyses = lambda *args: os.kill(os.getpid(), signal.SIGHUP)\n"
        f"sys.argv = ['tcptrace', 'analyze', {CLOSED!r}, '--format', 'csv']\n"
        "from tcptrace.__main__ import main; main()"
    )
    statuses = [
        subprocess.run(["bash", "-c", f'{trap} exec {sys.executable} -c "$0"', code], check=False).returncode
        for trap in ("", "trap '' HUP;")
    ]
    assert statuses == [128 + signal.SIGHUP, 0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["packets", REFUSED]])
def test_a_full_disk_is_one_message(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "tcptrace", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr == b"tcptrace: standard output: No space left on device\n"
    if arguments[0] == "packets":
        done = subprocess.run([*command, "-o", "/dev/full"], stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (2, b"tcptrace: /dev/full: No space left on device\n")


@pytest.mark.parametrize("place", ["tcptrace.cli.analyze_one", "tcptrace.cli.report"])
def test_too_little_memory_is_one_message(place: str) -> None:
    code = (
        "import sys; from unittest.mock import patch\n"
        f"sys.argv = ['tcptrace', 'analyze', {CLOSED!r}]\n"
        "from tcptrace.__main__ import main\n"
        f"with patch({place!r}, side_effect=MemoryError): main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tcptrace: not enough memory\n")
    assert "Traceback" not in done.stderr


def test_the_table_of_flows_is_the_same_with_and_without_measures() -> None:
    table, full = invoke("analyze", CLOSED), invoke("analyze", CLOSED, "--flow", "0")
    assert "fin by client" in table.stdout
    assert "round trip" in full.stdout.lower()
