"""Passages as they would be, had the user given the points in another order, or were the clocks set otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.passages import Passages
from tcptrace.schema import NO_TIME
from tests.correlation.passing import WrongClock


def rearranged(passages: Passages, order: list[int]) -> Passages:
    """The same with the points given in another order."""
    place = np.argsort(order)
    point = place[passages.sightings.point].astype(np.int16)
    return replace(
        passages,
        points=tuple(passages.points[i] for i in order),
        sightings=passages.sightings._replace(point=point),
        row=passages.row[:, order],
        partly=passages.partly[:, order],
    )


def warped(passages: Passages, clocks: Mapping[str, WrongClock], start_ns: int) -> Passages:
    """The same with these clocks, whose true time begins at `start_ns`."""
    seen = passages.sightings
    shown = seen.time_ns.copy()
    for number, point in enumerate(passages.points):
        rows = seen.point == number
        shown[rows] = clocks[point.host].shows(seen.time_ns[rows] - start_ns) + start_ns
    return replace(passages, sightings=seen._replace(time_ns=shown))


def cut_off(passages: Passages, tick_ns: int) -> Passages:
    """The same by clocks that show whole ticks."""
    seen = passages.sightings
    times_ns = np.where(seen.time_ns == NO_TIME, NO_TIME, seen.time_ns // tick_ns * tick_ns)
    return replace(passages, sightings=seen._replace(time_ns=times_ns))


def disordered(passages: Passages, rng: np.random.Generator) -> Passages:
    """The same with every host's clock set somewhere else, and segments in the order that these clocks then tell."""
    points, seen = passages.points, passages.sightings
    ahead = {point.host: int(rng.integers(-(10**11), 10**11)) for point in points}
    by_point = np.array([ahead[point.host] for point in points])
    moved = np.where(seen.time_ns == NO_TIME, NO_TIME, seen.time_ns + by_point[seen.point])
    first = np.where(passages.row != NOWHERE, moved[passages.row], np.iinfo(np.int64).max).min(axis=1)
    order = np.lexsort((first, passages.stream))
    columns = ("stream", "direction", "start", "end", "ack", "flags", "len", "row", "partly")
    sorted_columns: dict[str, Any] = {name: getattr(passages, name)[order] for name in columns}
    return replace(passages, sightings=seen._replace(time_ns=moved), **sorted_columns)
