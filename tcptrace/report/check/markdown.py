"""A check in Markdown, for the summary of a job: what is not as expected, and the count."""

import html
from collections.abc import Iterator
from typing import TextIO

from tcptrace.check.outcome import Result
from tcptrace.check.run import Check
from tcptrace.report.check.outcome_words import gone_text, notes, outcome_text, tally
from tcptrace.report.escape import markdown_cell, printable
from tcptrace.report.view import View

MARKS = {0: "✔", 1: "✖", 2: "✖"}


def write_check(check: Check, out: TextIO, view: View) -> None:
    """A row for each expectation that is not met, its story below."""
    out.write(f"## {MARKS[check.status]} Captures: {tally(check)}\n")
    bad = [result for result in check.results if result.problem or result.unmet]
    if bad:
        out.write("\n| case | expectation | expected | found |\n| --- | --- | --- | --- |\n")
        out.writelines(f"| {' | '.join(map(markdown_cell, row))} |\n" for result in bad for row in _rows(result))
    for result in bad:
        out.writelines(_stories(result))
    told = (note for result in check.results for note in notes(result, check.known))
    out.writelines(f"\nNote: {markdown_cell(note)}\n" for note in told)
    if check.gone:
        out.write("\nKnown findings that are gone:\n\n")
        out.writelines(f"- {markdown_cell(gone_text(known))}\n" for known in check.gone)


def _rows(result: Result) -> Iterator[tuple[str, str, str, str]]:
    for fault in result.faults:
        yield result.path, "can be checked", "", " ".join(fault.told(result.file).split())
    for outcome in result.unmet:
        yield result.path, outcome.name, outcome.expected, outcome.found


def _stories(result: Result) -> Iterator[str]:
    for outcome in result.unmet:
        title = html.escape(printable(f"{result.path}: {outcome.name}"))  # within HTML nothing is Markdown
        yield f"\n<details><summary>{title}</summary>\n\n"
        yield from (f"    {printable(line)}\n" for line in outcome_text(outcome).split("\n"))
        yield "\n</details>\n"
