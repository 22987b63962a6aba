"""What a case.toml may say, out of the vocabulary that reads it: case.schema.json, and the tables of ci.md."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tcptrace.check.kinds import Kind, ListOf, OneOf, Table
from tcptrace.check.limits import LIMITS
from tcptrace.check.vocabulary import CASE, EXPECT, FLOW, json_schema

PAGE = Path(__file__).parent / "ci.md"
MADE = re.compile(r"(<!-- made: (\w+) -->\n).*?(?=<!-- end -->)", re.DOTALL)
WHERE = {"": "", "alone": "without points", "together": "with points"}
WORDS = 15
"""More than these are not listed."""


def schema_text() -> str:
    """case.schema.json."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def ci() -> str:
    """ci.md with its tables as the code has them."""
    return MADE.sub(lambda made: made[1] + "\n".join(TABLES[made[2]]()) + "\n", PAGE.read_text(encoding="utf-8"))


def _keys() -> Iterator[str]:
    yield from ("| key | value | says | |", "|---|---|---|---|")
    yield from _rows("", CASE, ("expect", "limits"))
    yield from _rows("expect.", EXPECT, ("flow",))


def _flow() -> Iterator[str]:
    yield from ("| key | value | says | |", "|---|---|---|---|")
    yield from _rows("", FLOW, ())


def _rows(before: str, table: Table, without: tuple[str, ...]) -> Iterator[str]:
    for name, key in table.keys.items():
        if name not in without:
            yield f"| `{before}{name}` | {_value(key.kind)} | {key.meaning} | {WHERE[key.where]} |"


def _value(kind: Kind) -> str:
    if isinstance(kind, ListOf):
        return f"list of {_value(kind.kind)}"
    if isinstance(kind, Table):
        return ", ".join(f"`{name}`: {_value(key.kind)}" for name, key in kind.keys.items())
    if isinstance(kind, OneOf):
        listed = ", ".join(f"`{word}`" for word in kind.words)
        return listed if len(kind.words) <= WORDS and kind.noun != "state" else kind.noun
    return {"boolean": "true or false", "integer": "count", "number": "number", "object": "name = text"}.get(
        kind.schema()["type"], "text"
    )


def _limits() -> Iterator[str]:
    yield from ("| limit | unit | how it is measured | |", "|---|---|---|---|")
    for name, limit in LIMITS.items():
        yield f"| `{name}` | {limit.unit} | {limit.told} | {WHERE[limit.where]} |"


TABLES = {"keys": _keys, "flow": _flow, "limits": _limits}
