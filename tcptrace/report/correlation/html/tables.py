"""Tables of text, as the console has them, with all columns that say something."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tcptrace.report.correlation.columns import Form, told_columns
from tcptrace.report.correlation.html.markup import Markup, element, group, text

Cell = Callable[[str, str, int], Markup]
"""What stands in a cell, by the column's name, the text and the row."""


def table(form: Form, rows: Sequence[NamedTuple], cell: Cell | None = None, shows: Sequence[str] = ()) -> Markup:
    """A table in a box that scrolls; `shows` has for every row which findings it belongs to."""
    names = told_columns(form, rows)
    head = (element("th", text(getattr(form.titles, name)), class_=_class(form, name, "")) for name in names)
    body = (
        element(
            "tr",
            *(
                element("td", cell(name, told, number) if cell else text(told), class_=_class(form, name, told))
                for name in names
                for told in [getattr(row, name)]
            ),
            data_shows=shows[number] if shows else None,
        )
        for number, row in enumerate(rows)
    )
    whole = element("table", element("thead", element("tr", *head)), element("tbody", group(*body)))
    return element("div", whole, class_="scroll", tabindex="0")


def _class(form: Form, name: str, told: str) -> str | None:
    classes = [name] + ["right"] * (name in form.right) + ["none"] * (told == "0")
    return " ".join(classes)
