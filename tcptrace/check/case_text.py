"""A case.toml as its lines stand: where each key is, for messages that name a line and for changes in place."""

import tomllib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tcptrace.check.kinds import Path


class Statement(NamedTuple):
    """A header or a key with its value, on one line or several."""

    path: Path
    first: int
    """Line, from 0."""
    stop: int
    """The line after its last."""


def statements(text: str) -> Iterator[Statement]:
    """Every statement of a TOML document, which must be well formed."""
    lines = text.splitlines()
    table: Path = ()
    entries: dict[Path, int] = {}
    row = 0
    while row < len(lines):
        start = row
        told = _parsed(lines[row])
        while told is None and row < len(lines) - 1:
            row += 1
            told = _parsed("\n".join(lines[start : row + 1]))
        row += 1
        if not told:
            continue
        if lines[start].lstrip().startswith("["):
            table = _table(_chain(told), entries, is_entry=lines[start].lstrip().startswith("[["))
            yield Statement(table, start, row)
        else:
            yield Statement((*table, next(iter(told))), start, row)


def lines_of(text: str, paths: Iterable[Path]) -> list[int]:
    """For each path the line, from 1, of the statement that says it, or of the nearest table around it."""
    lines = {statement.path: statement.first + 1 for statement in reversed([*statements(text)])}
    around = ((path[:depth] for depth in range(len(path), 0, -1)) for path in paths)
    return [next((lines[place] for place in places if place in lines), 1) for places in around]


def _parsed(text: str) -> dict[str, Any] | None:
    """What some lines say; None where they are no whole statement."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _chain(told: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a header, the outermost first."""
    keys: list[str] = []
    while told:
        key, value = next(iter(told.items()))
        keys.append(key)
        told = value[0] if isinstance(value, list) else value
    return tuple(keys)


def _table(keys: tuple[str, ...], entries: dict[Path, int], *, is_entry: bool) -> Path:
    """Where a header leads: through the last entry of every list on its way, for `[[...]]` to a new one."""
    path: Path = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if is_entry and place == len(keys) - 1:
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path
