"""What tells that legs are one stream: a table of kinds of evidence, the strongest first."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.agreement import Support
from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.legs import Legs
from tcptrace.correlation.result import Translation


class Key(NamedTuple):
    """What legs may have in common."""

    told: tuple[str | int, ...]
    isns: tuple[int, ...] = ()


Keys = Iterable[tuple[int, Key]]
"""Legs and what each is known by."""


class Evidence(NamedTuple):
    """A kind of evidence: legs of one key may be one stream."""

    keys: Callable[[Legs], Keys]
    told: str
    """In words, with the key in it."""
    confidence: float
    rewritten: bool
    """Whether the ends may differ."""
    shifts: bool
    """Whether an initial sequence number that is not in the key may differ, though no segments are alike."""
    least: Support
    """What must speak for it, where the initial sequence numbers are random."""


def _by_isns(legs: Legs, sides: Sequence[int]) -> Keys:
    """Legs that know the initial sequence numbers of these sides."""
    known = np.flatnonzero((legs.isn[:, sides] >= 0).all(axis=1))
    for leg, isns in zip(known.tolist(), map(tuple, legs.isn[known][:, sides].tolist()), strict=True):
        yield leg, Key(isns, isns)


def _by_ends_and_isn(legs: Legs, side: int) -> Keys:
    for leg, (told, isns) in _by_isns(legs, [side]):
        yield leg, Key((*told, legs.client[leg], legs.server[leg]), isns)


def _isn_evidence(told: str, confidence: float, sides: Sequence[int], least: Support, shifts: bool = False) -> Evidence:
    return Evidence(partial(_by_isns, sides=sides), told, confidence, True, shifts, least)


def _same_ends(told: str, side: int) -> Evidence:
    return Evidence(partial(_by_ends_and_isn, side=side), told, 0.99, False, False, Support.POSSIBLE)


EVIDENCE = (
    _same_ends("same addresses and ports, same client ISN {0}", REQUEST),
    _same_ends("same addresses and ports, same server ISN {0}", REPLY),
    _isn_evidence("same client ISN {0} and server ISN {1}", 0.98, [REQUEST, REPLY], Support.POSSIBLE),
    _isn_evidence("same server ISN {0}", 0.95, [REPLY], Support.ALIKE, shifts=True),
    _isn_evidence("same client ISN {0}", 0.9, [REQUEST], Support.ALIKE),
)
"""RFC 9293 section 3.4.1 makes initial sequence numbers hard to guess; FULLNAT keeps the server's, NAT both.

Where another one differs, a firewall or SYN proxy on the way has changed it; then segments must be alike.
"""


def of_table(translations: Sequence[Translation]) -> Evidence:
    """A director's table or log: legs whose ends it names, before it or behind it."""
    ends: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in translations:
        told = f"{entry.client} → {entry.virtual} goes to {entry.realserver}"
        for pair in {(entry.client, entry.virtual), (entry.local or entry.client, entry.realserver)}:
            ends[pair].append(told)

    def keys(legs: Legs) -> Keys:
        for leg, pair in enumerate(zip(legs.client, legs.server, strict=True)):
            yield from ((leg, Key((told,))) for told in ends.get(pair, ()))

    return Evidence(keys, "the director's table: {0}", 0.97, True, False, Support.POSSIBLE)
