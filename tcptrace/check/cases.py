"""What there is to check below some paths: cases at any depth, and bare captures."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tcptrace.check.case_file import CAPTURE_NAME, Case, bare, read_case
from tcptrace.correlation.points import CASE_FILE
from tcptrace.errors import UsageError

REMEDY = "name a case (a folder with a case.toml), a folder of cases, or a capture; tcptrace check --init writes one"


@dataclass(frozen=True)
class Unusable:
    """A case that cannot be checked, and why."""

    path: str
    problem: str
    inputs: tuple[str, ...]
    """All files of its folder, any of which may be of the case."""


def find_cases(paths: Iterable[str | Path]) -> list[Case | Unusable]:
    """All below the paths, each once, in the order of paths and then by name.

    Raises UsageError for a path that is not there, and where there is nothing to check.
    """
    found: dict[Path, Case | Unusable] = {}
    given = [Path(path) for path in paths]
    for path in given:
        for place in _places(path):
            key = place.resolve()
            if key not in found:
                found[key] = _case(place)
    if not found:
        raise UsageError(f"{', '.join(map(str, given)) or 'no path'}: nothing to check\n  {REMEDY}")
    return [*found.values()]


def _places(path: Path) -> Iterator[Path]:
    """Folders of cases, and captures that lie in none."""
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder\n  {REMEDY}")
    if not path.is_dir():
        yield path.parent if path.name == CASE_FILE else path
        return
    in_a_case: set[Path] = set()
    for place, folders, files in os.walk(path, onerror=_refuse):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        folder = Path(place)
        if CASE_FILE in files:
            yield folder
        if CASE_FILE in files or folder in in_a_case:
            in_a_case.update(folder / below for below in folders)
        else:
            yield from (folder / file for file in sorted(files) if CAPTURE_NAME.search(file))


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _case(place: Path) -> Case | Unusable:
    if not place.is_dir():
        return bare(place)
    try:
        return read_case(place)
    except UsageError as error:
        return Unusable(str(place), str(error), tuple(str(file) for file in place.iterdir()))
