"""What a case shows held against what it expects: one outcome an expectation."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tcptrace.check.baseline import Known, known_as
from tcptrace.check.case_file import Case
from tcptrace.check.expected_flows import expected_flows
from tcptrace.check.kinds import Path
from tcptrace.check.limits import LIMITS
from tcptrace.check.outcome import Outcome
from tcptrace.check.seen import Seen, Sight
from tcptrace.diagnosis.rule import SEVERITIES

ONLY = "warning"
"""Nothing so severe or worse beyond what is expected, where a case says `only`."""
BARE = "error"
"""The same of captures of which nothing is said."""
NEW = "warning"
"""The same of what no baseline knows."""


@dataclass(frozen=True)
class Terms:
    """By what a run judges, beside the cases' own words."""

    fail_on: str | None = None
    """Findings so severe or worse fail, unless a case expects them; None: as BARE, ONLY and NEW say."""
    known: Collection[Known] | None = None
    """Findings that do not fail: those of a baseline; None: there is none."""


def judge(case: Case, sight: Sight, terms: Terms) -> tuple[Outcome, ...]:
    """An outcome for each expectation, in the order of the case file's keys."""
    expect = case.expect
    told = [
        *_findings(expect, sight),
        *_absent(case, sight, terms),
        *_only(case, sight, terms),
        *_counts(expect, sight),
        *_mode(expect, sight),
        *expected_flows(expect.get("flow", []), sight),
        *_limits(case.limits, sight),
    ]
    least = _least(terms, is_silent=not told)
    if least:
        told.append(_nothing_beyond(case, sight, terms, least, f"no {least}", ()))
    return tuple(told)


def unexpected(case: Case, sight: Sight) -> tuple[Seen, ...]:
    """Findings of rules that the case does not expect."""
    return tuple(seen for seen in sight.findings if seen.finding.rule not in case.expect.get("findings", []))


def _least(terms: Terms, *, is_silent: bool) -> str | None:
    """The least severity that fails in every case; None: a case's own words are all."""
    if terms.fail_on:
        return terms.fail_on
    if terms.known is not None:
        return NEW
    return BARE if is_silent else None


def _findings(expect: Mapping[str, Any], sight: Sight) -> Iterator[Outcome]:
    found = {seen.finding.rule for seen in sight.findings}
    for place, rule in enumerate(expect.get("findings", [])):
        yield Outcome(
            f"findings: {rule}",
            ("expect", "findings", place),
            rule in found,
            f"a finding of {rule}",
            _rules(sight.findings),
            look=sight.look,
        )


def _absent(case: Case, sight: Sight, terms: Terms) -> Iterator[Outcome]:
    for place, rule in enumerate(case.expect.get("absent", [])):
        wrong = [seen for seen in sight.findings if seen.finding.rule == rule]
        yield _none_of(case, wrong, terms, f"absent: {rule}", ("expect", "absent", place), f"no finding of {rule}", sight)


def _only(case: Case, sight: Sight, terms: Terms) -> Iterator[Outcome]:
    if case.expect.get("only"):
        yield _nothing_beyond(case, sight, terms, ONLY, "only", ("expect", "only"))


def _nothing_beyond(case: Case, sight: Sight, terms: Terms, least: str, name: str, path: Path) -> Outcome:
    severe = SEVERITIES[: SEVERITIES.index(least) + 1]
    wrong = [seen for seen in unexpected(case, sight) if seen.finding.severity in severe]
    beyond = f" beyond {', '.join(case.expect['findings'])}" if case.expect.get("findings") else ""
    expected = f"no finding of {least}{' or above' if least != SEVERITIES[0] else ''}{beyond}"
    return _none_of(case, wrong, terms, name, path, expected, sight)


def _none_of(
    case: Case, wrong: list[Seen], terms: Terms, name: str, path: Path, expected: str, sight: Sight
) -> Outcome:
    """None but what is known."""
    known = terms.known or ()
    new = tuple(seen for seen in wrong if known_as(case.path, seen) not in known)
    old = len(wrong) - len(new)
    found = _rules(new) + (f", and {old} known" if old else "")
    return Outcome(name, path, not new, expected, found, new, look=new[0].look if new else sight.look)


def _rules(findings: Collection[Seen]) -> str:
    """`rto-stall (warning), reordering (info, 3 times)`."""
    numbers: dict[tuple[str, str], int] = {}
    for seen in findings:
        key = seen.finding.rule, seen.finding.severity
        numbers[key] = numbers.get(key, 0) + 1
    told = (f"{rule} ({severity}{f', {n} times' if n > 1 else ''})" for (rule, severity), n in numbers.items())
    return ", ".join(told) or "no finding"


def _counts(expect: Mapping[str, Any], sight: Sight) -> Iterator[Outcome]:
    for key in ("flows", "connections"):
        if key in expect:
            counts = _numbers(key, sight)
            told = ", ".join(f"{count} in {place}" if place else str(count) for place, count in counts)
            met = all(count == expect[key] for _, count in counts)
            yield Outcome(key, ("expect", key), met, str(expect[key]), told, look=sight.look)


def _numbers(key: str, sight: Sight) -> list[tuple[str, int]]:
    """How many of each capture, its name beside it where there are several; connections over points are one number."""
    if key == "connections":
        counts = [(group.path, group.conversations) for group in sight.groups]
    else:
        counts = [(capture.path, len(capture.flows.flow)) for capture in sight.shown.captures]
    return counts if len(counts) > 1 else [("", count) for _, count in counts]


def _mode(expect: Mapping[str, Any], sight: Sight) -> Iterator[Outcome]:
    if "mode" not in expect:
        return
    connections = [item for group in sight.groups for item in group.items]
    wrong = [item for item in connections if item["mode"] != expect["mode"]]
    told = [f"connection {item['connection']} {item['mode']} ({'; '.join(item['mode_evidence'])})" for item in wrong]
    found = "; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")
    met = bool(connections) and not wrong
    look = f"{sight.look} --connection {wrong[0]['connection']}" if wrong else sight.look
    yield Outcome(
        "mode",
        ("expect", "mode"),
        met,
        expect["mode"],
        expect["mode"] if met else found or "no connection",
        look=look,
    )


def _limits(limits: Mapping[str, float], sight: Sight) -> Iterator[Outcome]:
    for name, most in limits.items():
        limit = LIMITS[name]
        value = limit.measure(sight.shown)
        unit = f" {limit.unit}" if limit.unit else ""
        found = "nothing to measure" if value is None else f"{value:.6g}{unit}"
        met = value is not None and value <= most
        yield Outcome(f"limits: {name}", ("limits", name), met, f"at most {most:g}{unit} ({limit.told})", found, look=sight.look)
