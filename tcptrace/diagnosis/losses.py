"""What was lost on a hop of a connection, and what shows that it was: the facts that path rules tell in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tcptrace.correlation.directions import NOWHERE, REPLY, REQUEST
from tcptrace.diagnosis.paths import AtPoints, PathEvidence, direction_words, in_frames
from tcptrace.diagnosis.story import ACK, FIN, RST, SYN, counted
from tcptrace.schema import I64, NO_TIME

if TYPE_CHECKING:
    from tcptrace.correlation.result import Connection, Hop

SYMPTOMS = (
    "syn-unanswered",
    "syn-dropped-by-server",
    "half-open",
    "accept-queue-overflow",
    "handshake-slow",
    "fin-retransmission",
    "close-wait-stuck",
    "keepalive-timeout",
    "idle-timeout",
    "rto-stall",
    "high-retransmission",
    "spurious-retransmission",
)
"""Rules that a loss explains."""

REPEATED = 3
"""Segments of which no capture misses each one by chance."""
NAMED_MAX = 3
"""Segments that are described one by one."""


@dataclass(frozen=True)
class Loss:
    """Segments of a connection that a hop's source has, and no point behind it."""

    evidence: PathEvidence
    connection: Connection
    hop: Hop

    @cached_property
    def _way(self) -> I64:
        """All rows of the passages that go the same way."""
        return self.evidence.rows(self.hop.stream, self.hop.direction)

    @cached_property
    def rows(self) -> I64:
        """The rows of what was lost."""
        became = self.evidence.became
        place = became.lost[self._way]
        last = became.point[self._way, np.maximum(place, 0)]
        found: I64 = self._way[(place != NOWHERE) & (last == self.hop.source)]
        return found

    @cached_property
    def came_later(self) -> I64:
        """Rows of what left after the first of these, the same way, and arrived."""
        frame = self.evidence.passages.frame
        arrived = self.evidence.seen(self.evidence.seen(self._way, self.hop.target), self.hop.source)
        found: I64 = arrived[frame[arrived, self.hop.source] > frame[self.rows, self.hop.source].min()]
        return found

    @cached_property
    def came_again(self) -> I64:
        """Rows of those of them that arrived and begin with the same numbers: what was lost, sent again."""
        passages = self.evidence.passages
        numbered = passages.end > passages.start
        lost = self.rows[numbered[self.rows]]
        later = self.came_later[numbered[self.came_later]]
        return later[np.isin(passages.start[later], passages.start[lost])]

    @property
    def is_all(self) -> bool:
        """Whether nothing of this way came through."""
        return not len(self.evidence.seen(self._way, self.hop.target))

    @property
    def is_at_an_end(self) -> bool:
        """Whether it happened within the host that sent it, or the one that it was for."""
        hosts = {self.evidence.host(point) for point in self._ends()}
        return self.evidence.is_one_host(self.hop) and self.evidence.host(self.hop.source) in hosts

    def _ends(self) -> Iterator[int]:
        """The outermost points of the stream, as far as they are known: where a direction begins, and who answers."""
        route = self.evidence.route(self.hop.stream)
        ways = (route.request, route.reply)
        own, back = ways[self.hop.direction], ways[REPLY if self.hop.direction == REQUEST else REQUEST]
        yield from own[:1]
        yield from back[:1]

    @property
    def where(self) -> str:
        """`lvs:eth1`."""
        return self.evidence.name(self.hop.source)

    @property
    def there(self) -> str:
        """`rs:bond1`."""
        return self.evidence.name(self.hop.target)

    @property
    def sender(self) -> str:
        """`client` or `server`."""
        return direction_words(self.hop.direction)[0]

    @property
    def frames(self) -> tuple[int, ...]:
        """Of what was lost, at the source."""
        return self.evidence.frames(self.rows, self.hop.source)

    @property
    def shown(self) -> AtPoints:
        """Its frames, and those at the target which show that it recorded on."""
        came = self.came_again if len(self.came_again) else self.came_later[:1]
        return self.evidence.at(
            (self.hop.source, self.frames), (self.hop.target, self.evidence.frames(came, self.hop.target))
        )

    @property
    def told(self) -> str:
        """`1 segment of the client (200 bytes at 81)`."""
        kinds = list(dict.fromkeys(self._segment(row) for row in self.rows.tolist()))
        more = f" and {len(kinds) - NAMED_MAX} more" if len(kinds) > NAMED_MAX else ""
        return f"{counted(len(self.rows), 'segment')} of the {self.sender} ({', '.join(kinds[:NAMED_MAX])}{more})"

    def _segment(self, row: int) -> str:
        passages = self.evidence.passages
        flags, length, start = (int(column[row]) for column in (passages.flags, passages.len, passages.start))
        names = [name for name, bit in (("RST", RST), ("SYN", SYN), ("FIN", FIN)) if flags & bit]
        if names:
            return names[0] + ("-ACK" if flags & (SYN | ACK) == SYN | ACK else "")
        return f"{length:,} bytes at {start:,}" if length > 0 else f"ACK {int(passages.ack[row]):,}"

    @property
    def others(self) -> str:
        """`5 others did`: of the same direction, at the target."""
        return f"{counted(self.hop.frames, 'other')} of that direction did" if self.hop.frames else "nor did any other"

    @property
    def seen(self) -> str:
        """The frames at the source, as evidence."""
        return f"at {self.where} in {in_frames(self.frames)}"

    @property
    def fate(self) -> str:
        """What became of it then."""
        if len(self.came_again):
            frames = self.evidence.frames(self.came_again, self.hop.target)
            return f"sent again, it arrived (frame {frames[0]} at {self.there})"
        if self.is_all:
            return f"nothing of the {self.sender} in this connection came to {self.there}"
        return "what it carried never arrived" if self._is_numbered else "an acknowledgement is not sent again"

    @property
    def _is_numbered(self) -> bool:
        passages = self.evidence.passages
        return bool((passages.end[self.rows] > passages.start[self.rows]).any())

    @property
    def recorded(self) -> str:
        """What shows that the target still recorded."""
        if len(self.came_later):
            frame = self.evidence.frames(self.came_later, self.hop.target)[0]
            return f"{self.there} recorded on: what left {self.where} later is there (frame {frame})"
        if self._is_alive:
            return f"{self.there} recorded on: it has later segments of other directions or connections"
        return f"{self.there} has nothing later, and is not cut short"

    @cached_property
    def _is_alive(self) -> bool:
        """Whether the target has anything from later than the first of these."""
        passages = self.evidence.passages
        reference = self.evidence.reference_ns
        lost_ns = reference[self.rows, self.hop.source].min(initial=2**62)
        return bool(lost_ns != NO_TIME and self.evidence.last_ns[self.hop.target] >= lost_ns) and len(passages.row) > 0

    @cached_property
    def is_idle(self) -> bool:
        """Whether only bare acknowledgements were lost, and nothing came of it: later ones say the same and more.

        What they acknowledge was sent once, and no window was closed.
        """
        passages = self.evidence.passages
        back = self.evidence.rows(self.hop.stream, 1 - self.hop.direction)
        told = back[(passages.end[back] > passages.start[back]) & (passages.end[back] <= passages.ack[self.rows].max())]
        way = self.evidence.seen(self._way[passages.flags[self._way] & RST == 0], self.hop.source)
        is_shut = passages.sightings.window[passages.row[way, self.hop.source]] == 0
        is_again = len(np.unique(passages.start[told])) < len(told)
        return not (self._is_numbered or self._has_resets or is_shut.any() or is_again)

    @property
    def _has_resets(self) -> bool:
        return bool((self.evidence.passages.flags[self.rows] & RST).any())

    @property
    def severity(self) -> str:
        """That of what came of it."""
        return "info" if self.is_idle else "error"

    @property
    def confidence(self) -> float:
        """Falls where the target shows nothing later, and where nothing but the captures shows that it was lost."""
        if self.is_idle:
            return 0.6
        if len(self.came_later):
            return 0.95
        return 0.9 if self._is_alive or len(self.rows) >= REPEATED else 0.75


def losses(evidence: PathEvidence, *, in_host: bool) -> Iterator[Loss]:
    """Every loss within hosts, or between them; not within the hosts at both ends."""
    for connection, hop in evidence.hops():
        if hop.lost and evidence.is_one_host(hop) == in_host:
            loss = Loss(evidence, connection, hop)
            if not loss.is_at_an_end:
                yield loss
