"""The handbook of rules on a terminal: one page, or the list by family."""

from typing import TextIO

from tcptrace.diagnosis.handbook import sections, title
from tcptrace.diagnosis.registry import ALL_RULES, BY_NAME
from tcptrace.diagnosis.rule import FAMILIES
from tcptrace.diagnosis.settings import nearest, spelled
from tcptrace.errors import UsageError
from tcptrace.report.findings import MARKS
from tcptrace.report.terminal import Piece, Screen, widest


def write_explanation(rule: str | None, out: TextIO, *, color: bool) -> None:
    """The page of a rule, or without a name the list. Raises UsageError for a rule that is not."""
    screen = Screen.on(out, color=color)
    if rule is None:
        _write_list(screen)
    elif (name := spelled(rule)) in BY_NAME:
        _write_page(screen, name)
    else:
        raise UsageError(f"{rule}: there is no such rule\n  {nearest(rule, BY_NAME)}")


def _write_list(screen: Screen) -> None:
    width = widest(BY_NAME)
    for family in FAMILIES:
        screen.line(Piece(family, "title"))
        for module in ALL_RULES:
            if module.RULE.family == family:
                mark = MARKS[module.RULE.severity]
                label = Piece(f"  {mark.text} {module.RULE.name.ljust(width)}  ", mark.style)
                screen.paragraph(title(module), label=label)
        screen.line()
    screen.paragraph("tcptrace explain RULE says why each happens, how to confirm it, and how to fix it", style="dim")


def _write_page(screen: Screen, name: str) -> None:
    module = BY_NAME[name]
    rule = module.RULE
    screen.flow([Piece(name, "title"), Piece(f"{rule.severity}, {rule.family}", "dim")])
    screen.paragraph(title(module))
    for heading, text in sections(module).items():
        screen.line()
        screen.line(Piece(heading, "title"))
        for paragraph in text.split("\n\n"):
            screen.paragraph(" ".join(paragraph.split()), label=Piece("  "))
    if rule.thresholds:
        screen.line()
        screen.line(Piece("Thresholds", "title"))
        for threshold, told in rule.thresholds.items():
            value = f"{told.value:g} {told.unit}".strip()
            screen.paragraph(f"{told.meaning}; --set {name}.{threshold}=…", label=Piece(f"  {threshold} = {value}  "))
