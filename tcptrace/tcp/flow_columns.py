"""All that was measured of flows as columns beside the table of flows, each under a name of its own.

The tables it comes from say the same word of different things (`dsacks` of a sender and of its
peer, `handshake_ns` as a span and as a cause); here and where users meet them, names are unique.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace.schema import (
    LIMITS,
    SIDES,
    TAKEN_NEAR,
    Column,
    DirectionStatistics,
    FlowMeasures,
    Flows,
    RoundTrips,
    Stalls,
    columns,
)
from tcptrace.tcp.capture_place import taken_near
from tcptrace.tcp.direction_table import direction_table, stalls
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.zeek import ZeekView, zeek_views

Described = dict[str, tuple[Any, Column]]
"""Name → (numpy dtype, None for text; meaning)."""

LIMITED_BY = {f"{limit}_ns": f"limited_by_{limit}_ns" for limit in LIMITS}
RENAMED = LIMITED_BY | {f"{side}_dsacks": f"{side}_dsacks_received" for side in SIDES}
"""Column of FlowMeasures → its name here."""

STATISTICS = DirectionStatistics._fields[DirectionStatistics._fields.index("side") + 1 :]
TRUTHS = {f"{side}_{name}" for side in SIDES for name in ("timestamps", "sack_permitted")}
"""Columns that are 1 or 0 for true or false."""
WORDS = {"taken_near": TAKEN_NEAR}
"""Columns that are an index into words."""

ZEEK: Described = {
    "conn_state": (None, Column("", "Zeek's conn_state ([zeek.md](zeek.md))")),
    "history": (None, Column("", "Zeek's history, the originator's letters upper case")),
    "originator": (None, Column("", "which side Zeek takes for the originator: client or server")),
}

JOINED: Described = {
    "joined_with": (np.int64, Column("", "flow that is the other half of its conversation; -1 none")),
    "join_confidence": (np.float64, Column("", "how sure that is, 0 to 1; -1 none")),
}


def round_trip_name(side: str, column: str) -> str:
    """`client_rtt_min_ns`, `client_srtt_ns`: a column of RoundTrips of what one side sent."""
    return f"{side}_{column}" if column in ("srtt_ns", "rttvar_ns", "rto_ns") else f"{side}_rtt_{column}"


ROUND_TRIPS = [round_trip_name(side, column) for side in SIDES for column in RoundTrips._fields]

BY_TIMESTAMP = {
    f"{side}_timestamp_rtt_{column}": column for side in SIDES for column in ("samples", "min_ns", "mean_ns", "max_ns")
}
"""Name here of round trips by timestamp → column of RoundTrips."""

PLACE: Described = {
    "taken_near": (
        np.int8,
        Column(
            "",
            "where the capture was taken, inferred from the halves of the handshake: near a side whose half is under"
            " a tenth of it, index into TAKEN_NEAR",
        ),
    )
}


def _described() -> Described:
    measures = {RENAMED.get(name, name): column for name, column in columns(FlowMeasures).items()}
    last = ["completeness", *LIMITED_BY.values()]
    trips, statistics = columns(RoundTrips), columns(DirectionStatistics)
    return {
        **{name: column for name, column in measures.items() if name not in last},
        **dict(zip(ROUND_TRIPS, [*trips.values()] * len(SIDES), strict=True)),
        **{name: trips[column] for name, column in BY_TIMESTAMP.items()},
        **PLACE,
        **ZEEK,
        **{name: measures[name] for name in last},
        **columns(Stalls),
        **JOINED,
        **{f"{side}_{name}": statistics[name] for side in SIDES for name in STATISTICS},
    }


DESCRIBED = _described()
"""Every column, in order."""


def flow_columns(measured: Measured, flows: Flows) -> dict[str, npt.NDArray[Any] | list[str]]:
    """The columns of DESCRIBED for these flows of one capture, a value each; to be called in batches of flows."""
    numbers = flows.flow
    found: dict[str, npt.NDArray[Any] | list[str]] = {
        RENAMED.get(name, name): column for name, column in measured.of(numbers)._asdict().items()
    }
    statistics = direction_table(measured.tracker, measured.client, numbers)
    for number, side in enumerate(SIDES):
        trips = measured.round_trips(numbers, number)._asdict()
        found |= {round_trip_name(side, name): column for name, column in trips.items()}
        by_timestamp = measured.round_trips(numbers, number, by_timestamp=True)
        found |= {name: getattr(by_timestamp, BY_TIMESTAMP[name]) for name in BY_TIMESTAMP if name.startswith(side)}
        found |= {f"{side}_{name}": getattr(statistics, name)[number :: len(SIDES)] for name in STATISTICS}
    found |= stalls(measured.tracker, numbers)._asdict() | {"taken_near": taken_near(measured, flows)}
    views = zeek_views(measured.tracker, numbers, measured.client)
    found |= {name: [view[place] for view in views] for place, name in enumerate(ZeekView._fields)}
    found |= zip(JOINED, measured.joined.of(numbers), strict=True)
    return {name: found[name] for name in DESCRIBED}
