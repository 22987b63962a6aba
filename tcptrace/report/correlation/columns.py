"""Small tables of text: as many of their columns as the screen has room for."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from tcptrace.report.terminal import GAP, Piece, Screen, widest

INDENT = "  "

Style = Callable[[str, str], str]
"""The style of a cell, by the column's name and the text."""


class Form(NamedTuple):
    """What is known of a table whatever its rows say."""

    titles: NamedTuple
    """What stands above each column; the class names them."""
    right: Collection[str] = ()
    """Columns of numbers."""
    first_to_go: Sequence[str] = ()
    """Columns that a narrow screen does without, the least missed first."""
    kept: Collection[str] = ()
    """Columns that stay though all their cells are empty or 0."""


def write_columns(screen: Screen, form: Form, rows: Sequence[NamedTuple], style: Style) -> None:
    """A line a row; where even the last columns do not fit, each row as a sentence."""
    told = told_columns(form, rows)
    names = next((names for names in _narrower(told, form.first_to_go) if _fits(screen, form, rows, names)), None)
    if names is None:
        _write_sentences(screen, form, rows, told)
        return
    widths = [widest(getattr(row, name) for row in (form.titles, *rows)) for name in names]
    for row in (form.titles, *rows):
        pieces = [Piece(INDENT)]
        for name, width in zip(names, widths, strict=True):
            text = getattr(row, name)
            shade = "dim" if row is form.titles or text == "0" else style(name, text)
            pieces += [Piece(text, shade).padded(width, right=name in form.right), Piece(GAP)]
        screen.line(*pieces[:-1])


def told_columns(form: Form, rows: Sequence[NamedTuple]) -> list[str]:
    """The columns that say something."""
    return [
        name
        for name in form.titles._fields
        if name in form.kept or any(getattr(row, name) not in ("", "0") for row in rows)
    ]


def _narrower(names: Sequence[str], first_to_go: Sequence[str]) -> list[list[str]]:
    """The columns, and what is left as one after the other goes."""
    gone = [first_to_go[:number] for number in range(len(first_to_go) + 1)]
    return [[name for name in names if name not in without] for without in gone]


def _fits(screen: Screen, form: Form, rows: Sequence[NamedTuple], names: Sequence[str]) -> bool:
    widths = [widest(getattr(row, name) for row in (form.titles, *rows)) for name in names]
    return screen.width is None or len(INDENT) + sum(widths) + len(GAP) * (len(widths) - 1) <= screen.width


def _write_sentences(screen: Screen, form: Form, rows: Sequence[NamedTuple], names: Sequence[str]) -> None:
    for row in rows:
        facts = [f"{getattr(form.titles, name)} {getattr(row, name)}".strip() for name in names if getattr(row, name)]
        screen.paragraph(", ".join(facts), label=Piece(INDENT))
