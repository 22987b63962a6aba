"""GitHub's annotations: a line of workflow commands for each expectation that is not met."""

from collections.abc import Iterator
from typing import TextIO

from tcptrace.check.outcome import Result
from tcptrace.check.run import Check
from tcptrace.report.check.outcome_words import gone_text, notes, outcome_text, tally
from tcptrace.report.escape import printable
from tcptrace.report.view import View


def write_check(check: Check, out: TextIO, view: View) -> None:
    """Errors where the expectations stand, notices of what is known and gone, and the count as plain text."""
    for result in check.results:
        out.writelines(f"{line}\n" for line in _annotations(result))
    for result in check.results:
        for note in notes(result, check.known):
            out.write(f"{_command('warning', 'not checked', note, file=result.file)}\n")
    for known in check.gone:
        out.write(f"{_command('notice', 'known finding is gone', gone_text(known))}\n")
    out.write(f"{tally(check)}\n")


def _annotations(result: Result) -> Iterator[str]:
    for fault in result.faults:
        yield _command("error", "could not be checked", fault.text, **_place(result.file, fault.line))
    for outcome, line in zip(result.outcomes, result.lines, strict=True):
        if not outcome.met:
            title = f"{result.path}: {outcome.name}"
            yield _command("error", title, outcome_text(outcome).rstrip(), **_place(result.file, line))


def _place(file: str, line: int) -> dict[str, str]:
    return {"file": file} | ({"line": str(line)} if line else {})


def _command(name: str, title: str, text: str, **place: str) -> str:
    """`::error file=captures/dr/case.toml,line=3,title=...::text`, escaped as the runner's toolkit does."""
    properties = ",".join(f"{key}={_property(value)}" for key, value in {**place, "title": title}.items())
    return f"::{name} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Line breaks stay, as escapes; everything else is harmless in a log."""
    return "%0A".join(printable(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
