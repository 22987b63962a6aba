"""Text from captures and file names, made harmless where it is shown."""


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


_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>()#|~!&"})
