"""What --update changes in a case.toml, as a diff."""

from typing import TextIO

from tcptrace.check.update import Update
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.view import View

STYLES = {"+": "good", "-": "bad", "@": "dim"}


def write_update(update: Update, out: TextIO, view: View) -> None:
    """Line by line, then what no longer holds and has nothing to take its place."""
    screen = Screen.on(out, color=view.color)
    for line in update.diff():
        screen.line(Piece(line, STYLES.get(line[:1], "")))
    for name in update.left:
        screen.paragraph(f"{name} no longer holds, and nothing takes its place: change it by hand", style="odd")
