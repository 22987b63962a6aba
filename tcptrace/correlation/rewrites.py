"""What became of a stream's headers between neighbouring points: each field that differs, once a direction and hop.

Fields are a table: a name, which rows of a passage's two sightings differ in it, and its value in words. SYN and
SYN-ACK tell most; where none was seen at both points, the first segment that was tells the rest. A TTL that routers
have decremented is no rewrite; one that grew is, or one that fell by more than a hop within a host.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcptrace.correlation.fates import Fates
from tcptrace.correlation.numbering import numbered, ranked
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Rewrite, Stream
from tcptrace.correlation.ways import ways
from tcptrace.flows import SYN
from tcptrace.schema import I16, I64, UNKNOWN, Bools, Sightings

OPTIONS = {2: "MSS", 3: "window scale", 4: "SACK permitted", 5: "SACK", 8: "timestamps", 19: "MD5", 28: "user timeout"}
OPTIONS |= {29: "TCP-AO", 30: "MPTCP", 34: "fast open", 253: "experiment 253", 254: "experiment 254"}
TOLD_APART = (2, 3, 4, 8, 253, 254)
"""Options with a row of their own in FIELDS; the last two are where TOA stands."""
MOST_OPTIONS = 8
"""Kinds in Sightings.option_kinds, a byte each."""


class _Pairs(NamedTuple):
    """Passages of one kind seen at both ends of a hop; rows of the sightings at source and target."""

    seen: Sightings
    source: I64
    target: I64
    is_syn: Bools
    one_host: Bools
    """Whether both points are one host's."""

    def column(self, name: str) -> tuple[I64, I64]:
        values = getattr(self.seen, name)
        return values[self.source].astype(np.int64), values[self.target].astype(np.int64)

    @property
    def are_whole(self) -> Bools:
        """Whether both hold all options: what a snap length cut off is unknown."""
        before, after = self.column("option_kinds")
        found: Bools = (before != UNKNOWN) & (after != UNKNOWN)
        return found

    def are_told(self, name: str) -> Bools:
        """Whether an option's value, or that it is missing, is known of both."""
        before, after = self.column(name)
        found: Bools = self.are_whole | ((before >= 0) & (after >= 0))
        return found


class _Field(NamedTuple):
    name: str
    differs: Callable[[_Pairs], Bools]
    told: Callable[[Sightings, int], str]
    """Its value in a row of the sightings."""


def _changed(column: str, *, syn: bool) -> Callable[[_Pairs], Bools]:
    def differs(pairs: _Pairs) -> Bools:
        before, after = pairs.column(column)
        found: Bools = (before != after) & (pairs.is_syn == syn)
        return found

    return differs


def _option_value_changed(column: str) -> Callable[[_Pairs], Bools]:
    def differs(pairs: _Pairs) -> Bools:
        return _changed(column, syn=True)(pairs) & pairs.are_told(column)

    return differs


def _option_changed(kind: int) -> Callable[[_Pairs], Bools]:
    def differs(pairs: _Pairs) -> Bools:
        before, after = pairs.column("option_kinds")
        found: Bools = (_has(before, kind) != _has(after, kind)) & pairs.is_syn & pairs.are_whole
        return found

    return differs


def _has(kinds: I64, kind: int) -> Bools:
    found = np.zeros(len(kinds), np.bool_)
    for place in range(MOST_OPTIONS):
        found |= kinds.view(np.uint64) >> np.uint64(8 * place) & np.uint64(0xFF) == kind
    return found


def _others_changed(pairs: _Pairs) -> Bools:
    before, after = pairs.column("option_kinds")
    suspects = np.flatnonzero((before != after) & pairs.is_syn & pairs.are_whole)
    found = np.zeros(len(before), np.bool_)
    found[suspects] = [_others(a) != _others(b) for a, b in zip(before[suspects], after[suspects], strict=True)]
    return found


def _others(kinds: int) -> str:
    """The options that no other field tells, in words."""
    present = [int(kinds) >> 8 * place & 0xFF for place in range(MOST_OPTIONS)]
    return ", ".join(OPTIONS.get(kind, f"kind {kind}") for kind in sorted(present) if kind and kind not in TOLD_APART)


def _numbers_shifted(*, syn: bool) -> Callable[[_Pairs], Bools]:
    def differs(pairs: _Pairs) -> Bools:
        guessed = np.logical_or(*pairs.column("inferred"))
        return _changed("seq", syn=syn)(pairs) & ~guessed

    return differs


def _ttl_changed(pairs: _Pairs) -> Bools:
    before, after = pairs.column("ttl")
    found: Bools = (before >= 0) & (after >= 0) & ((after > before) | (pairs.one_host & (after < before - 1)))
    return found


def _toa_changed(pairs: _Pairs) -> Bools:
    before, after = pairs.column("toa")
    found: Bools = (before != after) & pairs.are_told("toa")
    return found


def _number(column: str, before: str = "") -> Callable[[Sightings, int], str]:
    def told(seen: Sightings, row: int) -> str:
        value = int(getattr(seen, column)[row])
        return f"{before}{value}" if value >= 0 else "none"

    return told


def _presence(kind: int) -> Callable[[Sightings, int], str]:
    return lambda seen, row: "present" if _has(seen.option_kinds[[row]].astype(np.int64), kind)[0] else "none"


FIELDS = (
    _Field("initial sequence number", _numbers_shifted(syn=True), _number("seq")),
    _Field("sequence number", _numbers_shifted(syn=False), _number("seq")),
    _Field("MSS", _option_value_changed("mss"), _number("mss")),
    _Field("window scale", _option_value_changed("window_scale"), _number("window_scale")),
    _Field("SACK permitted", _option_changed(4), _presence(4)),
    _Field("timestamps", _option_value_changed("tsval"), _number("tsval", "TSval ")),
    _Field("TOA", _toa_changed, _number("toa", "port ")),
    _Field("options", _others_changed, lambda seen, row: _others(int(seen.option_kinds[row])) or "none"),
    _Field("TTL", _ttl_changed, _number("ttl")),
)
"""What may be rewritten beside addresses and ports."""


def rewrites(passages: Passages, became: Fates, streams: Sequence[Stream]) -> list[list[Rewrite]]:
    """Of each stream, in order of direction, hop and field."""
    ends = {(leg.point, leg.flow, stream.stream): (leg.client, leg.server) for stream in streams for leg in stream.legs}
    found: list[list[Rewrite]] = [[] for _ in streams]
    for place in range(1, became.point.shape[1]):
        rows = np.flatnonzero(became.seen[:, place - 1] & became.seen[:, place])
        hop = _Hop(passages, became, place, ends)
        for index, rewrite in (*hop.addresses(rows), *hop.fields(rows)):
            found[index].append(rewrite)
    return [sorted(several, key=lambda rewrite: rewrite.direction) for several in found]


class _Hop:
    """What passed from one place of the routes to the next."""

    def __init__(
        self, passages: Passages, became: Fates, place: int, ends: dict[tuple[int, int, int], tuple[str, str]]
    ) -> None:
        self.passages, self.ends = passages, ends
        self.source, self.target = became.point[:, place - 1], became.point[:, place]

    def addresses(self, rows: I64) -> Iterator[tuple[int, Rewrite]]:
        """The ends as both points name them; of each the first segment of each way that shows it changed.

        A way may have segments of several flows: a client resets what answers it untranslated.
        """
        told = set()
        for row in self._firsts(rows):
            stream = int(self.passages.stream[row])
            before, after = (self._ends(row, point) for point in (int(self.source[row]), int(self.target[row])))
            for which, (here, there) in enumerate(zip(before, after, strict=True)):
                for name, one, other in zip(("address", "port"), _split(here), _split(there), strict=True):
                    field = f"{('client', 'server')[which]} {name}"
                    key = stream, int(self.passages.direction[row]), field
                    if one != other and key not in told:
                        told.add(key)
                        yield stream, self._rewrite(row, field, one, other)

    def fields(self, rows: I64) -> Iterator[tuple[int, Rewrite]]:
        """Of each field the first passage of each way that shows it changed."""
        rows = rows[~self._is_partly(rows)]
        seen, host = self.passages.sightings, np.array([point.host for point in self.passages.points])
        source, target = (
            self.passages.row[rows, points[rows]].astype(np.int64) for points in (self.source, self.target)
        )
        is_syn = self.passages.flags[rows] & SYN != 0
        pairs = _Pairs(seen, source, target, is_syn, host[self.source[rows]] == host[self.target[rows]])
        for field in FIELDS:
            changed = np.flatnonzero(field.differs(pairs))
            if field.name == "sequence number":
                changed = changed[~self._opened(rows, is_syn)[changed]]
            for index in changed[ranked(ways(self.passages)[rows[changed]]) == 0].tolist():
                values = (field.told(seen, int(at[index])) for at in (source, target))
                yield int(self.passages.stream[rows[index]]), self._rewrite(int(rows[index]), field.name, *values)

    def _firsts(self, rows: I64) -> list[int]:
        """The first of each way and two flows."""
        source, target = (self._flow(rows, points) for points in (self.source, self.target))
        found: list[int] = rows[ranked(numbered(ways(self.passages)[rows], source, target)) == 0].tolist()
        return found

    def _flow(self, rows: I64, points: I16) -> I64:
        """By their numbers at the points."""
        found: I64 = self.passages.sightings.flow[self.passages.row[rows, points[rows]]]
        return found

    def _ends(self, row: int, point: int) -> tuple[str, str]:
        flow = int(self.passages.sightings.flow[self.passages.row[row, point]])
        return self.ends[point, flow, int(self.passages.stream[row])]

    def _is_partly(self, rows: I64) -> Bools:
        """Segments of other sizes are not the same segment."""
        partly: Bools = self.passages.partly[rows, self.source[rows]] | self.passages.partly[rows, self.target[rows]]
        return partly

    def _opened(self, rows: I64, is_syn: Bools) -> Bools:
        """Whether a SYN of the same way tells the shift already."""
        found: Bools = np.isin(ways(self.passages)[rows], ways(self.passages)[rows[is_syn]])
        return found

    def _rewrite(self, row: int, field: str, before: str, after: str) -> Rewrite:
        source, target = int(self.source[row]), int(self.target[row])
        frames = (int(self.passages.frame[row, source]), int(self.passages.frame[row, target]))
        return Rewrite(int(self.passages.direction[row]), source, target, field, before, after, frames)


def _split(end: str) -> tuple[str, str]:
    """`10.0.0.1:80` or `[2001:db8::1]:80` as address and port."""
    address, _, port = end.rpartition(":")
    return address.strip("[]"), port
