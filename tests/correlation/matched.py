"""Captures of several points, read and matched, and what a reader asks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tcptrace.correlation.legs import legs_of
from tcptrace.correlation.passages import Passages, passages_of
from tcptrace.correlation.points import Input, from_words, inputs_of
from tcptrace.correlation.recording import Recording, read
from tcptrace.correlation.result import Candidate, Point, Stream, Translation
from tcptrace.correlation.streams import match
from tests.correlation.wire import CAPTURES, Frame, write


@dataclass(frozen=True)
class Matched:
    """Points and what passed them."""

    points: tuple[Point, ...]
    recordings: tuple[Recording, ...]
    streams: tuple[Stream, ...]
    candidates: tuple[Candidate, ...]
    passages: Passages

    @property
    def names(self) -> list[str]:
        return [point.name for point in self.points]

    def point(self, name: str) -> int:
        return self.names.index(name)

    def seen_at(self) -> list[list[str]]:
        """Of every stream the points of its legs."""
        return [[self.names[leg.point] for leg in stream.legs] for stream in self.streams]

    def passed(self, *names: str) -> list[int]:
        """How many segments each point saw."""
        return [int((self.passages.row[:, self.point(name)] >= 0).sum()) for name in names]

    def lost(self, here: str, there: str) -> list[int]:
        """Frames at one point that the other never saw."""
        row = self.passages.row
        lost = (row[:, self.point(here)] >= 0) & (row[:, self.point(there)] < 0)
        return sorted(self.passages.frame[lost, self.point(here)].tolist())

    def told(self) -> list[tuple[str, int, int, list[str]]]:
        """Every passage: whose it is, its first number, the one after its last, and who saw it."""
        p = self.passages
        rows = zip(p.direction.tolist(), p.start.tolist(), p.end.tolist(), (p.row >= 0).tolist(), strict=True)
        return [
            ("CS"[way], start, end, [n for n, s in zip(self.names, seen, strict=True) if s])
            for way, start, end, seen in rows
        ]

    def frames(self, *names: str) -> list[tuple[int, ...]]:
        """The frames of every passage at these points, -1 where it was not seen."""
        found = self.passages.frame[:, [self.point(name) for name in names]]
        return [tuple(row) for row in found.tolist()]


def matched(inputs: Sequence[Input], translations: Sequence[Translation] = ()) -> Matched:
    points, recordings = read(inputs, lambda text: None)
    legs = legs_of(points, recordings)
    streams = match(legs, translations)
    passages = passages_of(legs, streams.of_leg, points)
    assert np.all(np.diff(passages.stream) >= 0)
    return Matched(points, recordings, streams.streams, streams.candidates, passages)


def of_case(name: str) -> Matched:
    """A recorded case of several points."""
    return matched(inputs_of(from_words([str(CAPTURES / name)])))


def at_points(folder: Path, points: Mapping[str, Sequence[Frame]]) -> Matched:
    """What so many points saw."""
    return matched(inputs_of(write(folder, points)))
