"""The flows of an analysis as the dicts of its JSON, a batch at a time.

Times are integer nanoseconds since the epoch, unknown is None. Columns go through `tolist()` batch by
batch, so neither two million flows nor their JSON are ever in memory at once. What lone SYNs have alike
is made once a batch: a flood consists of nothing else.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from tcptrace.capture.address_book import AddressBook
from tcptrace.rows import chosen, part, records, runs, told
from tcptrace.schema import (
    CLOSED_BY,
    CLOSES,
    I64,
    LIMITS,
    NO_TIME,
    SIDES,
    STATES,
    TAKEN_NEAR,
    FlowMeasures,
    Flows,
    Transitions,
)
from tcptrace.tcp.capture_place import taken_near
from tcptrace.tcp.endpoint import EVENTS
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.zeek import ZeekView, lone_syn_kinds, zeek_views

FLOWS_PER_BATCH = 1000
FLOWS_AT_A_TIME = 100
"""Whose dicts exist at once: the processor's cache holds them until they are written."""
BYTE = 8

Json = dict[str, Any]
Values = Iterable[Any]


@dataclass(frozen=True)
class Batch:
    """Some flows of one capture, and all that the JSON tells of them."""

    capture: int
    """Index into the document's `captures`."""
    flows: Flows
    transitions: Transitions
    """Of the whole capture."""
    book: AddressBook
    measured: Measured

    @cached_property
    def measures(self) -> FlowMeasures:
        """Row for row beside `flows`, as is the next."""
        return self.measured.of(self.flows.flow)

    @cached_property
    def zeek(self) -> list[ZeekView]:
        """What Zeek says of them."""
        return zeek_views(self.measured.tracker, self.flows.flow, self.measured.client)


def flow_dicts(
    capture: int, flows: Flows, transitions: Transitions, book: AddressBook, measured: Measured
) -> Iterator[list[Json]]:
    """The flows of one capture, in order, as entries of `flows`. They share what they have alike: not to be changed."""

    def dicts(rows: Flows, keys: Collection[str]) -> Iterator[Json]:
        if len(rows.flow):
            batch = Batch(capture, rows, transitions, book, measured)
            values = zip(*(KEYS[key](batch) for key in keys), strict=True)
            yield from (dict(zip(keys, row, strict=True)) for row in values)

    def of_batch(rows: Flows) -> Iterator[Json]:
        alike = _alike(rows, measured)
        if len(alike) < 2:
            return dicts(rows, KEYS)
        [example] = dicts(chosen(rows, alike[:1]), KEYS)
        is_alike = np.isin(np.arange(len(rows.flow)), alike)
        own, others = dicts(chosen(rows, alike), OWN), dicts(chosen(rows, np.flatnonzero(~is_alike)), KEYS)
        return (example | next(own) if same else next(others) for same in is_alike.tolist())

    for start in range(0, len(flows.flow), FLOWS_PER_BATCH):
        entries = of_batch(part(flows, start, start + FLOWS_PER_BATCH))
        while some := list(islice(entries, FLOWS_AT_A_TIME)):
            yield some


def _alike(rows: Flows, measured: Measured) -> I64:
    """The rows of lone SYNs that differ from the first of them in nothing but OWN."""
    lone = np.flatnonzero(measured.tracker.directions.of_flow[rows.flow] == 0)
    some = chosen(rows, lone)
    columns = [getattr(some, name) for name in Flows._fields if name not in VARYING]
    columns += [lone_syn_kinds(measured.tracker, some.flow, measured.client), *measured.joined.of(some.flow)]
    same = np.logical_and.reduce([column == column[:1] for column in columns])
    found: I64 = lone[same]
    return found


def timeline(transitions: Transitions) -> Iterator[Json]:
    """Transitions as entries of a flow's `timeline`."""
    _, _, frames, times, *change = transitions
    kinds = reduce(lambda kind, column: kind << BYTE | column, change, np.zeros(len(frames), np.int64))
    kinds_met, examples = np.unique(kinds, return_index=True)
    met = zip(*(column[examples].tolist() for column in change), strict=True)
    alike = dict(zip(kinds_met.tolist(), (_change(*fields) for fields in met), strict=True))
    for kind, frame, time_ns in zip(kinds.tolist(), frames.tolist(), times.tolist(), strict=True):
        entry = alike[kind].copy()  # few differ in more than frame and time, and a copy costs less than making one
        entry["frame"], entry["time_ns"] = frame or None, time_ns if time_ns != NO_TIME else None
        yield entry


def _change(side: int, before: int, after: int, event: int, inferred: int, unexpected: int) -> Json:
    """A transition but for its frame and time."""
    return {
        "frame": None,
        "time_ns": None,
        "side": SIDES[side],
        "from": STATES[before],
        "to": STATES[after],
        "event": EVENTS[event],
        "inferred": inferred == 1,
        "unexpected": unexpected == 1,
    }


def _timelines(batch: Batch) -> Values:
    """Both tables are ordered by flow."""
    index, counts = runs(batch.transitions.flow, batch.flows.flow)
    entries = timeline(chosen(batch.transitions, index))
    return (list(islice(entries, count)) for count in counts.tolist())


def _handshakes(batch: Batch) -> Values:
    flows = batch.flows
    halves = (flows.handshake_total_ns, flows.syn_to_synack_ns, flows.synack_to_ack_ns)
    for total, first, second in zip(*(told(column, None) for column in halves), strict=True):
        yield {"total": total, "syn_to_synack": first, "synack_to_ack": second}


def _round_trips(batch: Batch) -> Values:
    of_side = (map(_round_trip, records(batch.measured.round_trips(batch.flows.flow, side))) for side in (0, 1))
    return ({"client": client, "server": server} for client, server in zip(*of_side, strict=True))


def _round_trip(row: Any) -> Json:
    """`row` is a record of RoundTrips."""
    if row.samples == 0:
        return {"min": None, "mean": None, "p50": None, "p99": None, "max": None, "samples": 0}
    return {
        "min": row.min_ns,
        "mean": row.mean_ns,
        "p50": row.p50_ns,
        "p99": row.p99_ns,
        "max": row.max_ns,
        "samples": row.samples,
    }


def _limits(batch: Batch) -> Values:
    """Shares of each flow's time by what held it back, those that took any."""
    times = np.stack([getattr(batch.measures, f"{cause}_ns") for cause in LIMITS])
    shares = np.floor(times * 10_000 / np.maximum(1, times.sum(axis=0)) + 0.5) / 10_000
    for took, share in zip(times.T.tolist(), shares.T.tolist(), strict=True):
        yield {cause: part for cause, ns, part in zip(LIMITS, took, share, strict=True) if ns}


def _named(column: npt.NDArray[Any], names: list[str]) -> Values:
    return map(names.__getitem__, column.tolist())


def _flow(name: str) -> Callable[[Batch], Values]:
    """A column of Flows as it stands."""
    return lambda batch: getattr(batch.flows, name).tolist()


def _time(name: str) -> Callable[[Batch], Values]:
    return lambda batch: told(getattr(batch.flows, name), None, NO_TIME)


def _sides(table: str, name: str, names: list[str] | None = None) -> Callable[[Batch], Values]:
    """A column of each side: numbers, None where unknown, or what they stand for."""

    def values(batch: Batch) -> Values:
        columns = (getattr(getattr(batch, table), f"{side}_{name}") for side in SIDES)
        pairs = ([*_named(column, names)] if names else told(column, None) for column in columns)
        return ({"client": client, "server": server} for client, server in zip(*pairs, strict=True))

    return values


def _endpoints(side: str) -> Callable[[Batch], Values]:
    return lambda batch: map(
        batch.book.endpoint, getattr(batch.flows, side).tolist(), getattr(batch.flows, f"{side}_port").tolist()
    )


def _zeek(name: str) -> Callable[[Batch], Values]:
    return lambda batch: [getattr(view, name) for view in batch.zeek]


def _joined(part: int) -> Callable[[Batch], Values]:
    """The other half of a conversation, or how sure that is."""
    return lambda batch: told(batch.measured.joined.of(batch.flows.flow)[part], None)


KEYS: dict[str, Callable[[Batch], Values]] = {
    "capture": lambda batch: [batch.capture] * len(batch.flows.flow),
    "flow": _flow("flow"),
    "client": _endpoints("client"),
    "server": _endpoints("server"),
    "midstream": lambda batch: (batch.flows.midstream == 1).tolist(),
    "start_ns": _time("start_ns"),
    "end_ns": _time("end_ns"),
    "frames": _sides("flows", "frames"),
    "payload_bytes": _sides("flows", "payload_bytes"),
    "states": _sides("flows", "state", STATES),
    "timeline": _timelines,
    "handshake_ns": _handshakes,
    "taken_near": lambda batch: _named(taken_near(batch.measured, batch.flows), TAKEN_NEAR),
    "closed_by": lambda batch: _named(batch.flows.closed_by, CLOSED_BY),
    "close": lambda batch: _named(batch.flows.close, CLOSES),
    "retransmissions": _sides("measures", "retransmissions"),
    "reordered": _sides("measures", "reordered"),
    "bytes_in_flight_max": _sides("measures", "in_flight_max_bytes"),
    "rtt_ns": _round_trips,
    "completeness": lambda batch: batch.measures.completeness.tolist(),
    "conn_state": _zeek("conn_state"),
    "history": _zeek("history"),
    "originator": _zeek("originator"),
    "limited_by": _limits,
    "joined_with": _joined(0),
    "join_confidence": _joined(1),
}
"""Each key of a flow, and its values for a batch."""

OWN = "flow client server start_ns end_ns timeline".split()
"""Keys in which lone SYNs differ that are alike in all columns but VARYING."""
VARYING = "flow client client_port server server_port start_ns end_ns".split()
