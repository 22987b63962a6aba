"""What went by at every point, each way: frames, bytes, sizes and rates, for sizing its interface."""

from typing import NamedTuple

import numpy as np

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.schema import I64, NO_TIME, Sightings

SECOND_NS = 1_000_000_000
BITS = 8


class Traffic(NamedTuple):
    """One direction's segments at one point, without copies that the capture made."""

    frames: int
    payload_bytes: int
    """Repeats included."""
    packet_mean_bytes: int | None
    """IP packets; None where the capture does not tell where headers lie (text)."""
    packet_max_bytes: int | None
    mean_bps: int | None
    """Of IP packets, from the point's first frame to its last; None where that is less than a second."""
    peak_bps: int | None
    """In the busiest second of its clock."""


NONE = Traffic(0, 0, None, None, None, None)


def traffic(sightings: Sightings, points: int) -> list[list[Traffic]]:
    """For every point its directions."""
    rows_of = [np.flatnonzero(sightings.point == point) for point in range(points)]
    return [[_way(sightings, rows, direction) for direction in range(len(DIRECTIONS))] for rows in rows_of]


def _way(sightings: Sightings, rows_of_point: I64, direction: int) -> Traffic:
    rows = rows_of_point[sightings.side[rows_of_point] == direction]
    if not len(rows):
        return NONE
    payload = np.maximum(sightings.len[rows].astype(np.int64), 0)
    ip_at, payload_at = sightings.ip_at[rows], sightings.payload_at[rows]
    if (ip_at < 0).any() or (payload_at < 0).any():
        return NONE._replace(frames=len(rows), payload_bytes=int(payload.sum()))
    packets = payload + payload_at - ip_at
    times = sightings.time_ns[rows_of_point]
    times = times[times != NO_TIME]
    span_ns = int(times.max() - times.min()) if len(times) else 0
    total = int(packets.sum())
    return Traffic(
        len(rows),
        int(payload.sum()),
        total // len(rows),
        int(packets.max()),
        total * BITS * SECOND_NS // span_ns if span_ns >= SECOND_NS else None,
        _peak(sightings.time_ns[rows], packets),
    )


def _peak(times: I64, sizes: I64) -> int | None:
    """Most bits in one second; the seconds begin with the first frame."""
    known = times != NO_TIME
    if not known.any():
        return None
    _, second = np.unique((times[known] - times[known].min()) // SECOND_NS, return_inverse=True)
    return int(np.bincount(second, weights=sizes[known]).max()) * BITS
