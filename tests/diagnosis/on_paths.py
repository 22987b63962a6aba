"""What path rules find in passages in words, as tests.correlation.in_words reads them."""

from collections.abc import Sequence
from typing import Any

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.connections import Told
from tcptrace.correlation.director import directors
from tcptrace.correlation.fates import fates
from tcptrace.correlation.hops import hops
from tcptrace.correlation.mode import modes
from tcptrace.correlation.onward import onward
from tcptrace.correlation.reset_origin import reset_origins
from tcptrace.correlation.result import Connection, Leg, Stream
from tcptrace.correlation.rewrites import rewrites
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.paths import PathEvidence
from tcptrace.diagnosis.registry import PATH_RULES
from tcptrace.diagnosis.rule import Finding
from tcptrace.diagnosis.settings import thresholds
from tests.correlation.in_words import one_clock, passages, route

Way = tuple[int, ...]
VIP = "10.1.0.100:80"


def on_path(
    text: str,
    *ways: tuple[Way, Way],
    clocks: Alignment | None = None,
    captures: Sequence[Evidence] = (),
) -> PathEvidence:
    """Connections of one stream each, which take these ways; the last way is that of all that follow."""
    told = passages(text)
    clocks = clocks or one_clock(told)
    count = int(told.stream.max()) + 1
    routes = [route(*ways[min(number, len(ways) - 1)]) for number in range(count)]
    streams = [_stream(number, sorted({*one.request, *one.reply})) for number, one in enumerate(routes)]
    origins = reset_origins(told, routes, clocks)
    further = onward(told, routes, streams)
    became = fates(told, further, (), origins)
    changes = rewrites(told, became, streams)
    how = modes(told, routes, changes, streams)
    believed = directors(told, streams, routes, how, changes, origins, clocks)
    found = hops(told, further, became, clocks)
    connections = tuple(
        Connection(
            number,
            stream.legs[0].client,
            VIP,
            how[number].mode,
            0.9,
            (),
            (stream,),
            (routes[number].request, routes[number].reply),
            tuple(hop for hop in found if hop.stream == number),
            tuple(changes[number]),
            origins.get(number),
            believed[number],
            ("UNKNOWN", "UNKNOWN"),
        )
        for number, stream in enumerate(streams)
    )
    return PathEvidence(captures, Told(told, routes, clocks, became, connections, ()))


def _stream(number: int, points: Sequence[int]) -> Stream:
    legs = [Leg(point, number, f"10.0.0.1:{40000 + number}", VIP, (), 0.99) for point in points]
    return Stream(number, tuple(legs))


def found_by(rule: str, evidence: PathEvidence, **set_to: Any) -> list[Finding]:
    """What one path rule finds."""
    module = next(module for module in PATH_RULES if module.RULE.name == rule)
    return list(module.check_path(evidence, {**thresholds(rule, {}), **set_to}))
