"""Whose connections a finding is about, in a line."""

from typing import Any

from tcptrace.capture.address_book import AddressBook
from tcptrace.diagnosis.rule import Finding
from tcptrace.rows import places
from tcptrace.schema import SIDES, Flows

ENDS_TOLD = 2
"""Of one side, by name."""


def ends(finding: Finding, flows: Flows, book: AddressBook) -> str:
    """`10.0.0.1:40000 → 10.0.0.2:80`, of several flows `10.0.0.1 → 10.0.0.2:80` or `12 clients → 10.0.0.2:80`.

    Names that are known stand beside: `10.0.0.1:40000 → 10.0.0.2:80 (shop.example)`.
    """
    rows = places(flows.flow, finding.flows)
    if len(rows) == 0:
        return "" if len(finding.flows) else "the whole capture"
    return " → ".join(_side(flows, rows, side, book) for side in SIDES)


def flows_told(finding: Finding) -> str:
    """`flow 3`, `312 flows`, nothing where it is about the whole capture."""
    if finding.flow is not None:
        return f"flow {finding.flow}"
    return f"{len(finding.flows):,} flows" if len(finding.flows) else ""


def _side(flows: Flows, rows: Any, side: str, book: AddressBook) -> str:
    """All that these flows have in common at one side, or a few ends."""
    numbers, ports = (getattr(flows, name)[rows] for name in (side, f"{side}_port"))
    pairs = dict.fromkeys(zip(numbers.tolist(), ports.tolist(), strict=True))
    addresses, all_ports = set(numbers.tolist()), set(ports.tolist())
    if len(addresses) == 1 and len(pairs) > 1:
        return book.text(*addresses)
    if len(pairs) <= ENDS_TOLD:
        return ", ".join(book.endpoint(*pair) for pair in pairs)
    port = f", port {max(all_ports)}" if len(all_ports) == 1 else ""
    return f"{len(addresses):,} {side}s{port}"
