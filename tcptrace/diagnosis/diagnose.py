"""All rules over one capture: each is asked, symptoms are folded under their cause, many alike are told as one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

import numpy as np

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.registry import BY_NAME, RULES
from tcptrace.diagnosis.rule import SEVERITIES, Finding
from tcptrace.diagnosis.settings import Settings, thresholds
from tcptrace.schema import I64

ALIKE_MAX = 3
"""Findings that say the same of different flows and are still told one by one."""

EXAMPLES = 5
"""Flows whose frames are named where many are told as one."""


def diagnose(evidence: Evidence, settings: Settings) -> tuple[Finding, ...]:
    """What is wrong in a capture, the worst first."""
    told = list(_as_one(found_in(evidence, settings)))
    return tuple(sorted(told, key=lambda finding: (SEVERITIES.index(finding.severity), _first_frame(finding))))


def found_in(
    evidence: Evidence, settings: Settings, elsewhere: Mapping[str, I64] = MappingProxyType({})
) -> list[Finding]:
    """What is wrong in a capture, one by one, in the order of the rules.

    `elsewhere` has by rule the flows, by number, that something outside of this capture explains: these are left out of
    findings that are partly about others.
    """
    found: list[Finding] = []
    for module in RULES:
        name = module.RULE.name
        many = (finding for finding in found if len(finding.flows) > 1 and name in BY_NAME[finding.rule].RULE.explains)
        explained = [np.asarray(finding.flows, np.int64) for finding in many]
        left = evidence.without(_concatenated(explained)) if explained else evidence
        told = list(module.check(left, thresholds(name, settings)))
        if any(_is_mixed(finding, elsewhere[name]) for finding in told if name in elsewhere):
            explained.append(elsewhere[name])
            told = list(module.check(evidence.without(_concatenated(explained)), thresholds(name, settings)))
        found += told
    return list(_folded(found))


def _is_mixed(finding: Finding, explained: I64) -> bool:
    """Whether a finding is about flows that are explained and about others."""
    if len(finding.flows) < 2:
        return False
    is_explained = np.isin(np.asarray(finding.flows, np.int64), explained)
    return bool(is_explained.any() and not is_explained.all())


def numbered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings of one capture, all of them, with the numbers by which they can be asked for."""
    return tuple(replace(finding, number=number) for number, finding in enumerate(found, 1))


def _concatenated(arrays: list[I64]) -> I64:
    """One array; what may be millions is not copied."""
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def _folded(found: list[Finding]) -> Iterator[Finding]:
    """Findings without those that others explain, in each of their flows; those name them as symptoms."""
    by_flow: dict[int, list[Finding]] = {}
    for finding in found:
        if finding.flow is not None:
            by_flow.setdefault(finding.flow, []).append(finding)
    for finding in found:
        if len(finding.flows) > 1 and all(_is_explained(finding, by_flow.get(flow, [])) for flow in finding.flows):
            for flow in finding.flows:
                by_flow[flow].append(finding)
    for finding in found:
        beside = by_flow.get(finding.flows[0], []) if finding.flows else []
        if any(other is finding for other in beside) and _is_explained(finding, beside):
            continue
        symptoms = [other.rule for other in beside if explains(finding, other)]
        yield replace(finding, symptoms=tuple(dict.fromkeys(symptoms)))


def _is_explained(finding: Finding, beside: Iterable[Finding]) -> bool:
    return any(explains(other, finding) for other in beside if other is not finding)


def explains(cause: Finding, symptom: Finding) -> bool:
    """Whether a finding about the same flow or connection is a symptom of another."""
    one_way = len({cause.sender, symptom.sender} - {None}) < 2
    return one_way and symptom.rule in BY_NAME[cause.rule].RULE.explains


def _as_one(found: Iterable[Finding]) -> Iterator[Finding]:
    """Findings, those that are many and alike as one with a count and examples."""
    groups: dict[object, list[Finding]] = {}
    for finding in found:
        key = (finding.rule, finding.severity, finding.alike) if finding.alike else id(finding)
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        if len(group) <= ALIKE_MAX:
            yield from group
        else:
            yield _merged(group)


def _merged(group: list[Finding]) -> Finding:
    """Findings that are alike as one, told by the surest of them."""
    group = sorted(group, key=lambda finding: finding.flows[0])
    surest = max(group, key=lambda finding: finding.confidence)
    flows = tuple(flow for finding in group for flow in finding.flows)
    return replace(
        surest,
        summary=f"{len(flows):,} flows alike. One of them: {surest.summary}",
        frames=tuple(dict.fromkeys(chain.from_iterable(finding.frames for finding in [surest, *group][:EXAMPLES]))),
        flows=flows,
        symptoms=tuple(dict.fromkeys(chain.from_iterable(finding.symptoms for finding in group))),
    )


def _first_frame(finding: Finding) -> int:
    return min(finding.frames, default=0)
