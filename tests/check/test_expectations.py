"""Every kind of expectation: as recorded it is met; altered it fails, and the failure names it."""

from pathlib import Path

import pytest

from tests.check.recorded import CAPTURES, altered, checked, copied, result

ALTERED = {
    "a rule that must appear": (
        "lost-between",
        'findings = ["',
        'findings = ["zero-window", "',
        "findings: zero-window",
    ),
    "a rule that must not": (
        "rto-stall",
        'absent = ["',
        'absent = ["spurious-retransmission", "',
        "absent: spurious-retransmission",
    ),
    "nothing else": ("rto-stall", 'findings = ["rto-stall"]', "findings = []", "only"),
    "how many flows": ("http", "flows = 1", "flows = 2", "flows"),
    "how many connections": ("many-connections", "connections = 45", "connections = 44", "connections"),
    "the mode": ("lvs-dr", 'mode = "dr"', 'mode = "nat"', "mode"),
    "a client": ("http", "10.0.0.1:40000", "10.0.0.1:40001", "flow 10.0.0.1:40001 → 10.0.0.2:80"),
    "a server": ("lvs-dr", "123.58.180.123:80", "123.58.180.123:81", "flow 123.58.180.188:32935 → 123.58.180.123:81"),
    "a state of a flow": ("http", '"TIME_WAIT"', '"CLOSE_WAIT"', "flow 10.0.0.1:40000 → 10.0.0.2:80"),
    "a state of a connection": (
        "lvs-dr",
        'server = "CLOSED"',
        'server = "LAST_ACK"',
        "flow 123.58.180.188:32935 → 123.58.180.123:80",
    ),
    "a limit": ("http", "flows = 1", "flows = 1\n[limits]\nhandshake_ms_p99 = 1", "limits: handshake_ms_p99"),
    "loss": ("lost-between", "[[expect", "[limits]\nlost = 0\n[[expect", "limits: lost"),
}


@pytest.mark.parametrize(("case", "before", "after", "name"), ALTERED.values(), ids=ALTERED)
def test_an_altered_expectation_fails_and_is_named(
    case: str, before: str, after: str, name: str, tmp_path: Path
) -> None:
    folder = copied(case, tmp_path)
    assert result(folder).unmet == ()
    altered(folder, before, after)
    done = checked(folder)
    assert done.status == 1
    assert [outcome.name for outcome in done.results[0].unmet] == [name]


FLOW_KEYS = {
    "close": ("http", '"fin"', '"rst"'),
    "closed_by": ("http", '"client"', '"server"'),
    "conn_state": ("http", '"SF"', '"RSTR"'),
    "midstream": ("http", "false", "true"),
    "completeness": ("http", "31", "15"),
    "retransmissions": ("http", "{ client = 0 }", "{ client = 1 }"),
    "mode": ("director-timeout", '"dr"', '"nat"'),
    "director": ("director-timeout", '{ host = "lvs", table = "input_only" }', '{ state = "LAST_ACK" }'),
    "reset_origin": ("director-timeout", '{ side = "middlebox" }', '{ side = "server" }'),
    "path": ("ipvs-nat", '{ reply = ["rs:bond1", "lvs:eth1", "lvs:eth0", "client"] }', '{ reply = ["client"] }'),
}


@pytest.mark.parametrize(("key", "case", "right", "wrong"), [(k, *v) for k, v in FLOW_KEYS.items()], ids=FLOW_KEYS)
def test_every_key_of_a_flow_is_held(key: str, case: str, right: str, wrong: str, tmp_path: Path) -> None:
    folder = copied(case, tmp_path)
    altered(folder, "[[expect.flow]]\n", f"[[expect.flow]]\n{key} = {right}\n")
    assert result(folder).unmet == ()
    altered(folder, f"flow]]\n{key} = {right}", f"flow]]\n{key} = {wrong}")
    (outcome,) = result(folder).unmet
    assert outcome.name.startswith("flow ")
    assert key in outcome.found


def test_a_failure_says_what_was_found_with_the_story_and_where_to_look(tmp_path: Path) -> None:
    folder = altered(copied("rto-stall", tmp_path), 'findings = ["rto-stall"]', "findings = []")
    told = result(folder)
    (outcome,) = told.unmet
    assert outcome.expected == "no finding of warning or above"
    assert outcome.found == "rto-stall (warning, 2 times)"
    assert {seen.finding.rule for seen in outcome.findings} == {"rto-stall"}
    assert all(seen.finding.frames and seen.finding.summary for seen in outcome.findings)
    assert outcome.look == f"tcptrace timeline {folder / 'client.pcap'} --flow 0"
    assert told.lines[told.outcomes.index(outcome)] == 1 + next(
        row for row, line in enumerate((folder / "case.toml").read_text().splitlines()) if line.startswith("only")
    )


def test_a_symptom_is_a_finding_of_its_rule_but_not_one_that_must_be_absent(tmp_path: Path) -> None:
    folder = copied("sidecar-reset", tmp_path)
    assert {"findings: sidecar-reset", "absent: abortive-close"} <= {one.name for one in result(folder).outcomes}
    assert result(folder).unmet == ()


def test_two_expectations_are_not_met_by_one_flow(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    with (folder / "case.toml").open("a") as file:
        file.write('\n[[expect.flow]]\nclient = "10.0.0.1:40000"\n')
    (outcome,) = result(folder).unmet
    assert outcome.found == "flow 0 has met another"


def test_many_equal_expectations_are_told_apart(tmp_path: Path) -> None:
    folder = copied("port-reuse-time-wait", tmp_path)
    (folder / "case.toml").write_text('[[expect.flow]]\nserver = "10.0.0.2:80"\n' * 1500)
    assert len(result(folder).unmet) == 1498


def test_the_command_to_look_closer_can_be_pasted(tmp_path: Path) -> None:
    folder = altered(copied("http", tmp_path), "TIME_WAIT", "CLOSING").rename(tmp_path / "a b")
    (outcome,) = result(folder).unmet
    assert outcome.look == f"tcptrace timeline '{folder / 'client.pcap'}' --flow 0"


def test_a_less_exact_expectation_leaves_the_flow_to_a_more_exact_one(tmp_path: Path) -> None:
    folder = altered(
        copied("port-reuse", tmp_path), "[[expect.flow]]", '[[expect.flow]]\nserver = "10.0.0.2:80"\n[[expect.flow]]'
    )
    text = (folder / "case.toml").read_text()
    entries = text.split("[[expect.flow]]")
    (folder / "case.toml").write_text("[[expect.flow]]".join(entries[:-1]))
    assert result(folder).unmet == ()


def test_a_flow_is_looked_for_in_every_capture_that_has_its_ends(tmp_path: Path) -> None:
    folder = copied("http", tmp_path)
    (folder / "other.pcap").write_bytes((CAPTURES / "ipv6-close" / "client.pcap").read_bytes())
    assert result(folder).unmet == ()
    (folder / "reset.pcap").write_bytes((CAPTURES / "refused" / "client.pcap").read_bytes())
    names = {outcome.name: outcome.found for outcome in result(folder).unmet}
    assert "reset.pcap has states.client CLOSED" in names["flow 10.0.0.1:40000 → 10.0.0.2:80"]
    assert "only" in names


def test_a_case_that_expects_nothing_is_held_to_what_a_capture_is(tmp_path: Path) -> None:
    folder = copied("refused", tmp_path)
    (folder / "case.toml").write_text('title = "refused"\n')
    assert [outcome.name for outcome in result(folder).unmet] == ["fail-on: error"]
    assert [outcome.name for outcome in result(folder / "client.pcap").unmet] == ["fail-on: error"]
    assert result(CAPTURES / "rto-stall" / "client.pcap").unmet == ()


def test_what_cannot_be_measured_does_not_keep_a_limit(tmp_path: Path) -> None:
    folder = altered(copied("refused", tmp_path), "[expect]", "[limits]\nhandshake_ms_max = 1000\n[expect]")
    (outcome,) = result(folder).unmet
    assert outcome.found == "nothing to measure"
