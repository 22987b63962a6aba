"""What the points found each for itself, told once for each connection.

A finding about a connection is believed from a point that saw both directions of it; one that only a point of one
direction makes is withdrawn where another point saw both and found nothing. Others are withdrawn for what several
points know together (WITHDRAWN).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tcptrace.correlation.result import Connection, Leg
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.registry import BY_NAME
from tcptrace.diagnosis.rule import Finding
from tcptrace.schema import I64, UNKNOWN

CAPTURE = "capture"
"""The family of rules about a recording itself, which each point tells for itself."""


class Places:
    """Which connection each flow of each recording belongs to, and which of its points saw both directions."""

    def __init__(self, evidence: PathEvidence) -> None:
        self.evidence = evidence
        self._of_flow = [np.full(int(c.all_flows.flow.max(initial=-1)) + 1, UNKNOWN) for c in evidence.captures]
        self._legs: dict[tuple[int, int], Leg] = {}
        self._sides: dict[int, int] = defaultdict(int)
        self._whole: set[int] = set()
        for connection in evidence.connections:
            for leg in connection.legs:
                recording = evidence.points[leg.point].recording
                self._of_flow[recording][leg.flow] = connection.connection
                self._legs.setdefault((recording, leg.flow), leg)
                self._sides[connection.connection] |= self._seen(recording, leg.flow)
                if self.sees_both(recording, leg.flow):
                    self._whole.add(connection.connection)

    def connections(self, recording: int, flows: Sequence[int]) -> tuple[int, ...]:
        """The connections that flows of a recording belong to."""
        numbers: I64 = np.unique(self._of_flow[recording][np.asarray(flows, np.int64)])
        return tuple(number for number in numbers.tolist() if number != UNKNOWN)

    def flows(self, recording: int, connections: Collection[int]) -> I64:
        """The flows of a recording that belong to some connections, by number."""
        found: I64 = np.flatnonzero(np.isin(self._of_flow[recording], list(connections)))
        return found

    def sees_both(self, recording: int, flow: int) -> bool:
        """Whether a recording has segments of both sides of a flow."""
        return self._seen(recording, flow) == 3

    def _seen(self, recording: int, flow: int) -> int:
        """1 for the client's segments, 2 for the server's, 3 for both."""
        flows = self.evidence.captures[recording].all_flows
        row = int(np.searchsorted(flows.flow, flow))
        return int(flows.client_frames[row] > 0) | int(flows.server_frames[row] > 0) << 1

    def is_seen_whole(self, connection: int) -> bool:
        """Whether some point saw both directions of a connection."""
        return connection in self._whole

    def is_seen_in_parts(self, connection: int) -> bool:
        """Whether the points together saw both directions."""
        return self._sides[connection] == 3

    def point(self, recording: int, flows: Sequence[int]) -> str:
        """The name of the point at which a finding was made."""
        leg = self._legs.get((recording, int(flows[0]))) if len(flows) else None
        return self.evidence.name(leg.point) if leg else self._name(recording)

    def _name(self, recording: int) -> str:
        names = [point.name for point in self.evidence.points if point.recording == recording]
        return names[0] if len(names) == 1 else names[0].partition(":")[0] if names else "?"


@dataclass(frozen=True)
class _Made:
    """A finding that a recording makes by itself, and the connections that it may be believed of."""

    recording: int
    finding: Finding
    connections: tuple[int, ...]


def across(places: Places, found: Sequence[Sequence[Finding]]) -> Iterator[Finding]:
    """The findings of each recording as those of connections."""
    alike: dict[object, list[_Made]] = defaultdict(list)
    for recording, findings in enumerate(found):
        for finding in findings:
            made = _Made(recording, finding, places.connections(recording, finding.flows))
            if BY_NAME[finding.rule].RULE.family == CAPTURE or not made.connections:
                yield from _of_capture(places, made)
            elif left := _believed(places, made):
                alike[finding.rule, finding.sender].append(replace(made, connections=left))
    for several in alike.values():
        yield from _told(places, several)


def _of_capture(places: Places, made: _Made) -> Iterator[Finding]:
    """What a recording tells of itself; that it has one side only is no news where other points have the other."""
    is_half = made.finding.rule == "one-sided-capture" and len(made.connections) > 0
    if not is_half or not all(map(places.is_seen_in_parts, made.connections)):
        yield _placed(places, [made])


def _believed(places: Places, made: _Made) -> tuple[int, ...]:
    """The connections of which no better point knows otherwise."""
    whole_flows = [flow for flow in made.finding.flows if places.sees_both(made.recording, int(flow))]
    whole = set(places.connections(made.recording, whole_flows))
    disproves = WITHDRAWN.get(made.finding.rule)
    return tuple(
        one
        for one in made.connections
        if (one in whole or not places.is_seen_whole(one))
        and not (disproves and disproves(places.evidence.connections[one]))
    )


def _told(places: Places, several: Sequence[_Made]) -> Iterator[Finding]:
    """Findings of one rule, as few as tell of all their connections, the surest of those about many first.

    Of equal ones the nearest to the client tells, so that those of many connections are alike.
    """
    about: dict[int, list[_Made]] = defaultdict(list)
    for made in several:
        for connection in made.connections:
            about[connection].append(made)
    told: set[int] = set()
    for made in sorted(
        several, key=lambda made: (-len(made.connections), -made.finding.confidence, _way(places, made))
    ):
        if not told.issuperset(made.connections):
            told.update(made.connections)
            same = {id(other): other for one in made.connections for other in about[one] if other is not made}
            yield _placed(places, [made, *same.values()])


def _way(places: Places, made: _Made) -> int:
    """How many points a recording lies from the client, on the path of its first connection."""
    path = places.evidence.connections[made.connections[0]].path
    recordings = [places.evidence.points[point].recording for points in path for point in points]
    return recordings.index(made.recording) if made.recording in recordings else len(recordings)


def _placed(places: Places, several: Sequence[_Made]) -> Finding:
    """What several recordings find alike as one finding, that of the first."""
    first, finding = several[0], several[0].finding
    frames = tuple((places.point(one.recording, one.finding.flows), one.finding.frames) for one in several)
    origin = _origin(places, finding.rule, first.connections)
    return replace(
        finding,
        capture=first.recording,
        point=frames[0][0],
        connections=first.connections,
        evidence=(*finding.evidence, *origin),
        evidence_frames=frames if len(frames) > 1 else (),
    )


def _origin(places: Places, rule: str, connections: Sequence[int]) -> tuple[str, ...]:
    """Where the RST that a finding is about came into being."""
    origin = places.evidence.connections[connections[0]].reset_origin if len(connections) == 1 else None
    if rule not in ABOUT_RESETS or origin is None:
        return ()
    at = places.evidence.name(origin.point)
    if origin.host and at.partition(":")[0] != origin.host:
        return (f"the RST was sent by {origin.host}: {origin.side}; first seen at {at}", *origin.evidence)
    by = f" by {origin.host}" if origin.host else ""
    return (f"the RST was born at {at}{by}: {origin.side}", *origin.evidence)


def _is_genuine(connection: Connection) -> bool:
    """Whether the first RST was sent by the host in whose name it came."""
    origin = connection.reset_origin
    return origin is not None and origin.side != "middlebox" and origin.host != ""


WITHDRAWN: Mapping[str, Callable[[Connection], bool]] = {"reset-injected": _is_genuine}
"""Rules whose findings something that several points know of the connection disproves."""

ABOUT_RESETS = {
    "connection-refused",
    "idle-timeout",
    "first-data-reset",
    "abortive-close",
    "reset-injected",
    "sidecar-reset",
    "write-after-close",
}
"""Rules whose findings gain by where the RST was born."""
