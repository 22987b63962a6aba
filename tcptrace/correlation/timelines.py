"""What an end of a stream sent and what reached it, as all points tell, taken through the state machine once more.

The point that tells of an end may have missed a segment that others show, and may have seen one that was lost behind
it. So the end's timeline holds what it sent, wherever that was seen, and what was sent to it and not lost on the way.
What the point has keeps its order there. The rest is put between by how much later or earlier the point has what went
the same way before it, after what it acknowledges and before what acknowledges it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.capture.decoding import Chunk
from tcptrace.capture.kernel_choice import KernelChoice
from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.passages import Passages
from tcptrace.flows import KEY_0, KEY_1, WIDTH
from tcptrace.rows import part
from tcptrace.schema import I64, NO_TIME, UNKNOWN, Packets, columns
from tcptrace.tcp.endpoint import UNKNOWN_STATE
from tcptrace.tcp.endpoint_rows import NARROW, STATE
from tcptrace.tcp.sequence import CYCLE
from tcptrace.tcp.tracker import Tracker

NONE = frozenset(
    "if_index direction payload_at urgent announced mss tsval tsecr toa_port toa_src ip_id ip_at sack_permitted".split()
)
"""Columns of packets that are -1 where there is nothing of the kind."""
ROUNDS = 8
"""So many segments in a row, each the cause of the next, are moved where their delays differ much."""
CHUNK_ROWS = 1 << 12
"""Segments taken at a time: the tracker makes room for a flow each."""
LATEST = np.iinfo(np.int64).max
PORT_BITS = 16
"""Of an end in the flow table, below its address."""


class Timeline(NamedTuple):
    """Segments in the order in which an end sent and got them."""

    side: int
    """Of whose end it is."""
    row: I64
    """(N,) rows of the passages."""
    seen: I64
    """(N,) rows of the sightings: at the point, else at another."""
    time_ns: I64
    """(N,) by the clock of the point; NO_TIME when not recorded."""


def timeline(passages: Passages, side: int, order: Sequence[int], rows: I64, missed: I64) -> Timeline:
    """That of `side` at the first point of `order`, of what was seen there and what was missed: rows of the passages.

    `order` are all points, the nearest to that side first. What nothing puts in its place is left out.
    """
    at = passages.row[rows, order[0]].astype(np.int64)
    by_frame = np.argsort(at, kind="stable")
    rows, at = rows[by_frame], at[by_frame]
    time_ns = passages.sightings.time_ns[at]
    places = np.asarray(order)
    source = places[(passages.row[missed][:, places] >= 0).argmax(axis=1)]
    shown = _Shown(passages, rows, np.maximum.accumulate(time_ns))
    added_ns = shown.as_here(missed, source)
    placed = added_ns != NO_TIME
    missed, source, added_ns = missed[placed], source[placed], shown.before_answers(missed[placed], added_ns[placed])
    row, first = np.append(rows, missed), len(rows)
    key_ns = _after_causes(passages, row, np.append(shown.time_ns, added_ns), first)
    sequence = np.argsort(key_ns, kind="stable")
    seen = np.append(at, passages.row[missed, source])
    return Timeline(side, row[sequence], seen[sequence], np.append(time_ns, key_ns[first:])[sequence])


class _Shown(NamedTuple):
    """What the point has, in order of frame."""

    passages: Passages
    row: I64
    time_ns: I64
    """None earlier than the one before."""

    def as_here(self, missed: I64, source: I64) -> I64:
        """When the point would have seen what others did, by what both have that went the same way just before."""
        told, found = self.passages, np.full(len(missed), NO_TIME)
        own_ns, way = told.time_ns[missed, source], told.direction[missed]
        for point, direction in np.unique(np.stack([source, way]), axis=1).T.tolist():
            there_ns = told.time_ns[self.row, point]
            known = (there_ns != NO_TIME) & (self.time_ns != NO_TIME)
            alike = known & (told.direction[self.row] == direction)
            guides = np.flatnonzero(alike if alike.any() else known)
            these = np.flatnonzero((source == point) & (way == direction) & (own_ns != NO_TIME))
            if len(guides):
                guides = guides[np.argsort(there_ns[guides], kind="stable")]
                before = np.searchsorted(there_ns[guides], own_ns[these], side="right") - 1
                nearest = guides[np.maximum(before, 0)]
                found[these] = own_ns[these] + self.time_ns[nearest] - there_ns[nearest]
        return found

    def before_answers(self, missed: I64, time_ns: I64) -> I64:
        """These times, or sooner: before the first that acknowledges what took up numbers."""
        told, found = self.passages, time_ns.copy()
        takes_numbers = told.end[missed] > told.start[missed]
        for direction in (REQUEST, REPLY):
            these = np.flatnonzero(takes_numbers & (told.direction[missed] == direction))
            others = np.flatnonzero(told.direction[self.row] != direction)
            highest = np.maximum.accumulate(told.ack[self.row[others]])
            answer_ns = np.append(self.time_ns[others], LATEST)[np.searchsorted(highest, told.end[missed[these]])]
            found[these] = np.minimum(found[these], answer_ns - 1)
        return found


def _after_causes(passages: Passages, row: I64, time_ns: I64, first: int) -> I64:
    """These times, those from place `first` on late enough to follow what they acknowledge."""
    direction, end, ack = (column[row] for column in (passages.direction, passages.end, passages.ack))
    for _ in range(ROUNDS):
        found, order = time_ns.copy(), np.argsort(time_ns, kind="stable")
        for way in (REQUEST, REPLY):
            these = first + np.flatnonzero(direction[first:] == way)
            others = order[direction[order] != way]
            reach = np.append(np.maximum.accumulate(end[others]), NOWHERE)
            cause = np.searchsorted(reach[:-1], ack[these])
            is_known = (ack[these] >= 0) & (reach[cause] == ack[these])
            these, cause = these[is_known], cause[is_known]
            found[these] = np.maximum(found[these], time_ns[others[cause]] + 1)
        if (found == time_ns).all():
            break
        time_ns = found
    return time_ns


def states(passages: Passages, timelines: Sequence[Timeline], end_ns: int | None) -> list[int]:
    """Of every timeline the last state of the end whose it is; waits are over by `end_ns`."""
    tracker, packets = Tracker(statistics=False, zeek=False), _packets(passages, timelines)
    kernels = KernelChoice(None, _silent).next(len(packets.frame), 0)
    for start in range(0, len(packets.frame), CHUNK_ROWS):
        tracker.take(Chunk.of(part(packets, start, start + CHUNK_ROWS), kernels))
    tracker.finish(NO_TIME if end_ns is None else end_ns)
    flows = tracker.flows.rows[: tracker.flow_count * WIDTH].reshape(-1, WIDTH)
    ends = (flows[:, [KEY_0, KEY_1]] >> PORT_BITS).ravel()
    found = np.full(2 * len(timelines), UNKNOWN_STATE, np.int8)
    found[ends] = tracker.endpoints.narrow[: len(ends) * NARROW].reshape(-1, NARROW)[:, STATE]
    return [int(found[2 * number + one.side]) for number, one in enumerate(timelines)]


def _packets(passages: Passages, timelines: Sequence[Timeline]) -> Packets:
    """All timelines one after the other, each between two addresses of its own, numbered from its positions."""
    row, seen, time_ns = (np.concatenate([one[field] for one in timelines]) for field in (1, 2, 3))
    number = np.repeat(np.arange(len(timelines)), [len(one.row) for one in timelines])
    direction = passages.direction[row]
    told = passages.sightings
    known = {
        "frame": np.arange(1, len(row) + 1),
        "time_ns": time_ns,
        "src": 2 * number + direction,
        "dst": 2 * number + (direction ^ 1),
        "flags": passages.flags[row],
        "seq": passages.start[row] & (CYCLE - 1),
        "ack": np.where(passages.ack[row] >= 0, passages.ack[row] & (CYCLE - 1), UNKNOWN),
        "len": passages.len[row],
        "window": told.window[seen],
        "window_scale": told.window_scale[seen],
    }
    return Packets(
        **{
            name: known[name].astype(dtype)
            if name in known
            else np.full(len(row) * column.per_row, UNKNOWN if name in NONE else 0, dtype)
            for name, (dtype, column) in columns(Packets).items()
        }
    )


def _silent(text: str) -> None:
    """What is to be told of kernels was told when the captures were read."""
