"""The handbook of rules as one page, rules.md: the docstrings of tcptrace/diagnosis/rules/ and what each rule knows."""

import re
from collections.abc import Iterator

from tcptrace.diagnosis.handbook import sections, title
from tcptrace.diagnosis.registry import ALL_RULES, Page
from tcptrace.diagnosis.rule import FAMILIES, Threshold

HEAD = """\
<!-- Made by docs/generate.py from tcptrace/diagnosis/rules/. Do not edit. -->
# The rules

What `tcptrace explain RULE` prints, for all rules. Each rests on segments that it names by frame; its confidence, 0 to
1, falls where only one side was seen, the capture began late, or the wire cannot tell causes apart. An *error* broke a
connection, a *warning* made it slow or nearly did, an *info* is worth knowing; here stands the worst that a rule gives.
[cases.md](cases.md) lists the captures that show each rule, and those that must not.

A threshold is set for one run by `--set RULE.THRESHOLD=VALUE`, for a folder and all below it by `tcptrace.toml`,

    [rules.rto-stall]
    silence_ms = 500

or by the same table in `pyproject.toml` as `[tool.tcptrace.rules.rto-stall]`. The nearest file with such a table
counts, from the working directory upward; `--set` goes before it. `--rule RULE` and `--severity warning` choose what is
told.
"""


def rules() -> str:
    """rules.md."""
    pages = [line for family in FAMILIES for module in _of(family) for line in _page(module)]
    return "\n".join([HEAD, "## Contents", "", *_contents(), "", *pages])


def _of(family: str) -> Iterator[Page]:
    return (module for module in ALL_RULES if module.RULE.family == family)


def _contents() -> Iterator[str]:
    yield "| family | rule | severity | says |"
    yield "|---|---|---|---|"
    for family in FAMILIES:
        for module in _of(family):
            rule = module.RULE
            yield f"| {family} | [{rule.name}](#{rule.name}) | {rule.severity} | {_safe(title(module), '|')} |"


def _page(module: Page) -> Iterator[str]:
    rule = module.RULE
    yield from (f"## {rule.name}", "", f"*{rule.severity}, {rule.family}.* {_safe(title(module))}.", "")
    for heading, text in sections(module).items():
        yield from (f"### {heading}", "", _safe(text), "")
    if rule.thresholds:
        yield from ("### Thresholds", "", "| name | default | decides |", "|---|---|---|")
        yield from (_threshold(name, told) for name, told in rule.thresholds.items())
        yield ""
    if rule.explains:
        names = ", ".join(f"[{name}](#{name})" for name in rule.explains)
        yield from (f"Of the same flow or connection it explains {names}: they are told as part of it.", "")


def _threshold(name: str, told: Threshold) -> str:
    return f"| `{name}` | {f'{told.value:g} {told.unit}'.strip()} | {_safe(told.meaning, '|')} |"


def _safe(text: str, also: str = "") -> str:
    """Text in which nothing is taken for markup but the names of thresholds."""
    return re.sub(rf"(`[\w ]+`)|([<*`{also}]|^#)", lambda found: found[1] or f"\\{found[2]}", text, flags=re.MULTILINE)
