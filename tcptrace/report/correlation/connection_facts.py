"""What is known of a connection beside its way, in sentences."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from tcptrace.correlation.directions import REQUEST
from tcptrace.correlation.result import Connection, Director, Leg, Point, Stream

ONE_SIDED = "INPUT-ONLY: it never sees the server's side of the close"


class Fact(NamedTuple):
    """One thing known; neighbours may share a label."""

    label: str
    told: str
    style: str = ""


def mode_told(connection: Connection) -> str:
    """`dr, confidence 0.9: replies at rs:bond0 and client only`."""
    evidence = "; ".join(connection.mode_evidence)
    return f"{connection.mode}, confidence {connection.mode_confidence:.2g}" + (f": {evidence}" if evidence else "")


def facts(points: tuple[Point, ...], connection: Connection) -> Iterator[Fact]:
    """What the director believed, the ends' states, where a reset came from, what was rewritten, the legs."""
    if connection.director:
        yield Fact("director", director_told(connection.director))
    yield Fact("states", "client {}, server {}".format(*connection.states))
    yield from (Fact("reset", told, "bad") for told in reset_told(connection))
    yield from (Fact("rewritten", told) for told in rewrites_told(points, connection))
    yield from (Fact("legs", told) for told in legs_told(points, connection))


def director_told(director: Director) -> str:
    """`lvs: NONE → SYN_RECV → ESTABLISHED (INPUT-ONLY: ...)`."""
    states = [step.before for step in director.timeline[:1]] + [step.after for step in director.timeline]
    reason = f" ({ONE_SIDED})" if director.table == "input_only" and states[-1:] == ["FIN_WAIT"] else ""
    return f"{director.host}: {' → '.join(states) or 'not seen'}{reason}"


def reset_told(connection: Connection) -> Iterator[str]:
    """`by a middlebox, lvs: lvs:eth0 is the first point that has it; IP ID 0`."""
    if origin := connection.reset_origin:
        sender = "a middlebox" if origin.side == "middlebox" else f"the {origin.side}"
        host = f", {origin.host}" if origin.host not in ("", origin.side) else ""
        yield f"by {sender}{host}: {'; '.join(origin.evidence)}"


def rewrites_told(points: tuple[Point, ...], connection: Connection) -> Iterator[str]:
    """`request lvs:eth0 → lvs:eth1: server address 10.0.0.1:80 → 10.2.0.1:80 (frames 1, 1)`."""
    for rewrite in connection.rewrites:
        names = f"{points[rewrite.source].name} → {points[rewrite.target].name}"
        change = f"{rewrite.before or 'none'} → {rewrite.after or 'none'}"
        way = "request" if rewrite.direction == REQUEST else "reply"
        yield f"{way} {names}: {rewrite.field} {change} (frames {rewrite.frames[0]}, {rewrite.frames[1]})"


def legs_told(points: tuple[Point, ...], connection: Connection) -> Iterator[str]:
    """Flows that are called the same for the same reasons in one sentence."""
    several = len(connection.streams) > 1
    for number, stream in enumerate(connection.streams, 1):
        for leg, places in _alike(points, stream):
            why = f": {'; '.join(leg.evidence)}" if leg.evidence else ""
            of_stream = f"{number}: " if several else ""
            yield f"{of_stream}{leg.client} → {leg.server}, {places}{why} ({leg.confidence:.2g})"


def _alike(points: tuple[Point, ...], stream: Stream) -> Iterator[tuple[Leg, str]]:
    """One of the legs that are told alike, and where they all are."""

    def told(leg: Leg) -> tuple[str, str, tuple[str, ...], float]:
        return leg.client, leg.server, leg.evidence, leg.confidence

    for _, group in groupby(stream.legs, told):
        legs = list(group)
        flows = groupby(legs, lambda leg: leg.flow)
        places = ((flow, ", ".join(points[leg.point].name for leg in of_flow)) for flow, of_flow in flows)
        yield legs[0], "; ".join(f"flow {flow} at {names}" for flow, names in places)
