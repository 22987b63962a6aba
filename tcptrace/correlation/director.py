"""What the director believed of each stream, step by step: director_table.py over the segments that passed it.

Where the director's host was captured at, a step has the time of the segment that caused it. Else its time lies
between what the point before saw and what the point behind saw. A log of the director tells its steps itself, without
times: those come from the same segments.

Only few segments can change a director's state, so of each stream only SYN, FIN and RST are looked at, and the first
segment each way that follows one of these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.director_files import DirectorFile, LogStep
from tcptrace.correlation.director_table import after
from tcptrace.correlation.mode import Mode
from tcptrace.correlation.order import Route
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Director, DirectorStep, ResetOrigin, Rewrite, Stream
from tcptrace.flows import ACK, FIN, RST, SYN
from tcptrace.schema import I64, NO_TIME, SIDES

TABLES = {"dr": "input_only", "tun": "input_only", "nat": "nat", "fullnat": "nat"}
"""By mode; other modes have no director."""
INPUTS = {"input_only": "input_only", "nat": "input"}
NONE = "NONE"
FLAGS = (("SYN", SYN), ("FIN", FIN), ("RST", RST), ("ACK", ACK))


class _When(NamedTuple):
    """When the director had a segment, on the reference clock."""

    time_ns: int | None
    low_ns: int | None
    high_ns: int | None


@dataclass(frozen=True)
class Directing:
    """What all streams have in common, to tell what their directors believed."""

    passages: Passages
    alignment: Alignment
    reference_ns: I64
    """(N, points) times on the reference clock."""
    steps: dict[tuple[str, str], list[LogStep]]
    """What logs tell, by client and realserver."""


def directors(
    passages: Passages,
    streams: Sequence[Stream],
    routes: Sequence[Route],
    modes: Sequence[Mode],
    rewrites: Sequence[Sequence[Rewrite]],
    origins: dict[int, ResetOrigin],
    alignment: Alignment,
    files: Sequence[DirectorFile] = (),
) -> list[Director | None]:
    """Of every stream; None where none is needed."""
    steps: dict[tuple[str, str], list[LogStep]] = {}
    for step in (step for file in files for step in file.steps):
        steps.setdefault((step.client, step.realserver), []).append(step)
    common = Directing(passages, alignment, alignment.reference_ns(passages), steps)
    told = zip(streams, routes, modes, rewrites, strict=True)
    return [
        _One(common, *one, origins.get(one[0].stream)).director() if one[2].mode in TABLES else None for one in told
    ]


class _One:
    """One stream and its director."""

    def __init__(
        self,
        common: Directing,
        stream: Stream,
        route: Route,
        mode: Mode,
        rewrites: Sequence[Rewrite],
        origin: ResetOrigin | None,
    ) -> None:
        self.common, self.stream, self.mode, self.route = common, stream, mode, route
        self.table = TABLES[mode.mode]
        self.points = common.passages.points
        self.before, self.behind = self._sides(rewrites)
        is_own = origin is not None and origin.side == "middlebox" and origin.host == mode.director != ""
        self.refusal = origin if is_own else None
        self.asked, self.idle_since_ns = self._asked()

    def director(self) -> Director:
        timeline = list(self._timeline())
        if logged := self._logged():
            timeline = list(_as_logged(logged, timeline))
        return Director(self.mode.director or self._virtual(), self.table, tuple(timeline))

    def _virtual(self) -> str:
        """What the client calls: the address of a director that was not captured at."""
        first = self.route.request[0] if self.route.request else self.stream.legs[0].point
        leg = next((leg for leg in self.stream.legs if leg.point == first), self.stream.legs[0])
        return leg.server.rpartition(":")[0].strip("[]")

    def _logged(self) -> list[LogStep]:
        clients, servers = ({getattr(leg, end) for leg in self.stream.legs} for end in ("client", "server"))
        found = ((client, server) for client in sorted(clients) for server in sorted(servers))
        return next((self.common.steps[ends] for ends in found if ends in self.common.steps), [])

    def _sides(self, rewrites: Sequence[Rewrite]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """By direction, the points before the director and those behind it; its own are in neither."""
        before, behind = [], []
        for direction, way in ((REQUEST, self.route.request), (REPLY, self.route.reply)):
            cut = next((way.index(r.target) for r in rewrites if r.direction == direction), len(way))
            own = [place for place, point in enumerate(way) if self.points[point].host == self.mode.director]
            before.append(way[: min(own)] if own else way[:cut])
            behind.append(way[max(own) + 1 :] if own else way[cut:])
        return before, behind

    def _timeline(self) -> Iterator[DirectorStep]:
        flags, direction = self.common.passages.flags, self.common.passages.direction
        rows = self._telling()
        state = NONE if not rows or flags[rows[0][0]] & SYN else "ESTABLISHED"
        for row, when in rows:
            if state != NONE and 0 < self.asked <= self._frame(row):
                yield self._step(_When(None, self.idle_since_ns, when.time_ns), state, NONE, "its entry expired")
                state = NONE
            table = INPUTS[self.table] if direction[row] == REQUEST else "output"
            is_entered = state != NONE or (flags[row] & SYN and direction[row] == REQUEST)
            new = after(table, state, int(flags[row])) if is_entered else state
            if new != state:
                yield self._step(when, state, new, _event(int(flags[row]), int(direction[row])))
            state = new

    def _step(self, when: _When, before: str, new: str, event: str) -> DirectorStep:
        basis = "neighbours" if when.time_ns is None and not self._is_captured else "capture"
        return DirectorStep(when.time_ns, when.low_ns, when.high_ns, before, new, event, basis)

    @property
    def _is_captured(self) -> bool:
        return self.mode.director != ""

    def _asked(self) -> tuple[int, int | None]:
        """The frame that the director answered by a RST of its own, and when it had the one before; 0: it did not."""
        if self.refusal is None:
            return 0, None
        passages, point = self.common.passages, self.refusal.point
        rows = self._rows()
        rows = rows[(passages.frame[rows, point] > 0) & (passages.frame[rows, point] < self.refusal.frame)]
        rows = rows[np.argsort(passages.frame[rows, point])]
        times = self.common.reference_ns[rows, point]
        return int(passages.frame[rows[-1:], point].max(initial=0)), int(times[-2]) if len(rows) > 1 else None

    def _frame(self, row: int) -> int:
        """Its frame at the point of that RST."""
        return 0 if self.refusal is None else int(self.common.passages.frame[row, self.refusal.point])

    def _rows(self) -> I64:
        """The stream's passages that may reach the director."""
        passages, number = self.common.passages, self.stream.stream
        rows = passages.rows(number)
        wanted = np.ones(len(rows), np.bool_)
        if self.table == "input_only":
            wanted &= passages.direction[rows] == REQUEST
        if self.refusal is not None:
            wanted &= (passages.direction[rows] != self.refusal.direction) | (passages.flags[rows] & RST == 0)
        return rows[wanted]

    def _telling(self) -> list[tuple[int, _When]]:
        """The few that can change its state, in the order in which it had them."""
        rows = self._rows()
        low, high = self._bounds(rows)
        known = (low != NO_TIME) & (high != NO_TIME)
        rows, middle = rows[known], low[known] // 2 + high[known] // 2
        rows = rows[np.argsort(middle, kind="stable")]
        flags, direction = self.common.passages.flags[rows], self.common.passages.direction[rows]
        is_special = flags & (SYN | FIN | RST) != 0
        if self.refusal is not None:
            is_special |= self.common.passages.frame[rows, self.refusal.point] == self.asked
        plain = np.flatnonzero(~is_special)
        _, first = np.unique((np.cumsum(is_special) * 2 + direction)[plain], return_index=True)
        chosen = rows[np.union1d(np.flatnonzero(is_special), plain[first])]
        return [(row, self._when(row)) for row in chosen.tolist()]

    def _bounds(self, rows: I64) -> tuple[I64, I64]:
        """Of each passage, between which times it passed the director; NO_TIME where it cannot be said that it did."""
        time_ns = self.common.reference_ns[rows]
        low, high = np.full((2, len(rows)), NO_TIME)
        for direction in (REQUEST, REPLY):
            mine = self.common.passages.direction[rows] == direction
            at_host = [number for number, point in enumerate(self.points) if point.host == self.mode.director]
            before, behind = self.before[direction], self.behind[direction]
            if at_host:
                low[mine] = high[mine] = _earliest(time_ns[mine], at_host)
            elif before and behind:
                low[mine], high[mine] = _latest(time_ns[mine], before), _earliest(time_ns[mine], behind)
        return low, high

    def _when(self, row: int) -> _When:
        """When the director had a passage; with the uncertainty of the clocks."""
        at_host = [number for number, point in enumerate(self.points) if point.host == self.mode.director]
        direction = int(self.common.passages.direction[row])
        if at_host:
            time_ns = self.common.reference_ns[row, at_host]
            point = at_host[int(np.argmin(np.where(time_ns == NO_TIME, 2**63 - 1, time_ns)))]
            return _When(int(self.common.reference_ns[row, point]), self._low(row, point), self._high(row, point))
        lows = [low for point in self.before[direction] if (low := self._low(row, point)) is not None]
        highs = [high for point in self.behind[direction] if (high := self._high(row, point)) is not None]
        return _When(None, max(lows, default=None), min(highs, default=None))

    def _low(self, row: int, point: int) -> int | None:
        """The earliest reference time at which the point can have seen it."""
        clock = self.common.alignment.clocks[self.points[point].host]
        return None if clock.low_ns is None else self._at(row, point, clock.low_ns - clock.offset_ns)

    def _high(self, row: int, point: int) -> int | None:
        clock = self.common.alignment.clocks[self.points[point].host]
        return None if clock.high_ns is None else self._at(row, point, clock.high_ns - clock.offset_ns)

    def _at(self, row: int, point: int, slack_ns: int) -> int | None:
        time_ns = int(self.common.reference_ns[row, point])
        return None if time_ns == NO_TIME else time_ns + slack_ns


def _earliest(time_ns: I64, points: Sequence[int]) -> I64:
    """Of each row over some columns; NO_TIME where there is none."""
    some = time_ns[:, list(points)]
    found = np.where(some == NO_TIME, 2**63 - 1, some).min(axis=1)
    return np.where(found == 2**63 - 1, NO_TIME, found)


def _latest(time_ns: I64, points: Sequence[int]) -> I64:
    found: I64 = time_ns[:, list(points)].max(axis=1)
    return found


def _event(flags: int, direction: int) -> str:
    """`FIN+ACK from the client`."""
    names = "+".join(name for name, bit in FLAGS if flags & bit)
    return f"{names} from the {SIDES[direction]}"


def _as_logged(logged: Sequence[LogStep], timeline: Sequence[DirectorStep]) -> Iterator[DirectorStep]:
    """The steps of a log, with the times of the same steps as the captures tell them."""
    left = list(timeline)
    for step in logged:
        same = next((i for i, one in enumerate(left) if (one.before, one.after) == (step.before, step.after)), None)
        event = _event(step.flags, step.direction)
        if same is None:
            yield DirectorStep(None, None, None, step.before, step.after, event, "log")
        else:
            yield replace(left[same], event=event, basis="log")
            del left[: same + 1]
