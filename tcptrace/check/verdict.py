"""What a case shows held against what it expects: one outcome an expectation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tcptrace.check.case_file import Case
from tcptrace.check.expected_flows import expected_flows
from tcptrace.check.kinds import KeyPath
from tcptrace.check.limits import LIMITS
from tcptrace.check.outcome import Outcome, occurrences, rules_told
from tcptrace.check.seen import Seen, Sight
from tcptrace.check.toml_value import rounded_up
from tcptrace.diagnosis.rule import SEVERITIES

ONLY = "warning"
"""Nothing so severe or worse beyond what is expected, where a case says `only`."""
BARE = "error"
"""The same of captures of which nothing is said."""
EXACT = 6
"""Digits of what was measured: rounded up, so that a limit of what is shown would be met."""


def judge(case: Case, sight: Sight, least: str | None = None) -> tuple[Outcome, ...]:
    """An outcome for each expectation, in the order of the case file's keys.

    `least`: findings so severe or worse fail though the case does not say so, unless it expects them.
    """
    expect = case.expect
    told = [
        *_findings(expect, sight),
        *_absent(expect, sight),
        *_only(case, sight),
        *_counts(expect, sight),
        *_mode(expect, sight),
        *expected_flows(expect.get("flow", []), sight),
        *_limits(case.limits, sight),
    ]
    if least or not told:
        told.append(_nothing_beyond(case, sight, least or BARE, f"fail-on: {least or BARE}", ()))
    return tuple(_told_apart(told))


def unexpected(case: Case, sight: Sight) -> tuple[Seen, ...]:
    """Findings of rules that the case does not expect."""
    return tuple(seen for seen in sight.findings if seen.finding.rule not in case.expect.get("findings", []))


def _told_apart(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Equal names with a number: reports know an expectation by its name."""
    for outcome, number in zip(outcomes, occurrences(one.name for one in outcomes), strict=True):
        yield replace(outcome, name=f"{outcome.name} ({number})") if number > 1 else outcome


def _findings(expect: Mapping[str, Any], sight: Sight) -> Iterator[Outcome]:
    for place, rule in enumerate(expect.get("findings", [])):
        yield Outcome(
            f"findings: {rule}",
            ("expect", "findings", place),
            rule in sight.rules,
            f"a finding of {rule}",
            rules_told(sight.findings),
            look=sight.look,
        )


def _absent(expect: Mapping[str, Any], sight: Sight) -> Iterator[Outcome]:
    for place, rule in enumerate(expect.get("absent", [])):
        wrong = tuple(seen for seen in sight.findings if seen.finding.rule == rule)
        yield _none_of(wrong, f"absent: {rule}", ("expect", "absent", place), f"no finding of {rule}", sight)


def _only(case: Case, sight: Sight) -> Iterator[Outcome]:
    if case.expect.get("only"):
        yield _nothing_beyond(case, sight, ONLY, "only", ("expect", "only"))


def _nothing_beyond(case: Case, sight: Sight, least: str, name: str, path: KeyPath) -> Outcome:
    severe = SEVERITIES[: SEVERITIES.index(least) + 1]
    wrong = tuple(seen for seen in unexpected(case, sight) if seen.finding.severity in severe)
    beyond = f" beyond {', '.join(case.expect['findings'])}" if case.expect.get("findings") else ""
    above = " or above" if least != SEVERITIES[0] else ""
    return _none_of(wrong, name, path, f"no finding of {least}{above}{beyond}", sight)


def _none_of(wrong: tuple[Seen, ...], name: str, path: KeyPath, expected: str, sight: Sight) -> Outcome:
    look = wrong[0].look if wrong else sight.look
    return Outcome(name, path, not wrong, expected, rules_told(wrong), wrong, look)


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
        found = "nothing to measure" if value is None else f"{rounded_up(value, EXACT)}{unit}"
        met = value is not None and value <= most
        yield Outcome(
            f"limits: {name}", ("limits", name), met, f"at most {most}{unit} ({limit.told})", found, look=sight.look
        )
