"""How long requests waited for their answers: what tells a client's stream from its upstream without a common clock.

A proxy asks after it was asked, and answers after it was answered. So a request waits longer on the client's stream
than on the upstream one, wherever on its way either was captured, and each wait is read from one clock.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.http_heads import statuses
from tcptrace.correlation.order_evidence import DRIFT_MAX
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.proxy_evidence import Party
from tcptrace.schema import NO_TIME

_FIRST = 1
"""The position of the first byte; the SYN has the one before."""
_FINAL_STATUS = 200
"""What is less is interim (RFC 9110 section 15.2): a proxy may say it before it asks anybody."""


class Waits:
    """Those that points saw; `ticks_ns` has the unit of each point's times."""

    def __init__(self, passages: Passages, ticks_ns: Sequence[int]) -> None:
        self._passages, self._ticks_ns = passages, ticks_ns

    def are_within(self, inner: Party, outer: Party) -> bool:
        """Whether each request that both carry waited for less on one of both, wherever it was seen."""
        asked, shared = _asked_at(outer), _asked_at(inner)
        found = []
        for name in asked.keys() & shared.keys():
            longest_ns = max((most for _, most in self._of(inner.stream, shared[name])), default=None)
            shortest_ns = min((least for least, _ in self._of(outer.stream, asked[name])), default=None)
            if longest_ns is not None and shortest_ns is not None:
                found.append(longest_ns < shortest_ns)
        return bool(found) and all(found)

    def _of(self, stream: int, at: int) -> Iterator[tuple[float, float]]:
        """At each point the least and the most that the request at a position can have waited."""
        told = self._passages
        rows = told.rows(stream)
        start, end, direction = told.start[rows], told.end[rows], told.direction[rows]
        for point, tick_ns in enumerate(self._ticks_ns[: len(told.points)]):
            time_ns = told.time_ns[rows, point]
            speaks = (time_ns != NO_TIME) & (told.len[rows] > 0)
            asks = time_ns[speaks & (direction == REQUEST) & (start <= at) & (at < end)]
            if not len(asks):
                continue
            replies = speaks & (direction == REPLY)
            is_after = time_ns >= asks.min()
            said = int(end[replies & ~is_after].max(initial=_FIRST))
            answers = time_ns[replies & is_after & (start <= said) & (said < end)]
            if len(answers):
                wait_ns = int(answers.min() - asks.min())
                doubt_ns = tick_ns + wait_ns * DRIFT_MAX
                yield wait_ns - doubt_ns, wait_ns + doubt_ns


def _asked_at(party: Party) -> Mapping[str, int]:
    """Where the request of each id begins, if only one has it; none where positions or answers do not tell."""
    if not party.is_begun or any(code < _FINAL_STATUS for code in statuses(party.words[1])):
        return {}
    before = len(party.sent[0]) - len(party.words[0])
    count = Counter(name for head in party.heads for name in head.ids)
    return {name: _FIRST + before + head.at for head in party.heads for name in head.ids if count[name] == 1}
