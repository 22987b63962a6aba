"""What the application said, in findings: with tshark where it is installed, and what is said where it is not."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.application import decode, tshark
from tcptrace.application.decode import FLOWS_MAX, decoded
from tcptrace.application.sayings import Value
from tcptrace.application.tshark import DecodeError, Frame
from tcptrace.diagnosis.wanted import Wanted
from tests.report import samples
from tests.report.samples import finding

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
RESET = CAPTURES / "sidecar-reset" / "client.pcap"
TEXT = CAPTURES / "istio-sidecar-reset" / "client.txt"

with_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None or find_spec("pyshark") is None, reason="needs tshark and pyshark"
)


def said_in(capture: Path) -> list[str]:
    """What is told of flow 0 of a capture, as if it had a finding."""
    analysis, notices = tcptrace.analyze(capture), list[str]()
    (told,) = decoded([finding()], analysis.summaries[0], analysis.flow_table, notices.append)
    assert notices == []
    return list(told.application)


@with_tshark
@pytest.mark.parametrize(
    ("case", "lines"),
    [
        ("sidecar-503", ["→ GET /orders/17 HTTP/1.1 (frame 4)", "← HTTP/1.1 503 Service Unavailable (frame 6)"]),
        (
            "tls-untrusted",
            [
                "→ TLS Client Hello (frame 4)",
                "← TLS Server Hello (frame 6)",
                "→ TLS alert, Fatal: Unknown CA (frame 8)",
            ],
        ),
        ("sidecar-reset", ["→ GET /orders/17 HTTP/1.1 (frame 4)"]),
    ],
)
def test_recorded_conversations_are_decoded(case: str, lines: list[str]) -> None:
    assert said_in(CAPTURES / case / "client.pcap") == lines


@with_tshark
def test_an_answer_is_told_where_it_begins() -> None:
    lines = said_in(CAPTURES / "http" / "client.pcap")
    assert lines[:4] == [
        "→ GET / HTTP/1.1 (frame 4)",
        "← HTTP/1.1 200 OK (frame 6)",
        "→ GET /large HTTP/1.1 (frame 8)",
        "← HTTP/1.1 200 OK (frame 9)",
    ]


@with_tshark
def test_of_what_is_encrypted_the_handshake_is_told() -> None:
    lines = said_in(CAPTURES / "https" / "client.pcap")
    assert lines[0] == "→ TLS Client Hello (frame 4)"
    assert not any("Application Data" in line for line in lines)


@with_tshark
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_findings_carry_it_in_every_form(tmp_path: Path, suffix: str) -> None:
    import gzip

    capture = tmp_path / f"c.pcap{suffix}"
    capture.write_bytes(gzip.compress(RESET.read_bytes()) if suffix else RESET.read_bytes())
    line = "→ GET /orders/17 HTTP/1.1 (frame 4)"
    analysis = tcptrace.analyze(capture, wanted=Wanted(decode=True))
    assert [found.application for found in analysis.found if found.rule == "sidecar-reset"] == [(line,)]
    assert analysis.to_dict()["findings"][0]["application"] == [line]
    assert list(analysis.findings["application"][0]) == [line]


@with_tshark
@pytest.mark.parametrize("command", [["analyze"], ["timeline", "--flow", "0"]])
def test_the_command_line_tells_it(command: list[str]) -> None:
    words = [sys.executable, "-m", "tcptrace", *command, str(RESET), "--decode"]
    table = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "\n  says      → GET /orders/17 HTTP/1.1 (frame 4)\n" in table.stdout
    assert table.stderr == ""
    document = subprocess.run([*words, "--format", "json"], capture_output=True, text=True, check=True)
    assert json.loads(document.stdout)["findings"][0]["application"] == ["→ GET /orders/17 HTTP/1.1 (frame 4)"]
    plain = subprocess.run(words[:-1], capture_output=True, text=True, check=True)
    assert "GET /orders" not in plain.stdout


@with_tshark
def test_a_capture_that_tshark_cannot_read_is_named_with_what_it_said(tmp_path: Path) -> None:
    import lzma

    capture = tmp_path / "c.pcap.xz"
    capture.write_bytes(lzma.compress(RESET.read_bytes()))
    notices: list[str] = []
    found = tcptrace.analyze(capture, wanted=Wanted(decode=True), notice=notices.append).found
    assert found
    assert found[0].application == ()
    assert notices[-1].startswith(f"--decode: {capture}: tshark: ")


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        (RESET, ["tshark is not installed", "apt install tshark"]),
        (CAPTURES / "close-client-first" / "client.pcap", ["tshark is not installed"]),
        (TEXT, ["is text printed by tcpdump", "tcpdump -w"]),
    ],
)
def test_what_is_missing_is_told_in_a_line_and_is_no_failure(tmp_path: Path, capture: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "tcptrace", "analyze", str(capture), "--decode"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)})
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in ["--decode: ", *words])
    assert "\n  says " not in done.stdout
    quiet = subprocess.run(
        [*command, "--quiet"], capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)}
    )
    assert (quiet.returncode, quiet.stderr, quiet.stdout) == (0, "", done.stdout)


def test_pyshark_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tshark.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(tshark, "find_spec", lambda name: None)
    with pytest.raises(DecodeError, match=r"pip install 'tcptrace\[decode\]'"):
        tshark.require()


def test_standard_input_cannot_be_read_again() -> None:
    notices: list[str] = []
    analysis = samples.analysis({}, path="-")
    decoded([finding()], analysis.summaries[0], analysis.flow_table, notices.append)
    assert notices == ["--decode: standard input can be read only once; save the capture to a file first"]


Reader = Callable[[str, str, Callable[[Frame], None]], None]


def frame(number: int, flow: int, text: str, *, sport: int = 40000) -> Frame:
    """A frame with a payload that is text; the server's port is 80."""

    def data(name: str) -> list[Value]:
        return [Value(text.encode().hex(":"), "")] if name == "data.data" else []

    return Frame(number, flow, sport, [("ip", lambda name: []), ("tcp", lambda name: []), ("data", data)])


def with_frames(monkeypatch: pytest.MonkeyPatch, frames: list[Frame]) -> list[str]:
    """Let tshark read these; what is asked of it."""
    filters: list[str] = []

    def read(path: str, display_filter: str, take: Callable[[Frame], None]) -> None:
        filters.append(display_filter)
        for one in frames:
            take(one)

    monkeypatch.setattr(decode.tshark, "require", lambda: None)
    monkeypatch.setattr(decode.tshark, "read", read)
    return filters


def told(found: list[Any], flows: int = 1, **facts: Any) -> tuple[list[list[str]], list[str]]:
    """The lines of each finding, and what is noticed; all flows alike."""
    analysis, notices = samples.analysis(*[facts] * flows), list[str]()
    done = decoded(found, analysis.summaries[0], analysis.flow_table, notices.append)
    return [list(one.application) for one in done], notices


def test_only_flows_with_findings_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = with_frames(monkeypatch, [frame(4, 1, "hello"), frame(5, 1, "welcome", sport=80), frame(6, 2, "other")])
    lines, notices = told([finding(flows=(1,)), finding(flows=())], flows=3)
    assert filters[0].startswith("tcp.stream in {1} && ")
    assert lines == [["→ hello (frame 4)", "← welcome (frame 5)"], []]
    assert notices == []


def test_flows_that_carried_nothing_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = with_frames(monkeypatch, [])
    assert told([finding()], client_payload_bytes=0, server_payload_bytes=0) == ([[]], [])
    assert filters == []


def test_of_many_messages_the_first_and_last_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_frames(monkeypatch, [frame(n, 0, f"line {n}") for n in range(1, 101)])
    ((lines,), _) = told([finding()])
    assert [line.split(" (")[0] for line in lines] == [
        *["→ line 1", "→ line 2", "→ line 3"],
        "… 94 more",
        *["→ line 98", "→ line 99", "→ line 100"],
    ]


def test_of_many_flows_a_few_are_told_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_frames(monkeypatch, [frame(n, n, "hello") for n in range(9)])
    ((lines,), _) = told([finding(flows=tuple(range(2, 9)))], flows=9)
    assert lines == [f"flow {n} → hello (frame {n})" for n in (2, 3, 4)]


def test_the_worst_findings_flows_go_first_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with_frames(monkeypatch, [frame(n, n, "hello") for n in range(50)])
    lines, notices = told([finding(flows=(n,)) for n in reversed(range(50))], flows=50)
    assert [bool(of_finding) for of_finding in lines] == [True] * FLOWS_MAX + [False] * (50 - FLOWS_MAX)
    assert notices == [f"--decode: 50 flows have findings, the first {FLOWS_MAX} are decoded; --flow N decodes one"]


def test_what_was_decoded_before_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_frames(monkeypatch, [frame(4, 0, "hello")])
    read = decode.tshark.read

    def fails(*arguments: Any) -> None:
        read(*arguments)
        raise DecodeError("c.pcap: cut short")

    monkeypatch.setattr(decode.tshark, "read", fails)
    assert told([finding()]) == ([["→ hello (frame 4)"]], ["--decode: c.pcap: cut short"])


def test_text_from_a_payload_has_no_power_over_the_terminal() -> None:
    import io

    from tcptrace.report.findings import write_findings
    from tcptrace.report.terminal import Screen

    analysis, out = samples.analysis({}), io.StringIO()
    hostile = finding(application=("→ GET /\x1b[31m\u202e HTTP/1.1",))
    write_findings(Screen(out), [hostile], analysis.flow_table, analysis.books[0], top=1)
    assert "  says      → GET /\\x1b[31m\\u202e HTTP/1.1\n" in out.getvalue()
