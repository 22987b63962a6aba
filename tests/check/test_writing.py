"""A case.toml is written from what is seen, and brought up to date without touching what still holds."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tcptrace.check.case_file import read_case
from tcptrace.check.parts import Part
from tcptrace.check.toml_value import rounded_up, statement
from tcptrace.check.update import update
from tests.check.recorded import CAPTURES, altered, copied, result
from tests.check.test_run import invoke, problem


@pytest.mark.parametrize("case", ["http", "rto-stall", "port-reuse", "syn-flood", "baidu-close"])
def test_what_init_writes_is_met_and_nothing_less(case: str, tmp_path: Path) -> None:
    folder = copied(case, tmp_path)
    (folder / "case.toml").unlink()
    assert invoke("--init", folder).exit_code == 0
    told = result(folder)
    assert told.problem == ""
    assert told.unmet == ()
    assert {"only", "flows", "limits: retransmission_rate"} <= {outcome.name for outcome in told.outcomes}


def test_points_are_named_by_hand(tmp_path: Path) -> None:
    folder = copied("ipvs-nat", tmp_path)
    (folder / "case.toml").unlink()
    words = ("client=client.pcap", "lvs:eth0=lvs-eth0.pcap", "lvs:eth1=lvs-eth1.pcap", "rs=rs-bond1.pcap")
    assert invoke("--init", *(word.replace("=", f"={folder}/") for word in words)).exit_code == 0
    text = (folder / "case.toml").read_text()
    assert '[points]\nclient = "client.pcap"\n"lvs:eth0" = "lvs-eth0.pcap"\n' in text
    assert 'mode = "nat"' in text
    assert "lost = 0" in text
    assert result(folder).unmet == ()


def test_points_may_have_any_file(tmp_path: Path) -> None:
    shutil.copy(CAPTURES / "http" / "client.pcap", tmp_path / "a,b.pcap")
    assert invoke("--init", f"client={tmp_path}/a,b.pcap").exit_code == 0
    assert result(tmp_path).unmet == ()
    (tmp_path / "case.toml").unlink()
    (tmp_path / "a,b.pcap").rename(tmp_path / os.fsdecode(b"\xff.pcap"))
    assert "its name is no UTF-8" in problem("--init", f"client={tmp_path}/" + os.fsdecode(b"\xff.pcap"))


def test_init_never_writes_over_a_case(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    before = (folder / "case.toml").read_text()
    assert "is there already" in problem("--init", folder)
    assert (folder / "case.toml").read_text() == before


def test_init_wants_all_captures_of_a_folder(tmp_path: Path) -> None:
    folder = copied("rto-stall", tmp_path)
    (folder / "case.toml").unlink()
    assert "has other captures too, server.pcap for one" in problem("--init", folder / "client.pcap")
    assert invoke("--init", folder / "client.pcap", folder / "server.pcap").exit_code == 0


@pytest.mark.parametrize(("word", "told"), [("nowhere/a.pcap", "no such file"), (".", "has no capture")])
def test_init_of_nothing_is_refused(word: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in problem("--init", word)


def test_init_points_to_the_schema_where_it_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "captures" / "http"
    folder.mkdir(parents=True)
    shutil.copy(CAPTURES / "http" / "client.pcap", folder)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "case.schema.json").write_text("{}")
    invoke("--init", folder)
    assert (folder / "case.toml").read_text().startswith("#:schema ../../docs/case.schema.json\n")


NOTED = """\
# How it was taken.
title = "two calls"   # a comment

[expect]
findings = [
    "zero-window",   # no longer
    "abortive-close",
]
  flows = 3  # indented
only=true

[[expect.flow]]
client = "10.0.0.1:40000"
states = { client = "CLOSED", server = "LAST_ACK" }
[[expect.flow]]
states = { client = "TIME_WAIT" }
close = "fin"

[limits]
handshake_ms_max = 0.5 # too small
duration_ms_max = 100000
"""


def test_an_update_changes_what_no_longer_holds_and_nothing_else(tmp_path: Path) -> None:
    folder = copied("port-reuse", tmp_path)
    (folder / "case.toml").write_text(NOTED)
    done = invoke("--update", folder)
    assert done.exit_code == 0
    after = (folder / "case.toml").read_text()
    expected = NOTED.replace('    "zero-window",   # no longer\n', "")
    expected = expected.replace("flows = 3 ", "flows = 2 ").replace("LAST_ACK", "CLOSED")
    was, now = expected.splitlines(), after.splitlines()
    changed = [(old, new) for old, new in zip(was, now, strict=True) if old != new]
    assert [old for old, _ in changed] == ["handshake_ms_max = 0.5 # too small"]
    assert changed[0][1].endswith(" # too small")
    assert '-    "zero-window",   # no longer' in done.stdout
    assert result(folder).unmet == ()


def test_an_update_of_what_holds_changes_nothing(tmp_path: Path) -> None:
    folder = copied("lvs-dr", tmp_path)
    before = (folder / "case.toml").read_text()
    assert invoke("--update", folder).stdout == ""
    assert (folder / "case.toml").read_text() == before


def test_parts_are_chosen(tmp_path: Path) -> None:
    folder = copied("port-reuse", tmp_path)
    (folder / "case.toml").write_text(NOTED)
    told = update(read_case(folder), {}, [Part.LIMITS])
    assert [line[0] for line in told.diff() if line[:1] in "+-"][2:] == ["-", "+"]
    assert invoke("--update", folder, "--part", "findings", "--part", "flows").exit_code == 0
    assert [outcome.name for outcome in result(folder).unmet] == ["limits: handshake_ms_max"]


def test_what_only_forbids_becomes_a_finding(tmp_path: Path) -> None:
    folder = altered(copied("refused", tmp_path), 'findings = ["connection-refused"]\n', "")
    assert invoke("--update", folder).exit_code == 0
    assert '\nfindings = ["connection-refused"]\n' in (folder / "case.toml").read_text()
    assert result(folder).unmet == ()


def test_what_nothing_takes_the_place_of_is_told(tmp_path: Path) -> None:
    folder = altered(copied("http", tmp_path), "10.0.0.1:40000", "10.9.9.9:1")
    done = invoke("--update", folder)
    assert done.exit_code == 1
    assert "flow 10.9.9.9:1 → 10.0.0.2:80 no longer holds" in done.stdout


WAYS = {
    "inline": ("expect = { flows = 7, only = true }\n", ("7", "1")),
    "dotted": ("expect.flows = 7  # x\nexpect.only = true\n", ("7", "1")),
    "a table of its own": ('[[expect.flow]]\n[expect.flow.states]  # x\nclient = "CLOSED"\n', ("CLOSED", "TIME_WAIT")),
    "separators in a comment": ("# a\u2028b\u0085c\n[expect]\nflows = 7  # d\u2028\n", ("7", "1")),
    "DOS lines": ("[expect]\r\nflows = 7  # x\r\n", ("7", "1")),
    "one DOS line": ("[expect]\nflows = 7\n# a\r\n", ("7", "1")),
    "one DOS line, which changes": ("[expect]\nflows = 7\r\n# a\n", ("7", "1")),
    "DOS lines in a text": ('title = """\r\na \\\r\n b\r\n"""\r\n[expect]\r\nflows = 7', ("7", "1")),
    "a byte order mark": ("\ufeff[expect]\nflows = 7\n", ("7", "1")),
    "no last line break": ("[expect]\nflows = 7", ("7", "1")),
    "tables in any order": ("[expect]\nflows = 7\n[limits]\nresets = 0\n[[expect.flow]]\nmidstream=true\n", ("7", "1")),
}


@pytest.mark.parametrize(("text", "change"), WAYS.values(), ids=WAYS)
def test_an_update_knows_every_way_to_write_toml(text: str, change: tuple[str, str], tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    (folder / "case.toml").write_bytes(text.encode())
    assert invoke("--update", folder).exit_code == 0
    expected = text.replace(*change).replace("midstream=true", "midstream=false")
    assert (folder / "case.toml").read_bytes().decode() == expected
    assert result(folder).unmet == ()


@pytest.mark.parametrize("text", ["[expect]\r\nonly = true", "[expect]\r\nonly = true\r\n", 'title = "x"'])
def test_a_new_line_ends_as_the_others(text: str, tmp_path: Path) -> None:
    folder = copied("refused", tmp_path)
    (folder / "case.toml").write_bytes(text.encode())
    assert invoke("--update", folder).exit_code == 0
    after = (folder / "case.toml").read_bytes().decode()
    assert "findings" in after
    assert after.count("\r\n") == after.count("\n") * ("\r" in text)
    assert result(folder).unmet == ()


COMMENTED = """\
[expect]
findings = [  # first
    # of the whole
    "connection-refused",   # INC-1234
    # of the next
    "zero-window",
]
"""


def test_an_update_keeps_the_comments_of_a_list(tmp_path: Path) -> None:
    folder = copied("refused", tmp_path)
    (folder / "case.toml").write_text(COMMENTED)
    assert invoke("--update", folder).exit_code == 0
    assert (folder / "case.toml").read_text() == COMMENTED.replace('    "zero-window",\n', "")


LISTS = {
    "the last goes, a comment before it": ('["connection-refused", # why\n  "zero-window"]', "# why"),
    "the only one goes, a comment before it": ('[   # why\n    "zero-window"]', "# why"),
    "one comes behind a comment": ("[ # why\n]", ""),
    "one comes behind the comment of another": ('["connection-refused" # why\n]', "# why"),
}


@pytest.mark.parametrize(("written", "kept"), LISTS.values(), ids=LISTS)
def test_an_updated_list_is_none_of_its_comments(written: str, kept: str, tmp_path: Path) -> None:
    folder = copied("refused", tmp_path)
    (folder / "case.toml").write_text(
        f'[expect]\nfindings = {written}  # all\nabsent = ["connection-refused"]\nonly=true\n'
    )
    if "connection" in written:
        altered(folder, 'absent = ["connection-refused"]\n', "")
    assert invoke("--update", folder).exit_code == 0
    assert result(folder).problem == ""
    assert result(folder).unmet == ()
    after = (folder / "case.toml").read_text()
    assert kept in after
    assert "]  # all\n" in after


@pytest.mark.parametrize(
    "expect", ['absent = ["connection-refused"]', 'findings = ["zero-window"]', "only = true", "flows = 7", ""]
)
def test_an_updated_case_is_met(expect: str, tmp_path: Path) -> None:
    folder = copied("refused", tmp_path)
    (folder / "case.toml").write_text(f"[expect]\n{expect}\n")
    assert invoke("--update", folder).exit_code == 0
    assert result(folder).unmet == ()
    assert invoke("--update", folder).stdout == ""


def test_two_expectations_of_the_same_ends_become_two_flows(tmp_path: Path) -> None:
    folder = copied("port-reuse-time-wait", tmp_path)
    file = folder / "case.toml"
    before = file.read_text()
    file.write_text(re.sub(r"(?m)^states = .*", 'states = { client = "CLOSING", server = "CLOSING" }', before))
    assert invoke("--update", folder).exit_code == 0
    assert file.read_text() == before


def test_a_case_that_cannot_be_updated_does_not_keep_the_others_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    altered(copied("http", tmp_path), "[expect]", "[expects]")
    folder = altered(copied("refused", tmp_path), 'findings = ["connection-refused"]\n', "")
    done = invoke("--update", tmp_path)
    assert done.exit_code == 2
    assert "did you mean 'expect'?" in done.stderr
    assert result(folder).unmet == ()


def test_an_update_of_a_bare_capture_is_refused() -> None:
    assert "has no case.toml" in problem("--update", CAPTURES / "http" / "client.pcap")


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.0, 0), (3.0, 3), (1.23411, 1.235), (11.1161, 11.12), (0.000123411, 0.0001235), (123456.7, 123500)],
)
def test_a_limit_is_rounded_up(value: float, rounded: float) -> None:
    assert rounded_up(value) == rounded
    assert rounded_up(value) >= value


def test_a_long_list_is_written_line_by_line() -> None:
    assert statement("a b", ["x"]) == '"a b" = ["x"]'
    assert statement("findings", ["x" * 60, "y" * 60]).splitlines()[1] == f'    "{"x" * 60}",'
