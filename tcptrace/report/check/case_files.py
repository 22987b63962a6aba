"""What --init and --update write: each case.toml whole or not at all, and what is said of it."""

import sys
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tcptrace.check.cases import Unusable
from tcptrace.check.new_case import new_cases
from tcptrace.check.parts import Part
from tcptrace.diagnosis.settings import Settings
from tcptrace.errors import UsageError
from tcptrace.report.escape import printable
from tcptrace.report.failure import tell
from tcptrace.report.output import open_output
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.view import View

if TYPE_CHECKING:
    from tcptrace.check.update import Update

WRITABLE = "make its folder writable: chmod u+w"
STYLES = {"+": "good", "-": "bad", "@": "dim"}


def write_new_cases(paths: Iterable[str], settings: Settings) -> int:
    """The case.toml of each folder; the exit status."""
    for case in new_cases(paths, settings):
        with open_output(case.file, remedy=WRITABLE) as out:
            out.write(case.text)
        print(f"{printable(str(case.file))}: written; read it, and keep what matters")
    return 0


def write_updates(paths: Iterable[str], settings: Settings, parts: Collection[Part], view: View) -> int:
    """What no longer holds as it is now, and what changed; the exit status."""
    from tcptrace.check.update import updates  # tomlkit, which --init does without

    status = 0
    for update in updates(paths, settings, parts):
        try:
            left = _write(update, view)
        except UsageError as error:  # of this case: the others are brought up to date all the same
            tell(error)
            status = 2
        else:
            status = max(status, int(left))
    return status


def _write(update: "Update | Unusable", view: View) -> bool:
    """One file, and what changed; whether something is left to be changed by hand."""
    if isinstance(update, Unusable):
        raise UsageError(update.problem)
    if update.after != update.before:
        file = Path(update.file)
        mark = "\ufeff" if file.read_bytes().startswith(BOM_UTF8) else ""
        with open_output(file, remedy=WRITABLE) as out:
            out.write(mark + update.after)
    _show(update, view)
    return bool(update.left)


def _show(update: "Update", view: View) -> None:
    """The difference line by line, then what no longer holds and has nothing to take its place."""
    screen = Screen.on(sys.stdout, color=view.color)
    for line in update.diff():
        screen.line(Piece(line, STYLES.get(line[:1], "")))
    for name in update.left:
        screen.paragraph(f"{name} no longer holds, and nothing takes its place: change it by hand", style="odd")
