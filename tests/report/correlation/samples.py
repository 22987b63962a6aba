"""Correlations made by hand, so that the tests of reports need no capture and no pipeline."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tcptrace.correlation.directions import NOWHERE
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.result import Clock, Connection, Delay, Director, DirectorStep, Hop, Leg, Point, Stream
from tcptrace.diagnosis.rule import Finding
from tcptrace.joint_analysis import Correlation
from tcptrace.schema import Flows, Sightings, Transitions
from tests.report import samples as analyses
from tests.report.samples import MS, START_NS, table

CLIENT, VIP = "123.58.180.188:32935", "123.58.180.123:80"
POINTS = ("client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0")

LVS_DR = (
    "C 0x002 0 1 -1 0      0.000 0.083 0.123 0.057 -",
    "S 0x012 0 1 1 0       0.301 - - - 0.120",
    "C 0x010 1 1 1 0       0.348 0.373 0.391 0.320 -",
    "C 0x018 1 78 1 77     0.510 0.549 0.565 0.537 -",
    "S 0x010 1 1 78 0      0.703 - - - 0.554",
    "S 0x018 1 637 78 636  128.589 - - - 128.419",
    "C 0x010 78 78 637 0   128.618 128.660 128.676 128.623 -",
    "C 0x011 78 79 637 0   128.775 128.797 128.813 128.749 -",
    "S 0x011 637 638 79 0  128.932 - - - 128.780",
    "C 0x010 79 79 638 0   128.964 128.992 129.010 128.941 -",
)
"""Sender, flags, start, end, ack, payload; then the time at each point in ms by its own clock, `-` where not seen,
`~` before it where its bytes came in segments of other sizes there."""


def points(*names: str) -> tuple[Point, ...]:
    """One recording a point; the host is what stands before the colon."""
    return tuple(Point(name, name.split(":")[0], number) for number, name in enumerate(names))


def recording(path: str, point: int, legs: int = 1, **facts: Any) -> Recording:
    book = analyses.Book()
    flows = table(Flows, [analyses.flow_row(book, number) for number in range(legs)])
    summary = analyses.summary(path, **facts)
    sightings = table(Sightings, [])
    return Recording((path,), summary, book.book, flows, table(Transitions, []), analyses.unmeasured(legs), sightings)


def passages(of: Sequence[Point], *streams: Sequence[str]) -> Passages:
    """The streams' segments, each told by a line as in LVS_DR; frames are counted point by point."""
    rows: list[dict[str, Any]] = []
    facts: list[list[int]] = []
    seen_at: list[list[int]] = []
    partly: list[list[bool]] = []
    frames = [0] * len(of)
    for stream, texts in enumerate(streams):
        for text in texts:
            side, flags, start, end, ack, length, *times = text.split()
            direction = "CS".index(side)
            numbers = [int(value) for value in (start, end, ack)]
            facts.append([stream, direction, *numbers, int(flags, 16), int(length)])
            seen_at.append([])
            for point, time in enumerate(times):
                seen_at[-1].append(NOWHERE if time == "-" else len(rows))
                if time == "-":
                    continue
                frames[point] += 1
                told = _sighting(point, stream, direction, frames[point], time, facts[-1])
                rows.append(told)
            partly.append([time.startswith("~") for time in times])
    columns = np.array(facts, np.int64).reshape(-1, 7).T
    return Passages(
        tuple(of),
        table(Sightings, rows),
        columns[0],
        columns[1].astype(np.int8),
        *columns[2:],
        np.array(seen_at, np.int32).reshape(-1, len(of)),
        np.array(partly, np.bool_).reshape(-1, len(of)),
    )


def _sighting(point: int, flow: int, side: int, frame: int, time: str, facts: Sequence[int]) -> dict[str, Any]:
    _, _, start, end, ack, flags, length = facts
    return {
        "point": point,
        "flow": flow,
        "side": side,
        "frame": frame,
        "time_ns": START_NS + round(float(time.lstrip("~")) * MS),
        "start": start,
        "end": end,
        "ack": ack,
        "flags": flags,
        "len": length,
        "window": 512,
        "repeat": 0,
        "ip_at": 14,
        "payload_at": 14 + 20 + 32,
    }


def leg(point: int, client: str = CLIENT, server: str = VIP, flow: int = 0) -> Leg:
    return Leg(point, flow, client, server, ("same addresses and client ISN",), 0.98)


def hop(direction: int, source: int, target: int, frames: int, delay_us: int | None = 40, **facts: Any) -> Hop:
    delay = None
    if delay_us is not None:
        ns = delay_us * 1000
        spread = 0 if facts.pop("exact", False) else 50_000
        delay = Delay(ns - 10_000, ns, ns + 10_000, ns + 20_000, ns - spread, ns + spread)
    told = {"stream": 0, "lost": 0, "lost_frames": (), "duplicated": 0, "reordered": 0, **facts}
    return Hop(direction, source, target, frames=frames, delay=delay, **told)


def clock(host: str, offset_us: int = 0, low_us: int | None = 0, high_us: int | None = 0, **facts: Any) -> Clock:
    bounds = [None if us is None else us * 1000 for us in (low_us, high_us)]
    told = {"drift_ppm": None, "start_ns": START_NS, "basis": "6 segments one way, 4 back", **facts}
    return Clock(host, offset_us * 1000, *bounds, **told)


DIRECTOR = Director(
    "lvs",
    "input_only",
    (
        DirectorStep(START_NS, START_NS, START_NS, "NONE", "SYN_RECV", "SYN", "capture"),
        DirectorStep(START_NS + MS, START_NS, START_NS + MS, "SYN_RECV", "ESTABLISHED", "ACK", "capture"),
        DirectorStep(None, START_NS, START_NS + 129 * MS, "ESTABLISHED", "FIN_WAIT", "FIN", "neighbours"),
    ),
)

DR = Connection(
    connection=0,
    client=CLIENT,
    server=VIP,
    mode="dr",
    mode_confidence=0.9,
    mode_evidence=("same addresses and client ISN at all points", "replies at rs:bond0 and client only"),
    streams=(Stream(0, tuple(leg(point) for point in range(5))),),
    path=((0, 1, 2, 3), (4, 0)),
    hops=(hop(0, 0, 1, 6), hop(0, 1, 2, 6, 16, exact=True), hop(0, 2, 3, 6), hop(1, 4, 0, 4)),
    rewrites=(),
    reset_origin=None,
    director=DIRECTOR,
    states=("TIME_WAIT", "CLOSED"),
)

ASYMMETRIC = Finding(
    rule="asymmetric-path",
    severity="info",
    confidence=0.95,
    summary="Requests pass lvs, replies do not.",
    cause="DR: the realserver answers the client itself",
    evidence=("6 segments of the client at lvs:eth0, none of the server",),
    disproof="a capture of lvs that lacks one direction by a filter",
    confirm="at lvs: ipvsadm -ln shows Route",
    fix="nothing: so it should be in DR",
    connections=(0,),
    evidence_frames=(("lvs:eth0", (1,)), ("rs:bond0", (1, 2))),
)


def lvs_dr(**facts: Any) -> Correlation:
    """One request through LVS DR at five points."""
    at = points(*POINTS)
    told: dict[str, Any] = {
        "points": at,
        "recordings": tuple(recording(f"{name.replace(':', '-')}.txt", i, frames=6) for i, name in enumerate(POINTS)),
        "clocks": {
            "client": clock("client", basis="reference"),
            "lvs": clock("lvs", -83 + 20, -83, -43, drift_ppm=1.25),
            "rs": clock("rs", 120, None, 130),
        },
        "connections": (DR,),
        "passages": passages(at, LVS_DR),
        "found": (ASYMMETRIC,),
    }
    return Correlation(**{**told, **facts})


LOSSY = (
    "C 0x002 0 1 -1 0      0.000 0.050 0.100 0.150 -",
    "S 0x012 0 1 1 0       0.400 - - - 0.200",
    "C 0x010 1 1 1 0       0.500 0.550 0.600 0.650 -",
    "C 0x018 1 101 1 100   1.000 1.050 1.100 - -",
    "C 0x018 1 101 1 100   201.000 201.050 - 201.150 -",
    "S 0x014 1 1 101 0     201.400 - - - 201.200",
)


def lossy(number: int = 0, **facts: Any) -> Connection:
    """A segment lost between lvs:eth1 and rs:bond1, its repeat missed at lvs:eth1, then a RST."""
    hops = (
        hop(0, 0, 1, 4),
        hop(0, 1, 2, 3, missed=1, missed_frames=(4,)),
        hop(0, 2, 3, 2, lost=1, lost_frames=(3,)),
        hop(0, 1, 3, 1),
        hop(1, 4, 0, 2, None),
    )
    hops = tuple(replace(one, stream=number) for one in hops)
    streams = (Stream(number, tuple(leg(point, flow=number) for point in range(5))),)
    return replace(DR, connection=number, streams=streams, hops=hops, **{"states": ("CLOSED", "CLOSED"), **facts})


LOST = replace(
    ASYMMETRIC,
    rule="lost-between",
    severity="error",
    summary="1 segment of the client left lvs:eth1 (frame 3) and never came to rs:bond1.",
    evidence_frames=(("lvs:eth1", (3,)), ("client", (3, 4))),
)
