"""Streams that no host saw together: what they say ties them, and tells which of both is the proxy's own."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from tcptrace.correlation.lifetimes import Lifetimes
from tcptrace.correlation.proxy_evidence import Meeting, Party, forwarded_for, introduced, introduced_elsewhere
from tcptrace.correlation.proxy_hosts import could_meet
from tcptrace.correlation.proxy_links import UNSURE, Link, link
from tcptrace.correlation.waits import Waits

NAMESAKES_MAX = 32
"""Streams that carry one identity; what more do names nobody."""


def links_by_name(
    met: Collection[tuple[int, int]], parties: Mapping[int, Party], lives: Lifetimes, waits: Waits
) -> Iterator[Link]:
    """Of streams that did not meet: one names the other's client, or both carry one identity, at one time maybe."""
    for a, b in sorted(_namesakes(parties)):
        if (a, b) in met or (b, a) in met or lives.are_apart(a, b):
            continue
        if found := _link(parties[a], parties[b], waits):
            yield found


def _namesakes(parties: Mapping[int, Party]) -> set[tuple[int, int]]:
    """Pairs, the lesser number first."""
    named: dict[str, list[int]] = defaultdict(list)
    for number, party in parties.items():
        for name in party.names | party.ids:
            named[name].append(number)
    known = {name: numbers for name, numbers in named.items() if len(numbers) <= NAMESAKES_MAX}
    return {
        (min(number, other), max(number, other))
        for number, party in parties.items()
        for name in party.ids | party.named
        for other in known.get(name, ())
        if other != number
    }


def _link(a: Party, b: Party, waits: Waits) -> Link | None:
    """What ties two streams; where as much speaks for either being the upstream, it is no more than a candidate."""
    ways = sorted((Meeting(a, b), Meeting(b, a)), key=lambda m: sorted(m.up.clients))
    worse, better = sorted(ways, key=lambda m: _told(m, waits))
    found = link(better)
    if found is None or not (found.names_client or could_meet(better.down, better.up)):
        return None
    if _told(worse, waits) < _told(better, waits):
        return found
    evidence = (*found.evidence, "nothing tells which of both is the proxy's own")
    return replace(found, evidence=evidence, confidence=min(found.confidence, UNSURE), is_alone=False)


def _told(m: Meeting, waits: Waits) -> tuple[bool, int]:
    """How much speaks for a way round: a PROXY header, else what a proxy adds and how long requests waited."""
    is_introduced = bool(introduced(m) or introduced_elsewhere(m))
    return is_introduced, bool(forwarded_for(m)) + waits.are_within(m.up, m.down)
