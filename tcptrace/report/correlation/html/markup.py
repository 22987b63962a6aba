"""HTML and SVG in the making: text becomes markup in one place only, where it is escaped."""

from html import escape
from typing import NewType

from tcptrace.report.escape import printable

Markup = NewType("Markup", str)
"""What may stand in the file as it is."""

NOTHING = Markup("")


def text(words: str) -> Markup:
    """Text of any origin, as text."""
    return Markup(escape(printable(words)))


def lines(*words: str) -> Markup:
    """Text of several lines, where the file keeps them."""
    return Markup("\n".join(text(line) for line in words))


def element(name: str, *inside: Markup, **attributes: str | float | None) -> Markup:
    """`element("td", text("7"), class_="right")`; an attribute that is None is left out, an empty one has no value.

    An underscore in an attribute's name stands for a hyphen, one at its end for nothing.
    """
    told = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{told}>{''.join(inside)}</{name}>")


def group(*parts: Markup) -> Markup:
    """One after the other."""
    return Markup("".join(parts))


def _attribute(name: str, value: str | float) -> str:
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name.rstrip("_").replace("_", "-")}="{escape(printable(shown))}"'
