"""What there is to check below some paths: cases at any depth, and bare captures."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tcptrace.check.case_file import CAPTURE_NAME, Case, CaseError, bare, is_no_special_file, read_case, walked
from tcptrace.check.case_text import Fault, all_told
from tcptrace.correlation.points import CASE_FILE
from tcptrace.errors import UsageError

REMEDY = "name a case (a folder with a case.toml), a folder of cases, or a capture; tcptrace check --init writes one"


@dataclass(frozen=True)
class Unusable:
    """What cannot be checked, and why."""

    path: str
    """A case's folder, or a path that cannot be read."""
    file: str
    """Its case.toml, or the path."""
    faults: tuple[Fault, ...]
    inputs: tuple[str, ...] = ()
    """All files of its folder, any of which may be of the case."""

    @property
    def problem(self) -> str:
        """All of it."""
        return all_told(self.faults, self.file)


def find_cases(paths: Iterable[str | Path]) -> list[Case | Unusable]:
    """All below the paths, each once, in the order of paths and then by name.

    Raises UsageError where there is nothing to check; a path that is not there, or cannot be read, is Unusable.
    """
    found: dict[str, Case | Unusable] = {}
    given = [Path(path) for path in paths]
    for path in given:
        for place in _places(path):
            key = os.path.realpath(place.path if isinstance(place, Unusable) else place)
            if key not in found:
                found[key] = place if isinstance(place, Unusable) else _case(place)
    if not found:
        raise UsageError(f"{', '.join(map(str, given)) or 'no path'}: nothing to check\n  {REMEDY}")
    return [*found.values()]


def _places(path: Path) -> Iterator[Path | Unusable]:
    """Folders of cases, and captures that lie in none."""
    unread: list[OSError] = []
    try:
        path.stat()
    except OSError as error:
        unread.append(error)
    else:
        yield from _below(path, unread) if path.is_dir() else [path.parent if path.name == CASE_FILE else path]
    yield from map(_unread, unread)


def _below(path: Path, unread: list[OSError]) -> Iterator[Path]:
    in_a_case: set[Path] = set()
    for folder, below, files in walked(path, unread.append):
        if CASE_FILE in files:
            yield folder
        if CASE_FILE in files or folder in in_a_case:
            in_a_case.update(folder / name for name in below)
        else:
            captures = (folder / file for file in files if CAPTURE_NAME.search(file))
            yield from filter(is_no_special_file, captures)


def _unread(error: OSError) -> Unusable:
    path = str(error.filename)
    is_there = not isinstance(error, FileNotFoundError | NotADirectoryError)
    reason = f"cannot be read: {error.strerror}" if is_there else f"there is no such file or folder\n  {REMEDY}"
    return Unusable(path, path, (Fault(0, f"{path}: {reason}"),))


def _case(place: Path) -> Case | Unusable:
    if not place.is_dir():
        return bare(place)
    try:
        return read_case(place)
    except CaseError as error:
        return _unusable(place, error.faults)
    except UsageError as error:
        return _unusable(place, (Fault(0, str(error)),))
    except OSError as error:
        return _unread(error)


def _unusable(folder: Path, faults: tuple[Fault, ...]) -> Unusable:
    return Unusable(str(folder), str(folder / CASE_FILE), faults, tuple(map(str, folder.iterdir())))
