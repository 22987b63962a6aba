"""The last states of both ends of a stream, each from the best-placed point.

A capture shows what each side sent, and infers what the other got (tcp/endpoint.py). So an end is told by the nearest
point that has both directions, RSTs apart: what was sent to it is then known best. What other points disprove is
taken back: the receipt of a segment that was lost in every copy, a RST that a middlebox sent in its name.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.correlation.fates import Fates
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.recording import Recording
from tcptrace.correlation.reset_origin import from_sender
from tcptrace.correlation.result import Leg, ResetOrigin, Stream
from tcptrace.correlation.ways import counted_at
from tcptrace.flows import RST
from tcptrace.schema import I64, SIDES, STATES, Transitions

NUMBERED = 0x07
"""FIN, SYN and RST."""


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
    return [
        (
            told.state(stream, _nearest(from_sender(route, REQUEST), by_way, stream), REQUEST),
            told.state(stream, _nearest(from_sender(route, REPLY), by_way, stream), REPLY),
        )
        for stream, route in zip(streams, routes, strict=True)
    ]


def _nearest(order: Sequence[int], by_way: Sequence[I64], stream: Stream) -> int:
    """The first point that has both directions; else the first that has anything."""
    counts = by_way[REQUEST][stream.stream], by_way[REPLY][stream.stream]
    both = (point for point in order if all(count[point] for count in counts))
    return next(both, next((point for point in order if any(count[point] for count in counts)), stream.points[0]))


class _Told:
    """What the recordings tell of their flows."""

    def __init__(
        self,
        passages: Passages,
        became: Fates,
        origins: Mapping[int, ResetOrigin],
        recordings: Sequence[Recording],
    ) -> None:
        self.passages, self.became, self.origins, self.recordings = passages, became, origins, recordings
        in_vain = (became.lost != NOWHERE) | became.refused
        forged = (stream for stream, origin in origins.items() if origin.side == "middlebox")
        self.doubtful = {*np.unique(passages.stream[in_vain]).tolist(), *forged}

    def state(self, stream: Stream, point: int, side: int) -> str:
        """The last state of one side, as a point tells it and others confirm."""
        if (origin := self._missed_reset(stream.stream, point, side)) is not None:
            point = origin.point
        leg = self._leg(stream, point, side)
        recording = self.recordings[self.passages.points[point].recording]
        flows = recording.flows
        row = int(np.searchsorted(flows.flow, leg.flow))
        # A recording without the handshake may have taken the two ends for each other.
        is_turned = recording.book.endpoint(int(flows.client[row]), int(flows.client_port[row])) != leg.client
        own = side ^ is_turned
        state = int((flows.client_state if own == REQUEST else flows.server_state)[row])
        for frame, before in _history(recording.transitions, leg.flow, own):
            if not self._is_void(stream.stream, point, frame, side):
                break
            state = before
        return STATES[state]

    def _missed_reset(self, stream: int, point: int, side: int) -> ResetOrigin | None:
        """Where a side's own RST came into being, if this point does not have it."""
        origin = self.origins.get(stream)
        if origin is None or origin.direction != side or origin.side != SIDES[side]:
            return None
        rows = self._rows(stream)
        has_it = self.passages.row[rows[self.passages.frame[rows, origin.point] == origin.frame], point] >= 0
        return None if has_it.any() else origin

    def _leg(self, stream: Stream, point: int, side: int) -> Leg:
        """Of several legs at the point, the one of that side's first segment there."""
        legs = [leg for leg in stream.legs if leg.point == point]
        if len(legs) > 1:
            rows = self._rows(stream.stream)
            row = self.passages.row[rows[self.passages.direction[rows] == side], point]
            seen = row[row >= 0]
            if len(seen):
                flow = int(self.passages.sightings.flow[seen.min()])
                return next((leg for leg in legs if leg.flow == flow), legs[0])
        return legs[0]

    def _is_void(self, stream: int, point: int, frame: int, side: int) -> bool:
        """Whether what a frame of the point seemed to tell of a side is not so, as other points show.

        The side never got what was lost or refused in every copy, and never sent a RST that a middlebox made.
        """
        if stream not in self.doubtful:
            return False
        told = self.passages
        rows = self._rows(stream)
        same = rows[told.frame[rows, point] == frame]
        if not frame or not len(same):
            return False
        first = same[0]
        if told.direction[first] == side:
            origin = self.origins.get(stream)
            is_foreign = origin is not None and origin.side == "middlebox" and origin.direction == side
            return is_foreign and bool(told.flags[first] & RST)
        place = (told.direction, told.start, told.end, told.flags & NUMBERED)
        alike = rows[np.logical_and.reduce([column[rows] == column[first] for column in place])]
        return bool(((self.became.lost[alike] != NOWHERE) | self.became.refused[alike]).all())

    def _rows(self, stream: int) -> I64:
        return np.arange(*np.searchsorted(self.passages.stream, (stream, stream + 1)))


def _history(steps: Transitions, flow: int, side: int) -> Iterator[tuple[int, int]]:
    """The changes of one side of a flow, the last first: the frame that told, and the state before."""
    rows = np.arange(*np.searchsorted(steps.flow, (flow, flow + 1)))
    rows = rows[(steps.side[rows] == side) & (steps.unexpected[rows] == 0)]
    yield from zip(steps.frame[rows[::-1]].tolist(), steps.from_state[rows[::-1]].tolist(), strict=True)
