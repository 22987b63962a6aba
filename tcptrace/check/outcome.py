"""What became of an expectation, and of a case."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tcptrace.check.case_text import Fault, all_told
from tcptrace.check.kinds import KeyPath
from tcptrace.check.seen import Seen


@dataclass(frozen=True)
class Outcome:
    """One expectation beside what was found."""

    name: str
    """`absent: lost-between`, `flow 10.0.0.1:40000 → 10.0.0.9:80`, `limits: lost`."""
    path: KeyPath
    """Where it stands in case.toml; empty where no case says it."""
    met: bool
    expected: str
    found: str
    findings: tuple[Seen, ...] = ()
    """Those that must not be."""
    look: str = ""
    """The command to look closer."""


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    path: str
    """As it was found."""
    title: str
    file: str
    """Its case.toml, or the bare capture."""
    outcomes: tuple[Outcome, ...] = ()
    lines: tuple[int, ...] = ()
    """Of each outcome, where in `file` it is expected; 0: nowhere."""
    unexpected: tuple[Seen, ...] = ()
    """Findings of rules that the case does not expect, known or not, whatever their severity."""
    faults: tuple[Fault, ...] = ()
    """Why it could not be checked."""
    seconds: float = 0.0
    unused: tuple[str, ...] = ()
    """Captures in its folder that it does not look at."""
    inputs: tuple[str, ...] = ()
    """All files that it comes from: no report may take the place of one."""

    @property
    def problem(self) -> str:
        """Why it could not be checked, all of it."""
        return all_told(self.faults, self.file)

    @property
    def unmet(self) -> tuple[Outcome, ...]:
        """What is not as expected."""
        return tuple(outcome for outcome in self.outcomes if not outcome.met)


def occurrences(names: Iterable[str]) -> Iterator[int]:
    """Of each name how often it has come by now, from 1: tells equal ones apart."""
    numbers: Counter[str] = Counter()
    for name in names:
        numbers[name] += 1
        yield numbers[name]


def rules_told(findings: Collection[Seen]) -> str:
    """`rto-stall (warning), reordering (info, 3 times)`."""
    numbers: dict[tuple[str, str], int] = {}
    for seen in findings:
        key = seen.finding.rule, seen.finding.severity
        numbers[key] = numbers.get(key, 0) + 1
    told = (f"{rule} ({severity}{f', {n} times' if n > 1 else ''})" for (rule, severity), n in numbers.items())
    return ", ".join(told) or "no finding"
