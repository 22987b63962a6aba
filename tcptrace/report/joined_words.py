"""Which flows are one conversation, for people."""

from typing import NamedTuple

import numpy as np

from tcptrace.report.units import count
from tcptrace.schema import I64
from tcptrace.tcp.joined_flows import ONLY_NUMBERS, Joined

PAIRS_TOLD = 3


class Pair(NamedTuple):
    """Two flows that are one conversation."""

    flow: int
    joined_with: int
    confidence: float

    @property
    def basis(self) -> str:
        """What says so, and how surely."""
        weak = self.confidence <= ONLY_NUMBERS
        by = "ports and sequence numbers only, their addresses differ" if weak else "client and sequence number"
        return f"by {by} (confidence {self.confidence:g})"


def pairs(joined: Joined, flows: I64) -> list[Pair]:
    """Each pair once of which one of these flow numbers is part, by number."""
    rows = np.isin(joined.flow, flows) & ((joined.flow < joined.joined_with) | ~np.isin(joined.joined_with, flows))
    return [Pair(*values) for values in zip(*(column[rows].tolist() for column in joined[:3]), strict=True)]


def joined_lines(joined: Joined, flows: I64) -> list[str]:
    """A sentence for each pair of flows, of many pairs one."""
    told = pairs(joined, flows)
    if len(told) <= PAIRS_TOLD:
        return [f"flows {pair.flow} and {pair.joined_with} are one conversation, {pair.basis}" for pair in told]
    weak = sum(pair.confidence <= ONLY_NUMBERS for pair in told)
    return [
        f"{count(len(told), 'pair')} of flows are one conversation each, {weak:,} of them by ports and numbers only"
    ]
