"""A case.toml brought up to date: what no longer holds is written as it is now, all else stays as it stands."""

import copy
import difflib
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tcptrace.check.case_file import Case
from tcptrace.check.case_text import Statement, statements
from tcptrace.check.cases import Unusable, find_cases
from tcptrace.check.expected_flows import closest
from tcptrace.check.kinds import Path
from tcptrace.check.limits import LIMITS
from tcptrace.check.outcome import Outcome
from tcptrace.check.parts import Part
from tcptrace.check.seen import Sight, look_at
from tcptrace.check.toml_value import rounded_up, statement
from tcptrace.check.verdict import ONLY, judge, unexpected
from tcptrace.diagnosis.rule import SEVERITIES
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import UsageError


@dataclass(frozen=True)
class Update:
    """A file as it was, as it is to be, and what could not be told."""

    file: str
    before: str
    after: str
    left: tuple[str, ...]
    """Expectations that do not hold and that nothing could take the place of."""

    def diff(self) -> Iterator[str]:
        """What changes, line by line."""
        lines = self.before.splitlines(), self.after.splitlines()
        return difflib.unified_diff(*lines, self.file, self.file, lineterm="")


def updates(paths: Iterable[str], settings: Settings, parts: Collection[Part] = tuple(Part)) -> Iterator[Update]:
    """As `update`, of every case below some paths. Raises UsageError for one that cannot be used, and for none."""
    cases = find_cases(paths)
    if not any(isinstance(case, Unusable) or case.file for case in cases):
        raise UsageError(f"{cases[0].path}: has no case.toml\n  --init writes one")
    for case in cases:
        if isinstance(case, Unusable):
            raise UsageError(case.problem)
        if case.file:
            yield update(case, settings, parts)


def update(case: Case, settings: Settings, parts: Collection[Part] = tuple(Part)) -> Update:
    """What the file of a case would say if the chosen parts said what is seen now.

    Raises CaptureError for a capture that cannot be read at all, UsageError where a value is written in a way that
    cannot be changed in place.
    """
    sight = look_at(case, settings, with_flows="flow" in case.expect)
    unmet = [outcome for outcome in judge(case, sight) if not outcome.met and outcome.path]
    told = tomllib.loads(case.text)
    text, left = case.text, []
    for path, outcomes in _by_key(unmet, parts).items():
        value = NOW[_kind(path)](case, sight, path)
        if value is None:
            left += [outcome.name for outcome in outcomes]
            continue
        _set(told, path, value)
        text = _changed(text, path, value)
    if tomllib.loads(text) != told:
        raise UsageError(f"{case.file}: is written in a way that cannot be changed in place\n  change it by hand")
    return Update(case.file, case.text, text, tuple(left))


def _by_key(unmet: Collection[Outcome], parts: Collection[Part]) -> dict[Path, list[Outcome]]:
    """The keys that must say something else, each once; what `only` forbids becomes one of the findings."""
    found: dict[Path, list[Outcome]] = {}
    for outcome in unmet:
        path = outcome.path if outcome.path[:2] == ("expect", "flow") else outcome.path[:2]
        path = ("expect", "findings") if path == ("expect", "only") else path
        if PARTS[_kind(path)] in parts:
            found.setdefault(path, []).append(outcome)
    return found


def _kind(path: Path) -> str:
    return "limits" if path[0] == "limits" else str(path[1])


def _findings(case: Case, sight: Sight, path: Path) -> list[str]:
    """Those that are still there, then, where nothing else may be, what is new."""
    seen = {rule for one in sight.findings for rule in (one.finding.rule, *one.finding.symptoms)}
    kept = [rule for rule in case.expect.get("findings", []) if rule in seen]
    severe = SEVERITIES[: SEVERITIES.index(ONLY) + 1]
    new = [one.finding.rule for one in unexpected(case, sight) if one.finding.severity in severe]
    return [*kept, *dict.fromkeys(new)] if case.expect.get("only") else kept


def _absent(case: Case, sight: Sight, path: Path) -> list[str]:
    seen = {one.finding.rule for one in sight.findings}
    return [rule for rule in case.expect["absent"] if rule not in seen]


def _flows(case: Case, sight: Sight, path: Path) -> Any:
    return _one({len(capture.flows.flow) for capture in sight.shown.captures})


def _connections(case: Case, sight: Sight, path: Path) -> Any:
    return _one({group.conversations for group in sight.groups})


def _mode(case: Case, sight: Sight, path: Path) -> Any:
    return _one({item["mode"] for group in sight.groups for item in group.items})


def _flow(case: Case, sight: Sight, path: Path) -> dict[str, Any] | None:
    """What the keys given are now; None where no flow has these ends."""
    entry = case.expect["flow"][path[2]]
    item = closest(case.expect["flow"], int(path[2]), sight)
    return item and _like(entry, item)


def _limit(case: Case, sight: Sight, path: Path) -> float | None:
    value = LIMITS[str(path[1])].measure(sight.shown)
    return None if value is None else rounded_up(value)


def _one(values: set[Any]) -> Any:
    """The only value; None where there are several."""
    return values.pop() if len(values) == 1 else None


def _like(entry: Any, item: Any) -> Any:
    """The values of an item under the keys of an entry."""
    if isinstance(entry, dict) and isinstance(item, dict):
        return {key: _like(value, item.get(key)) for key, value in entry.items()}
    return item


NOW: dict[str, Callable[[Case, Sight, Path], Any]] = {
    "findings": _findings,
    "absent": _absent,
    "flows": _flows,
    "connections": _connections,
    "mode": _mode,
    "flow": _flow,
    "limits": _limit,
}
"""Key → what it would have to say; None where nothing can be said."""

PARTS = {
    "findings": Part.FINDINGS,
    "absent": Part.FINDINGS,
    "flows": Part.FLOWS,
    "connections": Part.FLOWS,
    "mode": Part.FLOWS,
    "flow": Part.FLOWS,
    "limits": Part.LIMITS,
}


def _set(told: dict[str, Any], path: Path, value: Any) -> None:
    """The same change in the document as read."""
    place: Any = told
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = copy.deepcopy(value)


def _changed(text: str, path: Path, value: Any) -> str:
    """The text with another value for a key; of a table with other values for its keys."""
    if isinstance(value, dict) and path[:2] == ("expect", "flow") and len(path) == 3:
        for key, below in value.items():
            text = _changed(text, (*path, key), below)
        return text
    known = {one.path: one for one in statements(text)}
    lines = text.splitlines()
    if path in known:
        return _replaced(lines, known[path], statement(str(path[-1]), value))
    header = known.get(path[:-1])
    if header is None or len(path) > 2:
        return text  # the caller sees that it is not as it should be
    lines.insert(header.stop, statement(str(path[-1]), value))
    return "\n".join([*lines, ""])


def _replaced(lines: list[str], old: Statement, new: str) -> str:
    """A comment behind a value on one line stays there, what is indented stays so, what is equal stays as written."""
    was = "\n".join(lines[old.first : old.stop])
    if tomllib.loads(was) == tomllib.loads(new):
        return "\n".join([*lines, ""])
    indent = was[: len(was) - len(was.lstrip())]
    comment = _comment(was) if old.stop == old.first + 1 else ""
    lines[old.first : old.stop] = [f"{indent}{line}" for line in new.split("\n")]
    lines[old.first] += comment if "\n" not in new else ""
    return "\n".join([*lines, ""])


def _comment(line: str) -> str:
    """What stands behind a value, with the spaces before it."""
    value = tomllib.loads(line)
    for place, character in enumerate(line):
        if character == "#":
            before = line[:place]
            try:
                if tomllib.loads(before) == value:
                    return line[len(before.rstrip()) :]
            except tomllib.TOMLDecodeError:
                continue
    return ""
