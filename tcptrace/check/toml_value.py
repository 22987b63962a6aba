"""Values as TOML writes them."""

import json
from decimal import ROUND_CEILING, Context
from typing import Any

WIDTH = 110
"""Columns of a line, beyond which a list is written one item a line."""
DIGITS = 4
"""Of a measured number."""


def statement(key: str, value: Any) -> str:
    """`key = value`, on one line or several."""
    line = f"{_key(key)} = {toml(value)}"
    if len(line) <= WIDTH or not isinstance(value, list):
        return line
    return "\n".join([f"{_key(key)} = [", *(f"    {toml(item)}," for item in value), "]"])


def toml(value: Any) -> str:
    """A value on one line; tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def rounded_up(value: float, digits: int = DIGITS) -> float | int:
    """The next number of so many digits, so that what was measured stays within it; what counts is told as it is."""
    if value == int(value):
        return int(value)
    rounded = Context(prec=digits, rounding=ROUND_CEILING).create_decimal_from_float(value)
    return int(rounded) if rounded == int(rounded) else float(rounded)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)
