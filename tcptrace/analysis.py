"""The pipelines: a capture in, tables out. Each is a dozen lines; the rooms below do the work."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace import analysis_json
from tcptrace import flows as f
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.reader import CaptureReader, open_capture
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.diagnose import diagnose, numbered
from tcptrace.diagnosis.gather import gather
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.wanted import ALL, Wanted
from tcptrace.errors import UsageError
from tcptrace.kernels import Notice
from tcptrace.rows import chosen, distinct, joined
from tcptrace.schema import I64, NO_TIME, Flows, Packets, Segments, Transitions
from tcptrace.selection import EVERYTHING, Selection
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.joined_flows import joined_flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table

if TYPE_CHECKING:
    import pandas as pd


def _silent(text: str) -> None:
    """Take a notice and tell nobody."""


@dataclass(frozen=True)
class Analysis:
    """What came of one or more captures. The tables are numpy columns; pandas is a property away."""

    summaries: tuple[CaptureSummary, ...]
    """One for each capture, in the order given."""
    books: tuple[AddressBook, ...]
    """The addresses of each capture, by the numbers the tables use."""
    flow_table: Flows
    transition_table: Transitions
    measured: tuple[Measured, ...]
    """What else is known of the flows of each capture."""
    found: tuple[Finding, ...] = ()
    """What went wrong, by capture, the worst first."""
    lacking: str = ""
    """What the selection names, a flow or a host, and the capture does not know, as a message; empty if nothing."""

    @property
    def captures(self) -> "pd.DataFrame":
        """One row a capture: path, format, frames, tcp_frames, start, end, problems, ..."""
        from tcptrace import dataframes

        return dataframes.captures(self.summaries)

    @property
    def flows(self) -> "pd.DataFrame":
        """One row a flow: endpoints and states as text, start and end as timestamps (UTC), all that was measured."""
        from tcptrace import dataframes

        return dataframes.flows(self.books, self.flow_table, self.measured)

    @property
    def transitions(self) -> "pd.DataFrame":
        """One row a change of an endpoint's state, in order of capture, flow and time."""
        from tcptrace import dataframes

        return dataframes.transitions(self.transition_table)

    @property
    def findings(self) -> "pd.DataFrame":
        """One row a finding: rule, severity, confidence, capture, flows, frames, summary, cause, ..."""
        from tcptrace import dataframes

        return dataframes.findings(self.found)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document `tcptrace.analysis/1` as plain dicts, lists, ints and strings."""
        return analysis_json.document(self)


@dataclass(frozen=True)
class Timeline:
    """One flow of a capture: every segment, and both endpoints' states."""

    summary: CaptureSummary
    book: AddressBook
    analysis: Analysis
    """Of the one flow."""
    packets: Packets
    segments: Segments
    """Row for row beside `packets`."""


def analyze(
    *paths: str | Path, selection: Selection = EVERYTHING, wanted: Wanted = ALL, notice: Notice = _silent
) -> Analysis:
    """Read captures and rebuild the state of both endpoints of every flow.

    A path is a capture file, compressed or not, text printed by tcpdump, or `-` for standard
    input. `notice` is told in one line when something takes time. Raises CaptureError when a
    capture cannot be read at all; one that is cut short is read up to the cut, and its summary
    says so. `wanted` says which findings, and by which thresholds.
    Raises UsageError when the selection names a flow or a host that none of them knows.
    """
    if not paths:
        raise UsageError("no capture given")
    parts = list(known_in_one(analyze_one(path, selection, wanted, notice) for path in paths))
    return Analysis(
        tuple(part.summaries[0] for part in parts),
        tuple(part.books[0] for part in parts),
        joined([_numbered(part.flow_table, i) for i, part in enumerate(parts)]),
        joined([_numbered(part.transition_table, i) for i, part in enumerate(parts)]),
        tuple(part.measured[0] for part in parts),
        tuple(replace(finding, capture=i) for i, part in enumerate(parts) for finding in part.found),
    )


def analyze_one(
    path: str | Path,
    selection: Selection = EVERYTHING,
    wanted: Wanted = ALL,
    notice: Notice = _silent,
    *,
    statistics: bool = True,
    zeek: bool = True,
) -> Analysis:
    """As `analyze`, of one of several captures: what it lacks, another may know.

    It takes less time without `statistics`, the sums of each direction, and without `zeek`, its history.
    """
    tracker = Tracker(statistics=statistics, zeek=zeek)
    with open_capture(path, notice) as reader:
        for _ in _track(reader, tracker):
            pass
    return _with_application(_results(reader, tracker, selection, wanted), wanted, notice)


def known_in_one(analyses: Iterable[Analysis]) -> Iterator[Analysis]:
    """The same, held back until one lacks nothing. Raises UsageError when none does."""
    source = iter(analyses)
    held: list[Analysis] = []
    for analysis in source:
        held.append(analysis)
        if not analysis.lacking:
            break
    else:
        if held:
            raise UsageError(held[0].lacking)
    yield from held
    yield from source


def timeline(path: str | Path, flow: int, wanted: Wanted = ALL, *, notice: Notice = _silent) -> Timeline:
    """Every segment of one flow beside both endpoints' states.

    Raises CaptureError, and UsageError when the capture has no flow of that number.
    """
    tracker = Tracker()
    kept: list[tuple[Packets, Segments]] = []
    with open_capture(path, notice) as reader:
        for packets, segments in _track(reader, tracker):
            rows = np.flatnonzero((segments.flow == flow) & (packets.quoted == 0))
            if len(rows):
                kept.append((chosen(packets, rows), chosen(segments, rows)))
        _tell_problems(reader, notice)
    analysis = _results(reader, tracker, Selection(flow=flow), wanted)
    if not kept:
        raise UsageError(_no_flow(reader, tracker, flow))
    analysis = _with_application(analysis, wanted, notice)
    packets, segments = joined([rows[0] for rows in kept]), joined([rows[1] for rows in kept])
    return Timeline(reader.summary, reader.addresses, analysis, packets, segments)


def packets(
    path: str | Path, selection: Selection = EVERYTHING, *, notice: Notice = _silent
) -> Iterator[tuple[Packets, Segments, AddressBook, list[str]]]:
    """Every TCP frame of a capture, chunk by chunk, with the addresses and the interfaces' names that they number.

    The arrays are valid until the next chunk.

    Raises CaptureError, and at the end UsageError when the selection names a flow or a host that
    the capture does not know.
    """
    tracker = Tracker()
    with open_capture(path, notice) as reader:
        for rows, segments in _track(reader, tracker):
            index = selection.packet_rows(rows, segments, reader.addresses, reader.summary.start_ns)
            if len(index):
                yield chosen(rows, index), chosen(segments, index), reader.addresses, reader.summary.interfaces
        _tell_problems(reader, notice)
    if lacking := _lacking(reader, tracker, selection):
        raise UsageError(lacking)


def frames_of(path: str | Path, flows: Sequence[int], notice: Notice = _silent) -> I64:
    """Numbers of the frames of some flows, ICMP errors that quote their segments among them, ascending."""
    tracker = Tracker(statistics=False, zeek=False)
    found, numbers = [np.empty(0, np.int64)], np.asarray(flows, np.int64)
    with open_capture(path, notice) as reader:
        for packets, segments in _track(reader, tracker):
            found.append(packets.frame[np.isin(segments.flow, numbers)].astype(np.int64))
    return distinct(np.concatenate(found))


def _track(reader: CaptureReader, tracker: Tracker) -> Iterator[tuple[Packets, Segments]]:
    """Take a capture through the tracker; yields every chunk with what became of it."""
    for chunk in reader.chunks():
        yield chunk.packets, tracker.take(chunk)
    end_ns = reader.summary.end_ns
    tracker.finish(NO_TIME if end_ns is None else end_ns)


def _results(reader: CaptureReader, tracker: Tracker, selection: Selection, wanted: Wanted) -> Analysis:
    client, guessed = client_sides(tracker)
    transitions = transition_table(tracker, client)
    flows = flow_table(tracker, client, guessed)
    reader.summary.flows = len(flows.flow)
    measured = Measured(tracker, client, joined_flows(tracker, client))
    evidence = gather(reader.summary, reader.addresses, measured, flows, transitions)
    found = wanted.chosen(numbered(diagnose(evidence, wanted.settings)))
    if selection != EVERYTHING:
        flows = chosen(flows, selection.flow_rows(flows, reader.addresses, reader.summary.start_ns))
        found = tuple(
            finding for finding in found if not len(finding.flows) or np.isin(finding.flows, flows.flow).any()
        )
        transitions = chosen(transitions, np.flatnonzero(np.isin(transitions.flow, flows.flow)))
    lacking = _lacking(reader, tracker, selection)
    return Analysis((reader.summary,), (reader.addresses,), flows, transitions, (measured,), found, lacking)


def _with_application(analysis: Analysis, wanted: Wanted, notice: Notice) -> Analysis:
    """The analysis of one capture; its findings with what the application said, if that is wanted."""
    if not wanted.decode:
        return analysis
    from tcptrace.application.decode import decoded

    return replace(analysis, found=decoded(analysis.found, analysis.summaries[0], analysis.flow_table, notice))


def _numbered(table: Any, capture: int) -> Any:
    """The table of one capture, as that of the capture of that index."""
    table.capture[:] = capture
    return table


def _tell_problems(reader: CaptureReader, notice: Notice) -> None:
    """Where the result does not carry the summary, say what is wrong with the capture."""
    for problem in reader.summary.problems:
        notice(f"{reader.summary.path}: {problem}")


def _lacking(reader: CaptureReader, tracker: Tracker, selection: Selection) -> str:
    """What the selection names and the capture does not know, as a message; empty if nothing."""
    if selection.flow is not None:
        row = tracker.flows.rows[selection.flow * f.WIDTH :][: f.WIDTH]
        if selection.flow >= tracker.flow_count or row[f.FRAMES_0] + row[f.FRAMES_1] == 0:
            return _no_flow(reader, tracker, selection.flow)
    return selection.unknown_host(reader.addresses)


def _no_flow(reader: CaptureReader, tracker: Tracker, flow: int) -> str:
    count = tracker.flow_count
    there = f"its flow numbers are 0 to {count - 1}" if count else "it holds no flow"
    return f"{reader.summary.path}: no flow {flow}\n  {there}"
