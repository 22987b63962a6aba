"""Whose connections a finding is about, in a line."""

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.diagnosis.rule import Finding
from tcptrace.rows import places
from tcptrace.schema import I32, I64, SIDES, Flows

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


def _side(flows: Flows, rows: I64, side: str, book: AddressBook) -> str:
    """All that these flows have in common at one side, or a few ends; there may be millions."""
    numbers, ports = (getattr(flows, name)[rows] for name in (side, f"{side}_port"))
    is_one_port = bool((ports == ports[0]).all())
    if not is_one_port and (numbers == numbers[0]).all():
        return book.labelled(int(numbers[0]))
    if few := _few(numbers, ports):
        return ", ".join(book.labelled(*end) for end in few)
    is_there = np.zeros(int(numbers.max()) + 1, np.bool_)
    is_there[numbers] = True
    port = f", port {ports[0]}" if is_one_port else ""
    return f"{int(is_there.sum()):,} {side}s{port}"


def _few(numbers: I32, ports: I32) -> list[tuple[int, int]]:
    """The ends, each once, if there are no more than are told."""
    found: list[tuple[int, int]] = []
    left = np.ones(len(numbers), np.bool_)
    while left.any() and len(found) < ENDS_TOLD:
        place = int(np.argmax(left))
        found.append((int(numbers[place]), int(ports[place])))
        left &= (numbers != numbers[place]) | (ports != ports[place])
    return [] if left.any() else found
