"""What a host saw of the streams that passed it, by its own clock: when they began, spoke and ended there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.passages import Passages
from tcptrace.schema import I64, NO_TIME, Bools

FIN, SYN, RST = 0x01, 0x02, 0x04
LATEST = 2**63 - 1
"""A moment that has not come."""


@dataclass(frozen=True)
class Presence:
    """A stream at a host; moments in ns, LATEST for what did not happen."""

    stream: int
    begin_ns: int
    """Its first segment."""
    end_ns: int
    """The client's side closed, or either side reset."""
    asked_ns: I64
    """Every segment of the client, in order of time."""
    last_ns: int
    """The client's last payload; without any, its first segment."""
    told_ns: I64
    """What the server's side told its client: payload, FIN and RST, in order of time."""
    answer_ns: int
    """The server's first payload."""
    outcome_ns: int
    """That; without it the server's FIN or RST, if its side was the first to close."""
    server_half_ns: int | None
    """SYN to SYN-ACK; None where either was not seen."""
    client_half_ns: int | None
    """SYN-ACK to ACK."""
    is_taken: bool
    """Whether its client went on after its SYN: the server took the connection."""
    is_forwarded: bool
    """Whether its segments lose hops within the host: it neither begins nor ends there."""


def presences(passages: Passages, host: str) -> Iterator[Presence]:
    """Every stream that a host saw, in order of number; times that are not known count as not seen."""
    columns = [number for number, point in enumerate(passages.points) if point.host == host]
    times = passages.time_ns[:, columns]
    time_ns = np.where(times == NO_TIME, LATEST, times).min(axis=1, initial=LATEST)
    rows = np.flatnonzero(time_ns != LATEST)
    rows = rows[np.lexsort((time_ns[rows], passages.stream[rows]))]
    loses_hops = _loses_hops(passages, columns)[rows]
    bounds = np.flatnonzero(np.diff(passages.stream[rows], prepend=-1, append=-1))
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        of_stream = rows[first:stop]
        yield _presence(passages, of_stream, time_ns[of_stream], is_forwarded=bool(loses_hops[first:stop].any()))


def _loses_hops(passages: Passages, columns: list[int]) -> Bools:
    """Whether a passage has one TTL at one of these points and another at another."""
    seen = passages.row[:, columns]
    if not len(passages.sightings.ttl):
        return np.zeros(len(seen), np.bool_)
    ttl = np.where(seen >= 0, passages.sightings.ttl[seen].astype(np.int64), -1)
    least = np.where(ttl >= 0, ttl, 256).min(axis=1, initial=256)
    found: Bools = (least < 256) & (ttl.max(axis=1, initial=-1) > least)
    return found


def _presence(passages: Passages, rows: I64, time_ns: I64, *, is_forwarded: bool) -> Presence:
    flags, length, direction = passages.flags[rows], passages.len[rows], passages.direction[rows]
    is_reply = direction == REPLY
    closes = flags & (FIN | RST) != 0
    syn = _first(time_ns, (flags & SYN != 0) & ~is_reply, last=True)
    synack = _first(time_ns, (flags & SYN != 0) & is_reply)
    ack = _first(time_ns, (flags & (SYN | RST) == 0) & ~is_reply & (time_ns >= synack))
    answer = _first(time_ns, is_reply & (length > 0))
    client_close = _first(time_ns, ~is_reply & closes)
    return Presence(
        stream=int(passages.stream[rows[0]]),
        begin_ns=int(time_ns[0]),
        end_ns=_first(time_ns, (flags & RST != 0) | ((direction == REQUEST) & closes)),
        asked_ns=time_ns[~is_reply],
        last_ns=int(time_ns[(~is_reply & (length > 0)).nonzero()[0][-1:]].max(initial=time_ns[0])),
        told_ns=time_ns[is_reply & ((length > 0) | closes)],
        answer_ns=answer,
        outcome_ns=answer if answer != LATEST else _first(time_ns, is_reply & closes & (time_ns < client_close)),
        server_half_ns=synack - syn if syn <= synack < LATEST else None,
        client_half_ns=ack - synack if synack < ack < LATEST else None,
        is_taken=bool((~is_reply & (flags & (SYN | RST) == 0)).any()),
        is_forwarded=is_forwarded,
    )


def _first(time_ns: I64, those: Bools, *, last: bool = False) -> int:
    """The first moment, or the last, among some in order of time."""
    found = time_ns[those]
    return int(found[-1 if last else 0]) if len(found) else LATEST
