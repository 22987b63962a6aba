"""A check for people: what is not as expected, in full, and a line that counts."""

from typing import TextIO

from tcptrace.check.outcome import Result
from tcptrace.check.run import Check
from tcptrace.report.check.outcome_words import gone_text, notes, tally, where, write_outcome
from tcptrace.report.terminal import Piece, Screen, wrapped
from tcptrace.report.view import View


def write_check(check: Check, out: TextIO, view: View) -> None:
    """The cases that are not as expected, one after the other, then how many there were."""
    screen = Screen.on(out, color=view.color)
    for result in check.results:
        if result.problem or result.unmet:
            _write_result(screen, result)
            screen.line()
    for result in check.results:
        for note in notes(result, check.known):
            screen.paragraph(note, label=Piece("note  ", "odd"))
    for known in check.gone:
        screen.paragraph(f"{gone_text(known)}: --write-baseline forgets it", label=Piece("gone  ", "good"))
    screen.paragraph(tally(check), style="bad" if check.status else "good")


def _write_result(screen: Screen, result: Result) -> None:
    _write_head(screen, Piece(f"✖ {result.path}", "bad"), Piece(f"  {result.title}", "title"))
    if result.problem:
        for line in result.problem.splitlines():
            screen.paragraph(line.strip(), label=Piece("  "))
    for number, outcome in enumerate(result.outcomes):
        if not outcome.met:
            screen.line()
            place = Piece(f"  {where(result, number)}", "dim")
            _write_head(screen, Piece("  ✖", "bad"), Piece(outcome.name, "title"), place)
            write_outcome(screen, outcome)


def _write_head(screen: Screen, *pieces: Piece) -> None:
    for line in wrapped(pieces, screen.width, "    "):
        screen.line(*line)
