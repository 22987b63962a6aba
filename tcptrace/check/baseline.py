"""Findings that are known: a file names them, they do not fail a check, new ones do, and gone ones are told."""

import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tcptrace.check.outcome import Outcome, Result, rules_told
from tcptrace.check.seen import Seen
from tcptrace.correlation.points import CASE_FILE
from tcptrace.errors import UsageError

SCHEMA = "tcptrace.baseline/1"
OTHER = "name another file; --write-baseline writes one that is not there"
NEW = "warning"
"""With a baseline, findings so severe or worse that it does not know fail, in cases too."""


class Known(NamedTuple):
    """What makes a finding the same another day: no frame, no time, no wording."""

    case: str
    """The case's folder, or the bare capture; in the file relative to the file's own folder."""
    place: str
    """Name of the capture, or the point; of one connection over several points nothing."""
    rule: str
    ends: tuple[str, ...]
    """Whose connections it is about; empty: the whole capture."""


def known_as(case: str, seen: Seen) -> Known:
    """A finding of a case, as it would be known."""
    return Known(_real(case), seen.place, seen.finding.rule, seen.ends)


def read(file: Path) -> frozenset[Known]:
    """What a file knows, the cases as absolute paths. Raises UsageError for a file that is none."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{file}: there is no such baseline\n  --write-baseline writes it") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}\n  {OTHER}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{file}: is no baseline: it is no JSON\n  {OTHER}") from None
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise UsageError(f"{file}: is no baseline: its schema is not {SCHEMA!r}\n  {OTHER}")
    entries = told.get("findings")
    if not isinstance(entries, list) or not all(map(_is_finding, entries)):
        raise UsageError(f"{file}: is no baseline: findings is no list of what makes a finding known\n  {OTHER}")
    return frozenset(_known(entry, file.parent) for entry in entries)


def forgiven(result: Result, known: Collection[Known]) -> Result:
    """The result, where what is known does not fail."""
    return replace(result, outcomes=tuple(_forgiven(outcome, result.path, known) for outcome in result.outcomes))


def _forgiven(outcome: Outcome, case: str, known: Collection[Known]) -> Outcome:
    new = tuple(seen for seen in outcome.findings if known_as(case, seen) not in known)
    old = len(outcome.findings) - len(new)
    if not old:
        return outcome
    look = new[0].look if new else outcome.look
    return replace(outcome, met=not new, found=f"{rules_told(new)}, and {old} known", findings=new, look=look)


def all_known(results: Iterable[Result]) -> set[Known]:
    """Every finding that no case expects."""
    return {known_as(result.path, seen) for result in results for seen in result.unexpected}


def gone(known: Collection[Known], results: Collection[Result]) -> list[Known]:
    """What is known and not found any more, of what was checked and of what is no case any more."""
    found, is_stale = all_known(results), _is_stale(results)
    return sorted(one for one in known if one not in found and is_stale(one))


def renewed(known: Collection[Known], results: Collection[Result]) -> frozenset[Known]:
    """All that was found, and what was known of cases that were not checked and are still there."""
    is_stale = _is_stale(results)
    return frozenset(all_known(results) | {one for one in known if not is_stale(one)})


def _is_stale(results: Iterable[Result]) -> Callable[[Known], bool]:
    """Whether a finding would be found now, were it there: its case was checked, or is none any more."""
    checked = {_real(result.path) for result in results if not result.problem}

    def is_stale(known: Known) -> bool:
        case = Path(known.case)
        is_case = (case / CASE_FILE).exists() if case.is_dir() else case.exists()
        in_another = any(str(folder) in checked and (folder / CASE_FILE).exists() for folder in case.parents)
        return known.case in checked or not is_case or in_another

    return is_stale


def document(known: Collection[Known], folder: Path) -> str:
    """The file, a line a finding, the cases as seen from the folder it lies in."""
    entries = [
        {"rule": one.rule, "case": _relative(one.case, folder), "place": one.place, "ends": list(one.ends)}
        for one in sorted(known)
    ]
    lines = ",".join(f"\n  {_json(entry)}" for entry in entries)
    return f'{{"schema": "{SCHEMA}", "findings": [{lines}{chr(10) if entries else ""}]}}\n'


def _json(entry: Any) -> str:
    """With escapes for the bytes of a file name that are no UTF-8."""
    text = json.dumps(entry, ensure_ascii=False)
    return re.sub(r"[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", text)


def _is_finding(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("ends"), list):
        return False
    return all(
        isinstance(text, str) for text in (entry.get("rule"), entry.get("case"), entry.get("place"), *entry["ends"])
    )


def _known(entry: Mapping[str, Any], folder: Path) -> Known:
    return Known(_real(folder / entry["case"]), entry["place"], entry["rule"], tuple(entry["ends"]))


def _relative(path: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path


def _real(path: str | Path) -> str:
    """One name for each place, whatever leads there."""
    return str(Path(path).resolve())
