"""One flow as a ladder: every segment between the states of its two ends."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from tcptrace.diagnosis.rule import Finding
from tcptrace.report.findings import tally, write_findings, write_note
from tcptrace.report.flow_table import STATE_TEXTS
from tcptrace.report.flow_title import write_flow_title
from tcptrace.report.segment_marks import marks, measures
from tcptrace.report.segment_words import KIND_WIDTH, Segment, segments, told
from tcptrace.report.steps import Step, first_states, flow_of, senders, steps
from tcptrace.report.terminal import GAP, Piece, Screen, text_width, widest, wrapped
from tcptrace.report.units import milliseconds
from tcptrace.report.view import View
from tcptrace.rows import records
from tcptrace.schema import NO_TIME
from tcptrace.tcp.endpoint import EVENTS

if TYPE_CHECKING:
    from tcptrace.analysis import Timeline

ROOMY = 110
"""Columns from which every segment's window, round trip and bytes in flight are told.

Below, only a window that begins, closes or opens.
"""

MEASURED = 1000
"""Rungs looked at to find the widths; later ones may be wider."""

ARROWS = {"client": Piece("→", "client"), "server": Piece("←", "server")}
NOTE = "(STATE): inferred, not seen at this point · STATE!: no sound endpoint does that here, the state stays"


class Rung(NamedTuple):
    """One segment or timer before it is laid out; states stand one below the other."""

    frame: Piece
    time: Piece
    client: list[Piece]
    arrow: Piece
    segment: list[Piece]
    """Words, times, labels."""
    server: list[Piece]


class Widths(NamedTuple):
    """Columns each part of a rung takes."""

    frame: int
    time: int
    client: int
    segment: int
    server: int


def write_ladder(screen: Screen, timeline: "Timeline", view: View) -> None:
    """A title, the rungs, each finding below the frame it names first, what the marks mean, the findings in full."""
    write_flow_title(screen, timeline.analysis.flow_table, timeline.book, timeline.summary, utc=view.utc)
    screen.line()
    titles = [Piece(title, "dim") for title in ("frame", "ms", "client", "segment", "server")]
    head = Rung(titles[0], titles[1], [titles[2]], Piece(" "), [titles[3]], [titles[4]])
    rungs = chain([head], _rungs(timeline, view.raw, screen.width is None or screen.width >= ROOMY))
    measured = list(islice(rungs, MEASURED))
    widths = _widths([_longest(timeline), *measured], screen.width)
    findings = _by_frame(timeline)
    for rung in chain(measured, rungs):
        _write_rung(screen, rung, widths)
        for finding in findings.get(rung.frame.text, ()):
            write_note(screen, finding, indent=widths.frame + widths.time + 2 * len(GAP))
    screen.line()
    screen.paragraph(NOTE, style="dim")
    found = timeline.analysis.found
    write_findings(screen, found, timeline.analysis.flow_table, timeline.book, top=len(found))
    if found:
        screen.line()
        screen.line(Piece(tally(found), "title"))


def _by_frame(timeline: "Timeline") -> dict[str, list[Finding]]:
    """Findings by the frame each names first of those that are in the flow; some name none."""
    here = set(timeline.packets.frame.tolist())
    findings: dict[str, list[Finding]] = {}
    for finding in timeline.analysis.found:
        first = next((frame for frame in finding.frames if frame in here), None)
        findings.setdefault(str(first), []).append(finding)
    return findings


def _rungs(timeline: "Timeline", raw: bool, roomy: bool) -> Iterator[Rung]:
    """The rungs in order; a side's first state stands beside the first segment."""
    told_segments = segments(timeline.packets, timeline.segments, raw=raw)
    times_and_marks = zip(measures(timeline.segments), marks(timeline.segments), strict=True)
    senders_of, frames = senders(timeline), timeline.packets.frame.tolist()
    start_ns = flow_of(timeline).start_ns
    places = _places(timeline)
    last: dict[str, Segment] = {}
    first = [[Piece(f"({STATE_TEXTS[state]})", "dim")] if state else [] for state in first_states(timeline)]
    for number, step in enumerate(steps(timeline)):
        time = Piece("" if NO_TIME in (step.time_ns, start_ns) else milliseconds(step.time_ns - start_ns))
        client, server = (_states(step, side) or first[side] * (number == 0) for side in (0, 1))
        if step.row is None:
            words = Piece(", ".join(EVENTS[change.event] for change in step.changes), "dim")
            yield Rung(Piece(""), time, client, Piece("·", "dim"), [words], server)
            continue
        sender, segment = senders_of[step.row], next(told_segments)
        measured, marked = next(times_and_marks)
        words = told(segment, None if roomy else last.get(sender), places[step.row])
        last[sender] = segment
        cell = [words, *[measured] * roomy, *marked]
        yield Rung(Piece(str(frames[step.row]), "dim"), time, client, ARROWS[sender], cell, server)


def _places(timeline: "Timeline") -> list[str]:
    """For every segment the name of its interface, where the flow was seen at more than one."""
    numbers, names = timeline.packets.interface.tolist(), timeline.summary.interfaces
    if len(set(numbers)) < 2:
        return [""] * len(numbers)
    return [names[number] if 0 <= number < len(names) else "" for number in numbers]


def _states(step: Step, side: int) -> list[Piece]:
    return [_state(change) for change in step.changes if change.side == side]


def _state(change: Any) -> Piece:
    name = STATE_TEXTS[change.to_state]
    if change.unexpected:
        return Piece(f"{name}!", "odd")
    return Piece(f"({name})", "dim") if change.inferred else Piece(name, "title")


def _longest(timeline: "Timeline") -> Rung:
    """A rung that is no rung: the last frame and time, and every state, for the widths of later rungs."""
    flow, frames = flow_of(timeline), timeline.packets.frame
    changes = list(records(timeline.analysis.transition_table))
    client, server = ([_state(change) for change in changes if change.side == side] for side in (0, 1))
    span = Piece("" if flow.start_ns == NO_TIME else milliseconds(flow.end_ns - flow.start_ns))
    return Rung(Piece(str(frames[-1])), span, client, Piece(""), [], server)


def _widths(rungs: Sequence[Rung], width: int | None) -> Widths:
    """Wide enough for these rungs; on a screen the segment gets what the other columns leave."""
    frame = widest(rung.frame.text for rung in rungs)
    time = widest(rung.time.text for rung in rungs)
    segment = widest("".join(piece.text for piece in wrapped(rung.segment, None)[0]) for rung in rungs)
    client = widest(piece.text for rung in rungs for piece in rung.client)
    server = widest(piece.text for rung in rungs for piece in rung.server)
    if width is not None:
        left = width - frame - time - client - server - len("→") - 5 * len(GAP)
        segment = min(segment, max(left, KIND_WIDTH + 5))
    return Widths(frame, time, client, segment, server)


def _write_rung(screen: Screen, rung: Rung, widths: Widths) -> None:
    """One rung, on as many lines as its states and its segment's words need."""
    lines = wrapped(rung.segment, None if screen.width is None else widths.segment, hanging=" " * 2)
    nothing = Piece("")
    stacks: Any = zip_longest([rung.frame], [rung.time], rung.client, [rung.arrow], rung.server, lines)
    for frame, time, client, arrow, server, line in stacks:
        segment = line or []
        space = Piece(" " * (widths.segment - sum(text_width(piece.text) for piece in segment)))
        screen.line(
            (frame or nothing).padded(widths.frame, right=True),
            Piece(GAP),
            (time or nothing).padded(widths.time, right=True),
            Piece(GAP),
            (client or nothing).padded(widths.client),
            Piece(GAP),
            (arrow or nothing).padded(len("→")),
            Piece(GAP),
            *segment,
            space,
            Piece(GAP),
            server or nothing,
        )
