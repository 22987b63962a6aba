"""Findings for people: the story of each in a few lines, the worst first."""

from collections.abc import Sequence

from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count

MARKS = {"error": Piece("✖", "bad"), "warning": Piece("▲", "odd"), "info": Piece("•", "dim")}
COUNTED = {"error": "error", "warning": "warning", "info": "note"}
INDENT = "  "
FRAMES_TOLD = 12


def write_findings(screen: Screen, found: Sequence[Finding], flows: int, *, top: int) -> None:
    """The `top` worst findings, or one line that there are none."""
    screen.line()
    if not found:
        screen.line(Piece(f"no findings in {count(flows, 'flow')}", "good"))
        return
    for number, finding in enumerate(found[:top]):
        if number:
            screen.line()
        write_finding(screen, finding)
    if len(found) > top:
        screen.line()
        screen.line(Piece(f"… and {count(len(found) - top, 'more finding')}: --top, --format json", "dim"))


def write_finding(screen: Screen, finding: Finding) -> None:
    """One finding: what happened, the cause, what would disprove it, how to see it, what to do."""
    mark = MARKS[finding.severity]
    where = _flows(finding)
    screen.flow([mark, Piece(finding.rule, mark.style or "title"), Piece(where), Piece(_confidence(finding), "dim")])
    _told(screen, "", finding.summary)
    _told(screen, "cause", finding.cause)
    for number, observation in enumerate(finding.evidence):
        _told(screen, " " if number else "evidence", observation)
    if finding.frames:
        _told(screen, "frames", frames_told(finding.frames))
    if finding.symptoms:
        _told(screen, "seen as", ", ".join(finding.symptoms))
    _told(screen, "unless", finding.disproof)
    _told(screen, "confirm", finding.confirm)
    _told(screen, "next", f"{finding.fix}; more: tcptrace explain {finding.rule}")


def tally(found: Sequence[Finding]) -> str:
    """`1 error, 0 warnings, 2 notes`."""
    numbers = {severity: sum(finding.severity == severity for finding in found) for severity in SEVERITIES}
    return ", ".join(count(number, COUNTED[severity]) for severity, number in numbers.items())


def frames_told(frames: Sequence[int]) -> str:
    """`2, 5, 7`, of many the first."""
    more = f" and {len(frames) - FRAMES_TOLD:,} more" if len(frames) > FRAMES_TOLD else ""
    return ", ".join(map(str, frames[:FRAMES_TOLD])) + more


def _flows(finding: Finding) -> str:
    if finding.flow is not None:
        return f"flow {finding.flow}"
    return f"{len(finding.flows):,} flows" if finding.flows else "the capture"


def _confidence(finding: Finding) -> str:
    return f"  confidence {finding.confidence:.2g}"


def _told(screen: Screen, label: str, text: str) -> None:
    if text:
        label = f"{INDENT}{label}".ljust(12 if label else len(INDENT))
        screen.paragraph(text, label=Piece(label, "dim"))
