"""Legs → streams: which flows at which points are one TCP connection, and on what evidence.

Every kind of evidence gives a leg a key. Legs of equal keys are one stream, unless their segments contradict it, or
the key fits several streams alike: then they are told as candidates, since one ambiguous match is worse than none.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

from tcptrace.correlation.agreement import Agreement, Support
from tcptrace.correlation.evidence import EVIDENCE, Evidence, Key, of_table
from tcptrace.correlation.legs import Legs
from tcptrace.correlation.result import Candidate, Leg, Stream, Translation

SUREST = 0.99
CROWD_MAX = 50
"""Streams of one key that are compared with each other; more are only candidates."""
RAW_MIN_SAME_ENDS, RAW_MIN = 1, 3
"""Raw numbers that two legs must share where a beginning was not seen: between the same ends, between others."""
AMBIGUOUS_SHARE = 0.5
"""Of the numbers that a leg shares with the best at a point: who shares as many is as likely."""


class Streams(NamedTuple):
    """What matching tells."""

    streams: tuple[Stream, ...]
    of_leg: Sequence[int]
    """The stream of every leg."""
    candidates: tuple[Candidate, ...]


class _Groups:
    """Legs in disjoint groups (union-find), and why each leg is in its group."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self.reasons: list[dict[str, float]] = [{} for _ in range(count)]
        self.candidates: list[tuple[list[int], str, float]] = []

    def of(self, leg: int) -> int:
        while self._parent[leg] != leg:
            self._parent[leg] = self._parent[self._parent[leg]]
            leg = self._parent[leg]
        return leg

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self.of(a), self.of(b)))
        self._parent[high] = low

    def parts(self, legs: Iterable[int]) -> list[list[int]]:
        """Some legs by their groups."""
        found = defaultdict(list)
        for leg in legs:
            found[self.of(leg)].append(leg)
        return list(found.values())


def match(legs: Legs, translations: Sequence[Translation] = ()) -> Streams:
    """The streams of all legs, in order of first leg."""
    groups, agreement = _Groups(len(legs.point)), Agreement(legs)
    for evidence in (*EVIDENCE, of_table(translations)):
        by_key: dict[Key, list[int]] = defaultdict(list)
        for leg, key in evidence.keys(legs):
            by_key[key].append(leg)
        for key, alike in by_key.items():
            if len(alike) > 1:
                _take(groups, agreement, alike, evidence, key)
    _join_midstream(groups, legs)
    return _streams(legs, groups, agreement)


def _take(groups: _Groups, agreement: Agreement, alike: list[int], evidence: Evidence, key: Key) -> None:
    """Join the legs of one key, as far as nothing speaks against it, and keep what brought them together."""
    before = groups.parts(alike)
    if len(before) == 1 and all(groups.reasons[leg] for leg in alike):
        return
    text = evidence.told.format(*key.told)
    if len(before) > 1:
        undecided = _join_parts(groups, agreement, before, evidence, any(map(agreement.is_plain, key.isns)))
        if undecided:
            groups.candidates.append((undecided, text, round(evidence.confidence / len(before), 3)))
    for part in groups.parts(alike):
        is_new = part not in before
        for leg in part if len(part) > 1 else ():
            if is_new or not groups.reasons[leg]:
                groups.reasons[leg].setdefault(text, evidence.confidence)


def _join_parts(
    groups: _Groups, agreement: Agreement, parts: list[list[int]], evidence: Evidence, is_plain: bool
) -> list[int]:
    """Join what is one stream; returns the legs of those that may be, where more would have to speak for it."""
    is_crowded = evidence.rewritten and _is_crowded(agreement.legs, parts, 1 if is_plain else 2)
    if is_crowded and len(parts) > CROWD_MAX:
        return [leg for part in parts for leg in part]
    least = Support.PROVEN if evidence.rewritten and (is_plain or is_crowded) else evidence.least
    heads = [max(part, key=agreement.size) for part in parts]
    undecided: list[int] = []
    for place, head in enumerate(heads):
        fits = [(_support(agreement, head, other, evidence, is_plain, least), other) for other in heads[:place]]
        joined = next((other for support, other in fits if support >= least), None)
        if joined is not None:
            groups.join(joined, head)
            continue
        for support, other in fits:
            undecided += [other, head] if support > Support.CONTRADICTED else []
    return list(dict.fromkeys(undecided))


def _support(agreement: Agreement, a: int, b: int, evidence: Evidence, is_plain: bool, least: Support) -> Support:
    """How well two legs of one key fit each other, their other initial sequence numbers regarded."""
    differ = agreement.isns_differ(a, b)
    if not (differ or is_plain or evidence.rewritten):
        return Support.PROVEN
    if differ and not evidence.shifts and (is_plain or not agreement.alike(a, b)):
        return Support.CONTRADICTED
    if is_plain and agreement.are_marked_apart(a, b):
        return Support.CONTRADICTED
    support = agreement.support(a, b)
    is_proven = support > Support.CONTRADICTED and least == Support.PROVEN and agreement.is_proven(a, b)
    return Support.PROVEN if is_proven else support


def _is_crowded(legs: Legs, parts: list[list[int]], points_min: int) -> bool:
    """Whether several streams share a key at so many points: which belongs to which cannot be told.

    What one end of a client sends with one ISN to several addresses is one stream, translated under way.
    """
    if points_min > 1 and len({legs.client[leg] for part in parts for leg in part}) == 1:
        return False
    count: dict[int, int] = defaultdict(int)
    for part in parts:
        for point in {int(legs.point[leg]) for leg in part}:
            count[point] += 1
    return sum(streams > 1 for streams in count.values()) >= points_min


def _join_midstream(groups: _Groups, legs: Legs) -> None:
    """Join legs whose beginning was not seen with those that hold the same raw numbers, the most numbers first."""
    fitting: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in legs.shared:
        numbers = max(one.straight, one.crossed)
        if numbers >= (RAW_MIN_SAME_ENDS if _have_same_ends(legs, one.leg, one.other) else RAW_MIN):
            fitting[one.leg].append((numbers, one.other))
    for leg, others in sorted(fitting.items(), key=lambda item: (-max(item[1])[0], item[0])):
        rivals = _rivals(groups, legs, others)
        if len(rivals) > 1:
            groups.candidates.append(([leg, *rivals], "same raw sequence numbers", round(0.9 / len(rivals), 3)))
            continue
        for numbers, other in sorted(others, reverse=True):
            same = _have_same_ends(legs, leg, other)
            text = f"{'same addresses and ports, ' if same else ''}{numbers} raw sequence numbers the same"
            groups.join(leg, other)
            for member in (leg, other):
                if not groups.reasons[member]:
                    groups.reasons[member][text] = 0.9 if same else 0.85


def _rivals(groups: _Groups, legs: Legs, others: list[tuple[int, int]]) -> list[int]:
    """Legs of several streams at one point that hold about as many of the same numbers: any of them may be meant."""
    best: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for numbers, other in others:
        at_point, group = best[int(legs.point[other])], groups.of(other)
        at_point[group] = max(at_point.get(group, (0, other)), (numbers, other))
    for at_point in best.values():
        most = max(numbers for numbers, _ in at_point.values())
        rivals = [other for numbers, other in at_point.values() if numbers >= AMBIGUOUS_SHARE * most]
        if len(rivals) > 1:
            return rivals
    return []


def _have_same_ends(legs: Legs, a: int, b: int) -> bool:
    return {legs.client[a], legs.server[a]} == {legs.client[b], legs.server[b]}


def _streams(legs: Legs, groups: _Groups, agreement: Agreement) -> Streams:
    members = groups.parts(range(len(legs.point)))
    streams: list[Stream] = []
    for several in members:
        corroborated = _corroborated(agreement, several)
        stream = tuple(_leg(legs, leg, groups.reasons[leg] | corroborated[leg]) for leg in several)
        streams.append(Stream(len(streams), stream))
    number = {groups.of(several[0]): stream for stream, several in enumerate(members)}
    of_leg = [number[groups.of(leg)] for leg in range(len(legs.point))]
    return Streams(tuple(streams), of_leg, _candidates(groups, of_leg))


def _candidates(groups: _Groups, of_leg: Sequence[int]) -> tuple[Candidate, ...]:
    """Streams that may be one, with all that says so; what other evidence joined since is no longer in doubt."""
    doubts: dict[tuple[int, ...], dict[str, float]] = defaultdict(dict)
    for alike, text, confidence in groups.candidates:
        streams = tuple(sorted({of_leg[leg] for leg in alike}))
        if len(streams) > 1:
            doubts[streams][text] = confidence
    return tuple(Candidate(streams, tuple(told), max(told.values())) for streams, told in doubts.items())


def _leg(legs: Legs, leg: int, reasons: dict[str, float]) -> Leg:
    reasons = {
        text: sure for text, sure in reasons.items() if not any(text != more and text in more for more in reasons)
    }
    doubt = reduce(lambda left, confidence: left * (1 - confidence), reasons.values(), 1.0)
    confidence = min(SUREST, round(1 - doubt, 3)) if reasons else 1.0
    evidence = tuple(reasons) or ("seen at this point only",)
    return Leg(int(legs.point[leg]), int(legs.flow[leg]), legs.client[leg], legs.server[leg], evidence, confidence)


def _corroborated(agreement: Agreement, several: list[int]) -> dict[int, dict[str, float]]:
    """Of every leg of a stream what else ties it to those that have other ends."""
    legs = agreement.legs
    by_ends: dict[tuple[str, str], list[int]] = defaultdict(list)
    for leg in several:
        by_ends[legs.client[leg], legs.server[leg]].append(leg)
    found: dict[int, dict[str, float]] = {leg: {} for leg in several}
    if len(by_ends) < 2:
        return found
    heads = {ends: max(part, key=agreement.size) for ends, part in by_ends.items()}
    for ends, part in by_ends.items():
        others = [head for other, head in heads.items() if other != ends]
        alike = max(agreement.alike(heads[ends], other) for other in others)
        text = f"{alike} segments with payload of the same length at the same relative sequence numbers"
        for leg in part:
            found[leg] |= {text: 0.5} if alike else {}
            for port in legs.toa_ports.get(leg, ()):
                for client in {legs.client[other] for other in others if legs.client[other].endswith(f":{port}")}:
                    found[leg][f"its TOA option carries port {port}, that of {client}"] = 0.8
    return found
