"""The JSON of a correlation as plain dicts: `tcptrace.correlation/1`.

Times are integer nanoseconds since the epoch, unknown is None. Points stand by name, and frames are those of the
point's recording.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace.analysis_json import valid_text
from tcptrace.correlation.clock_limits import reference_ns
from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.correlation.result import (
    Candidate,
    Connection,
    Director,
    DirectorStep,
    Hop,
    Leg,
    Point,
    ResetOrigin,
    Rewrite,
    Stream,
)
from tcptrace.finding_json import correlated_finding_dict
from tcptrace.flow_json import Json

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

SCHEMA = "tcptrace.correlation/1"

CONNECTIONS_PER_BATCH = 100


def document(correlation: "Correlation") -> Json:
    """The whole correlation as one dict."""
    connections = [connection for batch in connection_batches(correlation) for connection in batch]
    return {**head(correlation), "connections": connections, **tail(correlation)}


def head(correlation: "Correlation") -> Json:
    """What stands before the connections."""
    return {"schema": SCHEMA, "points": point_dicts(correlation)}


def tail(correlation: "Correlation") -> Json:
    """What stands behind the connections."""
    of_stream = {
        stream.stream: connection.connection for connection in correlation.connections for stream in connection.streams
    }
    return {
        "candidates": [_candidate(candidate, of_stream) for candidate in correlation.candidates],
        "findings": [correlated_finding_dict(finding) for finding in correlation.found],
    }


def point_dicts(correlation: "Correlation") -> list[Json]:
    """The entries of `points`, in the order given."""
    tcp_frames = np.bincount(correlation.passages.sightings.point, minlength=len(correlation.points)).tolist()
    by_name = {point.name: 0 for point in correlation.points}
    for point, frames in zip(correlation.points, tcp_frames, strict=True):
        by_name[point.name] += frames
    first = {point.name: point for point in reversed(correlation.points)}
    return [_point(correlation, first[name], frames) for name, frames in by_name.items()]


def connection_batches(correlation: "Correlation") -> Iterator[list[Json]]:
    """The entries of `connections`, by number."""
    names = [point.name for point in correlation.points]
    for start in range(0, len(correlation.connections), CONNECTIONS_PER_BATCH):
        batch = correlation.connections[start : start + CONNECTIONS_PER_BATCH]
        yield [_connection(connection, names) for connection in batch]


def _point(correlation: "Correlation", point: Point, tcp_frames: int) -> Json:
    """One entry of `points`; all frames of its capture, or its TCP segments where a capture is split into points."""
    recording = correlation.recordings[point.recording]
    return {
        "point": point.name,
        "host": point.host,
        "path": valid_text(recording.summary.path),
        "paths": [valid_text(path) for path in recording.paths],
        "frames": recording.summary.frames if point.interface is None else tcp_frames,
        "segments": tcp_frames,
        "clock": _clock(correlation, point),
    }


def _clock(correlation: "Correlation", point: Point) -> Json:
    """The clock of a point's host, its offset as it is at the point's first frame."""
    clock = correlation.clocks[point.host]
    first_ns = correlation.recordings[point.recording].summary.start_ns
    since_ns = 0
    if first_ns is not None:
        number, frame = correlation.points.index(point), np.array([1])
        since_ns = int(reference_ns(clock, number, frame, np.array([first_ns]))[0]) - first_ns - clock.offset_ns
    return {
        "offset_ns": clock.offset_ns + since_ns,
        "low_ns": None if clock.low_ns is None else clock.low_ns + since_ns,
        "high_ns": None if clock.high_ns is None else clock.high_ns + since_ns,
        "drift_ppm": clock.drift_ppm,
        "steps": [{"time_ns": step.time_ns, "by_ns": step.by_ns} for step in clock.steps],
        "basis": clock.basis,
    }


def _connection(connection: Connection, names: Sequence[str]) -> Json:
    request, reply = ([names[point] for point in way] for way in connection.path)
    client, server = connection.states
    return {
        "connection": connection.connection,
        "client": connection.client,
        "server": connection.server,
        "mode": connection.mode,
        "mode_confidence": connection.mode_confidence,
        "mode_evidence": list(connection.mode_evidence),
        "legs": [_leg(leg, stream, names) for stream in connection.streams for leg in stream.legs],
        "path": {"request": request, "reply": reply},
        "hops": [_hop(hop, names) for hop in connection.hops],
        "rewrites": [_rewrite(rewrite, names) for rewrite in connection.rewrites],
        "reset_origin": connection.reset_origin and _reset_origin(connection.reset_origin, names),
        "director": connection.director and _director(connection.director),
        "states": {"client": client, "server": server},
    }


def _leg(leg: Leg, stream: Stream, names: Sequence[str]) -> Json:
    return {
        "point": names[leg.point],
        "flow": leg.flow,
        "stream": stream.stream,
        "client": leg.client,
        "server": leg.server,
        "evidence": list(leg.evidence),
        "confidence": leg.confidence,
    }


def _hop(hop: Hop, names: Sequence[str]) -> Json:
    delay = hop.delay
    spread = delay and {"min": delay.min_ns, "p50": delay.p50_ns, "p99": delay.p99_ns, "max": delay.max_ns}
    return {
        **_way(hop, names),
        "stream": hop.stream,
        "frames": hop.frames,
        "lost": hop.lost,
        "lost_frames": list(hop.lost_frames),
        "missed": hop.missed,
        "missed_frames": list(hop.missed_frames),
        "duplicated": hop.duplicated,
        "reordered": hop.reordered,
        "delay_ns": spread,
        "low_ns": delay and delay.low_ns,
        "high_ns": delay and delay.high_ns,
    }


def _rewrite(rewrite: Rewrite, names: Sequence[str]) -> Json:
    return {
        **_way(rewrite, names),
        "field": rewrite.field,
        "before": rewrite.before,
        "after": rewrite.after,
        "frames": list(rewrite.frames),
    }


def _way(between: Hop | Rewrite, names: Sequence[str]) -> dict[str, Any]:
    return {
        "direction": DIRECTIONS[between.direction],
        "from": names[between.source],
        "to": names[between.target],
    }


def _reset_origin(origin: ResetOrigin, names: Sequence[str]) -> Json:
    return {
        "point": names[origin.point],
        "side": origin.side,
        "host": origin.host,
        "frame": origin.frame,
        "evidence": list(origin.evidence),
    }


def _director(director: Director) -> Json:
    return {
        "host": director.host,
        "table": director.table,
        "timeline": [_step(step) for step in director.timeline],
    }


def _step(step: DirectorStep) -> Json:
    return {
        "time_ns": step.time_ns,
        "low_ns": step.low_ns,
        "high_ns": step.high_ns,
        "from": step.before,
        "to": step.after,
        "event": step.event,
        "basis": step.basis,
    }


def _candidate(candidate: Candidate, of_stream: dict[int, int]) -> Json:
    return {
        "connections": [of_stream[stream] for stream in candidate.streams if stream in of_stream],
        "evidence": list(candidate.evidence),
        "confidence": candidate.confidence,
    }
