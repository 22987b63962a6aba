"""What is kept of a conversation that tells its story."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.rows import records
from tcptrace.schema import KINDS, Notable, Packets, Segments
from tcptrace.tcp.flow_table import client_sides
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.notable_table import notable_table
from tcptrace.tcp.side_facts import side_facts
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table

OPEN = "0 C S 0\n 10 S S. 0 1\n 20 C . 1 1\n"
MS = 1_000_000
FACTS = (
    "last_frame last_ns last_data_frame last_data_ns ttl ip_id largest_bytes largest_seq is_closed closures "
    "closed_max_ns probes probes_of_closed unanswered unanswered_repeats delayed_writes delayed_ns unseen alert_frame"
).split()


@dataclass
class Outcome:
    """What comes of the rows of a conversation."""

    notable: Notable
    segments: Segments
    facts: tuple[Any, Any]
    """Of client and server of flow 0."""
    client: int
    """Its side, by who sent first."""
    changes: set[int]
    """Frames that told of a change of a state, or of what no sound endpoint does."""

    @property
    def kinds(self) -> list[tuple[int, frozenset[str]]]:
        """What is kept, and why."""
        return [(note.frame, kinds_in(note.kinds)) for note in records(self.notable)]


def told(*chunks: Packets, with_kernels: Kernels | None = None) -> Outcome:
    tracker = Tracker()
    chosen = with_kernels or kernels.plain()
    taken = [Segments._make(c.copy() for c in tracker.take(Chunk.of(chunk, chosen))) for chunk in chunks]
    segments = Segments._make(np.concatenate(columns) for columns in zip(*taken, strict=True))
    client, _ = client_sides(tracker)
    measured, flow = Measured(tracker, client), np.zeros(1, np.int64)
    of_side = (facts._asdict() for facts in side_facts(measured, flow))
    both = [SimpleNamespace(**{name: int(columns[name][0]) for name in FACTS}) for columns in of_side]
    changes = set(transition_table(tracker, client).frame.tolist())
    return Outcome(notable_table(tracker, client), segments, (both[0], both[1]), int(client[0]), changes)


def kinds_in(kinds: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(KINDS) if kinds >> bit & 1)
