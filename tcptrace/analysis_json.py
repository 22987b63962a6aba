"""The tables of an analysis as the dicts of its JSON, a batch of flows at a time.

Times are integer nanoseconds since the epoch, unknown is None, and what this version cannot
know yet has no key. Columns go through `tolist()` batch by batch, so neither two million flows
nor their JSON are ever in memory at once.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.rows import known, known_time, of_capture, part, records
from tcptrace.schema import CLOSED_BY, CLOSES, I64, LIMITS, SIDES, STATES, Flows, Transitions
from tcptrace.tcp.endpoint import EVENTS
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.zeek import zeek_views

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis

SCHEMA = "tcptrace.analysis/1"
FLOWS_PER_BATCH = 1000

Json = dict[str, Any]


def document(analysis: "Analysis") -> Json:
    """The whole analysis as one dict."""
    batches = flow_batches(analysis)
    return {
        "schema": SCHEMA,
        "captures": [capture_dict(summary) for summary in analysis.summaries],
        "flows": [flow for batch in batches for flow in batch],
    }


def capture_dict(summary: CaptureSummary) -> Json:
    """One entry of `captures`."""
    return {
        "path": valid_text(summary.path),
        "format": summary.format,
        "link_types": summary.link_types,
        "interfaces": [valid_text(name) for name in summary.interfaces],
        "frames": summary.frames,
        "tcp_frames": summary.tcp_frames,
        "other_frames": {valid_text(name): count for name, count in summary.other_frames.items()},
        "start_ns": summary.start_ns,
        "end_ns": summary.end_ns,
        "dated": summary.dated,
        "truncated": summary.truncated,
        "problems": [valid_text(problem) for problem in summary.problems],
    }


def flow_batches(analysis: "Analysis", first_capture: int = 0) -> Iterator[list[Json]]:
    """The entries of `flows`, in order; `first_capture` is added to each index into `captures`."""
    for capture, (book, measured) in enumerate(zip(analysis.books, analysis.measured, strict=True)):
        flows = of_capture(analysis.flow_table, capture)
        transitions = of_capture(analysis.transition_table, capture)
        for start in range(0, len(flows.flow), FLOWS_PER_BATCH):
            batch = part(flows, start, start + FLOWS_PER_BATCH)
            facts = zip(records(batch), _timelines(batch, transitions), _measures(measured, batch.flow), strict=True)
            yield [_flow(row, book, timeline, first_capture, extra) for row, timeline, extra in facts]


def valid_text(text: str) -> str:
    """Text that can be encoded: bytes of a file name that are no UTF-8 stay readable as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _flow(row: Any, book: AddressBook, timeline: list[Json], first_capture: int, measures: Json) -> Json:
    """One flow; `row` is a record of Flows."""
    endpoint = book.endpoint
    return {
        "capture": row.capture + first_capture,
        "flow": row.flow,
        "client": endpoint(row.client, row.client_port),
        "server": endpoint(row.server, row.server_port),
        "midstream": row.midstream == 1,
        "start_ns": known_time(row.start_ns),
        "end_ns": known_time(row.end_ns),
        "frames": {"client": row.client_frames, "server": row.server_frames},
        "payload_bytes": {"client": row.client_payload_bytes, "server": row.server_payload_bytes},
        "states": {"client": STATES[row.client_state], "server": STATES[row.server_state]},
        "timeline": timeline,
        "handshake_ns": {
            "total": known(row.handshake_total_ns),
            "syn_to_synack": known(row.syn_to_synack_ns),
            "synack_to_ack": known(row.synack_to_ack_ns),
        },
        "closed_by": CLOSED_BY[row.closed_by],
        "close": CLOSES[row.close],
        **measures,
    }


def _timelines(flows: Flows, transitions: Transitions) -> Iterator[list[Json]]:
    """The timeline of each flow of one capture; both tables are ordered by flow."""
    first, stop = (np.searchsorted(transitions.flow, flows.flow, side) for side in ("left", "right"))
    told = timeline(part(transitions, int(first[0]), int(stop[-1])))
    for start, end in zip((first - first[0]).tolist(), (stop - first[0]).tolist(), strict=True):
        yield told[start:end]


def _measures(measured: Measured, flows: I64) -> Iterator[Json]:
    """What was measured of flows of one capture, by their numbers."""
    round_trips = [map(_round_trip, records(measured.round_trips(flows, side))) for side in range(len(SIDES))]
    views = zeek_views(measured.tracker, flows.tolist(), measured.client)
    for row, zeek, client, server in zip(records(measured.of(flows)), views, *round_trips, strict=True):
        yield {
            "retransmissions": {"client": row.client_retransmissions, "server": row.server_retransmissions},
            "reordered": {"client": row.client_reordered, "server": row.server_reordered},
            "bytes_in_flight_max": {"client": row.client_in_flight_max_bytes, "server": row.server_in_flight_max_bytes},
            "rtt_ns": {"client": client, "server": server},
            "completeness": row.completeness,
            "conn_state": zeek.conn_state,
            "history": zeek.history,
            "originator": zeek.originator,
            "limited_by": limited_by(row),
        }


def limited_by(row: Any) -> dict[str, float]:
    """Shares of a flow's time by what held it back, those that took any; `row` is a record of FlowMeasures."""
    times = (row.handshake_ns, row.loss_ns, row.receiver_window_ns, row.path_ns, row.application_ns)
    scale = 10_000 / max(1, sum(times))
    return {cause: int(ns * scale + 0.5) / 10_000 for cause, ns in zip(LIMITS, times, strict=True) if ns}


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


def timeline(transitions: Transitions) -> list[Json]:
    """Transitions as entries of a flow's `timeline`."""
    columns = transitions[Transitions._fields.index("frame") :]
    return [
        {
            "frame": frame or None,
            "time_ns": known_time(time_ns),
            "side": SIDES[side],
            "from": STATES[before],
            "to": STATES[after],
            "event": EVENTS[event],
            "inferred": inferred == 1,
            "unexpected": unexpected == 1,
        }
        for frame, time_ns, side, before, after, event, inferred, unexpected in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
