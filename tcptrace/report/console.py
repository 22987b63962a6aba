"""Reports for people: a summary and the table of flows, the ladder of one flow, packets line by line."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.report.findings import tally as tally_findings
from tcptrace.report.findings import write_findings
from tcptrace.report.flow_table import write_flow_table
from tcptrace.report.flow_view import write_flow
from tcptrace.report.joined_words import joined_lines
from tcptrace.report.ladder import write_ladder
from tcptrace.report.outcome import most_telling, outcomes, tally
from tcptrace.report.packet_columns import Chunk
from tcptrace.report.packet_lines import write_packet_lines
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import count, duration, moment, time_of_day
from tcptrace.report.view import View
from tcptrace.rows import chosen, of_capture
from tcptrace.schema import Flows
from tcptrace.tcp.joined_flows import Joined

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis, Timeline

NAMES_TOLD = 6
"""Names of addresses in a summary."""
LISTED = 30
"""Interfaces, link types, or kinds of frames that are no TCP."""


def write_analyses(analyses: Iterable["Analysis"], out: TextIO, view: View) -> None:
    """Each capture as soon as it has been read: what it is, its most telling flows, what became of all.

    A flow that was asked for by its number is shown in full instead.
    """
    screen = Screen.on(out, color=view.color)
    first = True
    for analysis in analyses:
        for capture, (summary, book) in enumerate(zip(analysis.summaries, analysis.books, strict=True)):
            if not first:
                screen.line()
            first = False
            flows = of_capture(analysis.flow_table, capture)
            write_summary(screen, summary, len(flows.flow), utc=view.utc)
            write_names(screen, flows, book)
            found = [finding for finding in analysis.found if finding.capture == capture]
            write_findings(screen, found, flows, book, top=view.top)
            full = view.full and len(flows.flow) == 1
            if full:
                screen.line()
                write_flow(screen, flows, book, summary, analysis.measured[capture], utc=view.utc)
            else:
                write_flows(screen, flows, book, analysis.measured[capture].joined, top=view.top)
            if found:
                if full or len(flows.flow) == 0:
                    screen.line()
                screen.line(Piece(tally_findings(found), "title"))
            out.flush()


def write_timeline(timeline: "Timeline", out: TextIO, view: View) -> None:
    """One flow as a ladder: every segment between the states of its two ends."""
    write_ladder(Screen.on(out, color=view.color), timeline, view)


def write_packets(path: str, chunks: Iterable[Chunk], out: TextIO, view: View) -> None:
    """One line a TCP frame."""
    write_packet_lines(Screen.on(out, color=view.color), chunks, view)


def write_summary(screen: Screen, summary: CaptureSummary, flows: int, *, utc: bool) -> None:
    """What a capture is, in a line a question."""
    screen.line(Piece(summary.path, "title"))
    screen.fact("format", _listed([summary.format, *summary.link_types]))
    screen.fact("time", _time(summary, utc))
    chosen = f", {flows:,} of them chosen" if flows < summary.flows else ""
    screen.fact("TCP", f"{count(summary.tcp_frames, 'frame')} in {count(max(summary.flows, flows), 'flow')}{chosen}")
    others = sorted(summary.other_frames.items(), key=lambda item: -item[1])
    if others:
        screen.fact("other", _listed([f"{number:,} {name}" for name, number in others]))
    if any(summary.interfaces):
        screen.fact("interfaces", _listed([name or "(no name)" for name in summary.interfaces]))
    for problem in summary.problems or ["the file ends before its end"] * summary.truncated:
        screen.fact("warning", problem, "odd")


def write_names(screen: Screen, flows: Flows, book: AddressBook) -> None:
    """What the ends of these flows are called, as far as the capture tells."""
    if not book.called:
        return
    texts = map(book.text, np.union1d(flows.client, flows.server).tolist())
    named = [f"{text} {book.called[text]}" for text in texts if text in book.called]
    more = f" and {len(named) - NAMES_TOLD:,} more: --format json" if len(named) > NAMES_TOLD else ""
    if named:
        screen.fact("names", ", ".join(named[:NAMES_TOLD]) + more)


def write_flows(screen: Screen, flows: Flows, book: AddressBook, joined: Joined, *, top: int) -> None:
    """The `top` most telling flows as a table, and a line that counts all."""
    total = len(flows.flow)
    if total == 0:
        return
    rank = outcomes(flows)
    shown = most_telling(flows, rank, top)
    screen.line()
    write_flow_table(screen, chosen(flows, shown), rank[shown], book)
    if total > len(shown):
        screen.line(Piece(f"… and {count(total - len(shown), 'more flow')}: --top, --format csv", "dim"))
    screen.line()
    parts = [Piece(f"{count(total, 'flow')}:", "title")]
    for outcome, number in tally(rank):
        parts.append(Piece(f"{number:,} {outcome.counted},", outcome.style))
    parts[-1] = Piece(parts[-1].text.rstrip(","), parts[-1].style)
    screen.flow(parts)
    if midstream := int(np.count_nonzero(flows.midstream)):
        text = f"{count(midstream, 'flow')} began before the capture: which end is the client is a guess"
        screen.paragraph(text, style="dim")
    for text in joined_lines(joined, flows.flow):
        screen.paragraph(text, style="dim")


def _listed(texts: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(texts) - LISTED:,} more: --format json" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more


def _time(summary: CaptureSummary, utc: bool) -> str:
    """`2,048 frames in 1.042 s from 2024-05-01 14:03:11.250 CEST`."""
    frames = count(summary.frames, "frame")
    if summary.start_ns is None or summary.end_ns is None:
        return f"{frames}, no time" if summary.frames else frames
    start = (
        moment(summary.start_ns, utc=utc) if summary.dated else time_of_day(summary.start_ns, utc=True) + ", no date"
    )
    return f"{frames} in {duration(summary.end_ns - summary.start_ns)} from {start}"
