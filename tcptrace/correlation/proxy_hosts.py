"""Where a proxy may be: hosts at which some streams end while others begin, and which of them may belong together."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.passages import Passages
from tcptrace.correlation.presence import LATEST, Presence, presences
from tcptrace.correlation.proxy_evidence import Meeting, Party
from tcptrace.schema import I64

RIVALS_MAX = 16
"""Clients connected at a time that are compared with an upstream: the last to come before it, the first after."""
LOOKED_BACK = 1024
"""Clients that came before an upstream, of which those still connected are looked for."""
NEARER_NS = 100_000
"""What an end may take to answer: halves of a handshake that differ by less do not tell which end is near."""


class Ends(NamedTuple):
    """The hosts that saw a stream nearest to its client and nearest to its server."""

    client: str
    server: str


class Place(NamedTuple):
    """A host where a proxy may be."""

    downs: Sequence[Presence]
    """Streams that end there."""
    ups: Sequence[Presence]
    """Streams that begin there."""


def places(passages: Passages, ends: Sequence[Ends]) -> Iterator[Place]:
    """Every host where some streams end and others begin; `ends` has one entry a stream."""
    for host in dict.fromkeys(point.host for point in passages.points):
        there = [one for one in presences(passages, host) if not one.is_forwarded]
        downs = [one for one in there if ends[one.stream].server == host and one.is_taken and not _is_near_client(one)]
        ups = [one for one in there if ends[one.stream].client == host and not _is_near_server(one)]
        if downs and ups and {one.stream for one in downs + ups} != {downs[0].stream}:
            yield Place(sorted(downs, key=lambda one: one.begin_ns), ups)


def meetings(place: Place, parties: Mapping[int, Party]) -> Iterator[Meeting]:
    """Of clients' streams and upstreams that were there at a time, those that may belong together, some in two ways."""
    met: dict[tuple[int, str, str, int], list[tuple[Presence, Presence]]] = defaultdict(list)
    for down, up in _pairs(place, parties):
        turn = int(down.told_ns.searchsorted(up.begin_ns))
        met[down.stream, *parties[up.stream].service, turn].append((down, up))
    for pairs in met.values():
        pairs.sort(key=lambda pair: pair[1].begin_ns)
        for down, up, tries in _with_tries(pairs):
            yield Meeting(parties[down.stream], parties[up.stream], down, up, tries)


def _pairs(place: Place, parties: Mapping[int, Party]) -> Iterator[tuple[Presence, Presence]]:
    """Pairs that were there at a time; those of an upstream that carries payload share some of what is said."""
    begin_ns = np.array([one.begin_ns for one in place.downs], np.int64)
    end_ns = np.array([one.end_ns for one in place.downs], np.int64)
    everybody = np.arange(len(place.downs))
    related = _Related([parties[one.stream] for one in place.downs])
    for up in place.ups:
        party = parties[up.stream]
        is_mute = party.is_encrypted or not any(party.sent_bytes)
        for numbers in [everybody] if is_mute else related.to(party):
            first = int(begin_ns[numbers].searchsorted(up.begin_ns, "right"))
            before, after = numbers[max(0, first - LOOKED_BACK) : first], numbers[first : first + RIVALS_MAX]
            before, after = before[end_ns[before] >= up.begin_ns], after[begin_ns[after] <= up.last_ns]
            downs = [place.downs[number] for number in (*before[-RIVALS_MAX:].tolist(), *after.tolist())]
            if met := [(down, up) for down in downs if could_meet(parties[down.stream], party)]:
                yield from met
                break


class _Related:
    """Streams by what they say."""

    def __init__(self, parties: Sequence[Party]) -> None:
        by_trait: dict[tuple[int, object], list[int]] = defaultdict(list)
        for number, party in enumerate(parties):
            for tier, traits in enumerate(party.traits):
                for trait in traits:
                    by_trait[tier, trait].append(number)
        self._by_trait = {key: np.array(numbers, np.int64) for key, numbers in by_trait.items()}
        self._encrypted = np.flatnonzero([party.is_encrypted for party in parties])

    def to(self, party: Party) -> Iterator[I64]:
        """Those that share the most telling trait, then those with the next; last the ones that nobody can read."""
        for tier, traits in enumerate(party.traits):
            shared = [self._by_trait[tier, trait] for trait in traits if (tier, trait) in self._by_trait]
            if shared:
                yield np.unique(np.concatenate(shared)) if len(shared) > 1 else shared[0]
        yield self._encrypted


def could_meet(down: Party, up: Party) -> bool:
    """Whether addresses allow it: two calls of one client, or to one service, are not each other's upstream."""
    if down.stream == up.stream:
        return False
    if up.is_from_loopback and not down.is_from_loopback:
        return True
    if not down.servers.isdisjoint(up.servers):
        return False
    return down.client_addresses.isdisjoint(up.client_addresses) or not up.client_addresses.isdisjoint(down.called)


def _with_tries(
    pairs: Sequence[tuple[Presence, Presence]],
) -> Iterator[tuple[Presence, Presence, Sequence[Presence]]]:
    """Runs of upstreams for one service in one wait of a client: each but the last of a run had no answer.

    Those of several clients may lie among each other, so what had no answer may also have been the only try.
    """
    run: list[tuple[Presence, Presence]] = []
    for number, pair in enumerate(pairs, 1):
        run.append(pair)
        if pair[1].answer_ns != LATEST or number == len(pairs):
            tries = [up for _, up in run]
            yield from ((down, up, [up]) for down, up in run)
            yield from ((down, up, tries) for down, up in run if up.answer_ns == LATEST and len(tries) > 1)
            run = []


def _is_near_client(one: Presence) -> bool:
    """Whether a host is clearly nearer to a stream's client than to its server, by the halves of the handshake."""
    return _is_less(one.client_half_ns, one.server_half_ns)


def _is_near_server(one: Presence) -> bool:
    return _is_less(one.server_half_ns, one.client_half_ns)


def _is_less(half_ns: int | None, other_ns: int | None) -> bool:
    return half_ns is not None and other_ns is not None and half_ns + NEARER_NS < other_ns
