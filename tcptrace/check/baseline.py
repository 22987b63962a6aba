"""Findings that are known: a file names them, they do not fail a check, new ones do, and gone ones are told."""

import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tcptrace.check.outcome import Result
from tcptrace.check.seen import Seen
from tcptrace.errors import UsageError

SCHEMA = "tcptrace.baseline/1"


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
    return Known(os.path.abspath(case), seen.place, seen.finding.rule, seen.ends)


def read_baseline(file: Path) -> frozenset[Known]:
    """What a file knows, the cases as absolute paths. Raises UsageError for a file that is none."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError(f"its schema is {told['schema']!r}, not {SCHEMA!r}")
        return frozenset(_known(entry, file.parent) for entry in told["findings"])
    except FileNotFoundError:
        raise UsageError(f"{file}: there is no such baseline\n  --write-baseline writes it") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{file}: is no baseline: {reason}\n  --write-baseline writes one") from None


def all_known(results: Iterable[Result]) -> set[Known]:
    """Every finding that no case expects."""
    return {known_as(result.path, seen) for result in results for seen in result.unexpected}


def gone(known: Collection[Known], results: Collection[Result]) -> list[Known]:
    """What is known and not found any more, of what was checked and of cases that are no longer there."""
    found = all_known(results)
    checked = {os.path.abspath(result.path) for result in results if not result.problem}
    return sorted(one for one in known if one not in found and (one.case in checked or not Path(one.case).exists()))


def document(known: Collection[Known], results: Collection[Result], folder: Path) -> str:
    """The file that knows all that was found; what it knew of cases that were not checked, and are there, stays."""
    checked = {os.path.abspath(result.path) for result in results if not result.problem}
    kept = {one for one in known if one.case not in checked and Path(one.case).exists()}
    entries = [
        {"rule": one.rule, "case": _relative(one.case, folder), "place": one.place, "ends": list(one.ends)}
        for one in sorted(kept | all_known(results))
    ]
    lines = ",\n  ".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f'{{"schema": "{SCHEMA}", "findings": [\n  {lines}\n]}}\n' if entries else _empty()


def _empty() -> str:
    return f'{{"schema": "{SCHEMA}", "findings": []}}\n'


def _known(entry: Any, folder: Path) -> Known:
    texts = [entry["case"], entry["place"], entry["rule"], *entry["ends"]]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("an entry has something else than text")
    return Known(os.path.abspath(folder / entry["case"]), entry["place"], entry["rule"], tuple(entry["ends"]))


def _relative(path: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder.absolute())).as_posix()
    except ValueError:  # another drive
        return path
