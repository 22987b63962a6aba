"""Every recorded capture is diagnosed as the truth beside it says."""

import json
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.diagnosis.registry import BY_NAME

CAPTURES = Path(__file__).resolve().parent.parent / "captures"


def told() -> list[tuple[Path, dict[str, Any]]]:
    """Every capture of which the truth is told, with that truth."""
    return [
        (truth.parent / name, facts)
        for truth in sorted(CAPTURES.glob("*/truth.json"))
        for name, facts in json.loads(truth.read_text())["captures"].items()
    ]


@pytest.mark.parametrize(("capture", "truth"), told(), ids=lambda value: str(value)[len(str(CAPTURES)) + 1 :])
def test_the_diagnosis_is_the_truth(capture: Path, truth: dict[str, Any]) -> None:
    findings = tcptrace.analyze(capture).found
    found = {finding.rule for finding in findings}
    assert {rule for rule in truth["causes"] if rule in BY_NAME} - found == set(), "causes not found"
    assert found & set(truth["near_misses"]) == set(), "near misses that did not stay silent"
    if truth["healthy"]:
        assert [finding.rule for finding in findings if finding.severity != "info"] == []
