"""A case.toml brought up to date: what no longer holds is written as it is now, all else stays as it stands."""

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from tcptrace.check.case_file import Case, rewritten
from tcptrace.check.case_text import Fault
from tcptrace.check.cases import Unusable, find_cases
from tcptrace.check.expected_flows import ENDS, nearest_flows
from tcptrace.check.kinds import KeyPath
from tcptrace.check.limits import LIMITS
from tcptrace.check.outcome import Outcome
from tcptrace.check.parts import Part
from tcptrace.check.seen import Sight, look_at
from tcptrace.check.toml_value import rounded_up, statement
from tcptrace.check.verdict import judge
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import TcptraceError, UsageError

BY_HAND = "change it by hand"
LINE = re.compile(r".*\n|.+")
"""As TOML has lines: U+2028 ends none."""


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
        was, now = (re.split(r"\r?\n", text.rstrip("\r\n")) for text in (self.before, self.after))
        return difflib.unified_diff(was, now, self.file, self.file, lineterm="")


def updates(
    paths: Iterable[str], settings: Settings, parts: Collection[Part] = tuple(Part)
) -> Iterator[Update | Unusable]:
    """As `update`, of every case below some paths, or why it cannot be. Raises UsageError where there is none."""
    cases = find_cases(paths)
    if not any(isinstance(case, Unusable) or case.file for case in cases):
        raise UsageError(f"{cases[0].path}: has no case.toml\n  --init writes one")
    for case in cases:
        if isinstance(case, Unusable):
            yield case
        elif case.file:
            try:
                yield update(case, settings, parts)
            except (TcptraceError, OSError) as error:
                yield Unusable(case.path, case.file, (Fault(0, str(error)),))


def update(case: Case, settings: Settings, parts: Collection[Part] = tuple(Part)) -> Update:
    """What the file of a case would say if the chosen parts said what is seen now.

    Raises CaptureError for a capture that cannot be read at all, UsageError where a value is written in a way that
    cannot be changed in place.
    """
    sight = look_at(case, settings, with_flows="flow" in case.expect)
    now = case
    for is_told in (True, False):  # what the file says, then what a case is held to that now says nothing
        unmet = [outcome for outcome in _unmet(now, sight, parts) if bool(outcome.path) is is_told]
        now = rewritten(now, _changed(now, sight, unmet)) if unmet else now
    return Update(case.file, case.text, now.text, tuple(outcome.name for outcome in _unmet(now, sight, parts)))


def _unmet(case: Case, sight: Sight, parts: Collection[Part]) -> list[Outcome]:
    return [outcome for outcome in judge(case, sight) if not outcome.met and KEYS[_kind(_key(outcome))].part in parts]


def _changed(case: Case, sight: Sight, unmet: Collection[Outcome]) -> str:
    """The text in which what does not hold says what is seen."""
    of_key: dict[KeyPath, list[Outcome]] = {}
    for outcome in unmet:
        of_key.setdefault(_key(outcome), []).append(outcome)
    values = {path: KEYS[_kind(path)].now(case, sight, outcomes) for path, outcomes in of_key.items()}
    try:
        return _written(case.text, {path: value for path, value in values.items() if value is not None})
    except (ValueError, RecursionError, TOMLKitError):
        raise UsageError(f"{case.file}: is written in a way that cannot be changed in place\n  {BY_HAND}") from None


def _written(text: str, values: Mapping[KeyPath, Any]) -> str:
    """The text with other values; ValueError where it would not say them."""
    document = tomlkit.parse(text.replace("\r\n", "\n"))
    for path, value in values.items():
        _put(document.setdefault(str(path[0]), tomlkit.table()), path[1], value)
    written = document.as_string()
    if tomllib.loads(written) != document.unwrap():
        raise ValueError(written)
    return _ending_alike(text, written)


def _ending_alike(before: str, after: str) -> str:
    """The text after, in which each line ends as the one before in whose place it stands, be it as in DOS."""
    was, now = LINE.findall(before) or [""], LINE.findall(after)
    matcher = difflib.SequenceMatcher(None, [line.replace("\r\n", "\n") for line in was], now, autojunk=False)
    lines: list[str] = []
    for _, first, last, begin, end in matcher.get_opcodes():
        like = [line if line.endswith("\n") else was[0] for line in was[first:last] or was[:1]]
        for place, line in enumerate(now[begin:end]):
            is_dos = like[min(place, len(like) - 1)].endswith("\r\n")
            lines.append(line.replace("\n", "\r\n") if is_dos else line)
    return "".join(lines)


def _key(outcome: Outcome) -> KeyPath:
    """The key that must say something else: what nobody said, or `only` forbids, becomes one of the findings."""
    return ("expect", "findings") if outcome.path in ((), ("expect", "only")) else outcome.path[:2]


def _kind(path: KeyPath) -> str:
    return "limits" if path[0] == "limits" else str(path[1])


def _put(place: Any, key: str | int, value: Any) -> None:
    """Change a value of a document no more than it differs, so that what stands around it stays."""
    old = place[key] if not isinstance(place, dict) or key in place else None
    if isinstance(value, dict):
        for below, one in value.items():
            _put(old, below, one)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, one in enumerate(value):
            _put(old, number, one)
    elif old != value and not (isinstance(value, list) and old is not None and _is_mended(old, value)):
        place[key] = tomlkit.parse(f"{statement(str(key), value)}\n")[str(key)]


def _is_mended(old: Array, value: list[Any]) -> bool:
    """Take out of a list what is no more, and add what is new; whether it then reads as it should.

    What tomlkit puts behind a comment becomes part of it: then each item gets a line.
    """
    for number in reversed(range(len(old))):
        if old[number] not in value:
            del old[number]
    for item in value:
        if item not in old:
            old.append(item)
    return any(_reads_as(value, old.multiline(lines)) for lines in (False, True))


def _reads_as(value: list[Any], written: Array) -> bool:
    try:
        return tomllib.loads(f"key = {written.as_string()}") == {"key": value}
    except tomllib.TOMLDecodeError:
        return False


def _findings(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> list[str]:
    """Those that are still there, then those that must not be and are."""
    kept = [rule for rule in case.expect.get("findings", []) if rule in sight.rules]
    new = [one.finding.rule for outcome in unmet for one in outcome.findings]
    return [*kept, *dict.fromkeys(new)]


def _absent(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> list[str]:
    seen = {one.finding.rule for one in sight.findings}
    return [rule for rule in case.expect["absent"] if rule not in seen]


def _flows(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> Any:
    return _one({len(capture.flows.flow) for capture in sight.shown.captures})


def _connections(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> Any:
    return _one({group.conversations for group in sight.groups})


def _mode(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> Any:
    return _one({item["mode"] for group in sight.groups for item in group.items})


def _flow(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Of each entry what is to change; one that does not hold gets what a flow between the same ends has."""
    near = nearest_flows(case.expect["flow"], sight)
    told = [{key: value for key, value in entry.items() if key not in ENDS} for entry in case.expect["flow"]]
    return [_like(entry, near[place]) if place in near else {} for place, entry in enumerate(told)]


def _limit(case: Case, sight: Sight, unmet: Sequence[Outcome]) -> float | None:
    value = LIMITS[str(unmet[0].path[1])].measure(sight.shown)
    return None if value is None else rounded_up(value)


def _one(values: set[Any]) -> Any:
    """The only value; None where there are several."""
    return values.pop() if len(values) == 1 else None


def _like(entry: Any, item: Any) -> Any:
    """The values of an item under the keys of an entry; TOML has no word for one that is null."""
    if isinstance(entry, dict) and isinstance(item, dict):
        return {key: _like(value, item.get(key)) for key, value in entry.items()}
    return entry if item is None else item


class Refresh(NamedTuple):
    """How a key is brought up to date."""

    part: Part
    now: Callable[[Case, Sight, Sequence[Outcome]], Any]
    """What it would have to say; None where nothing can be said."""


KEYS = {
    "findings": Refresh(Part.FINDINGS, _findings),
    "absent": Refresh(Part.FINDINGS, _absent),
    "flows": Refresh(Part.FLOWS, _flows),
    "connections": Refresh(Part.FLOWS, _connections),
    "mode": Refresh(Part.FLOWS, _mode),
    "flow": Refresh(Part.FLOWS, _flow),
    "limits": Refresh(Part.LIMITS, _limit),
}
