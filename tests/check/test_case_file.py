"""A case.toml is taken at its word or refused, with file, line, key and the nearest right name."""

from pathlib import Path

import pytest

from tcptrace.check.case_text import lines_of, statements
from tests.check.recorded import altered, copied, result

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
    "no TOML": ("[expect]", "[expect", "cannot be read: "),
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


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    folder = altered(copied("http", tmp_path), "flows = 1", 'flow_count = 1\nmodus = "dr"')
    assert len(result(folder).problem.splitlines()) == 2


def test_a_capture_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = altered(copied("lvs-dr", tmp_path), '"client.txt"', '"klient.txt"')
    assert f"{folder / 'klient.txt'}: " in result(folder).problem


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


def test_a_line_is_that_of_the_nearest_statement() -> None:
    paths = [("expect", "findings", 3), ("expect", "flow", 1, "states", "server"), ("limits", "lost")]
    assert lines_of(TEXT, paths) == [3, 10, 1]
