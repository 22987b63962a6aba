"""Thresholds as a user sets them: by option, by tcptrace.toml, or by pyproject.toml; the option counts most."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import Threshold, Thresholds
from tcptrace.errors import UsageError

Settings = Mapping[str, Mapping[str, float]]
"""Thresholds that differ from the default: rule → threshold → value."""

FILES = {"tcptrace.toml": (), "pyproject.toml": ("tool", "tcptrace")}
"""File → the table in it that is ours; in that, `rules` has a table a rule."""


MOST = 1_000_000_000
"""The largest value of a threshold; as many seconds are 31 years."""


def thresholds(rule: str, settings: Settings) -> Thresholds:
    """All thresholds of a rule, as set or by default."""
    defaults = {name: threshold.value for name, threshold in BY_NAME[rule].RULE.thresholds.items()}
    return {**defaults, **settings.get(rule, {})}


def parse_settings(texts: Iterable[str]) -> Settings:
    """Settings written as `rule.threshold=value`. Raises UsageError for what no rule has."""
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        rule, dot, threshold = name.strip().partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {text}: is not rule.threshold=value\n  for example rto-stall.silence_ms=500")
        rule = spelled(rule)
        known = _known(rule, threshold, f"--set {text}")
        found.setdefault(rule, {})[threshold] = _number(value, known, f"--set {text}")
    return found


def find_settings(folder: Path) -> Settings:
    """The settings of the nearest file that has any, in a folder or one above it. Raises UsageError if it is wrong."""
    for place in (folder, *folder.parents):
        for name, path in FILES.items():
            file = place / name
            if file.is_file() and (rules := _rules(_table(file, path), file, path)) is not None:
                return rules
    return {}


def merged(*settings: Settings) -> Settings:
    """Several, the later ones before the earlier."""
    found: dict[str, dict[str, float]] = {}
    for given in settings:
        for rule, values in given.items():
            found.setdefault(rule, {}).update(values)
    return found


def spelled(name: str) -> str:
    """A rule's name as rules are spelled, of one written as in Python or in capitals."""
    return name.lower().replace("_", "-")


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean ...?`, or the command that lists them."""
    close = get_close_matches(spelled(name), list(names), 1)
    return f"did you mean {close[0]}?" if close else "tcptrace explain lists the rules"


def _table(file: Path, path: tuple[str, ...]) -> dict[str, Any]:
    """The table of a file that is ours; empty without one. A file that does not name us may be as wrong as it likes."""
    try:
        text = file.read_bytes()
        if not all(key.encode() in text for key in path):
            return {}
        import tomllib  # few folders have settings

        table: Any = tomllib.loads(text.decode())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read: {error}\n  correct it, or run elsewhere") from error
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _rules(table: dict[str, Any], file: Path, path: tuple[str, ...]) -> Settings | None:
    """The settings in the table that is ours; None where it has no `rules`."""
    ours = ".".join((*path, "rules"))
    for key in table:
        if key in BY_NAME:
            raise UsageError(f"{file}: {key} is not in rules\n  write [{ours}.{key}] and below it its thresholds")
        if key != "rules":
            raise UsageError(f"{file}: there is no setting {key!r}\n  did you mean [{ours}.RULE]?")
    rules = table.get("rules")
    if rules is None:
        return None
    if not isinstance(rules, dict):
        raise UsageError(f"{file}: rules is no table\n  write [{ours}.rto-stall] and below it silence_ms = 500")
    for rule, values in rules.items():
        if not isinstance(values, dict):
            raise UsageError(f"{file}: {rule} is no table\n  write [{ours}.{rule}] and below it its thresholds")
        for threshold, value in values.items():
            known = _known(rule, threshold, str(file))
            values[threshold] = _number(value, known, f"{file}: {rule}.{threshold}")
    return rules


def _number(value: Any, threshold: Threshold, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not threshold.least <= number <= MOST:
        span = f"from {threshold.least} to {MOST:,}"
        raise UsageError(f"{where}: {value!r} is no number {span}\n  give one in the unit of the threshold")
    return number


def _known(rule: str, threshold: str, where: str) -> Threshold:
    if rule not in BY_NAME:
        raise UsageError(f"{where}: there is no rule {rule!r}\n  {nearest(rule, BY_NAME)}")
    known = BY_NAME[rule].RULE.thresholds
    if threshold not in known:
        has = ", ".join(known) or "none"
        raise UsageError(f"{where}: {rule} has no threshold {threshold!r}\n  it has: {has}")
    return known[threshold]
