"""A case.toml is taken at its word or refused, with file, line, key and the nearest right name."""

import json
import shutil
from pathlib import Path

import pytest

from tcptrace.check.case_text import lines_of, statements
from tests.check.recorded import CAPTURES, altered, copied, result
from tests.check.schemas import ROOT, problems_of_schema
from tests.check.test_run import invoke

WRONG = {
    "an unknown key": (
        "[expect]",
        "[expect]\nfinding = []",
        "case.toml:7: expect.finding: there is no such key; did you mean 'findings'?",
    ),
    "an unknown table": ("[expect]", "[limit]\n[expect]", "limit: there is no such key; did you mean 'limits'?"),
    "an unknown limit": (
        "[expect]",
        "[limits]\nhandshake_ms = 1\n[expect]",
        "limits.handshake_ms: there is no such key; did you mean 'handshake_ms_",
    ),
    "an unknown key of a flow": (
        "states =",
        "state =",
        "expect.flow[0].state: there is no such key; did you mean 'states'?",
    ),
    "an unknown key of states": (
        "{ client",
        "{ clients",
        "expect.flow[0].states.clients: there is no such key; did you mean 'client'?",
    ),
    "a misspelt rule": (
        'absent = ["',
        'absent = ["sidecar-rest", "',
        "absent[0]: there is no rule 'sidecar-rest'; did you mean 'sidecar-reset'?",
    ),
    "an unlike rule": ('absent = ["', 'absent = ["qqq", "', "there is no rule 'qqq'; tcptrace explain lists the rules"),
    "an unknown state": (
        "TIME_WAIT",
        "TIMEWAIT",
        "expect.flow[0].states.client: there is no state 'TIMEWAIT'; did you mean 'TIME_WAIT'?",
    ),
    "a director's state": ("TIME_WAIT", "SYN_RECV", "there is no state 'SYN_RECV'; did you mean 'SYN_RCVD'?"),
    "an unknown mode": (
        "[expect]",
        '[expect]\nmode = "fulnat"',
        "expect.mode: there is no mode 'fulnat'; did you mean 'fullnat'?",
    ),
    "a text for a list": ("[expect]", '[expect]\nfindings = "http"', 'expect.findings: is "http", not a list'),
    "a text for a number": ("flows = 1", 'flows = "1"', 'expect.flows: is "1", not a whole number of 0 or more'),
    "a fraction for a count": ("flows = 1", "flows = 1.5", "expect.flows: is 1.5, not a whole number of 0 or more"),
    "truth for a count": ("flows = 1", "flows = true", "expect.flows: is true, not a whole number of 0 or more"),
    "a number below 0": ("flows = 1", "flows = -1", "expect.flows: is -1, not a whole number of 0 or more"),
    "a number for truth": ("only = true", "only = 1", "expect.only: is 1; write true or false"),
    "no end": ('"10.0.0.1:40000"', '"10.0.0.1"', 'expect.flow[0].client: is "10.0.0.1"; write 10.0.0.1:80'),
    "an address too great": ("10.0.0.1:40000", "10.0.0.256:80", 'client: is "10.0.0.256:80"; write 10.0.0.1:80'),
    "a port too great": ("10.0.0.1:40000", "10.0.0.1:99999", 'client: is "10.0.0.1:99999"; write 10.0.0.1:80'),
    "no address in brackets": ("10.0.0.1:40000", "[::::::]:80", 'client: is "[::::::]:80"; write 10.0.0.1:80'),
    "a line break": ("10.0.0.1:40000", "10.0.0.1:80\\n", 'client: is "10.0.0.1:80\\n"; write 10.0.0.1:80'),
    "no host": ("10.0.0.1:40000", ":80", 'client: is ":80"; write 10.0.0.1:80'),
    "a flow of which nothing is said": (
        "[[expect.flow]]",
        "[[expect.flow]]\n[[expect.flow]]",
        "expect.flow[0]: says nothing; give client",
    ),
    "states of which nothing is said": (
        "states =",
        "states = {} #",
        "expect.flow[0].states: says nothing; give client, server",
    ),
    "a table for a list of them": ("[[expect.flow]]", "[expect.flow]", "expect.flow: is a table, not a list"),
    "what contradicts itself": (
        "absent = [",
        'findings = ["zero-window"]\nabsent = ["zero-window", ',
        "'zero-window' is expected by findings",
    ),
    "a mode without points": (
        "[expect]",
        '[expect]\nmode = "dr"',
        "expect.mode: is told of several points: name them in [points]",
    ),
    "points that are none": ("[expect]", "[points]\n[expect]", "points: is a table, not a table with a line or more"),
    "no TOML": ("[expect]", "[expect", "case.toml:6: cannot be read: "),
    "an endless key": ("[expect]", f"expect{'.a' * 3000} = 1\n[limits]", "expect.a: there is no such key"),
    "an endless number": ("flows = 1", f"flows = {'1' * 5000}", "cannot be read: "),
    "a number too great": ("flows = 1", f"flows = 0x{'f' * 5000}", "flows: is a number of more than 64 bits, not"),
    "endless lists": ("[expect]", f"x = {'[' * 9999}\n[expect]", "cannot be read: "),
}


@pytest.mark.parametrize(("before", "after", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_and_named(before: str, after: str, told: str, tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    problem = result(altered(folder, before, after)).problem
    assert told in problem
    assert problem.startswith(str(folder / "case.toml"))


def test_a_key_of_a_flow_is_refused_for_a_connection(tmp_path: Path) -> None:
    folder = altered(copied("lvs-dr", tmp_path), "[[expect.flow]]", '[[expect.flow]]\nclose = "fin"')
    assert "expect.flow[0].close: is told of one flow, not of a connection" in result(folder).problem


POINTS = {
    "a point of a path": (
        'path.reply = ["rs:bond1", "lvs:eth11"]',
        "path.reply[1]: there is no point 'lvs:eth11'",
    ),
    "a point of a reset": ('reset_origin = { point = "clint" }', "there is no point 'clint'; did you mean 'client'?"),
}


@pytest.mark.parametrize(("said", "told"), POINTS.values(), ids=POINTS)
def test_a_misspelt_point_is_refused(said: str, told: str, tmp_path: Path) -> None:
    folder = altered(copied("ipvs-nat", tmp_path), "[[expect.flow]]\n", f"[[expect.flow]]\n{said}\n")
    assert told in result(folder).problem


@pytest.mark.parametrize("name", ["", ":eth0", " ", "a=b", "lvs:", "lvs: "])
def test_a_point_without_a_name_is_refused_at_its_line(name: str, tmp_path: Path) -> None:
    folder = altered(copied("lvs-dr", tmp_path), "[points]", f'[points]\n"{name}" = "client.txt"')
    line = 1 + (folder / "case.toml").read_text().splitlines().index(f'"{name}" = "client.txt"')
    told = f"{folder}/case.toml:{line}: points.{name}: a point needs a name: client, or lvs:eth0"
    assert result(folder).problem == told
    schema = json.loads((ROOT / "docs" / "case.schema.json").read_text())
    assert problems_of_schema(schema, {"points": {name: "client.txt"}})


@pytest.mark.parametrize("written", ["[FD00::0:1]:40000", "[fd00:0::0001]:40000"])
def test_an_address_may_be_written_in_any_way(written: str, tmp_path: Path) -> None:
    folder = altered(copied("ipv6-close", tmp_path), "[fd00::1]:40000", written)
    assert result(folder).unmet == ()
    altered(folder, "[[expect.flow]]", "[[expect.flow]]\nmidstream = true")
    assert invoke("--update", folder).exit_code == 0
    assert written in (folder / "case.toml").read_text()


def test_a_case_is_read_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = copied("lvs-dr", tmp_path) / "case.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert result(file.parent).unmet == ()


def test_a_count_may_be_written_with_a_point(tmp_path: Path) -> None:
    assert result(altered(copied("http", tmp_path), "flows = 1", "flows = 1.0")).unmet == ()


@pytest.mark.parametrize("files", ['"a,b.pcap"', '["a,b.pcap"]', '"a*.pcap"'])
def test_files_of_a_point_lie_in_a_folder_of_any_name(files: str, tmp_path: Path) -> None:
    folder = tmp_path / "ig[1]"
    folder.mkdir()
    shutil.copy(CAPTURES / "http" / "client.pcap", folder / "a,b.pcap")
    (folder / "case.toml").write_text(f"[points]\nclient = {files}\n[expect]\nconnections = 1\n")
    assert result(folder).problem == ""
    assert result(folder).unmet == ()


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    folder = altered(copied("http", tmp_path), "flows = 1", 'flow_count = 1\nmodus = "dr"')
    assert len(result(folder).problem.splitlines()) == 2


def test_a_capture_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = altered(copied("lvs-dr", tmp_path), '"client.txt"', '"klient.txt"')
    line = 1 + (folder / "case.toml").read_text().splitlines().index('client = "klient.txt"')
    told = f"{folder}/case.toml:{line}: points.client: {folder}/klient.txt: there is no such file"
    assert result(folder).problem == told
    altered(folder, '"klient.txt"', '"k*.txt"')
    assert result(folder).problem.startswith(f"{folder}/case.toml:{line}: points.client: no capture matches")


def test_a_case_without_a_capture_says_so(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text('title = "nothing"\n')
    assert "has a case.toml and no capture" in result(tmp_path).problem


TEXT = """\
title = "a"  # first
[expect]
findings = [  # several
    "a",
]
[[expect.flow]]
client = "x:1"
[[expect.flow]]
client = "[y]:2"
[expect.flow.states]
client = "CLOSED"
"""


def test_every_statement_has_its_path_and_line() -> None:
    assert [*statements(TEXT)] == [
        (("title",), 1),
        (("expect",), 2),
        (("expect", "findings"), 3),
        (("expect", "flow", 0), 6),
        (("expect", "flow", 0, "client"), 7),
        (("expect", "flow", 1), 8),
        (("expect", "flow", 1, "client"), 9),
        (("expect", "flow", 1, "states"), 10),
        (("expect", "flow", 1, "states", "client"), 11),
    ]


@pytest.mark.parametrize("before", ["# a\u2028b\u0085c\n", "# a\r\n"])
def test_a_line_ends_where_toml_says(before: str) -> None:
    assert lines_of(before + "expect.flows = 1\nexpect.only = true\n", [("expect", "only")]) == [3]


TOKENS = [
    'title = """\n# no [comment\n\\"""\n"""""',
    "title = '''\n[[\"\n''''",
    'title = "[\\"{" # "[\nx = \'[\'',
    "findings = [  # ]\n  ']',\n]",
]


@pytest.mark.parametrize("before", TOKENS)
def test_a_statement_ends_where_toml_says(before: str) -> None:
    assert lines_of(f"{before}\nonly = true\n", [("only",)]) == [before.count("\n") + 2]


def test_a_line_is_that_of_the_nearest_statement() -> None:
    paths = [("expect", "findings", 3), ("expect", "flow", 1, "states", "server"), ("limits", "lost")]
    assert lines_of(TEXT, paths) == [3, 10, 1]
