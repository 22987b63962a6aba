"""All rules over several points: each point's findings told once a connection, path rules asked, symptoms folded.

Path rules are asked first, and of the rules of one capture those flows are left out that a path rule explains, where
such a rule tells of many flows at once. What a point's capture tells alone then belongs to connections; what other
points disprove is withdrawn (across.py). A finding whose cause another one of the same connection tells becomes its
symptom, and many that are alike are told as one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from tcptrace.diagnosis.across import CAPTURE, Places, across
from tcptrace.diagnosis.diagnose import ALIKE_MAX, EXAMPLES, explains, found_in
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.registry import BY_NAME, PATH_RULES
from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.diagnosis.settings import Settings, thresholds
from tcptrace.schema import I64


def diagnose_paths(evidence: PathEvidence, settings: Settings) -> tuple[Finding, ...]:
    """What is wrong with connections over several points, the worst first."""
    on_path: list[Finding] = []
    for module in PATH_RULES:
        on_path += module.check_path(evidence, thresholds(module.RULE.name, settings))
    places = Places(evidence)
    at_points = [
        found_in(capture, settings, _explained(on_path, places, number))
        for number, capture in enumerate(evidence.captures)
    ]
    recordings = {point.name: point.recording for point in evidence.points}
    told = _as_one(_folded([*on_path, *_not_told_before(across(places, at_points), on_path, recordings)]))
    return tuple(sorted(told, key=lambda finding: SEVERITIES.index(finding.severity)))


def _explained(on_path: Sequence[Finding], places: Places, recording: int) -> dict[str, I64]:
    """By rule, the flows of a recording whose findings path rules explain."""
    found: dict[str, set[int]] = defaultdict(set)
    for finding in on_path:
        for symptom in BY_NAME[finding.rule].RULE.explains:
            found[symptom].update(finding.connections)
    return {rule: places.flows(recording, connections) for rule, connections in found.items()}


def _not_told_before(
    found: Iterable[Finding], on_path: Sequence[Finding], recordings: Mapping[str, int]
) -> Iterator[Finding]:
    """Findings of the points, but for those of a rule that tells the same by several points.

    What is told of a capture must be of the same one.
    """
    told: set[tuple[str, int, int | None]] = set()
    for finding in on_path:
        of: set[int | None] = {recordings[name] for name in _points(finding)}
        for connection in finding.connections:
            told |= {(finding.rule, connection, recording) for recording in of | {None}}
    for finding in found:
        recording = finding.capture if BY_NAME[finding.rule].RULE.family == CAPTURE else None
        if not finding.connections or not all((finding.rule, one, recording) in told for one in finding.connections):
            yield finding


def _points(finding: Finding) -> set[str]:
    """The points whose frames a finding names."""
    return {name for name in (finding.point, *(point for point, _ in finding.evidence_frames)) if name is not None}


def _folded(found: Sequence[Finding]) -> Iterator[Finding]:
    """Findings without those that others explain in all their connections; those name them as symptoms."""
    beside: dict[int, list[Finding]] = defaultdict(list)
    for finding in found:
        for connection in finding.connections:
            beside[connection].append(finding)
    for finding in found:
        causes = [any(_explains(other, finding) for other in beside[one]) for one in finding.connections]
        if causes and all(causes):
            continue
        near = {id(other): other for one in finding.connections for other in beside[one]}
        explained = [other for other in near.values() if _explains(finding, other)]
        symptoms = [rule for other in explained for rule in (other.rule, *other.symptoms)]
        yield replace(finding, symptoms=tuple(dict.fromkeys((*finding.symptoms, *symptoms))))


def _explains(cause: Finding, symptom: Finding) -> bool:
    """Whether a finding about the same connection is a symptom; what a capture lacks explains what is seen in it."""
    is_near = BY_NAME[cause.rule].RULE.family != CAPTURE or symptom.point in _points(cause)
    return is_near and explains(cause, symptom)


def _as_one(found: Iterable[Finding]) -> Iterator[Finding]:
    """Findings, those that are many and alike as one with a count and examples."""
    groups: dict[object, list[Finding]] = defaultdict(list)
    for finding in found:
        key = (finding.rule, finding.severity, finding.alike, finding.point)
        groups[key if finding.alike and finding.connections else id(finding)].append(finding)
    for group in groups.values():
        if len(group) <= ALIKE_MAX:
            yield from group
        else:
            yield _merged(group)


def _merged(group: Sequence[Finding]) -> Finding:
    """Findings that are alike as one, told by the surest of them."""
    surest = max(group, key=lambda finding: finding.confidence)
    examples = [surest, *(finding for finding in group if finding is not surest)][:EXAMPLES]
    connections = tuple(np.unique(np.concatenate([finding.connections for finding in group])).tolist())
    frames: dict[str, dict[int, None]] = defaultdict(dict)
    for point, several in chain.from_iterable(finding.evidence_frames for finding in examples):
        frames[point].update(dict.fromkeys(several))
    return replace(
        surest,
        summary=f"{len(connections):,} connections alike. One of them: {surest.summary}",
        frames=tuple(dict.fromkeys(chain.from_iterable(finding.frames for finding in examples))),
        flows=(),
        connections=connections,
        evidence_frames=tuple((point, tuple(several)) for point, several in frames.items()),
        symptoms=tuple(dict.fromkeys(chain.from_iterable(finding.symptoms for finding in group))),
    )
