"""The last states of both ends of a stream, each from the best-placed point and what others show beside it.

A capture shows what each side sent, and infers what the other got (tcp/endpoint.py). So an end is told by the nearest
point that has both directions, RSTs apart: what was sent to it is then known best. Where other points show that this
is not all, or not so, the state machine takes the end's own timeline instead (timelines.py): with what the point
missed, and without what was lost behind it or what a middlebox sent in the end's name.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.fates import Fates
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.reset_origin import from_sender
from tcptrace.correlation.result import Leg, ResetOrigin, Stream
from tcptrace.correlation.timelines import Timeline, states, timeline
from tcptrace.correlation.ways import counted_at
from tcptrace.flows import RST, SYN
from tcptrace.schema import I64, SIDES, STATES, Bools


def end_states(
    passages: Passages,
    streams: Sequence[Stream],
    routes: Sequence[Route],
    became: Fates,
    origins: Mapping[int, ResetOrigin],
    recordings: Sequence[Recording],
) -> list[tuple[str, str]]:
    """Of every stream the last states of client and server, by the names in STATES."""
    plain = passages.flags & RST == 0
    by_way = [counted_at(passages, plain & (passages.direction == way), len(streams)) for way in (REQUEST, REPLY)]
    told = _Told(passages, became, origins, recordings)
    orders = [
        [_nearest_first(from_sender(route, side), by_way, stream) for side in (REQUEST, REPLY)]
        for stream, route in zip(streams, routes, strict=True)
    ]
    doubtful = told.doubtful(np.array([[order[0] for order in pair] for pair in orders], np.int64).reshape(-1, 2))
    found: list[list[str]] = []
    corrected: dict[int, list[tuple[int, Timeline]]] = defaultdict(list)
    for stream, pair in zip(streams, orders, strict=True):
        found.append([])
        for side, order in enumerate(pair):
            if doubtful[stream.stream, side] and (one := told.corrected(stream, side, order)) is not None:
                corrected[passages.points[order[0]].recording].append((stream.stream, one))
            found[-1].append(told.state(stream, side, order[0]))
    for recording, several in corrected.items():
        after = states(passages, [one for _, one in several], recordings[recording].summary.end_ns)
        for (number, one), state in zip(several, after, strict=True):
            found[number][one.side] = STATES[state]
    return [(client, server) for client, server in found]


def _nearest_first(order: Sequence[int], by_way: Sequence[I64], stream: Stream) -> list[int]:
    """All points of a stream, the first one that has both directions; else one that has anything."""
    counts = by_way[REQUEST][stream.stream], by_way[REPLY][stream.stream]
    both = (point for point in order if all(count[point] for count in counts))
    nearest = next(both, next((point for point in order if any(count[point] for count in counts)), stream.points[0]))
    return list(dict.fromkeys((nearest, *order, *stream.points)))


class _Told:
    """What the recordings tell of their flows, and what speaks against it."""

    def __init__(
        self,
        passages: Passages,
        became: Fates,
        origins: Mapping[int, ResetOrigin],
        recordings: Sequence[Recording],
    ) -> None:
        self.passages, self.origins, self.recordings = passages, origins, recordings
        self.in_vain: Bools = (became.lost != NOWHERE) | became.refused

    def doubtful(self, nearest: I64) -> Bools:
        """(streams, 2) whether other points may show more or less than the one that tells of a side, or a false RST."""
        told, found = self.passages, np.zeros(nearest.shape, np.bool_)
        for side in (REQUEST, REPLY):
            point = nearest[told.stream, side]
            lacks = told.row[np.arange(len(point)), point] < 0
            found[told.stream[lacks | self.in_vain], side] = True
        found[[stream for stream, origin in self.origins.items() if origin.side == "middlebox"]] = True
        return found

    def corrected(self, stream: Stream, side: int, order: Sequence[int]) -> Timeline | None:
        """The timeline of a side, if it is not what the first point of `order` shows."""
        told, point = self.passages, order[0]
        rows = self.passages.rows(stream.stream)
        at = told.row[rows, point]
        seen = (at >= 0) & ~told.partly[rows, point]
        seen[seen] = told.sightings.flow[at[seen]] == self._leg(stream, side, point).flow
        counts = self._counts(stream.stream, side, rows, seen)
        is_one = sum(leg.point == point for leg in stream.legs) == 1
        missed = counts & (at < 0) & is_one
        missed[missed] = self._are_whole(rows[missed], order)
        if not missed.any() and counts[seen].all():
            return None
        return timeline(told, side, order, rows[seen & counts], rows[missed])

    def _counts(self, stream: int, side: int, rows: I64, seen: Bools) -> Bools:
        """Which of a stream's segments this side sent, or got as far as anything tells; RSTs may bear a false name.

        Of a SYN no receipt is inferred: it opens the stream, lost or not.
        """
        is_own = self.passages.direction[rows] == side
        is_reset, is_syn = self.passages.flags[rows] & RST != 0, self.passages.flags[rows] & (SYN | RST) == SYN
        origin = self.origins.get(stream)
        by = origin.side if origin is not None and origin.direction == side else ""
        is_sent = (seen & (by != "middlebox")) | (by == SIDES[side])
        counts: Bools = np.where(is_own, ~is_reset | is_sent, is_syn | ~self.in_vain[rows])
        return counts

    def _are_whole(self, rows: I64, order: Sequence[int]) -> Bools:
        """Whether the first point of `order` that has them saw them in their own size: others may show pieces."""
        told, places = self.passages, np.asarray(order)
        first = places[(told.row[rows][:, places] >= 0).argmax(axis=1)]
        found: Bools = ~told.partly[rows, first]
        return found

    def state(self, stream: Stream, side: int, point: int) -> str:
        """The last state of one side, as a point tells it."""
        leg = self._leg(stream, side, point)
        recording = self.recordings[self.passages.points[point].recording]
        flows = recording.flows
        row = int(np.searchsorted(flows.flow, leg.flow))
        # A recording without the handshake may have taken the two ends for each other.
        is_turned = recording.book.endpoint(int(flows.client[row]), int(flows.client_port[row])) != leg.client
        own = side ^ is_turned
        return STATES[int((flows.client_state if own == REQUEST else flows.server_state)[row])]

    def _leg(self, stream: Stream, side: int, point: int) -> Leg:
        """Of several legs at a point, the one of that side's first segment there."""
        legs = [leg for leg in stream.legs if leg.point == point]
        if len(legs) > 1:
            rows = self.passages.rows(stream.stream)
            row = self.passages.row[rows[self.passages.direction[rows] == side], point]
            seen = row[row >= 0]
            if len(seen):
                flow = int(self.passages.sightings.flow[seen.min()])
                return next((leg for leg in legs if leg.flow == flow), legs[0])
        return legs[0]
