"""Findings for people: the story of each in a few lines, the worst first."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tcptrace.capture.address_book import AddressBook
from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.report.finding_ends import ends, flows_told
from tcptrace.report.terminal import Piece, Screen, text_width
from tcptrace.report.units import count
from tcptrace.schema import Flows

MARKS = {"error": Piece("✖", "bad"), "warning": Piece("▲", "odd"), "info": Piece("•", "dim")}
COUNTED = {"error": "error", "warning": "warning", "info": "note"}
INDENT = "  "
LABEL = 12
READING = 100
"""Columns of a line that is easy to read; a terminal may be wider, a pipe has no width."""
FRAMES_TOLD = 12


class Line(NamedTuple):
    """One thing said of a finding; `exact` is meant to be copied, so a pipe gets it unbroken."""

    label: str
    text: str
    exact: bool = False


class Place(NamedTuple):
    """What a finding is about."""

    between: str
    """Its ends, as `10.0.0.1:40000 → 10.0.0.9:80`."""
    number: str
    """`flow 3`, `connection 0 at lvs:eth0`."""


def write_findings(screen: Screen, found: Sequence[Finding], flows: Flows, book: AddressBook, *, top: int) -> None:
    """The `top` worst findings of a capture, or one line that there are none."""

    def place(finding: Finding) -> Place:
        return Place(ends(finding, flows, book), flows_told(finding))

    write_stories(screen, found, place, f"no findings in {count(len(flows.flow), 'flow')}", top=top)


def write_stories(
    screen: Screen, found: Sequence[Finding], place: Callable[[Finding], Place], nothing: str, *, top: int
) -> None:
    """The first `top` findings in full, or the line that says there are none."""
    screen.line()
    if not found:
        screen.line(Piece(nothing, "good"))
        return
    for number, finding in enumerate(found[:top]):
        if number:
            screen.line()
        write_finding(screen, finding, place(finding))
    if len(found) > top:
        screen.line()
        screen.line(Piece(f"… and {count(len(found) - top, 'more finding')}: --top, --format json", "dim"))


def write_finding(screen: Screen, finding: Finding, place: Place) -> None:
    """One finding: between whom, what happened, the cause, what would disprove it, how to see it, what to do."""
    prose = _readable(screen, READING)
    _write_head(prose, finding, place)
    prose.paragraph(finding.summary, label=Piece(INDENT))
    last = ""
    for label, text, exact in story(finding):
        column = f"{INDENT}{'' if label == last else label}".ljust(LABEL)
        (screen if exact else prose).paragraph(text, label=Piece(column, "dim"))
        last = label


def write_note(screen: Screen, finding: Finding, *, indent: int) -> None:
    """A finding in short, for a place among segments: mark, rule, summary."""
    mark = MARKS[finding.severity]
    label = Piece(f"{' ' * indent}{mark.text} {finding.rule}   ", mark.style or "title")
    prose = _readable(screen, READING + indent)
    if (prose.width or 0) - text_width(label.text) < READING // 3:  # too narrow for both beside each other
        prose.line(label)
        label = Piece(" " * (indent + len(INDENT)))
    prose.paragraph(finding.summary, label=label)


def story(finding: Finding) -> Iterator[Line]:
    """What there is to say of a finding below its summary."""
    said = [
        Line("cause", finding.cause),
        *(Line("evidence", observation) for observation in finding.evidence),
        *(Line("frames", told) for told in frames_by_point(finding)),
        Line("seen as", ", ".join(finding.symptoms)),
        *(Line("says", message) for message in finding.application),
        Line("unless", finding.disproof),
        *(Line("confirm", way, exact=True) for way in re.split(r"\s{3,}", finding.confirm)),
        Line("next", f"{finding.fix}; more: tcptrace explain {finding.rule}"),
    ]
    return (line for line in said if line.text)


def tally(found: Sequence[Finding]) -> str:
    """`1 error, 0 warnings, 2 notes`."""
    numbers = {severity: sum(finding.severity == severity for finding in found) for severity in SEVERITIES}
    return ", ".join(count(number, COUNTED[severity]) for severity, number in numbers.items())


def frames_told(frames: Sequence[int]) -> str:
    """`2, 5, 7`, of many the first."""
    more = f" and {len(frames) - FRAMES_TOLD:,} more" if len(frames) > FRAMES_TOLD else ""
    return ", ".join(map(str, frames[:FRAMES_TOLD])) + more


def frames_by_point(finding: Finding) -> Iterator[str]:
    """`2, 5, 7`, of correlated captures `2, 5, 7 at lvs:eth0`, a line a point."""
    for point, frames in finding.evidence_frames:
        yield f"{frames_told(frames) or 'none'} at {point}"
    if finding.frames and not finding.evidence_frames:
        yield frames_told(finding.frames) + (f" at {finding.point}" if finding.point else "")


def number_told(finding: Finding) -> str:
    """`finding 2`, by which `extract` takes it; nothing for what is not of one capture alone."""
    return f"finding {finding.number}" if finding.number else ""


def confidence(finding: Finding) -> str:
    """`confidence 0.95`."""
    return f"confidence {finding.confidence:.2g}"


def _readable(screen: Screen, width: int) -> Screen:
    """The same stream, its lines no longer than this."""
    return Screen(screen.stream, width=min(screen.width or width, width), color=screen.color)


def _write_head(screen: Screen, finding: Finding, place: Place) -> None:
    """Mark, rule and ends at the left, numbers and confidence at the right; on more lines where one is too short."""
    between = place.between
    mark = MARKS[finding.severity]
    name = Piece(finding.rule, mark.style or "title")
    right = "   ".join(text for text in (number_told(finding), place.number, confidence(finding)) if text)
    room = (screen.width or READING) - text_width(right) - len(INDENT) - text_width(f"{finding.rule}   ")
    if text_width(between) + len(INDENT) <= room:
        middle = Piece(f"   {between}")
        screen.line(mark, Piece(" "), name, middle, Piece(" " * (room - text_width(between))), Piece(right, "dim"))
        return
    if room >= 0:
        screen.line(mark, Piece(" "), name, Piece(" " * (room + 3)), Piece(right, "dim"))
    else:
        screen.line(mark, Piece(" "), name)
        screen.paragraph(right, label=Piece(INDENT), style="dim")
    screen.paragraph(between, label=Piece(INDENT))
