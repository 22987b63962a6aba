"""A check as JSON: `tcptrace.check/1`."""

import json
from typing import Any, TextIO

from tcptrace.analysis_json import valid_text
from tcptrace.check.baseline import known_as
from tcptrace.check.outcome import Outcome, Result
from tcptrace.check.run import Check
from tcptrace.check.seen import Seen
from tcptrace.finding_json import correlated_finding_dict
from tcptrace.report.view import View

SCHEMA = "tcptrace.check/1"

Json = dict[str, Any]


def write_check(check: Check, out: TextIO, view: View) -> None:
    """The whole check as one document."""
    json.dump(document(check), out, ensure_ascii=False, indent=1)
    out.write("\n")


def document(check: Check) -> Json:
    """Every case with every expectation, met or not, and the findings that no case expects."""
    return {
        "schema": SCHEMA,
        "status": check.status,
        "cases": [_result(result, check) for result in check.results],
        "gone": [
            {"case": valid_text(one.case), "place": valid_text(one.place), "rule": one.rule, "ends": list(one.ends)}
            for one in check.gone
        ],
    }


def _result(result: Result, check: Check) -> Json:
    return {
        "case": valid_text(result.path),
        "title": result.title,
        "file": valid_text(result.file),
        "verdict": "error" if result.problem else "failed" if result.unmet else "passed",
        "problem": valid_text(result.problem) or None,
        "unused": [valid_text(path) for path in result.unused],
        "seconds": round(result.seconds, 3),
        "expectations": [_outcome(*pair) for pair in zip(result.outcomes, result.lines, strict=True)],
        "unexpected": [
            {**_finding(seen), "known": known_as(result.path, seen) in (check.known or ())}
            for seen in result.unexpected
        ],
    }


def _outcome(outcome: Outcome, line: int) -> Json:
    return {
        "name": outcome.name,
        "line": line or None,
        "met": outcome.met,
        "expected": outcome.expected,
        "found": valid_text(outcome.found),
        "look": valid_text(outcome.look),
        "findings": [_finding(seen) for seen in outcome.findings],
    }


def _finding(seen: Seen) -> Json:
    told = correlated_finding_dict(seen.finding)
    return {**told, "capture": valid_text(seen.capture), "between": seen.between, "look": valid_text(seen.look)}
