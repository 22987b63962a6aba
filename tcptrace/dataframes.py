"""The tables as pandas DataFrames: addresses and states as text, points in time as timestamps.

Columns keep the names of `schema`; spans of time stay integers in the unit their name says, with
<NA> where nothing is known.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.context import Context
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.rule import Finding
from tcptrace.flow_json import FLOWS_PER_BATCH
from tcptrace.rows import of_capture, part
from tcptrace.schema import CLOSED_BY, CLOSES, SIDES, STATES, UNKNOWN, Flows, Transitions
from tcptrace.tcp.endpoint import EVENTS
from tcptrace.tcp.flow_columns import DESCRIBED, TRUTHS, WORDS, flow_columns
from tcptrace.tcp.measures import Measured

OF_CORRELATION = ("point", "connections", "evidence_frames")
"""What findings about single captures do not have."""


def captures(summaries: Sequence[CaptureSummary]) -> pd.DataFrame:
    """One row a capture."""
    facts = [asdict(replace(summary, context=Context(names=summary.context.names))) for summary in summaries]
    frame = pd.DataFrame(facts).rename(columns={"context": "names"})
    frame["names"] = [context["names"] for context in frame["names"]]
    return _with_times(frame, {"start_ns": "start", "end_ns": "end"})


def flows(books: Sequence[AddressBook], table: Flows, measured: Sequence[Measured]) -> pd.DataFrame:
    """One row a flow: the columns of `analyze --format csv` (docs/tables.md), `start` and `end` as timestamps.

    `client` and `server` are text such as `10.0.0.1:80`.
    """
    frame = pd.DataFrame(table._asdict())
    for side in SIDES:
        ends = zip(frame["capture"], frame[side], frame.pop(f"{side}_port"), strict=True)
        frame[side] = [books[capture].endpoint(number, port) for capture, number, port in ends]
        frame[f"{side}_state"] = _named(frame[f"{side}_state"], STATES)
    for name in ("handshake_total_ns", "syn_to_synack_ns", "synack_to_ack_ns"):
        frame[name] = frame[name].astype("Int64").mask(frame[name] == UNKNOWN)
    frame["midstream"] = frame["midstream"] == 1
    for name in ("closed_by", "reset_by"):
        frame[name] = _named(frame[name], CLOSED_BY)
    frame["close"] = _named(frame["close"], CLOSES)
    frame = frame.rename(columns={"handshake_total_ns": "handshake_ns"})
    return pd.concat([_with_times(frame, {"start_ns": "start", "end_ns": "end"}), _measures(table, measured)], axis=1)


def _measures(table: Flows, measured: Sequence[Measured]) -> pd.DataFrame:
    """What was measured of each flow, under the names of flow_columns."""
    batches: list[dict[str, Any]] = []
    for capture, one in enumerate(measured):
        flows = of_capture(table, capture)
        for start in range(0, max(len(flows.flow), 1), FLOWS_PER_BATCH):
            batches.append(flow_columns(one, part(flows, start, start + FLOWS_PER_BATCH)))
    return pd.DataFrame({name: _measure(name, [batch.pop(name) for batch in batches]) for name in DESCRIBED})


def _measure(name: str, parts: Sequence[Any]) -> Any:
    if DESCRIBED[name][0] is None:
        return [text for part in parts for text in part]
    values = np.concatenate(parts)
    if values.dtype == np.float64:
        return pd.arrays.FloatingArray(values, values == UNKNOWN)
    if name in TRUTHS:
        return values == 1
    if name in WORDS:
        return pd.Categorical.from_codes(values, categories=pd.Index(WORDS[name]))
    return pd.arrays.IntegerArray(values.astype(np.int64, copy=False), values == UNKNOWN)


def findings(found: Sequence[Finding]) -> pd.DataFrame:
    """One row a finding, the worst of each capture first; what may be several is a list."""
    names = [field.name for field in fields(Finding) if field.compare and field.name not in OF_CORRELATION]
    rows = [{name: getattr(finding, name) for name in names} for finding in found]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("flows", "frames", "evidence", "symptoms", "application"):
        frame[name] = [list(values) for values in frame[name]]
    return frame


def transitions(table: Transitions) -> pd.DataFrame:
    """One row a change of state; `frame` is 0 where a timer made it."""
    frame = pd.DataFrame(table._asdict())
    for name, words in (("side", SIDES), ("from_state", STATES), ("to_state", STATES), ("event", EVENTS)):
        frame[name] = _named(frame[name], words)
    for name in ("inferred", "unexpected"):
        frame[name] = frame[name] == 1
    return _with_times(frame, {"time_ns": "time"})


def _named(codes: "pd.Series[Any]", words: Sequence[str]) -> Any:
    return pd.Categorical.from_codes(codes.to_numpy(np.int8), categories=pd.Index(words))


def _with_times(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Nanosecond columns as UTC timestamps under new names; NO_TIME is NaT to both libraries."""
    for old, new in names.items():
        values = frame[old].astype("Int64").fillna(np.iinfo(np.int64).min).to_numpy(np.int64)
        frame[old] = pd.to_datetime(values, utc=True).as_unit("ns")
        frame = frame.rename(columns={old: new})
    return frame
