"""Every case in captures/ is well written and ends in the states that its case.toml expects."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.diagnosis.registry import BY_NAME

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
CASES = sorted(CAPTURES.glob("*/case.toml"))

KEYS = {
    "": {"title", "points", "expect", "limits"},
    "expect": {"findings", "absent", "only", "connections", "flows", "mode", "flow"},
    "expect.flow": {"client", "server", "states"},
    "expect.flow.states": {"client", "server"},
    "limits": {"retransmission_rate", "handshake_ms_p99", "lost"},
}
"""The keys a case may have, table by table."""

Table = dict[str, Any]


def name(case: Path) -> str:
    return case.parent.name


def captures_of(case: Path) -> list[Path]:
    return sorted(file for file in case.parent.iterdir() if file.suffix in {".pcap", ".pcapng", ".txt"})


def tables(table: Table, path: str = "") -> Iterable[tuple[str, Table]]:
    """A table and all below it, by path; the points' names are free."""
    yield path, table
    for key, value in table.items():
        for below in value if isinstance(value, list) else [value]:
            if isinstance(below, dict) and key != "points":
                yield from tables(below, f"{path}.{key}".lstrip("."))


def fits(expected: Table, flow: Table) -> bool:
    """Every key given holds for the flow."""
    return all(
        fits(value, flow[key]) if isinstance(value, dict) else flow[key] == value for key, value in expected.items()
    )


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_case_is_well_written(case: Path) -> None:
    told = tomllib.loads(case.read_text())
    for path, table in tables(told):
        assert set(table) <= KEYS[path], path
    assert told["title"]
    assert case.read_text().startswith("#"), "how it was made, at the top"
    assert captures_of(case)
    assert set(told.get("points", {}).values()) <= {file.name for file in captures_of(case)}


@pytest.mark.parametrize("case", [case for case in CASES if "points" not in tomllib.loads(case.read_text())], ids=name)
def test_the_captures_show_what_is_expected(case: Path) -> None:
    expect = tomllib.loads(case.read_text()).get("expect", {})
    missing = set(expect.get("findings", [])) & set(BY_NAME)
    for capture in captures_of(case):
        analysis = tcptrace.analyze(capture)
        found = {finding.rule for finding in analysis.found}
        missing -= found
        assert set(expect.get("absent", [])) & found == set()
        flows = analysis.to_dict()["flows"]
        assert len(flows) == expect.get("flows", len(flows))
        for expected in expect.get("flow", []):
            fitting = next((flow for flow in flows if fits(expected, flow)), None)
            assert fitting, f"no flow fits {expected} among {[(f['client'], f['server'], f['states']) for f in flows]}"
            flows.remove(fitting)
    assert missing == set()
