"""The tables of an analysis as the dicts of its JSON, a batch of flows at a time.

Times are integer nanoseconds since the epoch, unknown is None, and what this version cannot
know yet has no key. Columns go through `tolist()` batch by batch, so neither two million flows
nor their JSON are ever in memory at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.rows import known, known_time, of_capture, part, records
from tcptrace.schema import CLOSED_BY, CLOSES, SIDES, STATES, Flows, Transitions
from tcptrace.tcp.endpoint import EVENTS

SCHEMA = "tcptrace.analysis/1"
FLOWS_PER_BATCH = 1000

Json = dict[str, Any]


def document(
    summaries: Sequence[CaptureSummary], books: Sequence[AddressBook], flows: Flows, transitions: Transitions
) -> Json:
    """The whole analysis as one dict."""
    batches = flow_batches(books, flows, transitions)
    return {
        "schema": SCHEMA,
        "captures": [capture_dict(summary) for summary in summaries],
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


def flow_batches(
    books: Sequence[AddressBook], flows: Flows, transitions: Transitions, first_capture: int = 0
) -> Iterator[list[Json]]:
    """The entries of `flows`, in order; `first_capture` is added to each index into `captures`."""
    for start in range(0, len(flows.flow), FLOWS_PER_BATCH):
        batch = part(flows, start, start + FLOWS_PER_BATCH)
        timelines = _timelines(batch, transitions)
        yield [
            _flow(row, books, timeline, first_capture) for row, timeline in zip(records(batch), timelines, strict=True)
        ]


def valid_text(text: str) -> str:
    """Text that can be encoded: bytes of a file name that are no UTF-8 stay readable as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _flow(row: Any, books: Sequence[AddressBook], timeline: list[Json], first_capture: int) -> Json:
    """One flow; `row` is a record of Flows."""
    endpoint = books[row.capture].endpoint
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
    }


def _timelines(flows: Flows, transitions: Transitions) -> Iterator[list[Json]]:
    """The timeline of each flow; both tables are ordered by capture, then flow."""
    for capture in np.unique(flows.capture).tolist():
        numbers, here = of_capture(flows, capture).flow, of_capture(transitions, capture)
        first, stop = (np.searchsorted(here.flow, numbers, side) for side in ("left", "right"))
        told = timeline(part(here, int(first[0]), int(stop[-1])))
        for start, end in zip((first - first[0]).tolist(), (stop - first[0]).tolist(), strict=True):
            yield told[start:end]


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
