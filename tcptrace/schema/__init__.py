"""Every table: the name, dtype, unit and one-line meaning of each column; nothing else."""

from tcptrace.schema.column import (
    DTYPES,
    I8,
    I16,
    I32,
    I64,
    NO_TIME,
    SACK_BLOCKS_MAX,
    U8,
    U32,
    UNKNOWN,
    Bools,
    Column,
    allocate,
    columns,
)
from tcptrace.schema.correlation import Sightings
from tcptrace.schema.flows import FlowMeasures, Flows
from tcptrace.schema.names import CLOSED_BY, CLOSES, KINDS, LABELS, LIMITS, REPEATS, SIDES, STATES, TAKEN_NEAR
from tcptrace.schema.packets import Addresses, Packets, Records, SectionInterfaces
from tcptrace.schema.segments import Directions, Endpoints, FlowRows, Notable, Segments, Transitions
from tcptrace.schema.sides import DirectionStatistics, RoundTrips, SideFacts, Stalls

__all__ = [
    "CLOSED_BY",
    "CLOSES",
    "DTYPES",
    "I8",
    "I16",
    "I32",
    "I64",
    "KINDS",
    "LABELS",
    "LIMITS",
    "NO_TIME",
    "REPEATS",
    "SACK_BLOCKS_MAX",
    "SIDES",
    "STATES",
    "TAKEN_NEAR",
    "U8",
    "U32",
    "UNKNOWN",
    "Addresses",
    "Bools",
    "Column",
    "DirectionStatistics",
    "Directions",
    "Endpoints",
    "FlowMeasures",
    "FlowRows",
    "Flows",
    "Notable",
    "Packets",
    "Records",
    "RoundTrips",
    "SectionInterfaces",
    "Segments",
    "SideFacts",
    "Sightings",
    "Stalls",
    "Transitions",
    "allocate",
    "columns",
]
