"""All that is told of what several points saw: the steps of correlation one after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tcptrace.correlation.clocks import Alignment, align
from tcptrace.correlation.director import directors
from tcptrace.correlation.director_files import DirectorFile, translations_of
from tcptrace.correlation.ends import end_states
from tcptrace.correlation.fates import Fates, fates
from tcptrace.correlation.hairpins import with_hairpins
from tcptrace.correlation.hops import hops
from tcptrace.correlation.legs import legs_of
from tcptrace.correlation.mode import modes
from tcptrace.correlation.onward import onward
from tcptrace.correlation.order import Route, routes
from tcptrace.correlation.passages import Passages, passages_of
from tcptrace.correlation.proxies import Conversation, conversations
from tcptrace.correlation.proxy_hosts import Ends
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.reset_origin import reset_origins
from tcptrace.correlation.result import Candidate, Connection, Hop, Points, Stream
from tcptrace.correlation.rewrites import rewrites
from tcptrace.correlation.streams import match
from tcptrace.kernels import Notice
from tcptrace.schema import NO_TIME


@dataclass(frozen=True)
class Told:
    """What correlation tells, and what path rules need beside it."""

    passages: Passages
    routes: Sequence[Route]
    """By stream."""
    alignment: Alignment
    became: Fates
    connections: tuple[Connection, ...]
    candidates: tuple[Candidate, ...]


def tell(
    points: Points, recordings: Sequence[Recording], files: Sequence[DirectorFile], *, trust: bool, notice: Notice
) -> Told:
    """Everything, of all points; `trust` takes their clocks as they are."""
    translations = translations_of(files)
    legs = legs_of(points, recordings)
    matched = match(legs, translations)
    given, (points, legs) = points, with_hairpins(points, legs, matched.of_leg)
    if len(points) > len(given):
        matched = match(legs, translations)
    streams = matched.streams
    passages = passages_of(legs, matched.of_leg, points)
    ways = routes(passages, points)
    starts = [recordings[point.recording].summary.start_ns for point in points]
    first_ns = [NO_TIME if start is None else start for start in starts]
    declared_ns = [recordings[point.recording].summary.tick_ns for point in points]
    alignment = align(passages, ways, points, first_ns, declared_ns, trust=trust)
    origins = reset_origins(passages, ways, alignment)
    onwards = onward(passages, ways, streams)
    cut = [i for i, point in enumerate(points) if recordings[point.recording].summary.truncated]
    became = fates(passages, onwards, cut, origins)
    changes = rewrites(passages, became, streams)
    forwarding = modes(passages, ways, changes, streams)
    believed = directors(passages, streams, ways, forwarding, changes, origins, alignment, files)
    states = end_states(passages, streams, ways, became, origins, recordings)
    joined, undecided = conversations(streams, passages, _ends(points, ways), recordings, alignment, notice)
    hops_of = _by_stream(hops(passages, onwards, became, alignment), len(streams))
    connections = []
    for number, conversation in enumerate(_all(joined, streams)):
        first = conversation.streams[0]
        members = _with_links(conversation, streams)
        mode = forwarding[first]
        is_proxied = len(members) > 1
        connections.append(
            Connection(
                number,
                client=_seen(streams[first], ways[first].request, "client"),
                server=_seen(streams[first], ways[first].request, "server"),
                mode="proxy" if is_proxied else mode.mode,
                mode_confidence=conversation.confidence if is_proxied else mode.confidence,
                mode_evidence=conversation.evidence if is_proxied else mode.evidence,
                streams=members,
                path=_path(conversation, ways),
                hops=tuple(hop for stream in conversation.streams for hop in hops_of[stream]),
                rewrites=tuple(change for stream in conversation.streams for change in changes[stream]),
                reset_origin=origins.get(first),
                director=next((found for s in conversation.streams if (found := believed[s])), None),
                states=states[first],
            )
        )
    return Told(passages, ways, alignment, became, tuple(connections), (*matched.candidates, *undecided))


def _ends(points: Points, ways: Sequence[Route]) -> list[Ends]:
    """The hosts at both ends of every stream."""
    found = []
    for way in ways:
        along = way.request or way.reply[::-1]
        found.append(Ends(points[along[0]].host, points[along[-1]].host) if along else Ends("", ""))
    return found


def _all(joined: Sequence[Conversation], streams: Sequence[Stream]) -> list[Conversation]:
    """Conversations of one stream and of several, in order of their first stream."""
    several = {stream for conversation in joined for stream in conversation.streams}
    alone = [Conversation((stream.stream,), ()) for stream in streams if stream.stream not in several]
    return sorted([*joined, *alone], key=lambda conversation: conversation.streams[0])


def _with_links(conversation: Conversation, streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """The streams of a conversation; the legs of those behind a proxy say why they belong to it."""
    why = {link.up: link for link in conversation.links}
    found = []
    for number in conversation.streams:
        stream, link = streams[number], why.get(number)
        if link is not None:
            legs = [
                replace(leg, evidence=(*link.evidence, *leg.evidence), confidence=min(leg.confidence, link.confidence))
                for leg in stream.legs
            ]
            stream = replace(stream, legs=tuple(legs))
        found.append(stream)
    return tuple(found)


def _seen(stream: Stream, way: Sequence[int], end: str) -> str:
    """An end's address as it is nearest to the client."""
    nearest: Mapping[int, int] = {point: place for place, point in enumerate(way)}
    leg = min(stream.legs, key=lambda leg: (nearest.get(leg.point, len(way)), leg.flow))
    told: str = getattr(leg, end)
    return told


def _path(conversation: Conversation, ways: Sequence[Route]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Through all streams: requests from the client on, replies back to it; of several tries upstream the last."""
    tries = {link.down: link.up for link in conversation.links}
    chain = [conversation.streams[0]]
    while (following := tries.get(chain[-1])) is not None:
        chain.append(following)
    request = tuple(point for stream in chain for point in ways[stream].request)
    reply = tuple(point for stream in reversed(chain) for point in ways[stream].reply)
    return request, reply


def _by_stream(found: Sequence[Hop], streams: int) -> list[list[Hop]]:
    by_stream: list[list[Hop]] = [[] for _ in range(streams)]
    for hop in found:
        by_stream[hop.stream].append(hop)
    return by_stream
