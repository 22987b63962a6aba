"""Streams that are one conversation through a proxy or a sidecar.

Every upstream leg of a proxy, retries included, belongs to the conversation of the client it was opened for. What
carries payload is joined only on the evidence of payload; what was refused or not answered, by its moments. Where
two clients fit an upstream about as well, nobody is joined and the candidates are told.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.excerpts import Excerpts, excerpts
from tcptrace.correlation.lifetimes import Lifetimes
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.presence import SYN
from tcptrace.correlation.proxy_evidence import Meeting, Party
from tcptrace.correlation.proxy_hosts import Ends, meetings, places
from tcptrace.correlation.proxy_links import Link, link
from tcptrace.correlation.proxy_names import links_by_name
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.result import Candidate, Stream
from tcptrace.correlation.waits import Waits
from tcptrace.kernels import Notice

SURE = 0.8
"""Links are joined from this confidence on."""
MAYBE = 0.65
"""Links are told as candidates from this confidence on."""
SURER = 3
"""A link has a rival whose doubt is not so many times its own."""
LOOPBACK = ":lo"
"""What points at Linux's loopback interface are called."""


@dataclass(frozen=True)
class Conversation:
    """Streams that are one conversation."""

    streams: tuple[int, ...]
    """From the client on; an upstream stands behind the stream it was opened for."""
    links: tuple[Link, ...]
    """Why each but the first belongs to it."""

    @property
    def evidence(self) -> tuple[str, ...]:
        """Of all links, each once."""
        return tuple(dict.fromkeys(text for link in self.links for text in link.evidence))

    @property
    def confidence(self) -> float:
        """Of the least sure link."""
        return min(link.confidence for link in self.links)


def conversations(
    streams: Sequence[Stream],
    passages: Passages,
    ends: Sequence[Ends],
    recordings: Sequence[Recording],
    alignment: Alignment,
    notice: Notice = lambda text: None,
) -> tuple[list[Conversation], list[Candidate]]:
    """The conversations of two streams or more, and what could not be decided; `ends` has one entry a stream."""
    there = list(places(passages, ends))
    concerned = {one.stream for place in there for one in (*place.downs, *place.ups)} | _apart(streams, passages)
    parties = _parties(streams, passages, concerned, excerpts(concerned, passages, recordings, notice))
    met = _links_by_meeting(m for place in there for m in meetings(place, parties))
    by_name = links_by_name(met, parties, Lifetimes(passages, alignment), Waits(passages, alignment.ticks_ns))
    chosen, candidates = _settled([*(one for one in met.values() if one), *by_name])
    return _grouped(chosen), candidates


def _apart(streams: Sequence[Stream], passages: Passages) -> set[int]:
    """Streams of which others are that no host saw with them: only what they say can tie them."""
    classes: dict[frozenset[str], list[int]] = defaultdict(list)
    for stream in streams:
        classes[frozenset(passages.points[point].host for point in stream.points)].append(stream.stream)
    apart = [(a, b) for a, b in combinations(classes, 2) if a.isdisjoint(b)]
    return {stream for pair in apart for hosts in pair for stream in classes[hosts]}


def _parties(
    streams: Sequence[Stream], passages: Passages, concerned: Collection[int], said: Excerpts
) -> Mapping[int, Party]:
    """What must be known of these streams."""
    found = {}
    for number in concerned:
        rows = passages.rows(number)
        begin = passages.start[rows] + (passages.flags[rows] & SYN != 0)
        end = np.where(passages.len[rows] > 0, begin - 1 + passages.len[rows], 0)
        found[number] = Party(
            number,
            frozenset(leg.client for leg in streams[number].legs),
            frozenset(leg.server for leg in streams[number].legs),
            (said.get((number, 0), b""), said.get((number, 1), b"")),
            (_most(end, passages.direction[rows] == 0), _most(end, passages.direction[rows] == 1)),
            is_begun=bool((passages.flags[rows] & SYN).any()),
            is_within_host=all(passages.points[point].name.endswith(LOOPBACK) for point in streams[number].points),
        )
    return found


def _most(values: np.ndarray, those: np.ndarray) -> int:
    return int(values[those].max(initial=0))


def _links_by_meeting(met: Iterable[Meeting]) -> dict[tuple[int, int], Link | None]:
    """The surest link of each two that met."""
    found: dict[tuple[int, int], Link | None] = {}
    for m in met:
        pair, one = (m.down.stream, m.up.stream), link(m)
        known = found.setdefault(pair, one)
        if one and (known is None or known.confidence < one.confidence):
            found[pair] = one
    return found


def _settled(links: Iterable[Link]) -> tuple[dict[int, Link], list[Candidate]]:
    """The link of each upstream that has one without a rival, and the upstreams that have rivals."""
    options: dict[int, list[Link]] = defaultdict(list)
    for one in links:
        if one.confidence >= MAYBE:
            options[one.up].append(one)
    chosen: dict[int, Link] = {}
    passed_on: dict[int, int] = {}
    is_settled = False
    while not is_settled:
        is_settled = True
        for up in sorted(options.keys() - chosen.keys()):
            if best := _best(_live(options[up], chosen, passed_on), chosen):
                chosen[up] = best
                is_settled = False
                if best.is_passed_on:
                    passed_on[best.down] = up
    undecided = ((up, _live(options[up], chosen, passed_on)) for up in sorted(options.keys() - chosen.keys()))
    return chosen, [_candidate(up, live) for up, live in undecided if live]


def _live(links: Sequence[Link], chosen: Mapping[int, Link], passed_on: Mapping[int, int]) -> list[Link]:
    """Links that are still possible: not in a circle, nor to a client whose bytes another upstream answered."""
    return [
        one
        for one in links
        if _way(one.down, chosen)[-1] != one.up
        and not (one.down in passed_on and _is_served(one, chosen[passed_on[one.down]]))
    ]


def _is_served(one: Link, served: Link) -> bool:
    """Whether a client's bytes are with another upstream: answered there, or sent there before this was tried."""
    return one.is_passed_on or (one.wait is not None and one.wait == served.wait and served.opened_ns < one.opened_ns)


def _best(links: Sequence[Link], chosen: Mapping[int, Link]) -> Link | None:
    """The link that is sure and has no rival; of those to one conversation, the innermost."""
    best = max(links, key=lambda one: one.confidence, default=None)
    if best is None or best.confidence < SURE:
        return None
    root = _way(best.down, chosen)[-1]
    rivals = [one for one in links if _way(one.down, chosen)[-1] != root]
    if any(_rivals(one, best) for one in rivals):
        return None
    within = [one for one in links if one not in rivals and one.confidence >= SURE]
    return max(within, key=lambda one: len(_way(one.down, chosen)))


def _rivals(other: Link, best: Link) -> bool:
    """Whether another link is about as good, the upstream was kept for both, or may be the other's only try."""
    return (
        best.is_retried or 1 - other.confidence < SURER * (1 - best.confidence) or (best.is_reused and other.is_alone)
    )


def _way(stream: int, chosen: Mapping[int, Link]) -> list[int]:
    """From a stream to that of the client it serves."""
    way = [stream]
    while way[-1] in chosen:
        way.append(chosen[way[-1]].down)
    return way


def _candidate(up: int, live: Sequence[Link]) -> Candidate:
    best = max(live, key=lambda one: one.confidence)
    return Candidate((*(one.down for one in live), up), best.evidence, round(best.confidence / len(live), 3))


def _grouped(chosen: Mapping[int, Link]) -> list[Conversation]:
    """Conversations, each from its client's stream on."""
    behind: dict[int, list[Link]] = defaultdict(list)
    for up in sorted(chosen):
        behind[chosen[up].down].append(chosen[up])
    found = []
    for root in sorted(behind.keys() - chosen.keys()):
        links = list(_below(root, behind))
        found.append(Conversation((root, *(one.up for one in links)), tuple(links)))
    return found


def _below(stream: int, behind: Mapping[int, Sequence[Link]]) -> Iterator[Link]:
    for one in behind.get(stream, ()):
        yield one
        yield from _below(one.up, behind)
