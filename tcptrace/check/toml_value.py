"""Values as TOML writes them."""

import json
import math
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


def rounded_up(value: float) -> float | int:
    """The next number of DIGITS digits, so that what was measured stays within it."""
    if value == int(value):
        return int(value)
    places = DIGITS - 1 - math.floor(math.log10(value))
    factor = 10.0**places
    return float(round(math.ceil(value * factor) / factor, max(places, 0)))


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)
