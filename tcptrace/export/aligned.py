"""The frames of one recording in order of time, by the reference clock."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from tcptrace.capture.frames import Frame, FrameReader
from tcptrace.correlation.clock_limits import reference_ns
from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.recording import interface_name, way
from tcptrace.correlation.result import Clock
from tcptrace.joint_analysis import Correlation
from tcptrace.kernels import Notice
from tcptrace.report.units import count
from tcptrace.schema import NO_TIME

BATCH = 1024
"""Frames aligned at once."""
HELD = 1024
"""Frames held back of a recording: so far may one stand behind its place by time. A few stand out of order in most."""


class Aligned(NamedTuple):
    """A frame of a recording; sorts by time, then by number."""

    time_ns: int
    """By the reference clock; that of the frame before it where a frame has none."""
    frame: Frame
    point: str
    """Name of where it was seen."""
    recording: int


def aligned(correlation: Correlation, recording: int, notice: Notice) -> Iterator[Aligned]:
    """All frames of a recording, also those of interfaces that are no point since no segment passed there.

    Says so when frames stand so far behind their place by time that they could not be put there.
    """
    last_ns, late = NO_TIME, 0
    for one in _in_order(_placed(correlation, recording, notice)):
        late += one.time_ns < last_ns
        last_ns = max(last_ns, one.time_ns)
        yield one
    if late:
        path = correlation.recordings[recording].summary.path
        notice(
            f"{path}: {count(late, 'frame')} left after later ones: its clock went back, or it was joined from several"
        )


def _in_order(frames: Iterable[Aligned]) -> Iterator[Aligned]:
    """Sorted, as far as holding back some of them allows."""
    held: list[Aligned] = []
    for one in frames:
        if len(held) < HELD:
            heapq.heappush(held, one)
        else:
            yield heapq.heappushpop(held, one)
    yield from sorted(held)


def _placed(correlation: Correlation, recording: int, notice: Notice) -> Iterator[Aligned]:
    """Each frame in the order of the recording, with its point and its time."""
    own = {point.interface: number for number, point in enumerate(correlation.points) if point.recording == recording}
    host = correlation.points[min(own.values())].host
    reader = FrameReader(correlation.recordings[recording].paths, notice)
    source, last_ns = reader.frames(), NO_TIME
    while frames := list(islice(source, BATCH)):
        ways = [None if None in own else way(frame.interface, frame.if_index) for frame in frames]
        numbers = [own.get(one, NOWHERE) for one in ways]
        times = _reference_ns(correlation.clocks[host], numbers, frames)
        for frame, passed, number, time_ns in zip(frames, ways, numbers, times, strict=True):
            last_ns = last_ns if time_ns == NO_TIME else time_ns
            name = correlation.points[number].name
            if number == NOWHERE and passed is not None:
                name = f"{host}:{interface_name(passed, reader.interfaces)}"
            yield Aligned(last_ns, frame, name, recording)


def _reference_ns(clock: Clock, points: Sequence[int], frames: Sequence[Frame]) -> list[int]:
    """Times of frames that points of one host recorded, by the reference clock; NO_TIME where a frame has none."""
    where, number, time_ns = (
        np.array(column, np.int64)
        for column in (points, [frame.frame for frame in frames], [frame.time_ns for frame in frames])
    )
    for point in np.unique(where).tolist():
        rows = where == point
        time_ns[rows] = reference_ns(clock, point, number[rows], time_ns[rows])
    found: list[int] = time_ns.tolist()
    return found
