"""Whose connections a finding is about, in a line."""

from typing import Any

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.diagnosis.rule import Finding
from tcptrace.schema import SIDES, Flows


def ends(finding: Finding, flows: Flows, book: AddressBook) -> str:
    """`10.0.0.1:40000 → 10.0.0.2:80`, of several flows `10.0.0.1 → 10.0.0.2:80` or `12 clients → 10.0.0.2:80`."""
    rows = np.flatnonzero(np.isin(flows.flow, np.asarray(finding.flows, np.int64)))
    if len(rows) == 0:
        return "" if len(finding.flows) else "the whole capture"
    return " → ".join(_side(flows, rows, side, book) for side in SIDES)


def flows_told(finding: Finding) -> str:
    """`flow 3`, `312 flows`, nothing where it is about the whole capture."""
    if finding.flow is not None:
        return f"flow {finding.flow}"
    return f"{len(finding.flows):,} flows" if len(finding.flows) else ""


def _side(flows: Flows, rows: Any, side: str, book: AddressBook) -> str:
    """All that these flows have in common at one side."""
    numbers, ports = (np.unique(getattr(flows, name)[rows]) for name in (side, f"{side}_port"))
    if len(numbers) > 1:
        port = f", port {ports[0]}" if len(ports) == 1 else ""
        return f"{len(numbers):,} {side}s{port}"
    address = int(numbers[0])
    return book.endpoint(address, int(ports[0])) if len(ports) == 1 else book.text(address)
