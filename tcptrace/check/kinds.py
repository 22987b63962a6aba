"""Kinds of values in a case.toml: each says what is wrong with a value, and what JSON Schema calls it."""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and places in lists."""

ENDPOINT = r"^(\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):([0-9]{1,5})$"
GREATEST_PORT = 65535
GREATEST = 2**63 - 1
"""What TOML asks of every reader."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a value."""

    path: KeyPath
    text: str


class Kind(Protocol):
    """What every kind offers."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """What is wrong with a value that stands at `path`, all of it."""

    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""


@dataclass(frozen=True)
class Text:
    """A text that is not empty."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is another type, or empty."""
        if not isinstance(value, str) or not value:
            yield Problem(path, f"is {_shown(value)}, not a text")

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Endpoint:
    """An address and a port, as reports write them."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It does not look like one."""
        if not isinstance(value, str) or not endpoint(value):
            yield Problem(path, f"is {_shown(value)}; write 10.0.0.1:80 or [2001:db8::1]:80")

    def schema(self) -> dict[str, Any]:
        """A string of that form."""
        return {"type": "string", "pattern": ENDPOINT}


@dataclass(frozen=True)
class Truth:
    """true or false."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is anything else."""
        if not isinstance(value, bool):
            yield Problem(path, f"is {_shown(value)}; write true or false")

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A number of 0 or more."""

    whole: bool = False

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is below 0, no number, or not whole though it counts something."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= GREATEST
        if not is_number or (self.whole and value != int(value)):
            yield Problem(path, f"is {_shown(value)}, not a {'whole ' if self.whole else ''}number of 0 or more")

    def schema(self) -> dict[str, Any]:
        """A number or an integer."""
        return {"type": "integer" if self.whole else "number", "minimum": 0, "maximum": GREATEST}


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    words: tuple[str, ...]
    noun: str
    """What they are: `rule`, `state`."""
    listed: str = ""
    """Where to find them, if they are many."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is none of them; the nearest is named."""
        if not isinstance(value, str):
            yield Problem(path, f"is {_shown(value)}, not the name of a {self.noun}")
        elif value not in self.words:
            yield Problem(path, f"there is no {self.noun} {value!r}; {nearest(value, self.words, self.listed)}")

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class ListOf:
    """A list of values of one kind."""

    kind: Kind

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is no list, or something in it is wrong."""
        if not isinstance(value, list):
            yield Problem(path, f"is {_shown(value)}, not a list")
            return
        for place, item in enumerate(value):
            yield from self.kind.problems(item, (*path, place))

    def schema(self) -> dict[str, Any]:
        """An array."""
        return {"type": "array", "items": self.kind.schema()}


@dataclass(frozen=True)
class Files:
    """A file, or the rotated files of one recording."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is neither a text nor a list of it, or empty."""
        listed = value if isinstance(value, list) and value else [value]
        for item in listed:
            yield from Text().problems(item, path)

    def schema(self) -> dict[str, Any]:
        """A string or an array of it."""
        return {"anyOf": [Text().schema(), {**ListOf(Text()).schema(), "minItems": 1}]}


@dataclass(frozen=True)
class Key:
    """A key of a table."""

    kind: Kind
    meaning: str
    where: str = ""
    """`alone`: only where captures are analyzed alone, `together`: only where they are points; empty: always."""


@dataclass(frozen=True)
class Table:
    """A table whose keys are all known."""

    keys: Mapping[str, Key]
    least: int = 0
    """So many keys must be there; an empty table would say nothing."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is no table, has a key that is not, or something in it is wrong."""
        if not isinstance(value, dict):
            yield Problem(path, f"is {_shown(value)}, not a table")
            return
        if len(value) < self.least:
            yield Problem(path, f"says nothing; give {', '.join(self.keys)}")
        for key, item in value.items():
            if key in self.keys:
                yield from self.keys[key].kind.problems(item, (*path, key))
            else:
                yield Problem((*path, key), f"there is no such key; {nearest(key, self.keys)}")

    def schema(self) -> dict[str, Any]:
        """An object without further properties."""
        properties = {name: {**key.kind.schema(), "description": key.meaning} for name, key in self.keys.items()}
        least = {"minProperties": self.least} if self.least else {}
        return {"type": "object", "additionalProperties": False, **least, "properties": properties}


@dataclass(frozen=True)
class Names:
    """A table of free names of some form, each with a value of one kind."""

    kind: Kind
    pattern: str
    advice: str
    """What is said of another name."""

    def problems(self, value: Any, path: KeyPath) -> Iterator[Problem]:
        """It is no table, has nothing, or something in it is wrong, a name too."""
        if not isinstance(value, dict) or not value:
            yield Problem(path, f"is {_shown(value)}, not a table with a line or more")
            return
        for name, item in value.items():
            if not re.fullmatch(self.pattern, name):
                yield Problem((*path, name), self.advice)
            yield from self.kind.problems(item, (*path, name))

    def schema(self) -> dict[str, Any]:
        """An object with any properties of such names."""
        names = {"propertyNames": {"pattern": self.pattern}}
        return {"type": "object", "minProperties": 1, **names, "additionalProperties": self.kind.schema()}


def endpoint(text: str) -> str | None:
    """An address, or a name as in tcpdump's text, and a port as reports write them; None for what is none."""
    found = re.fullmatch(ENDPOINT, text)
    if not found or int(found[4]) > GREATEST_PORT:
        return None
    try:
        host = found[3]
        if found[2]:
            host = f"[{ipaddress.IPv6Address(found[2])}]"
        elif not host.strip("0123456789."):
            host = str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
    return f"{host}:{int(found[4])}"


def nearest(name: str, names: Mapping[str, Any] | Sequence[str], otherwise: str = "") -> str:
    """`did you mean ...?`, or where to find what there is, or all of it."""
    close = get_close_matches(name, list(names), 1)
    return f"did you mean {close[0]!r}?" if close else otherwise or f"there are {', '.join(names)}"


def _shown(value: Any) -> str:
    """A value as TOML writes it, as far as it matters; a table or list by its type."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > GREATEST:  # Python refuses to write it where it is long
        return "a number of more than 64 bits"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
