"""One row a flow: what `analyze` has as CSV and Markdown."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tcptrace.analysis_json import FLOWS_PER_BATCH
from tcptrace.rows import part, records
from tcptrace.schema import CLOSED_BY, CLOSES, NO_TIME, STATES

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis

NAMES = (
    "capture flow client server midstream start_ns end_ns client_frames server_frames client_payload_bytes "
    "server_payload_bytes client_state server_state handshake_ns syn_to_synack_ns synack_to_ack_ns closed_by close"
).split()
"""In this order; `capture` is the path."""


def rows(analyses: Iterable["Analysis"], unknown: str) -> Iterator[tuple[Any, ...]]:
    """The values by NAMES, `unknown` where the capture does not say."""
    for analysis in analyses:
        for start in range(0, len(analysis.flow_table.flow), FLOWS_PER_BATCH):
            for flow in records(part(analysis.flow_table, start, start + FLOWS_PER_BATCH)):
                endpoint = analysis.books[flow.capture].endpoint
                handshake = (flow.handshake_total_ns, flow.syn_to_synack_ns, flow.synack_to_ack_ns)
                yield (
                    analysis.summaries[flow.capture].path,
                    flow.flow,
                    endpoint(flow.client, flow.client_port),
                    endpoint(flow.server, flow.server_port),
                    "true" if flow.midstream else "false",
                    *(unknown if time_ns == NO_TIME else time_ns for time_ns in (flow.start_ns, flow.end_ns)),
                    flow.client_frames,
                    flow.server_frames,
                    flow.client_payload_bytes,
                    flow.server_payload_bytes,
                    STATES[flow.client_state],
                    STATES[flow.server_state],
                    *(unknown if ns < 0 else ns for ns in handshake),
                    CLOSED_BY[flow.closed_by],
                    CLOSES[flow.close],
                )
