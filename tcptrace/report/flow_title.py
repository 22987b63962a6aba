"""What a flow is, as the head of its ladder and of its figures."""

from typing import Any

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.report.outcome import OUTCOMES, close_cell, outcomes
from tcptrace.report.terminal import Piece, Screen
from tcptrace.report.units import duration, moment, size, time_of_day
from tcptrace.rows import records
from tcptrace.schema import NO_TIME, Flows


def write_flow_title(screen: Screen, flows: Flows, book: AddressBook, summary: CaptureSummary, *, utc: bool) -> None:
    """Between whom, when, how much, and how it ended; `flows` is a table of the one flow."""
    flow: Any = next(records(flows))
    client, server = book.endpoint(flow.client, flow.client_port), book.endpoint(flow.server, flow.server_port)
    outcome = OUTCOMES[int(outcomes(flows)[0])]
    facts = [f"{size(flow.client_payload_bytes)} + {size(flow.server_payload_bytes)} bytes"]
    facts += [close_cell(outcome, flow.closed_by, flow.reset_by)]
    if flow.start_ns != NO_TIME:
        dated = summary.dated
        start = moment(flow.start_ns, utc=utc) if dated else f"{time_of_day(flow.start_ns, utc=True)}, no date"
        facts = [duration(flow.end_ns - flow.start_ns), *facts, f"from {start}"]
    label = f"flow {flow.flow}   "
    screen.paragraph(f"{client} → {server}", label=Piece(label, "title"), style="title")
    screen.paragraph(", ".join(facts), label=Piece(" " * len(label)))
    if flow.midstream:
        screen.paragraph("began before the capture: which end is the client is a guess", style="odd")
