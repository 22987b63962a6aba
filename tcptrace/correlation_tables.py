"""What correlation tells as pandas DataFrames."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from tcptrace.correlation.directions import DIRECTIONS
from tcptrace.diagnosis.rule import SEVERITIES
from tcptrace.errors import UsageError
from tcptrace.schema import NO_TIME

if TYPE_CHECKING:
    from tcptrace.joint_analysis import Correlation

Rows = Iterable[dict[str, Any]]


def table(told: "Correlation", name: str) -> pd.DataFrame:
    """One of TABLES. Raises UsageError for another name."""
    if name not in (*TABLES, "passages"):
        raise UsageError(f"no table {name!r}\n  there are: {', '.join(TABLES)}, passages")
    if name == "passages":
        return passages(told)
    rows, columns = TABLES[name]
    return pd.DataFrame(list(rows(told)), columns=columns.split())


def _points(told: "Correlation") -> Rows:
    for point in told.points:
        recording, clock = told.recordings[point.recording], told.clocks[point.host]
        yield {
            "point": point.name,
            "host": point.host,
            "path": ", ".join(recording.paths),
            "frames": recording.summary.frames,
            **{name: getattr(clock, name) for name in ("offset_ns", "low_ns", "high_ns", "drift_ppm", "basis")},
        }


def _connections(told: "Correlation") -> Rows:
    names = [point.name for point in told.points]
    for one in told.connections:
        request, reply = ([names[point] for point in way] for way in one.path)
        yield {
            "connection": one.connection,
            "client": one.client,
            "server": one.server,
            "mode": one.mode,
            "mode_confidence": one.mode_confidence,
            "request": request,
            "reply": reply,
            "lost": sum(hop.lost for hop in one.hops),
            "client_state": one.states[0],
            "server_state": one.states[1],
            "reset_by": one.reset_origin.host if one.reset_origin else None,
        }


def _legs(told: "Correlation") -> Rows:
    for one in told.connections:
        for stream in one.streams:
            for leg in stream.legs:
                place = {"connection": one.connection, "stream": stream.stream, "point": told.points[leg.point].name}
                yield place | {name: value for name, value in asdict(leg).items() if name != "point"}


def _hops(told: "Correlation") -> Rows:
    for one in told.connections:
        for hop in one.hops:
            delay = asdict(hop.delay) if hop.delay else {}
            facts = {name: value for name, value in asdict(hop).items() if name not in ("delay", "direction")}
            ends = {"source": told.points[hop.source].name, "target": told.points[hop.target].name}
            spans = {f"delay_{name}": delay.get(name) for name in ("min_ns", "p50_ns", "p99_ns", "max_ns")}
            yield {"connection": one.connection, "direction": DIRECTIONS[hop.direction], **facts, **ends, **spans}


def _rewrites(told: "Correlation") -> Rows:
    for one in told.connections:
        for change in one.rewrites:
            ends = {"source": told.points[change.source].name, "target": told.points[change.target].name}
            direction = {"direction": DIRECTIONS[change.direction]}
            yield {"connection": one.connection, **asdict(change), **ends, **direction}


def _findings(told: "Correlation") -> Rows:
    for finding in sorted(told.found, key=lambda finding: SEVERITIES.index(finding.severity)):
        yield {name: value for name, value in asdict(finding).items() if name not in ("capture", "alike")}


def passages(told: "Correlation") -> pd.DataFrame:
    """One row a segment that was sent; of each point its frame and time by its clock, NaT where not seen."""
    found = told.passages
    names = ("stream", "direction", "start", "end", "ack", "flags", "len")
    frame = pd.DataFrame({name: getattr(found, name) for name in names})
    frame["direction"] = [DIRECTIONS[direction] for direction in found.direction.tolist()]
    frames, times = found.frame, found.time_ns
    for place, point in enumerate(told.points):
        seen = frames[:, place] > 0
        frame[f"{point.name} frame"] = pd.Series(frames[:, place], dtype="Int64").where(seen)
        frame[f"{point.name} time"] = pd.to_datetime(pd.Series(times[:, place]).where(times[:, place] != NO_TIME))
    return frame


class _Table(NamedTuple):
    """What a table holds a row for, and its columns, which one without rows has too."""

    rows: Callable[["Correlation"], Rows]
    columns: str


TABLES = {
    "points": _Table(_points, "point host path frames offset_ns low_ns high_ns drift_ppm basis"),
    "connections": _Table(
        _connections,
        "connection client server mode mode_confidence request reply lost client_state server_state reset_by",
    ),
    "legs": _Table(_legs, "connection stream point flow client server evidence confidence"),
    "hops": _Table(
        _hops,
        "connection direction source target stream frames lost lost_frames duplicated reordered missed missed_frames"
        " delay_min_ns delay_p50_ns delay_p99_ns delay_max_ns",
    ),
    "rewrites": _Table(_rewrites, "connection direction source target field before after frames"),
    "findings": _Table(
        _findings,
        "rule severity confidence summary cause evidence disproof confirm fix frames flows number point connections"
        " evidence_frames symptoms application sender",
    ),
}
"""All but the passages, whose columns depend on the points."""
