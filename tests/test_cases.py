"""Every rule is shown by a case, and another case shows where it must be silent."""

import json
import re
from pathlib import Path

import cases_page
import pytest

from tcptrace.diagnosis.registry import BY_NAME

ROOT = Path(__file__).resolve().parent.parent
KNOWN = list(cases_page.truths())
HEALTHY = (
    "http https bulk-transfer idle three-segment-close half-close reordering ipvs-dr ipvs-nat ipv6-close sidecar "
    "port-reuse-time-wait keep-alive-answered"
).split()


@pytest.mark.parametrize("rule", BY_NAME)
def test_every_rule_has_a_case_that_shows_it_and_a_near_miss(rule: str) -> None:
    assert [truth.place for truth in KNOWN if rule in truth.causes]
    assert [truth.place for truth in KNOWN if rule in truth.near_misses]


def test_no_truth_contradicts_itself() -> None:
    assert [truth.place for truth in KNOWN if set(truth.causes) & set(truth.near_misses)] == []
    errors = {rule for rule in BY_NAME if BY_NAME[rule].RULE.severity == "error"}
    assert [truth.place for truth in KNOWN if truth.healthy and truth.capture and set(truth.causes) & errors] == []


@pytest.mark.parametrize("case", HEALTHY)
def test_what_is_healthy_is_among_the_cases(case: str) -> None:
    truths = [truth for truth in KNOWN if truth.case == case]
    assert truths
    assert all(truth.healthy for truth in truths)


def test_a_built_case_says_so() -> None:
    for file in (ROOT / "captures").glob("*/truth.json"):
        if json.loads(file.read_text())["built"]:
            assert "built" in file.with_name("case.toml").read_text().lower(), file


def test_the_table_is_printed_with_what_the_diagnosis_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [truth for truth in KNOWN if truth.case in ("refused", "syn-flood", "idle")]
    (refused,) = (truth for truth in some if truth.case == "refused")
    wrong = refused._replace(causes=["syn-flood"], near_misses=["connection-refused"], healthy=False)
    monkeypatch.setattr(cases_page, "truths", lambda: iter(some))
    assert cases_page.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(
        re.fullmatch(r"connection-refused +refused/client.pcap +found +error, 0\.\d+ +ok", line) for line in lines
    )
    assert all(line.endswith("  ok") for line in lines[:-1])
    monkeypatch.setattr(cases_page, "truths", lambda: iter([wrong]))
    assert cases_page.main() == 1
    assert "0 of 2 as the truth says" in capsys.readouterr().out
