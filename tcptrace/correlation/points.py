"""Where captures were taken, as a user says it: `POINT=CAPTURE`, or a folder whose case.toml names its points."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from glob import escape, glob, has_magic
from pathlib import Path
from typing import Any, NamedTuple

from tcptrace.errors import UsageError

CASE_FILE = "case.toml"
AT_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
"""How tomllib names a place."""
EXAMPLE = "write POINT=CAPTURE, e.g. client=client.pcap lvs:eth0=director.pcap, or name a folder with a case.toml"


MAPPING = 'give one of points to paths, e.g. {"client": "client.pcap", "lvs:eth0": ["in.pcap0", "in.pcap1"]}'


class Input(NamedTuple):
    """What is read as one recording."""

    name: str
    """Of its point: `host:interface`, or `host` alone."""
    paths: tuple[str, ...]
    """One capture, or the rotated files of one."""


Captures = Mapping[str, str | Path | Sequence[str | Path]]
"""What was taken at each point: a path, or those of rotated files, each of which may be a pattern."""


def inputs_of(captures: Captures) -> tuple[Input, ...]:
    """The inputs of a mapping.

    Raises UsageError for what is none or empty, for a point without a capture, and for a pattern that nothing matches.
    """
    if not isinstance(captures, Mapping):
        raise UsageError(f"captures are {type(captures).__name__}, not a mapping\n  {MAPPING}")
    if not captures:
        raise UsageError(f"no capture given\n  {EXAMPLE}")
    return tuple(Input(_name(name), _paths(name, given)) for name, given in captures.items())


def from_words(words: Iterable[str]) -> Captures:
    """What words of the command line name. Raises UsageError for what is neither a pair nor a case."""
    captures: dict[str, Sequence[str | Path]] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        equals = "" if (Path(word) / CASE_FILE).exists() else equals
        found = {name: rest if Path(rest).exists() else rest.split(",")} if equals else _case(Path(word))
        if twice := captures.keys() & found.keys():
            raise UsageError(f"{twice.pop()}: named twice\n  put the rotated files of one point together: POINT=A,B")
        captures |= {point: [given] if isinstance(given, str) else given for point, given in found.items()}
    return captures


def _case(folder: Path) -> Mapping[str, str | Sequence[str]]:
    """The points of a case, its captures beside it."""
    path = folder / CASE_FILE
    if not path.exists():
        raise UsageError(f"{folder}: names no point\n  {EXAMPLE}")
    points = read_document(path)[1].get("points", {})
    if not isinstance(points, dict) or not points:
        raise UsageError(f'{path}: has no [points]\n  add them: [points] and a line a point, client = "client.pcap"')
    return {point: beside(folder, given) for point, given in points.items()}


class DocumentError(UsageError):
    """A case.toml that is no TOML, and the line that says so, from 1; 0 where none does."""

    def __init__(self, file: Path, reason: object) -> None:
        self.reason = f"cannot be read: {reason}"
        found = AT_LINE.search(self.reason)
        self.line = int(found[1]) if found else 0
        super().__init__(f"{file}: {self.reason}")


def read_document(file: Path) -> tuple[str, dict[str, Any]]:
    """The text of a case.toml as it stands, its line breaks too, and what it says. Raises DocumentError for no TOML."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
        return text, tomllib.loads(text)
    except OSError as error:
        raise DocumentError(file, error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise DocumentError(file, error) from None


def beside(folder: Path, given: object) -> list[str]:
    """The files that a case.toml names for a point, text or a list of it; only they may be patterns, not the folder."""
    if isinstance(given, list):
        parts = [str(part) for part in given]
    else:
        parts = [str(given)] if (folder / str(given)).exists() else str(given).split(",")
    return [_in(folder, part) for part in parts]


def _in(folder: Path, name: str) -> str:
    is_pattern = has_magic(name) and not (folder / name).exists()
    return str(Path(escape(str(folder)) if is_pattern else folder, name))


def _name(name: str) -> str:
    if not isinstance(name, str) or not name.partition(":")[0]:
        raise UsageError(f"{name!r}: a point needs a name\n  {EXAMPLE}")
    return name


def _paths(name: str, given: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """Files by name, patterns resolved; what exists under a name with `*` in it is no pattern."""
    parts = [given] if isinstance(given, str | Path) else given
    if not isinstance(parts, Sequence) or not all(isinstance(part, str | Path) for part in parts):
        raise UsageError(f"{name}: {given!r} is no path\n  {MAPPING}")
    if not parts:
        raise UsageError(f"{name}: no capture given\n  {MAPPING}")
    texts = [str(part) for part in parts]
    found: list[str] = []
    for text in texts:
        is_pattern = has_magic(text) and not Path(text).exists()
        matching = sorted(glob(text)) if is_pattern else [text]  # noqa: PTH207  Path.glob needs a folder first
        if not matching or not text:
            raise UsageError(f"{name}: no capture matches {text!r}\n  check the path, quote a pattern")
        found += matching
    if "-" in found and len(found) > 1:
        raise UsageError(f"{name}: standard input is no part of a rotated capture\n  name files, or - alone")
    return tuple(dict.fromkeys(found))
