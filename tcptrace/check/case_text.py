"""A case.toml as its lines stand: where each key is, for messages that name a line."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tcptrace.check.kinds import KeyPath

TOKEN = re.compile(
    r"""
    "{3} (?:\\.|[^\\])*? "{3} (?!") | '{3} .*? '{3} (?!')   # texts of several lines, which may end with a quote more
    | " (?:\\.|[^"\\])* " | ' [^']* ' | \# [^\n]*          # texts, comments
    | [\[\]{}\n]
    """,
    re.DOTALL | re.VERBOSE,
)
"""What may hold a line break, or a bracket that is none, and what brackets and line breaks there are."""
OPEN, CLOSE = ("[", "{"), ("]", "}")
DEEPEST = 8
"""Keys on the way to a value; the vocabulary has fewer."""


class Fault(NamedTuple):
    """Why a case cannot be checked."""

    line: int
    """Of its case.toml, from 1; 0 where no line says it."""
    text: str

    def told(self, file: str) -> str:
        """With the line before it; what no line says names its file itself."""
        return f"{file}:{self.line}: {self.text}" if self.line else self.text


def all_told(faults: Iterable[Fault], file: str) -> str:
    """All of them, one after the other."""
    return "\n  ".join(fault.told(file) for fault in faults)


def lines_of(text: str, paths: Iterable[KeyPath]) -> list[int]:
    """For each path the line, from 1, of the statement that says it, or of the nearest table around it."""
    lines = dict(reversed([*statements(text)]))
    around = ((path[:depth] for depth in range(len(path), 0, -1)) for path in paths)
    return [next((lines[place] for place in places if place in lines), 1) for places in around]


def statements(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Every table and key of a TOML document, which must be well formed, with its line, from 1."""
    table: KeyPath = ()
    entries: dict[KeyPath, int] = {}
    for line, statement in _statements(text):
        told = tomllib.loads(statement)
        header = statement.lstrip()
        if told and header.startswith("["):
            table = _table(_chain(told), entries, is_entry=header.startswith("[["))
            yield table, line
        elif told:
            yield from ((path, line) for path in _keys(told, table))


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each with its first line, from 1: it ends with a line in which no bracket is left open."""
    depth = start = 0
    line = now = 1
    for token in TOKEN.finditer(text + "\n"):
        now += token[0].count("\n")
        depth += (token[0] in OPEN) - (token[0] in CLOSE)
        if token[0] == "\n" and not depth:
            yield line, text[start : token.end()]
            start, line = token.end(), now


def _keys(told: dict[str, Any], table: KeyPath) -> Iterator[KeyPath]:
    """The keys of a statement, those of dotted keys and inline tables too."""
    for key, value in told.items():
        yield (*table, key)
        if isinstance(value, dict) and len(table) < DEEPEST:
            yield from _keys(value, (*table, key))


def _chain(told: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a header, the outermost first."""
    keys: list[str] = []
    while told:
        key, value = next(iter(told.items()))
        keys.append(key)
        told = value[0] if isinstance(value, list) else value
    return tuple(keys)


def _table(keys: tuple[str, ...], entries: dict[KeyPath, int], *, is_entry: bool) -> KeyPath:
    """Where a header leads: through the last entry of every list on its way, for `[[...]]` to a new one."""
    path: KeyPath = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if is_entry and place == len(keys) - 1:
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path
