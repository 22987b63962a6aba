"""One input, read: the tables of its flows, and every sighting of their segments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.rotated import RotatedReader
from tcptrace.capture.summary import CaptureSummary
from tcptrace.correlation.points import Input
from tcptrace.correlation.result import Point
from tcptrace.kernels import Kernels, Notice, plain
from tcptrace.rows import chosen, joined
from tcptrace.schema import I64, NO_TIME, REPEATS, Flows, Packets, Segments, Sightings, Transitions, columns
from tcptrace.tcp.flow_table import client_sides, flow_table, transition_table
from tcptrace.tcp.joined_flows import joined_flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker

Number = TypeVar("Number", int, I64)

COPY = REPEATS.index("copy")
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
    """Their `point` is an index into the points of all recordings."""


class _Read(NamedTuple):
    """A recording whose sightings have no points yet."""

    recording: Recording
    via: I64
    """Of every sighting: by which interface, as `way` numbers them."""
    again: npt.NDArray[np.bool_]
    """Whether another interface had seen it before."""


def read(inputs: Sequence[Input], notice: Notice) -> tuple[tuple[Point, ...], tuple[Recording, ...]]:
    """All inputs, one after the other. Raises CaptureError for one that cannot be read at all.

    A recording of several interfaces becomes as many points, unless its point's name tells one. Text without dates
    is taken to be of the day of what has them.
    """
    points: list[Point] = []
    recordings: list[Recording] = []
    for number, given in enumerate(inputs):
        found, recording = _placed(_read(given, notice), given.name, number, len(points))
        points += found
        recordings.append(recording)
    return tuple(points), tuple(_dated(recordings))


def _read(given: Input, notice: Notice) -> _Read:
    tracker, reader = Tracker(statistics=False, zeek=False), RotatedReader(given.paths, notice)
    kernels: Kernels = plain()
    parts = [Sightings(*(np.empty(0, dtype) for dtype, _ in columns(Sightings).values()))]
    vias, agains = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for chunk in reader.chunks():
        kernels, packets = chunk.kernels, chunk.packets
        segments = tracker.take(packets, kernels)
        rows = np.flatnonzero(
            (segments.flow >= 0)
            & (segments.position >= 0)
            & (packets.quoted == 0)
            & ((segments.repeat != COPY) | (segments.copy == 1))
        )
        parts.append(_sightings(packets, segments, rows))
        vias.append(way(packets.interface[rows].astype(np.int64), packets.if_index[rows].astype(np.int64)))
        agains.append(segments.copy[rows] == 1)
    summary = reader.summary
    tracker.finish(NO_TIME if summary.end_ns is None else summary.end_ns, kernels)
    client, guessed = client_sides(tracker)
    flows = flow_table(tracker, client, guessed)
    summary.flows = len(flows.flow)
    sightings = joined(parts)
    sightings.side[:] ^= client[sightings.flow]
    measured = Measured(tracker, client, joined_flows(tracker, client))
    transitions = transition_table(tracker, client)
    recording = Recording(reader.paths, summary, reader.addresses, flows, transitions, measured, sightings)
    return _Read(recording, np.concatenate(vias), np.concatenate(agains))


def _sightings(packets: Packets, segments: Segments, rows: I64) -> Sightings:
    """Some rows of a chunk; their side is still that of the flow's first frame."""
    none = np.zeros(len(rows), np.int16)
    facts = (getattr(packets, name)[rows] for name in ("frame", "time_ns", "seq"))
    places = (getattr(segments, name)[rows] for name in ("position", "end_position", "ack_position"))
    names = ("flags", "len", "window", "mss", "window_scale", "option_kinds", "tsval", "ip_id", "ttl")
    more = (getattr(packets, name)[rows] for name in names)
    where = (getattr(packets, name)[rows] for name in ("toa_port", "inferred", "ip_at", "payload_at"))
    values = (none, segments.flow[rows], segments.side[rows], *facts, *places, *more, segments.repeat[rows], *where)
    kinds = columns(Sightings).values()
    return Sightings(*(value.astype(dtype) for value, (dtype, _) in zip(values, kinds, strict=True)))


def _placed(read: _Read, name: str, number: int, first: int) -> tuple[list[Point], Recording]:
    """The points of a recording, numbered from `first` on, and the recording with them in its sightings."""
    host, colon, _ = name.partition(":")
    ways = np.unique(read.via)
    if colon or len(ways) < 2:
        sightings = chosen(read.recording.sightings, np.flatnonzero(~read.again)) if read.again.any() else None
        sightings = read.recording.sightings if sightings is None else sightings
        sightings.point[:] = first
        return [Point(name, host, number)], replace(read.recording, sightings=sightings)
    read.recording.sightings.point[:] = first + np.searchsorted(ways, read.via)
    order = np.argsort(read.recording.sightings.point, kind="stable")
    names = [interface_name(int(one), read.recording.summary.interfaces) for one in ways]
    points = [Point(f"{host}:{name}", host, number, int(one)) for name, one in zip(names, ways, strict=True)]
    return points, replace(read.recording, sightings=chosen(read.recording.sightings, order))


def way(interface: Number, if_index: Number) -> Number:
    """By which interface frames came: the capture's, and of one for several interfaces the number in each frame."""
    return interface << 16 | (if_index + 1)


def interface_name(came_by: int, names: Sequence[str]) -> str:
    """`eth0`; where the capture does not name it `if1`, by the number it has there."""
    interface, cooked = came_by >> 16, (came_by & 0xFFFF) - 1
    if cooked >= 0:
        return f"if{cooked}"
    return names[interface] or f"if{interface}"


def _dated(recordings: Sequence[Recording]) -> list[Recording]:
    """Recordings of which those without dates are moved by whole days, close to the first that has them."""
    starts = [r.summary.start_ns for r in recordings if r.summary.dated and r.summary.start_ns is not None]
    return [_moved(r, starts[0]) if starts and not r.summary.dated else r for r in recordings]


def _moved(recording: Recording, near_ns: int) -> Recording:
    start_ns = recording.summary.start_ns
    if start_ns is None:
        return recording
    by_ns = (near_ns - start_ns + DAY_NS // 2) // DAY_NS * DAY_NS
    recording.summary.start_ns = start_ns + by_ns
    recording.summary.end_ns = (recording.summary.end_ns or start_ns) + by_ns
    for column in (
        recording.flows.start_ns,
        recording.flows.end_ns,
        recording.transitions.time_ns,
        recording.sightings.time_ns,
    ):
        column[column != NO_TIME] += by_ns
    return recording
