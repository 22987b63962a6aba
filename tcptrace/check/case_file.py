"""A case as its case.toml says it, held against the vocabulary: what is misspelt is refused, never ignored."""

import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tcptrace.capture.reader import is_other_text
from tcptrace.check import kinds
from tcptrace.check.case_text import Fault, all_told, lines_of
from tcptrace.check.consistency import inconsistencies
from tcptrace.check.kinds import Problem
from tcptrace.check.vocabulary import CASE
from tcptrace.correlation.points import CASE_FILE, DocumentError, beside, inputs_of, read_document
from tcptrace.errors import UsageError
from tcptrace.schema import SIDES

FORMATS, PACKED = r"(pcapng|pcap|cap|erf)\d*", r"(\.(gz|zst|lz4|xz))?$"
CAPTURE_NAME = re.compile(rf"\.{FORMATS}{PACKED}", re.IGNORECASE)
"""What is a capture by its name, wherever it lies."""
IN_A_CASE = re.compile(rf"\.({FORMATS}|txt){PACKED}", re.IGNORECASE)
"""In the folder of a case, also what tcpdump printed."""


class CaseError(UsageError):
    """A case.toml that is not right, by its lines."""

    def __init__(self, file: Path, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(all_told(self.faults, str(file)))


@dataclass(frozen=True)
class Case:
    """Captures and what is expected of them."""

    path: str
    """The case's folder, or the bare capture, as it was found."""
    captures: tuple[str, ...]
    """Paths, where they are analyzed alone."""
    points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Point → its capture, or the rotated files of it."""
    title: str = ""
    expect: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    file: str = ""
    """Its case.toml; empty for a bare capture."""
    text: str = ""
    """Of that file."""
    unused: tuple[str, ...] = ()
    """Captures in its folder, or below it and in no other case, that it does not look at."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its case.toml and all its captures."""
        of_points = (path for paths in self.points.values() for path in paths)
        return (*filter(None, (self.file,)), *self.captures, *of_points)


def read_case(folder: Path) -> Case:
    """The case of a folder. Raises CaseError naming the file, the line, the key and the nearest right name."""
    file = folder / CASE_FILE
    try:
        text, told = read_document(file)
    except DocumentError as error:
        raise CaseError(file, [Fault(error.line, error.reason if error.line else str(error))]) from None
    _refuse(file, text, [*CASE.problems(told, ())] or [*inconsistencies(told)])
    found = {name: _found(name, beside(folder, files)) for name, files in told.get("points", {}).items()}
    _refuse(file, text, [paths for paths in found.values() if isinstance(paths, Problem)])
    points = {name: paths for name, paths in found.items() if not isinstance(paths, Problem)}
    captures = () if points else captures_in(folder)
    if not points and not captures:
        raise UsageError(
            f"{folder}: has a {CASE_FILE} and no capture\n  put one beside it: .pcap, .pcapng, .cap or .txt"
        )
    case = Case(str(folder), captures, points, file=str(file))
    return rewritten(replace(case, unused=_unused(folder, case.inputs)), text)


def _refuse(file: Path, text: str, problems: Sequence[Problem]) -> None:
    """CaseError where there is a problem."""
    if problems:
        raise CaseError(file, map(_fault, lines_of(text, (problem.path for problem in problems)), problems))


def rewritten(case: Case, text: str) -> Case:
    """A case, its case.toml saying what a text says, which must be right."""
    told = tomllib.loads(text)
    expect, limits = told.get("expect", {}), told.get("limits", {})
    for flow in expect.get("flow", []):
        flow.update({side: kinds.endpoint(flow[side]) for side in SIDES if side in flow})
    return replace(case, title=told.get("title", ""), expect=expect, limits=limits, text=text)


def _found(point: str, files: Sequence[str]) -> tuple[str, ...] | Problem:
    """The captures of a point, or what is wrong: a pattern that has none, a file that is not there."""
    try:
        ((_, paths),) = inputs_of({point: files})
    except UsageError as error:
        return Problem(("points", point), str(error).removeprefix(f"{point}: "))
    lost = next((path for path in paths if not os.path.lexists(path)), None)
    return Problem(("points", point), f"{lost}: there is no such file") if lost else paths


def bare(capture: Path) -> Case:
    """A capture of which nothing is said."""
    return Case(str(capture), (str(capture),))


def captures_in(folder: Path) -> tuple[str, ...]:
    """The captures that lie in a case's folder, by name."""
    found = (file for file in sorted(folder.iterdir()) if IN_A_CASE.search(file.name) and not file.is_dir())
    return tuple(str(file) for file in found if is_no_special_file(file) and not _is_note(file))


def _is_note(file: Path) -> bool:
    """What is no capture by its name, and not what tcpdump prints."""
    return not CAPTURE_NAME.search(file.name) and is_other_text(str(file))


def _unused(folder: Path, used: Collection[str]) -> tuple[str, ...]:
    """Captures of a folder and those below it that belong to no other case, without those that are used."""
    known = {os.path.realpath(path) for path in used}
    found = [*captures_in(folder)]
    for place, below, files in walked(folder):
        below[:] = (name for name in below if not (place / name / CASE_FILE).exists())
        found += (str(place / file) for file in files if place != folder and CAPTURE_NAME.search(file))
    return tuple(path for path in found if os.path.realpath(path) not in known)


def walked(
    path: Path, unread: Callable[[OSError], object] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder once, links to folders too, with the names in it, sorted; a folder taken out is not entered."""
    seen: set[str] = set()
    for place, folders, files in os.walk(path, onerror=unread, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real not in seen:  # a link may lead back
            seen.add(real)
            yield Path(place), folders, sorted(files)


def is_no_special_file(path: Path) -> bool:
    """A FIFO or a device is no recorded capture; a link that leads nowhere is told as one that cannot be read."""
    return path.is_file() or not path.exists()


def _fault(line: int, problem: Problem) -> Fault:
    """`expect.findings[0]: there is no rule ...`, and its line."""
    names = ""
    for part in problem.path:
        names += f"[{part}]" if isinstance(part, int) else f".{part}" if names else part
    return Fault(line, f"{names}: {problem.text}")
