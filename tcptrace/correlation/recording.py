"""Inputs, read: the tables of their flows, and every sighting of their segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.rotated import RotatedReader
from tcptrace.capture.summary import CaptureSummary
from tcptrace.correlation.gathering import Gathering
from tcptrace.correlation.points import Input
from tcptrace.correlation.result import Point
from tcptrace.errors import UsageError
from tcptrace.kernels import Notice
from tcptrace.rows import part
from tcptrace.schema import I64, NO_TIME, Bools, Flows, Sightings, Transitions
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.joined_flows import joined_flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table

Number = TypeVar("Number", int, I64)

DAY_NS = 86_400_000_000_000


@dataclass(frozen=True)
class Recording:
    """What one input gave: a capture, or the rotated files of one, read one after the other."""

    paths: tuple[str, ...]
    summary: CaptureSummary
    book: AddressBook
    flows: Flows
    transitions: Transitions
    measured: Measured
    sightings: Sightings
    """Of all recordings that were read together, in order of point and frame."""


class _Read(NamedTuple):
    """What one input gave besides its sightings."""

    paths: tuple[str, ...]
    flows: Flows
    transitions: Transitions
    measured: Measured
    summary: CaptureSummary
    book: AddressBook
    via: I64
    """Of every sighting: by which interface, as `way` numbers them."""
    again: Bools
    """Of every sighting: whether another interface had seen it before."""


def read(inputs: Sequence[Input], notice: Notice) -> tuple[tuple[Point, ...], tuple[Recording, ...]]:
    """All inputs, one after the other. Raises CaptureError for one that cannot be read at all.

    A recording of several interfaces becomes as many points, unless its point's name tells one; raises UsageError
    where one of them has the name of another point. Text without dates is taken to be of the day of what has them.
    """
    gathering = Gathering()
    points: list[Point] = []
    several: list[_Read] = []
    ends = [0]
    for number, given in enumerate(inputs):
        one = _read(given, gathering, notice)
        points += _placed(one, gathering, ends[-1], given.name, number, len(points))
        several.append(one)
        ends.append(gathering.count)
    _check_names(points)
    sightings = gathering.finish()
    recordings = tuple(
        Recording(one.paths, one.summary, one.book, one.flows, one.transitions, one.measured, sightings)
        for one in several
    )
    _date(recordings, ends)
    return tuple(points), recordings


def _read(given: Input, gathering: Gathering, notice: Notice) -> _Read:
    tracker, reader = Tracker(statistics=False, zeek=False), RotatedReader(given.paths, notice)
    first = gathering.count
    vias, agains = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for chunk in reader.chunks():
        packets, segments = chunk.packets, tracker.take(chunk)
        rows = gathering.add(packets, segments)
        vias.append(way(packets.interface[rows].astype(np.int64), packets.if_index[rows].astype(np.int64)))
        agains.append(segments.copy[rows] == 1)
    summary = reader.summary
    tracker.finish(NO_TIME if summary.end_ns is None else summary.end_ns)
    client, guessed = client_sides(tracker)
    flows = flow_table(tracker, client, guessed)
    summary.flows = len(flows.flow)
    sightings = gathering.rows(first)
    sightings.side[:] ^= client[sightings.flow]
    measured = Measured(tracker, client, joined_flows(tracker, client))
    transitions = transition_table(tracker, client)
    via, again = np.concatenate(vias), np.concatenate(agains)
    return _Read(reader.paths, flows, transitions, measured, summary, reader.addresses, via, again)


def _placed(read: _Read, gathering: Gathering, start: int, name: str, number: int, first: int) -> list[Point]:
    """The points of a recording, numbered from `first` on; its sightings, from row `start` on, are put in their order.

    At a point on one interface, or of all taken together, a segment is seen once: as the first interface saw it.
    """
    host, colon, _ = name.partition(":")
    ways = np.unique(read.via)
    names = [interface_name(one, read.summary.interfaces) for one in ways.tolist()]
    distinct = list(dict.fromkeys(names))
    if colon or len(distinct) < 2:
        if read.again.any():
            gathering.arrange(start, np.flatnonzero(~read.again))
        gathering.rows(start).point[:] = first
        return [Point(name, host, number)]
    place = np.array([distinct.index(name) for name in names], np.int16)[np.searchsorted(ways, read.via)]
    gathering.rows(start).point[:] = first + place
    gathering.arrange(start, np.argsort(place, kind="stable"))
    return [Point(f"{host}:{name}", host, number, int(ways[names.index(name)])) for name in distinct]


def way(interface: Number, if_index: Number) -> Number:
    """By which interface frames came: the capture's, and of one for several interfaces the number in each frame."""
    return interface << 16 | (if_index + 1)


def interface_name(came_by: int, names: Sequence[str]) -> str:
    """`eth0`; where the capture does not name it `if1`, by the number it has there."""
    interface, cooked = came_by >> 16, (came_by & 0xFFFF) - 1
    if cooked >= 0:
        return f"if{cooked}"
    return names[interface] or f"if{interface}"


def _check_names(points: Sequence[Point]) -> None:
    names = [point.name for point in points]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"{name}: two points of that name\n  an interface of one capture is named as another point"
            )


def _date(recordings: Sequence[Recording], ends: Sequence[int]) -> None:
    """Move recordings without dates by whole days, close to the first that has them."""
    starts = [r.summary.start_ns for r in recordings if r.summary.dated and r.summary.start_ns is not None]
    for recording, first, end in zip(recordings, ends, ends[1:], strict=False):
        if starts and not recording.summary.dated:
            _move(recording, part(recording.sightings, first, end), starts[0])


def _move(recording: Recording, sightings: Sightings, near_ns: int) -> None:
    summary = recording.summary
    if summary.start_ns is None:
        return
    by_ns = (near_ns - summary.start_ns + DAY_NS // 2) // DAY_NS * DAY_NS
    summary.end_ns = None if summary.end_ns is None else summary.end_ns + by_ns
    summary.start_ns += by_ns
    summary.recordings = [(first + by_ns, last + by_ns) for first, last in summary.recordings]
    flows = recording.flows
    for column in (flows.start_ns, flows.end_ns, recording.transitions.time_ns, sightings.time_ns):
        column[column != NO_TIME] += by_ns
