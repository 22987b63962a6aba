"""Recorded cases, read as far as their passages; routes as their truth tells them, on one clock."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tcptrace.correlate.clocks import Alignment
from tcptrace.correlate.legs import legs_of
from tcptrace.correlate.order import Route
from tcptrace.correlate.passages import Passages, passages_of
from tcptrace.correlate.points import from_words
from tcptrace.correlate.recording import Recording, read
from tcptrace.correlate.result import Stream, Translation
from tcptrace.correlate.streams import match
from tests.correlate.passing import one_clock, route

CAPTURES = Path(__file__).parent.parent.parent / "captures"


@dataclass(frozen=True)
class Case:
    passages: Passages
    streams: tuple[Stream, ...]
    recordings: tuple[Recording, ...]
    routes: tuple[Route, ...]
    alignment: Alignment
    truth: dict[str, object]

    def point(self, name: str) -> int:
        return [point.name for point in self.passages.points].index(name)


@cache
def case(name: str, translations: tuple[Translation, ...] = ()) -> Case:
    folder = CAPTURES / name
    points, recordings = read(from_words([str(folder)]), lambda text: None)
    legs = legs_of(points, recordings)
    streams = match(legs, translations)
    passages = passages_of(legs, streams.of_leg, points)
    truth = json.loads((folder / "truth.json").read_text())["path"] if (folder / "truth.json").exists() else {}
    number = {point.name: index for index, point in enumerate(points)}

    def way(stream: Stream, told: list[str]) -> tuple[int, ...]:
        """The points of a way that has the stream; where two are told, the one that it passed."""
        several = [[number[one] for one in word.split(" or ")] for word in told]
        return tuple(dict.fromkeys(one for names in several for one in names if one in stream.points))

    routes = tuple(
        route(way(stream, truth.get("request", [])), way(stream, truth.get("reply", [])))
        for stream in streams.streams
    )
    return Case(passages, streams.streams, recordings, routes, one_clock(passages), truth)
