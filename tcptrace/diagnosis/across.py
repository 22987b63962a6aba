"""What the points found each for itself, told once for each connection.

A finding about a connection is believed from a point that saw both directions of it; one that only a point of one
direction makes is withdrawn where another point saw both and found nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tcptrace.correlation.recording import Recording
from tcptrace.correlation.result import Connection, Leg, Points
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import Finding
from tcptrace.schema import I64, UNKNOWN

CAPTURE = "capture"
"""The family of rules about a recording itself, which each point tells for itself."""


class Places:
    """Which connection each flow of each recording belongs to, and which of its points saw both directions."""

    def __init__(self, points: Points, recordings: Sequence[Recording], connections: Sequence[Connection]) -> None:
        self._points, self._recordings = points, recordings
        self._of_flow = [np.full(int(r.flows.flow.max(initial=-1)) + 1, UNKNOWN) for r in recordings]
        self._legs: dict[tuple[int, int], list[Leg]] = defaultdict(list)
        self._whole: set[int] = set()
        for connection in connections:
            for leg in connection.legs:
                recording = points[leg.point].recording
                self._of_flow[recording][leg.flow] = connection.connection
                self._legs[recording, leg.flow].append(leg)
                if self.sees_both(recording, leg.flow):
                    self._whole.add(connection.connection)

    def connections(self, recording: int, flows: Sequence[int]) -> tuple[int, ...]:
        """The connections that flows of a recording belong to."""
        numbers: I64 = np.unique(self._of_flow[recording][np.asarray(flows, np.int64)])
        return tuple(number for number in numbers.tolist() if number != UNKNOWN)

    def sees_both(self, recording: int, flow: int) -> bool:
        """Whether a recording has segments of both sides of a flow."""
        flows = self._recordings[recording].flows
        row = int(np.searchsorted(flows.flow, flow))
        return bool(flows.client_frames[row] > 0 and flows.server_frames[row] > 0)

    def is_seen_whole(self, connection: int) -> bool:
        """Whether some point saw both directions of a connection."""
        return connection in self._whole

    def point(self, recording: int, flows: Sequence[int]) -> str:
        """The name of the point at which a finding was made."""
        legs = self._legs.get((recording, int(flows[0])), []) if len(flows) else []
        return self._points[legs[0].point].name if legs else self._name(recording)

    def _name(self, recording: int) -> str:
        names = [point.name for point in self._points if point.recording == recording]
        return names[0] if len(names) == 1 else names[0].partition(":")[0] if names else "?"


def across(places: Places, found: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    """The findings of each recording as those of connections."""
    alike: dict[object, list[tuple[int, Finding]]] = defaultdict(list)
    for recording, findings in enumerate(found):
        for finding in findings:
            connections = places.connections(recording, finding.flows)
            own = BY_NAME[finding.rule].RULE.family == CAPTURE or not connections
            alike[(finding.rule, recording, id(finding)) if own else (finding.rule, connections)].append(
                (recording, finding)
            )
    return tuple(finding for several in alike.values() for finding in _told(places, several))


def _told(places: Places, several: list[tuple[int, Finding]]) -> Iterator[Finding]:
    """One finding of those that the points make of the same, if any of them may be believed."""
    recording, finding = several[0]
    connections = places.connections(recording, finding.flows)
    if BY_NAME[finding.rule].RULE.family != CAPTURE and len(connections) == 1:
        whole = [(r, f) for r, f in several if any(places.sees_both(r, flow) for flow in f.flows)]
        if not whole and places.is_seen_whole(connections[0]):
            return
        several = whole or several
    recording, finding = max(several, key=lambda pair: pair[1].confidence)
    frames = tuple((places.point(r, f.flows), f.frames) for r, f in several)
    yield replace(
        finding,
        capture=recording,
        point=places.point(recording, finding.flows),
        connection=connections[0] if len(connections) == 1 else None,
        evidence_frames=frames if len(frames) > 1 else (),
    )
