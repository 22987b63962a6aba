"""Lines for a terminal or a pipe: safe text, colour by meaning, a width only where there is one."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self, TextIO

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from tcptrace.report.escape import printable

GAP = "  "
"""Between columns."""

LABEL = 12
"""Columns of the labels at the left of a summary."""

STYLES = {
    "": Style.null(),
    "title": Style(bold=True),
    "dim": Style(dim=True),
    "good": Style(color="green"),
    "bad": Style(color="red"),
    "odd": Style(color="yellow"),
    "client": Style(color="cyan"),
    "server": Style(color="magenta"),
}
"""What a style means; only the eight basic colours, which every terminal lets its user choose."""


class Piece(NamedTuple):
    """Text in one of STYLES."""

    text: str
    style: str = ""

    def padded(self, width: int, *, right: bool = False) -> "Piece":
        """Filled with spaces to a width, at the left to align it right."""
        space = " " * (width - text_width(self.text))
        return Piece(space + self.text if right else self.text + space, self.style)


class Screen:
    """A stream to write lines to; `width` is None in a pipe or a file, where a line may be of any length."""

    def __init__(self, stream: TextIO, *, width: int | None = None, color: bool = False) -> None:
        self.stream, self.width, self.color = stream, width, color

    @classmethod
    def on(cls, stream: TextIO, *, color: bool = True) -> Self:
        """As wide and colourful as the stream is, and NO_COLOR and FORCE_COLOR allow."""
        console = Console(file=stream)
        colorful = color and console.color_system is not None and not console.no_color
        return cls(stream, width=console.width if stream.isatty() else None, color=colorful)

    def line(self, *pieces: Piece) -> None:
        """Write one line. Text of any origin is safe here: control characters come out as escapes."""
        texts = [printable(piece.text) for piece in pieces]
        while texts and not texts[-1].strip():
            texts.pop()
        texts[-1:] = [text.rstrip() for text in texts[-1:]]
        if self.color:
            texts = [_colored(text, piece.style) for text, piece in zip(texts, pieces, strict=False)]
        self.stream.write("".join(texts) + "\n")

    def paragraph(self, text: str, *, label: Piece = Piece(""), style: str = "") -> None:  # noqa: B008  immutable
        """Write text beside a label, wrapped to the width under its own first line."""
        indent = text_width(label.text)
        for number, line in enumerate(self.wrap(printable(text), indent)):
            self.line(label if number == 0 else Piece(" " * indent), Piece(line, style))

    def fact(self, label: str, text: str, style: str = "") -> None:
        """Write a line of a summary: a label and what there is to say, wrapped beside it."""
        self.paragraph(text, label=Piece(f"  {label}".ljust(LABEL) + "  ", style or "dim"), style=style)

    def flow(self, pieces: Iterable[Piece]) -> None:
        """Write pieces one after the other, on as many lines as the width asks for."""
        line: list[Piece] = []
        used = 0
        for piece in pieces:
            if line and self.width is not None and used + text_width(piece.text) > self.width:
                self.line(*line)
                line, used = [Piece("  ")], 2
            line += [piece, Piece(" ")]
            used += text_width(piece.text) + 1
        self.line(*line)

    def wrap(self, text: str, indent: int) -> list[str]:
        """Text in lines that fit beside `indent` columns; one line where there is no width."""
        if self.width is None:
            return [text]
        return textwrap.wrap(text, max(self.width - indent, 20), break_on_hyphens=False) or [""]


def wrapped(pieces: Sequence[Piece], width: int | None, hanging: str = "") -> list[list[Piece]]:
    """Pieces, a space between, in lines of at most `width` columns; each keeps its style."""
    pieces = [Piece(printable(piece.text), piece.style) for piece in pieces if piece.text]
    text = " ".join(piece.text for piece in pieces)
    if width is None or text_width(text) <= width:
        return [[part for piece in pieces for part in (Piece(" "), piece)][1:]]
    styles = (piece.style for piece in pieces for character in piece.text if not character.isspace())
    return [_restyled(line, styles) for line in textwrap.wrap(text, width, subsequent_indent=hanging)]


def _restyled(line: str, styles: Iterator[str]) -> list[Piece]:
    """A wrapped line in pieces again; `styles` has one for each character that is no space, in order."""
    told: list[Piece] = []
    for character in line:
        style = told[-1].style if character.isspace() and told else "" if character.isspace() else next(styles)
        if told and told[-1].style == style:
            told[-1] = Piece(told[-1].text + character, style)
        else:
            told.append(Piece(character, style))
    return told


def text_width(text: str) -> int:
    """Columns a text takes on a terminal."""
    return len(text) if text.isascii() else cell_len(text)


def widest(texts: Iterable[str]) -> int:
    """Columns the widest of some texts takes."""
    return max(map(text_width, texts), default=0)


def _colored(text: str, style: str) -> str:
    return STYLES[style].render(text, color_system=ColorSystem.STANDARD)
