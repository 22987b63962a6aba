"""One row a segment of a flow, with both states after it: what `timeline` has in every format but the ladder."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from tcptrace.report import packet_columns
from tcptrace.report.packet_columns import batches, columns
from tcptrace.report.steps import senders, steps
from tcptrace.schema import I64, STATES

if TYPE_CHECKING:
    from tcptrace.analysis import Timeline

FLAGS, FURTHER = packet_columns.FIRST.index("flags"), len(packet_columns.FIRST)
RELATIVE = "seq_relative ack_relative window_bytes".split()
NAMES = ["frame", "time_ns", "side", *packet_columns.FIRST[FLAGS:], *RELATIVE, *packet_columns.FURTHER]
NAMES += ["client_state", "server_state"]


def rows(timeline: "Timeline", unknown: str | None, cell: Callable[[str], str] = str) -> Iterator[tuple[Any, ...]]:
    """The values by NAMES, `unknown` where a frame does not say; `cell` makes a name fit the format."""
    chunk = (timeline.packets, timeline.segments, timeline.book, timeline.summary.interfaces)
    facts = chain.from_iterable(zip(*columns(batch, unknown, cell), strict=True) for batch in batches(chunk))
    relative = zip(*(_known(getattr(timeline.segments, name), unknown) for name in RELATIVE), strict=True)
    states = (step.states for step in steps(timeline) if step.row is not None)
    for fact, numbers, side, (client, server) in zip(facts, relative, senders(timeline), states, strict=True):
        yield (*fact[:2], side, *fact[FLAGS:FURTHER], *numbers, *fact[FURTHER:], STATES[client], STATES[server])


def _known(column: I64, unknown: str | None) -> list[int | str | None]:
    return [unknown if value < 0 else value for value in column.tolist()]
