"""What the captures of a case show, in one form for captures analyzed alone and for points of one path."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tcptrace.analysis import Analysis, analyze_one
from tcptrace.analysis_json import flow_batches
from tcptrace.capture.address_book import AddressBook
from tcptrace.check.case_file import Case
from tcptrace.check.limits import Capture, Shown
from tcptrace.correlation.recording import Recording
from tcptrace.correlation_json import connection_batches
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.settings import Settings
from tcptrace.diagnosis.wanted import Wanted
from tcptrace.joint_analysis import Correlation, correlate
from tcptrace.rows import places
from tcptrace.schema import Flows

FLOWS_NAMED = 8
"""A finding about more flows is known by whom they call."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A finding of a case, in words that do not need its tables."""

    finding: Finding
    """Of its flows the first."""
    capture: str
    """Path of the capture that shows it."""
    between: str
    """`10.0.0.1:40000 → 10.0.0.9:80`."""
    number: str
    """`flow 3`, `connection 0 at lvs:eth0`."""
    ends: tuple[str, ...]
    """Whose connections it is about; with rule and place what makes it the same finding another day."""
    place: str
    """File name of its capture; of a connection over several points the point, or nothing."""
    look: str
    """The command to look closer."""


@dataclass(frozen=True)
class Group:
    """Flows of one capture, or the connections over all points."""

    path: str
    count: int
    items: Sequence[Json]
    """As in JSON; empty where no one asks for them."""
    noun: str
    """`flow` or `connection`."""
    conversations: int
    """Flows that are one conversation count once."""


@dataclass(frozen=True)
class Sight:
    """All that a case shows."""

    findings: tuple[Seen, ...]
    groups: tuple[Group, ...]
    shown: Shown
    look: str
    """The command that shows everything."""

    @cached_property
    def rules(self) -> set[str]:
        """Those that have found something, be it told as a symptom in another's finding."""
        return {rule for seen in self.findings for rule in (seen.finding.rule, *seen.finding.symptoms)}


def look_at(case: Case, settings: Settings, *, with_flows: bool) -> Sight:
    """Read the captures of a case. Raises CaptureError for one that cannot be read at all."""
    wanted = Wanted(settings=settings)
    if case.points:
        return _together(case, correlate({point: [*paths] for point, paths in case.points.items()}, wanted=wanted))
    analyses = [analyze_one(path, wanted=wanted, statistics=False, zeek=with_flows) for path in case.captures]
    return _alone(case, analyses, with_flows=with_flows)


def _alone(case: Case, analyses: Sequence[Analysis], *, with_flows: bool) -> Sight:
    findings: list[Seen] = []
    groups, captures = [], []
    for path, analysis in zip(case.captures, analyses, strict=True):
        flows, (book,), (measured,) = analysis.flow_table, analysis.books, analysis.measured
        findings += (_seen_alone(finding, path, flows, book) for finding in analysis.found)
        items = [flow for batch in flow_batches(analysis) for flow in batch] if with_flows else []
        joined = int(np.count_nonzero(measured.joined.of(flows.flow)[0] >= 0)) // 2
        groups.append(Group(path, len(flows.flow), items, "flow", len(flows.flow) - joined))
        captures.append(Capture(path, flows, measured))
    words = " ".join(map(shlex.quote, case.captures))
    return Sight(tuple(findings), tuple(groups), Shown(captures, ()), f"tcptrace analyze {words}")


def _seen_alone(finding: Finding, path: str, flows: Flows, book: AddressBook) -> Seen:
    ends = _ends(finding, flows, book)
    if len(finding.flows):
        look = f"tcptrace timeline {shlex.quote(path)} --flow {finding.flows[0]}"
    else:
        look = f"tcptrace analyze {shlex.quote(path)}"
    name = path.replace("\\", "/").rpartition("/")[2]
    return Seen(_slim(finding), path, _between(ends), _flows(finding), ends, name, look)


def _together(case: Case, correlation: Correlation) -> Sight:
    items = [item for batch in connection_batches(correlation) for item in batch]
    for item in items:
        if director := item["director"]:
            director["state"] = director["timeline"][-1]["to"] if director["timeline"] else None
    look = f"tcptrace correlate {shlex.quote(case.path)}"
    group = Group(case.path, len(items), items, "connection", len(items))
    captures = [
        Capture(recording.paths[0], recording.flows, recording.measured) for recording in correlation.recordings
    ]
    findings = tuple(_seen_together(finding, correlation, look) for finding in correlation.found)
    return Sight(findings, (group,), Shown(captures, correlation.connections), look)


def _seen_together(finding: Finding, correlation: Correlation, look: str) -> Seen:
    recording = _recording(finding, correlation)
    if finding.connection is None:
        ends = _ends(finding, recording.flows, recording.book)
        number = ""
    else:
        (one,) = (told for told in correlation.connections if told.connection == finding.connection)
        ends = (f"{one.client} → {one.server}",)
        number, look = f"connection {one.connection}", f"{look} --connection {one.connection}"
    at = f"at {finding.point}" if finding.point else ""
    told = " ".join(filter(None, (number, at)))
    place = "" if finding.connection is not None else finding.point or ""
    return Seen(_slim(finding), recording.paths[0], _between(ends), told, ends, place, look)


def _recording(finding: Finding, correlation: Correlation) -> Recording:
    """Of the point at which a finding was made; of several that of the first."""
    names = [finding.point, *(point for point, _ in finding.evidence_frames)]
    of_point = {point.name: point.recording for point in correlation.points}
    known = (of_point[name] for name in names if name in of_point)
    return correlation.recordings[next(known, finding.capture)]


def _ends(finding: Finding, flows: Flows, book: AddressBook) -> tuple[str, ...]:
    """`client → server` of each flow, of many the servers alone."""
    rows = places(flows.flow, finding.flows)
    if len(rows) > FLOWS_NAMED:
        return tuple(f"→ {end}" for end in sorted(set(_side(flows, rows, "server", book))))
    clients, servers = _side(flows, rows, "client", book), _side(flows, rows, "server", book)
    return tuple(sorted(f"{client} → {server}" for client, server in zip(clients, servers, strict=True)))


def _side(flows: Flows, rows: Any, side: str, book: AddressBook) -> Iterator[str]:
    numbers, ports = (getattr(flows, name)[rows] for name in (side, f"{side}_port"))
    pairs = np.unique(np.stack([numbers, ports]), axis=1) if len(rows) > FLOWS_NAMED else np.stack([numbers, ports])
    return (book.endpoint(number, port) for number, port in pairs.T.tolist())


def _between(ends: tuple[str, ...]) -> str:
    more = f" and {len(ends) - 2} more" if len(ends) > 2 else ""
    return ", ".join(ends[:2]) + more


def _flows(finding: Finding) -> str:
    if finding.flow is not None:
        return f"flow {finding.flow}"
    return f"{len(finding.flows):,} flows" if len(finding.flows) else "the whole capture"


def _slim(finding: Finding) -> Finding:
    """Without the numbers of a million flows, which would have to go from process to process."""
    return replace(finding, flows=tuple(int(flow) for flow in finding.flows[:FLOWS_NAMED]))
