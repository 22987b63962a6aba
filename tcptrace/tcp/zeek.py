"""Zeek's conn_state and history of flows, in words (docs/zeek.md).

Sources: conn/main.zeek (conn_state) for the states, TCP_Endpoint.cc (Size) for what counts as having sent nothing.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tcptrace import flows as f
from tcptrace.schema import I8, SIDES
from tcptrace.tcp import endpoint_rows as e
from tcptrace.tcp import zeek_rows as z
from tcptrace.tcp.tracker import Tracker

CONN_STATES = "S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH".split()

_LETTERS = "SsHhAaDdFfRrGgTtWwIiQq^"

# Originator's state by line, responder's by column, both in the order of zeek_rows.
_TABLE = [
    line.split()
    for line in """
    OTH     OTH   OTH   OTH     OTH   SHR  RSTRH
    S0      OTH   OTH   OTH     OTH   S3   REJ
    OTH     OTH   OTH   OTH     OTH   S3   REJ
    OTH     OTH   OTH   OTH     OTH   SHR  RSTRH
    OTH     OTH   OTH   OTH     S1    S3   RSTR
    SH      S2    S2    SH      S2    SF   RSTR
    RSTOS0  RSTO  RSTO  RSTOS0  RSTO  RSTO RSTR
    """.strip().splitlines()
]
_RESET_AFTER_SYN = re.compile(r"\^?S[^HAFGIQ]*R.*")
"""What the history is like where RSTOS0 is meant; otherwise a lone RST's state is OTH."""


class ZeekView(NamedTuple):
    """What Zeek's conn.log says of a flow."""

    conn_state: str
    """One of CONN_STATES."""
    history: str
    """Letters in order, the originator's upper case; at most zeek_rows.LETTERS_MAX. Empty: no usable segment."""
    originator: str
    """Which of SIDES Zeek takes for the originator."""


def zeek_views(tracker: Tracker, flows: Iterable[int], client: I8) -> list[ZeekView]:
    """What Zeek says of some flows, in their order; `client` is what `client_sides` gives, by flow number."""
    numbers = np.fromiter(flows, np.int64)
    pairs = tracker.directions.of_flow[numbers] - 1
    used = int(tracker.directions.used[0])
    rows = tracker.directions.history[: used * 2 * z.WIDTH].reshape(used, 2 * z.WIDTH)[pairs[pairs >= 0]].tolist()
    views = map(_view, rows, client[numbers[pairs >= 0]].tolist())
    return [
        next(views) if pair >= 0 else _lone_syn(tracker, flow, int(client[flow]))
        for flow, pair in zip(numbers.tolist(), pairs.tolist(), strict=True)
    ]


def _view(rows: list[int], client: int) -> ZeekView:
    """What the rows of both directions say; `client` is its side."""
    originator = 1 if rows[z.CONNECTION] & z.SIDE_1_ORIGINATES else 0
    sides = rows[: z.WIDTH], rows[z.WIDTH :]
    history = _history(*sides)
    return ZeekView(_conn_state(sides[originator], sides[1 - originator], history), history, SIDES[originator ^ client])


def _lone_syn(tracker: Tracker, flow: int, client: int) -> ZeekView:
    """A flow without rows of its own: one SYN, or nothing that has flags."""
    if tracker.flows.rows[flow * f.WIDTH + f.SEEN] & f.SEEN_SYN == 0:
        return ZeekView("OTH", "", SIDES[client])
    closed = tracker.endpoints.narrow[flow * 2 * e.NARROW + e.WINDOW] == 0
    return ZeekView("S0", "SW" if closed else "S", SIDES[client])


def _history(side_0: list[int], side_1: list[int]) -> str:
    words = (*side_0[z.LETTERS : z.LETTERS + 2], *side_1[z.LETTERS : z.LETTERS + 2])
    return _spelled(words, side_0[z.CONNECTION] & z.LETTER_COUNT)


@lru_cache(maxsize=4096)
def _spelled(words: tuple[int, ...], count: int) -> str:
    """The letters in these words; many flows have the same."""
    codes = (words[i // z.LETTERS_A_WORD] >> z.LETTER_BITS * (i % z.LETTERS_A_WORD) for i in range(count))
    return "".join(_LETTERS[(code & ((1 << z.LETTER_BITS) - 1)) - 1] for code in codes)


def _conn_state(originator: list[int], responder: list[int], history: str) -> str:
    state = _TABLE[originator[z.STATE] & z.STATE_MASK][responder[z.STATE] & z.STATE_MASK]
    if state == "RSTOS0" and not _RESET_AFTER_SYN.fullmatch(history):
        return "OTH"
    both_reset = originator[z.STATE] & z.STATE_MASK == responder[z.STATE] & z.STATE_MASK == z.RESET
    if both_reset and _sent_nothing(originator) and _sent_nothing(responder):
        return "REJ"
    return state


def _sent_nothing(endpoint: list[int]) -> bool:
    """Whether Zeek counts no byte from an endpoint whose peer is not inactive: neither SYN nor FIN are bytes."""
    size = max(endpoint[z.LAST], endpoint[z.ACKED]) - endpoint[z.START]
    return size in (0, 1) or (size == 2 and endpoint[z.STATE] & z.SENT_FIN > 0)
