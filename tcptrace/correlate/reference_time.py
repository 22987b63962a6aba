"""Times of all points on the reference clock."""

from dataclasses import replace

import numpy as np

from tcptrace.correlate.result import Clock, Clocks, Points
from tcptrace.schema import I64, NO_TIME


def on_reference(time_ns: I64, points: Points, clocks: Clocks) -> I64:
    """Times by the points' own clocks, a column a point, on the reference clock; NO_TIME stays."""
    found = np.empty_like(time_ns)
    for number, point in enumerate(points):
        own = time_ns[:, number]
        found[:, number] = np.where(own == NO_TIME, NO_TIME, own + shifts_ns(own, clocks[point.host]))
    return found


def steady(clock: Clock) -> Clock:
    """The same without drift: for times between points of one host, which need no other clock."""
    return replace(clock, drift_ppm=None)


def shifts_ns(time_ns: I64, clock: Clock) -> I64:
    """What is added to each time of a clock to reach reference time: Clock.shift_ns of many."""
    found = np.full(len(time_ns), clock.offset_ns)
    if clock.drift_ppm is not None:
        found += np.rint((time_ns - clock.start_ns) * (clock.drift_ppm / 1e6)).astype(np.int64)
    for step in clock.steps:
        found -= np.where(time_ns >= step.time_ns, step.by_ns, 0)
    return found
