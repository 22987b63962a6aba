"""Legs → streams: which flows at which points are one TCP connection, and on what evidence.

Evidence is a table, the strongest first. Each kind gives a leg a key; legs of equal keys are one stream, unless the
sizes and places of their segments contradict it, or the key fits several streams at several points alike: then they
are told as candidates, since one ambiguous match is worse than none. What a rewriting director leaves in place
decides: the initial sequence numbers (RFC 9293 section 3.4.1 makes them hard to guess), of which FULLNAT keeps the
server's.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.legs import Legs
from tcptrace.correlation.result import REPLY, REQUEST, Candidate, Leg, Stream, Translation

Keys = Iterable[tuple[int, Hashable]]
"""Legs and what each is known by."""

SUREST = 0.99
RAW_MIN = 3
"""Segments with payload and the same raw numbers that tell a stream whose beginning was not seen."""


class Evidence(NamedTuple):
    """A kind of evidence."""

    keys: Callable[[Legs], Keys]
    told: str
    """In words, with the key in it."""
    confidence: float
    rewritten: bool
    """Whether the ends may differ, so that the segments must agree."""


class Streams(NamedTuple):
    """What matching tells."""

    streams: tuple[Stream, ...]
    of_leg: Sequence[int]
    """The stream of every leg."""
    candidates: tuple[Candidate, ...]


def _by_ends_and_isn(side: int) -> Callable[[Legs], Keys]:
    def keys(legs: Legs) -> Keys:
        for leg in np.flatnonzero(legs.isn[:, side] >= 0).tolist():
            yield leg, (legs.client[leg], legs.server[leg], int(legs.isn[leg, side]))

    return keys


def _by_both_isns(legs: Legs) -> Keys:
    for leg in np.flatnonzero((legs.isn >= 0).all(axis=1)).tolist():
        yield leg, (int(legs.isn[leg, REQUEST]), int(legs.isn[leg, REPLY]))


def _by_isn(side: int) -> Callable[[Legs], Keys]:
    return lambda legs: ((leg, int(legs.isn[leg, side])) for leg in np.flatnonzero(legs.isn[:, side] >= 0).tolist())


def _by_ends_and_numbers(legs: Legs) -> Keys:
    """Legs between the same ends: the raw numbers that one sent, in blocks of 2**18, so that ranges need only touch."""
    ends = defaultdict(list)
    for leg in range(len(legs.point)):
        ends[legs.client[leg], legs.server[leg]].append(leg)
    seen = legs.sightings
    for pair, several in ends.items():
        if len(several) > 1 and (legs.isn[several] < 0).any():
            for leg in several:
                rows = legs.rows(leg)
                blocks = np.unique((seen.seq[rows] >> 18) * 2 + seen.side[rows]).tolist()
                yield from ((leg, (*pair, block)) for block in blocks)


def _by_raw_segments(legs: Legs) -> Keys:
    """Legs without a beginning: raw numbers and lengths of segments with payload, which NAT leaves as they are."""
    seen = legs.sightings
    for leg in np.flatnonzero((legs.isn < 0).any(axis=1)).tolist():
        rows = legs.rows(leg)
        chosen = rows[(seen.len[rows] > 0) & (seen.inferred[rows] == 0)][:RAW_MIN]
        if len(chosen) == RAW_MIN:
            columns = (column[chosen].tolist() for column in (seen.side, seen.seq, seen.len))
            yield leg, tuple(zip(*columns, strict=True))


EVIDENCE = (
    Evidence(_by_ends_and_isn(REQUEST), "same addresses and ports, same client ISN {2}", 0.99, rewritten=False),
    Evidence(_by_ends_and_isn(REPLY), "same addresses and ports, same server ISN {2}", 0.99, rewritten=False),
    Evidence(_by_ends_and_numbers, "same addresses and ports, same range of sequence numbers", 0.9, rewritten=False),
    Evidence(_by_both_isns, "same client ISN {0} and server ISN {1}", 0.98, rewritten=True),
    Evidence(_by_isn(REPLY), "same server ISN {}", 0.95, rewritten=True),
    Evidence(_by_isn(REQUEST), "same client ISN {}", 0.9, rewritten=True),
    Evidence(_by_raw_segments, "same raw sequence numbers and lengths", 0.85, rewritten=True),
)
"""The strongest first."""


def _by_table(translations: Sequence[Translation]) -> Callable[[Legs], Keys]:
    """Legs whose ends a director's table names, before it or behind it."""
    ends: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in translations:
        told = f"{entry.client} → {entry.virtual} goes to {entry.realserver}"
        for pair in {(entry.client, entry.virtual), (entry.local or entry.client, entry.realserver)}:
            ends[pair].append(told)

    def keys(legs: Legs) -> Keys:
        for leg, pair in enumerate(zip(legs.client, legs.server, strict=True)):
            yield from ((leg, told) for told in ends.get(pair, ()))

    return keys


class _Groups:
    """Legs in disjoint groups (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def of(self, leg: int) -> int:
        while self._parent[leg] != leg:
            self._parent[leg] = self._parent[self._parent[leg]]
            leg = self._parent[leg]
        return leg

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self.of(a), self.of(b)))
        self._parent[high] = low


def match(legs: Legs, translations: Sequence[Translation] = ()) -> Streams:
    """The streams of all legs, in order of first leg."""
    groups = _Groups(len(legs.point))
    reasons: list[dict[str, float]] = [{} for _ in range(len(legs.point))]
    candidates: list[tuple[list[int], str, float]] = []
    table = Evidence(_by_table(translations), "the director's table: {}", 0.97, rewritten=True)
    for evidence in (*EVIDENCE, table):
        by_key: dict[Hashable, list[int]] = defaultdict(list)
        for leg, key in evidence.keys(legs):
            by_key[key].append(leg)
        for key, alike in by_key.items():
            if len(alike) > 1:
                text = evidence.told.format(*key) if isinstance(key, tuple) else evidence.told.format(key)
                _take(legs, groups, alike, evidence, text, reasons, candidates)
    return _streams(legs, groups, reasons, candidates)


def _take(
    legs: Legs,
    groups: _Groups,
    alike: list[int],
    evidence: Evidence,
    text: str,
    reasons: list[dict[str, float]],
    candidates: list[tuple[list[int], str, float]],
) -> None:
    """Join legs of one key, as far as nothing speaks against it."""
    parts = defaultdict(list)
    for leg in alike:
        parts[groups.of(leg)].append(leg)
    first, *others = parts
    if evidence.rewritten and others and _is_crowded(legs, parts):
        candidates.append((alike, text, evidence.confidence / len(parts)))
        return
    fits = agree if evidence.rewritten else _have_one_beginning
    others = [other for other in others if fits(legs, parts[first][0], parts[other][0])]
    for other in others:
        groups.join(first, other)
    for leg in (leg for part in (first, *others) for leg in parts[part]):
        if others or not reasons[leg]:
            reasons[leg].setdefault(text, evidence.confidence)


def _is_crowded(legs: Legs, parts: dict[int, list[int]]) -> bool:
    """Whether several streams share a key at two points or more: which belongs to which cannot be told.

    What one end of a client sends with one ISN to several addresses is one stream, translated under way.
    """
    if len({legs.client[leg] for several in parts.values() for leg in several}) == 1:
        return False
    count: dict[int, int] = defaultdict(int)
    for several in parts.values():
        for point in {int(legs.point[leg]) for leg in several}:
            count[point] += 1
    return sum(streams > 1 for streams in count.values()) > 1


def _have_one_beginning(legs: Legs, a: int, b: int) -> bool:
    """Whether no initial sequence number of two legs differs: else one tuple was used twice, or in two networks."""
    here, there = legs.isn[a], legs.isn[b]
    return not np.any((here >= 0) & (there >= 0) & (here != there))


def agree(legs: Legs, a: int, b: int) -> bool:
    """Whether what each side sent begins and ends at the same places, as far as both legs hold it."""
    for side in (REQUEST, REPLY):
        here, there = legs.profile(a, side), legs.profile(b, side)
        if not here or not there or here & there:
            continue
        ends, other_ends = {end for _, end in here}, {end for _, end in there}
        first = max(min(here), min(there))[0]
        if ends.isdisjoint(other_ends) and first < min(max(ends), max(other_ends)):
            return False
    return True


def _streams(
    legs: Legs,
    groups: _Groups,
    reasons: list[dict[str, float]],
    candidates: list[tuple[list[int], str, float]],
) -> Streams:
    members: dict[int, list[int]] = defaultdict(list)
    for leg in range(len(legs.point)):
        members[groups.of(leg)].append(leg)
    number = {root: stream for stream, root in enumerate(members)}
    streams = tuple(
        Stream(number[root], tuple(_leg(legs, leg, reasons[leg], several) for leg in several))
        for root, several in members.items()
    )
    of_leg = [number[groups.of(leg)] for leg in range(len(legs.point))]
    told = []
    for alike, text, confidence in candidates:
        several_streams = tuple(dict.fromkeys(of_leg[leg] for leg in alike))
        if len(several_streams) > 1:
            told.append(Candidate(several_streams, (text,), confidence))
    return Streams(streams, of_leg, tuple(told))


def _leg(legs: Legs, leg: int, reasons: dict[str, float], several: list[int]) -> Leg:
    reasons = {
        text: sure for text, sure in reasons.items() if not any(text != more and text in more for more in reasons)
    }
    reasons |= _corroborated(legs, leg, several)
    doubt = reduce(lambda left, confidence: left * (1 - confidence), reasons.values(), 1.0)
    confidence = min(SUREST, round(1 - doubt, 3)) if reasons else 1.0
    evidence = tuple(reasons) or ("seen at this point only",)
    return Leg(int(legs.point[leg]), int(legs.flow[leg]), legs.client[leg], legs.server[leg], evidence, confidence)


def _corroborated(legs: Legs, leg: int, several: list[int]) -> dict[str, float]:
    """What else ties a leg to those of its stream that have other ends."""
    ends = (legs.client[leg], legs.server[leg])
    others = [other for other in several if (legs.client[other], legs.server[other]) != ends]
    if not others:
        return {}
    found = {}
    alike = max(sum(len(legs.profile(leg, side) & legs.profile(other, side)) for side in (0, 1)) for other in others)
    if alike:
        found[f"{alike} segments with payload of the same length at the same relative sequence numbers"] = 0.5
    toa = legs.sightings.toa[legs.rows(leg)]
    for port in set(toa[toa >= 0].tolist()):
        for client in {legs.client[other] for other in others}:
            if client.endswith(f":{port}"):
                found[f"its TOA option carries port {port}, that of {client}"] = 0.8
    return found
