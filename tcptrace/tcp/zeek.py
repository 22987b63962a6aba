"""Zeek's conn_state and history of flows, in words (docs/zeek.md).

Sources: conn/main.zeek (conn_state) for the states, TCP_Endpoint.cc (Size) for what counts as having sent nothing.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tcptrace import flows as f
from tcptrace.schema import I8, I64, SIDES, Bools
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


def zeek_views(tracker: Tracker, flows: I64, client: I8) -> list[ZeekView]:
    """What Zeek says of these flow numbers, in their order; `client` is what `client_sides` gives, by flow number."""
    pairs = tracker.directions.of_flow[flows] - 1
    kept = pairs >= 0
    used = int(tracker.directions.used[0])
    rows = tracker.directions.history[: used * 2 * z.WIDTH].reshape(used, 2, z.WIDTH)[pairs[kept]]
    connection = rows[:, 0, z.CONNECTION]
    originator = (connection & z.SIDE_1_ORIGINATES > 0).astype(np.int64)
    here = np.arange(len(rows))
    facts = (
        originator ^ client[flows[kept]],
        *_endpoint(rows[here, originator]),
        *_endpoint(rows[here, 1 - originator]),
        connection & z.LETTER_COUNT,
        *(rows[:, side, z.LETTERS + word] for side in range(2) for word in range(2)),
    )
    views = map(_view, *(fact.tolist() for fact in facts))
    return [
        next(views) if is_kept else _lone_syn(tracker, flow, int(client[flow]))
        for flow, is_kept in zip(flows.tolist(), kept.tolist(), strict=True)
    ]


def lone_syn_kinds(tracker: Tracker, flows: I64, client: I8) -> I64:
    """Of flows without rows of their own, a number each: equal where what Zeek says, and what was seen, is equal."""
    seen = tracker.flows.rows[flows * f.WIDTH + f.SEEN]
    closed = tracker.endpoints.narrow[flows * 2 * e.NARROW + e.WINDOW] == 0
    kinds: I64 = seen << 2 | closed << 1 | client[flows]
    return kinds


def _endpoint(rows: I64) -> tuple[I64, Bools]:
    """The states of endpoints, and whether Zeek counts no byte from them: neither SYN nor FIN are bytes.

    That is asked only of endpoints whose peer is not inactive.
    """
    size = np.maximum(rows[:, z.LAST], rows[:, z.ACKED]) - rows[:, z.START]
    sent_nothing = (size == 0) | (size == 1) | ((size == 2) & (rows[:, z.STATE] & z.SENT_FIN > 0))
    return rows[:, z.STATE] & z.STATE_MASK, sent_nothing


@lru_cache(maxsize=4096)
def _view(
    side: int, state: int, is_silent: bool, peer_state: int, peer_is_silent: bool, letters: int, *words: int
) -> ZeekView:
    """What an originator and its peer come to; `side` is the originator's. Many flows have the same."""
    history = _spelled(words, letters)
    conn_state = _TABLE[state][peer_state]
    if conn_state == "RSTOS0" and not _RESET_AFTER_SYN.fullmatch(history):
        conn_state = "OTH"
    elif state == peer_state == z.RESET and is_silent and peer_is_silent:
        conn_state = "REJ"
    return ZeekView(conn_state, history, SIDES[side])


def _lone_syn(tracker: Tracker, flow: int, client: int) -> ZeekView:
    """A flow without rows of its own: one SYN, or nothing that has flags."""
    if tracker.flows.rows[flow * f.WIDTH + f.SEEN] & f.SEEN_SYN == 0:
        return ZeekView("OTH", "", SIDES[client])
    closed = tracker.endpoints.narrow[flow * 2 * e.NARROW + e.WINDOW] == 0
    return ZeekView("S0", "SW" if closed else "S", SIDES[client])


def _spelled(words: tuple[int, ...], count: int) -> str:
    """The letters in these words."""
    codes = (words[i // z.LETTERS_A_WORD] >> z.LETTER_BITS * (i % z.LETTERS_A_WORD) for i in range(count))
    return "".join(_LETTERS[(code & ((1 << z.LETTER_BITS) - 1)) - 1] for code in codes)
