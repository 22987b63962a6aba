"""Text from captures and file names, made harmless where it is shown."""

import re


def printable(text: str) -> str:
    r"""Text without power over a terminal: `\x1b` for an escape, `\u202e` for a change of direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def markdown_cell(text: str) -> str:
    """Text that neither ends a table's cell nor becomes markup."""
    return printable(text).translate(_MARKDOWN)


def csv_cell(text: str) -> str:
    """Text that a spreadsheet takes as text, a quote before a formula's first character, and a terminal as well."""
    formula = text.startswith(("=", "+", "-", "@", "\t", "\r")) and text != "-"
    return f"'{printable(text)}" if formula else printable(text)


def mermaid_text(text: str) -> str:
    """Text that ends no statement of a Mermaid diagram, begins none, and is no markup."""
    return _KEYWORD.sub(r"#101;\1", _MERMAID.sub(lambda found: f"#{ord(found[0])};", printable(text)))


_MERMAID = re.compile(r"[^\w .,:/+()=?→←…✖▲•·µ'-]", re.ASCII)
"""What is not plain in a diagram's text, told by its number instead."""
_KEYWORD = re.compile(r"\be(nd)\b", re.IGNORECASE)
"""`end` closes a block wherever it stands."""

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>()#|~!&"})
