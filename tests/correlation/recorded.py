"""Recorded cases, read as far as their passages; routes as their truth tells them, on one clock."""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.fates import Fates, fates
from tcptrace.correlation.legs import legs_of
from tcptrace.correlation.mode import Mode, modes
from tcptrace.correlation.onward import onward
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages, passages_of
from tcptrace.correlation.points import from_words, inputs_of
from tcptrace.correlation.recording import Recording, read
from tcptrace.correlation.reset_origin import reset_origins
from tcptrace.correlation.result import ResetOrigin, Rewrite, Stream, Translation
from tcptrace.correlation.rewrites import rewrites
from tcptrace.correlation.streams import match
from tests.correlation.in_words import one_clock, route

CAPTURES = Path(__file__).parent.parent.parent / "captures"


PUBLISHED = {
    "lvs-dr": {"request": ["client", "lvs:eth0", "lvs:eth1", "rs:bond1"], "reply": ["rs:bond0", "client"]},
    "dpvs-fullnat": {"request": ["client", "rs"], "reply": ["rs", "client"]},
}
"""Paths of cases that were not recorded here."""


@dataclass(frozen=True)
class Case:
    passages: Passages
    streams: tuple[Stream, ...]
    recordings: tuple[Recording, ...]
    routes: tuple[Route, ...]
    alignment: Alignment
    truth: dict[str, Any]

    def name(self, point: int) -> str:
        return self.passages.points[point].name

    @cached_property
    def origins(self) -> dict[int, ResetOrigin]:
        return reset_origins(self.passages, self.routes, self.alignment)

    @cached_property
    def onward(self) -> list[Route]:
        return onward(self.passages, self.routes, self.streams)

    @cached_property
    def fates(self) -> Fates:
        return fates(self.passages, self.onward, (), self.origins)

    @cached_property
    def rewrites(self) -> list[list[Rewrite]]:
        return rewrites(self.passages, self.fates, self.streams)

    @cached_property
    def modes(self) -> list[Mode]:
        return modes(self.passages, self.routes, self.rewrites, self.streams)


def recorded_paths() -> list[str]:
    """The cases whose path was recorded with them."""
    truths = sorted(CAPTURES.glob("*/truth.json"))
    return [path.parent.name for path in truths if "path" in json.loads(path.read_text())]


def recorded_by_one_clock() -> list[str]:
    """Those whose points all read the same clock."""
    return [name for name in recorded_paths() if "clock_offsets_ns" not in _truth(name)]


def _truth(name: str) -> dict[str, Any]:
    """The truth of a recorded path."""
    told: dict[str, Any] = json.loads((CAPTURES / name / "truth.json").read_text())["path"]
    return told


@cache
def case(name: str, translations: tuple[Translation, ...] = ()) -> Case:
    folder = CAPTURES / name
    points, recordings = read(inputs_of(from_words([str(folder)])), lambda text: None)
    legs = legs_of(points, recordings)
    streams = match(legs, translations)
    passages = passages_of(legs, streams.of_leg, points)
    truth = PUBLISHED.get(name) or _truth(name)
    number = {point.name: index for index, point in enumerate(points)}

    def way(stream: Stream, told: list[str]) -> tuple[int, ...]:
        """The points of a way that has the stream; where two are told, the one that it passed."""
        several = [[number[one] for one in word.split(" or ")] for word in told]
        return tuple(dict.fromkeys(one for names in several for one in names if one in stream.points))

    routes = tuple(route(way(stream, truth["request"]), way(stream, truth["reply"])) for stream in streams.streams)
    return Case(passages, streams.streams, recordings, routes, one_clock(passages), truth)
