"""One row a flow: what `analyze` has as CSV, JSON Lines and Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tcptrace.capture.address_book import AddressBook
from tcptrace.flow_json import FLOWS_PER_BATCH
from tcptrace.rows import of_capture, part, told
from tcptrace.schema import CLOSED_BY, CLOSES, NO_TIME, STATES, Flows
from tcptrace.tcp.flow_columns import DESCRIBED, TRUTHS, WORDS, flow_columns
from tcptrace.tcp.measures import Measured

if TYPE_CHECKING:
    from tcptrace.analysis import Analysis

FACTS = (
    "flow client server midstream start_ns end_ns client_frames server_frames client_payload_bytes "
    "server_payload_bytes client_state server_state handshake_ns syn_to_synack_ns synack_to_ack_ns closed_by close "
    "reset_by"
).split()
NAMES = ["capture", *FACTS, *DESCRIBED]
"""In this order; `capture` is the path."""

TRUTH = ("false", "true")


def rows(analyses: Iterable["Analysis"], unknown: str | None) -> Iterator[tuple[Any, ...]]:
    """The values by NAMES, `unknown` where the capture does not say; truth is a word where that is text."""
    for analysis in analyses:
        for capture, summary in enumerate(analysis.summaries):
            flows, book = of_capture(analysis.flow_table, capture), analysis.books[capture]
            for start in range(0, len(flows.flow), FLOWS_PER_BATCH):
                batch = part(flows, start, start + FLOWS_PER_BATCH)
                columns = [*_facts(batch, book, unknown), *_measures(analysis.measured[capture], batch, unknown)]
                yield from zip([summary.path] * len(batch.flow), *columns, strict=True)


def _facts(flows: Flows, book: AddressBook, unknown: str | None) -> list[Sequence[Any]]:
    """The columns of FACTS."""
    ends = (flows.client, flows.client_port), (flows.server, flows.server_port)
    return [
        flows.flow.tolist(),
        *(list(map(book.endpoint, numbers.tolist(), ports.tolist())) for numbers, ports in ends),
        _truth(flows.midstream, unknown),
        *(told(column, unknown, missing=NO_TIME) for column in (flows.start_ns, flows.end_ns)),
        *(column.tolist() for column in (flows.client_frames, flows.server_frames)),
        *(column.tolist() for column in (flows.client_payload_bytes, flows.server_payload_bytes)),
        *(_named(column, STATES) for column in (flows.client_state, flows.server_state)),
        *(told(ns, unknown) for ns in (flows.handshake_total_ns, flows.syn_to_synack_ns, flows.synack_to_ack_ns)),
        _named(flows.closed_by, CLOSED_BY),
        _named(flows.close, CLOSES),
        _named(flows.reset_by, CLOSED_BY),
    ]


def _measures(measured: Measured, flows: Flows, unknown: str | None) -> Iterator[Sequence[Any]]:
    """The columns of DESCRIBED."""
    for name, column in flow_columns(measured, flows).items():
        if isinstance(column, list):
            yield column
        elif name in TRUTHS:
            yield _truth(column, unknown)
        else:
            yield _named(column, WORDS[name]) if name in WORDS else told(column, unknown)


def _truth(column: Any, unknown: str | None) -> list[Any]:
    return (column == 1).tolist() if unknown is None else _named(column, TRUTH)


def _named(codes: Any, words: Sequence[str]) -> list[str]:
    return [words[code] for code in codes.tolist()]
