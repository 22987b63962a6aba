"""From what tracking kept of a capture to what rules may look at."""

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.evidence import Evidence
from tcptrace.rows import chosen, in_batches
from tcptrace.schema import Flows, Transitions
from tcptrace.tcp.icmp_errors import about_flows
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.notable_table import notable_table
from tcptrace.tcp.side_facts import side_facts


def gather(
    summary: CaptureSummary, book: AddressBook, measured: Measured, flows: Flows, transitions: Transitions
) -> Evidence:
    """All tables of one capture that rules read; `flows` and `transitions` are of all its flows.

    To be called once: what nothing else is made of, the tracker then keeps no longer.
    """
    has_pair = measured.tracker.directions.of_flow[flows.flow] > 0
    full = flows if has_pair.all() else chosen(flows, np.flatnonzero(has_pair))
    sides = side_facts(measured, full.flow)  # first what frees memory
    notable = notable_table(measured.tracker, measured.client)
    return Evidence(
        summary,
        book,
        all_flows=flows,
        lone_syns=np.flatnonzero(~has_pair & measured.tracker.has_syn(flows.flow)),
        flows=full,
        measures=in_batches(measured.of, full.flow),
        sides=sides,
        notable=notable,
        transitions=transitions,
        joined=measured.joined,
        icmp=about_flows(summary.context.icmp, measured.tracker, measured.client),
    )
