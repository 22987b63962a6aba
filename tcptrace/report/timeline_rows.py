"""One row a segment of a flow, with both states after it: what `timeline` has in every format but the ladder."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from tcptrace.report import packet_columns
from tcptrace.report.flow_rows import TRUTH
from tcptrace.report.packet_columns import NO_FRAME, batches, columns
from tcptrace.report.steps import senders, steps
from tcptrace.rows import told
from tcptrace.schema import REPEATS, STATES, UNKNOWN, Segments

if TYPE_CHECKING:
    from tcptrace.analysis import Timeline

FLAGS, FURTHER = packet_columns.FIRST.index("flags"), len(packet_columns.FIRST)
VERDICT = FURTHER + len(packet_columns.FURTHER)
RELATIVE = "seq_relative ack_relative window_bytes".split()
MEASURED = (
    "bytes_in_flight rtt_ns timestamp_rtt_ns repeat original since_original_ns waited_ns backoff reordered_by "
    "sacked_bytes dsack idle_ns stalled"
).split()
TRUTHS = {"dsack", "stalled"}
NAMES = ["frame", "time_ns", "side", *packet_columns.FIRST[FLAGS:], *RELATIVE, *packet_columns.FURTHER]
NAMES += [*MEASURED, "client_state", "server_state"]


def rows(timeline: "Timeline", unknown: str | None, cell: Callable[[str], str] = str) -> Iterator[tuple[Any, ...]]:
    """The values by NAMES, `unknown` where a frame does not say; `cell` makes a name fit the format."""
    chunk = (timeline.packets, timeline.segments, timeline.book, timeline.summary.interfaces)
    facts = chain.from_iterable(zip(*columns(batch, unknown, cell), strict=True) for batch in batches(chunk))
    relative = zip(*(told(getattr(timeline.segments, name), unknown) for name in RELATIVE), strict=True)
    measured = zip(*(_measure(timeline.segments, name, unknown) for name in MEASURED), strict=True)
    states = (step.states for step in steps(timeline) if step.row is not None)
    sides = senders(timeline)
    for fact, numbers, measures, side, (client, server) in zip(facts, relative, measured, sides, states, strict=True):
        existing = (*fact[:2], side, *fact[FLAGS:FURTHER], *numbers, *fact[FURTHER:VERDICT])
        yield (*existing, *measures, STATES[client], STATES[server])


def _measure(segments: Segments, name: str, unknown: str | None) -> list[Any]:
    """One of MEASURED; truth is a word where the unknown is text."""
    column = getattr(segments, name)
    if name == "repeat":
        return [REPEATS[kind] for kind in column.tolist()]
    if name in TRUTHS:
        return [value == 1 if unknown is None else TRUTH[value] for value in column.tolist()]
    return told(column, unknown, missing=NO_FRAME if name == "original" else UNKNOWN)
