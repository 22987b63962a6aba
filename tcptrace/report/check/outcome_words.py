"""An unmet expectation in words: what was expected, what was found, the story, and the command to look closer."""

import os
from collections.abc import Collection, Iterator
from io import StringIO
from pathlib import Path

from tcptrace.check.baseline import Known, known_as
from tcptrace.check.outcome import Outcome, Result
from tcptrace.check.run import Check
from tcptrace.check.seen import Seen
from tcptrace.diagnosis.rules import truncated_file
from tcptrace.report.findings import Place, write_finding
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count

UNUSED = 5
"""Captures that are named where nothing checks them."""
STORIES = 5
"""Findings of an expectation that are told in full."""


def write_outcome(screen: Screen, outcome: Outcome) -> None:
    """Expected, found, where to look, and the stories of the findings that must not be."""
    screen.fact("expected", outcome.expected)
    screen.fact("found", outcome.found)
    screen.fact("look", outcome.look)
    for seen in outcome.findings[:STORIES]:
        screen.line()
        write_finding(screen, seen.finding, place(seen))
    if len(outcome.findings) > STORIES:
        screen.line(Piece(f"… and {count(len(outcome.findings) - STORIES, 'more finding')}: --format json", "dim"))


def outcome_text(outcome: Outcome) -> str:
    """The same as plain text."""
    out = StringIO()
    write_outcome(Screen(out), outcome)
    return out.getvalue()


def place(seen: Seen) -> Place:
    """Between whom, and where: of captures analyzed alone with the file's name."""
    return Place(seen.between, " ".join(filter(None, (seen.number, f"of {seen.place}" if _is_file(seen) else ""))))


def where(result: Result, number: int) -> str:
    """`captures/dr/case.toml:15`, or the file where no line says it."""
    line = result.lines[number]
    return f"{result.file}:{line}" if line else result.file


def gone_text(known: Known) -> str:
    """A finding that is known and was not found."""
    ends = f" of {', '.join(known.ends)}" if known.ends else ""
    return f"{known.rule}{ends} in {from_here(known.case)}{f' at {known.place}' if known.place else ''}"


def notes(result: Result, known: Collection[Known] | None) -> Iterator[str]:
    """What a check that all is well does not cover: captures that nothing checks, and those that end early."""
    if result.unused:
        yield unused_text(result)
    failing = [seen for outcome in result.unmet for seen in outcome.findings]
    for seen in result.unexpected:
        is_told = seen in failing or known_as(result.path, seen) in (known or ())
        if seen.finding.rule == truncated_file.RULE.name and not is_told:
            yield seen.finding.summary


def from_here(path: str) -> str:
    """With slashes, relative to the current folder where that holds it: there a pipeline runs."""
    absolute = Path(os.path.normpath(Path(path).absolute()))
    return absolute.relative_to(Path.cwd()).as_posix() if absolute.is_relative_to(Path.cwd()) else absolute.as_posix()


def unused_text(result: Result) -> str:
    """Captures of a case that nothing checks, and what to do."""
    names = [Path(os.path.relpath(path, result.path)).as_posix() for path in result.unused]
    told = ", ".join(names[:UNUSED]) + (f" and {len(names) - UNUSED:,} more" if len(names) > UNUSED else "")
    return f"{result.path}: nothing checks {told}: name it in [points], give it a case.toml, or move it away"


def tally(check: Check) -> str:
    """`164 cases, 162 as expected, 1 not as expected, 1 could not be checked`; how many expectations were held."""
    problems = sum(bool(result.problem) for result in check.results)
    failed = sum(bool(result.unmet) for result in check.results)
    good = len(check.results) - problems - failed
    told = [f"{count(len(check.results), 'case')}: {good:,} as expected"]
    if failed:
        told.append(f"{failed:,} not as expected")
    if problems:
        told.append(f"{problems:,} could not be checked")
    held = sum(len(result.outcomes) for result in check.results)
    return f"{', '.join(told)} ({count(held, 'expectation')})"


def _is_file(seen: Seen) -> bool:
    """Whether it was found in one capture by itself."""
    return seen.finding.connection is None and seen.finding.point is None
