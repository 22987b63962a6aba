"""SARIF 2.1.0, as code scanning takes it: unmet expectations at their lines, findings at their captures."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from tcptrace.analysis_json import valid_text
from tcptrace.check.baseline import known_as
from tcptrace.check.outcome import Outcome, Result, occurrences
from tcptrace.check.run import Check
from tcptrace.check.seen import Seen
from tcptrace.diagnosis.handbook import sections, title
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.report.check.outcome_words import from_here, notes, outcome_text
from tcptrace.report.escape import printable
from tcptrace.report.view import View

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
UNMET = "unmet-expectation"
UNMET_HELP = (
    "A case.toml says what its captures must show. What they show is something else: the diagnosis, the captures, or"
    " the system they were taken from has changed. Where the change is meant, tcptrace check --update CASE writes it"
    " down."
)

Json = dict[str, Any]


def write_check(check: Check, out: TextIO, view: View) -> None:
    """One run: its rules with their handbook pages, a result for each thing that is wrong."""
    results = [*_told_apart([one for result in check.results for one in _results(result, check)])]
    names = [UNMET, *BY_NAME]
    used = [name for name in names if any(one["ruleId"] == name for one in results)]
    for one in results:
        one["ruleIndex"] = used.index(one["ruleId"])
    driver = {
        "name": "tcptrace",
        "version": version("tcptrace"),
        "semanticVersion": version("tcptrace"),
        "rules": [_rule(name) for name in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(check)],
        "results": results,
    }
    json.dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, out, ensure_ascii=False, indent=1)
    out.write("\n")


def _rule(name: str) -> Json:
    """A rule with what `explain` says."""
    if name == UNMET:
        brief, full, level = "What a case.toml expects is not what its captures show", UNMET_HELP, "error"
        markdown, family = UNMET_HELP, "check"
    else:
        module = BY_NAME[name]
        pages = sections(module)
        brief, full = title(module), " ".join(pages["What it detects"].split())
        level, family = LEVELS[module.RULE.severity], module.RULE.family
        markdown = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in pages.items())
    return {
        "id": name,
        "name": name.title().replace("-", ""),
        "shortDescription": {"text": brief},
        "fullDescription": {"text": full},
        "help": {"text": markdown.replace("## ", ""), "markdown": markdown},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["tcp", family]},
    }


def _invocation(check: Check) -> Json:
    told = [
        *(
            _note("error", fault.told(result.file), result.file, fault.line or 1)
            for result in check.results
            for fault in result.faults
        ),
        *(_note("warning", note, result.file, 1) for result in check.results for note in notes(result, check.known)),
    ]
    return {
        "executionSuccessful": check.status < 2,
        "exitCode": check.status,
        "toolExecutionNotifications": told,
    }


def _note(level: str, text: str, file: str, line: int) -> Json:
    return {"level": level, "message": {"text": _text(text)}, "locations": [_location(file, line)]}


def _results(result: Result, check: Check) -> Iterator[Json]:
    """Expectations that name no finding, then every finding that fails, is known, or is of warning or above."""
    failing = {id(seen): outcome for outcome in result.unmet for seen in outcome.findings}
    told: set[int] = set()
    for outcome, line in zip(result.outcomes, result.lines, strict=True):
        if not outcome.met and not outcome.findings:
            yield _unmet(result, outcome, line)
    for seen in (*result.unexpected, *(seen for outcome in result.unmet for seen in outcome.findings)):
        if id(seen) not in told and (id(seen) in failing or seen.finding.severity != "info"):
            told.add(id(seen))
            yield _finding(result, seen, check, failing.get(id(seen)))


def _unmet(result: Result, outcome: Outcome, line: int) -> Json:
    return {
        "ruleId": UNMET,
        "level": "error",
        "message": {"text": _text(f"{result.path}: {outcome.name}\n{outcome_text(outcome)}")},
        "locations": [_location(result.file, line or 1)],
        "partialFingerprints": _fingerprint(UNMET, _name(result.path), outcome.name),
    }


def _finding(result: Result, seen: Seen, check: Check, outcome: Outcome | None) -> Json:
    finding = seen.finding
    known = known_as(result.path, seen) in (check.known or ())
    state = {} if check.known is None else {"baselineState": "unchanged" if known else "new"}
    told = [finding.summary, f"Cause: {finding.cause}", *finding.evidence, f"Confirm: {finding.confirm}"]
    told += [f"Fix: {finding.fix}", f"Look: {seen.look}"]
    return {
        "ruleId": finding.rule,
        "level": "error" if outcome else LEVELS[finding.severity],
        "message": {"text": _text("\n".join((f"{seen.between} {seen.number}".strip(), *told)))},
        "locations": [_location(seen.capture, 1)],
        "partialFingerprints": _fingerprint(finding.rule, _name(result.path), seen.place, *seen.ends),
        "rank": round(100 * finding.confidence, 1),
        "properties": {"frames": list(finding.frames), "severity": finding.severity, "confidence": finding.confidence},
        **({"suppressions": [{"kind": "external", "justification": "known by the baseline"}]} if known else {}),
        **state,
    }


def _fingerprint(*facts: str) -> str:
    """Stable from run to run: no frame, no time, no wording."""
    return hashlib.sha256("\0".join(map(valid_text, facts)).encode()).hexdigest()[:32]


def _told_apart(results: Sequence[Json]) -> Iterator[Json]:
    """With a number behind each fingerprint, as there may be several findings of a rule between the same ends."""
    for one, number in zip(results, occurrences(one["partialFingerprints"] for one in results), strict=True):
        known = f"{one['partialFingerprints']}:{number}"
        # GitHub reads the first
        yield {**one, "partialFingerprints": {"primaryLocationLineHash": known, "tcptraceFinding/v1": known}}


def _location(path: str, line: int) -> Json:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": line}}}


def _uri(path: str) -> str:
    """Relative to the current folder, from which a pipeline runs; absolute where that does not hold it."""
    relative = from_here(path)
    return Path(relative).as_uri() if Path(relative).is_absolute() else quote(os.fsencode(relative))


def _name(path: str) -> str:
    """Of a case, wherever it is checked from: its path within its repository, or else its own name."""
    place = Path(os.path.realpath(path))
    root = next((folder for folder in (place, *place.parents) if (folder / ".git").exists()), place.parent)
    return place.relative_to(root).as_posix()


def _text(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
