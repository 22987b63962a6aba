"""Calls: what came of clients' SYNs, by column, since there may be millions of them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tcptrace.diagnosis.evidence import Evidence
from tcptrace.diagnosis.story import CLIENT, SERVER
from tcptrace.rows import chosen, joined
from tcptrace.schema import I64, KINDS, NO_TIME, Bools

AGAIN_NS = 200_000_000
"""No stack repeats a SYN sooner (RFC 6298 section 2: after 1 s); a frame that comes sooner is the capture's."""

PORT_BITS = 16
SYN_SEEN, SYN_ACK_SEEN = 1, 2
"""Bits of FlowMeasures.completeness."""


class Calls(NamedTuple):
    """Flows as calls, in the order of their numbers."""

    row: I64
    """In Evidence.all_flows."""
    client: I64
    """Its address."""
    listener: I64
    """The address and the port that were called, `address << 16 | port`."""
    start_ns: I64
    """The first SYN."""
    syns: I64
    """How many the client sent."""


class Speaking(NamedTuple):
    """Who says anything in a capture."""

    hosts: Bools
    """For each address, whether it sent anything."""
    gets: Bools
    """For each address, whether anyone sent it anything."""
    listeners: I64
    """Those that answered a SYN, in order."""
    calls: I64
    """How many each of them answered."""
    pairs: I64
    """A client's address and that of a server that answered it, as `pairs` makes them, in order."""

    def answers(self, listener: int) -> int:
        """How many calls a listener answered."""
        place = int(np.searchsorted(self.listeners, listener))
        return int(self.calls[place]) if place < len(self.listeners) and self.listeners[place] == listener else 0

    def answers_to(self, pair: int) -> bool:
        """Whether a client got an answer of a server."""
        place = int(np.searchsorted(self.pairs, pair))
        return place < len(self.pairs) and bool(self.pairs[place] == pair)


def speaking(evidence: Evidence) -> Speaking:
    """Who says anything in a capture."""
    flows = evidence.all_flows
    sends, gets = np.zeros(len(evidence.book), np.bool_), np.zeros(len(evidence.book), np.bool_)
    for sender, receiver, frames in (
        (flows.client, flows.server, flows.client_frames),
        (flows.server, flows.client, flows.server_frames),
    ):
        sends[sender[frames > 0]] = True
        gets[receiver[frames > 0]] = True
    taken = answered(evidence)
    return Speaking(sends, gets, *np.unique(taken.listener, return_counts=True), np.unique(pairs(taken)))


def pairs(calls: Calls) -> I64:
    """Both addresses of each call as one number."""
    return calls.client << 32 | calls.listener >> PORT_BITS


def unanswered(evidence: Evidence, wait_ns: int) -> Calls:
    """SYNs, repeated or old enough at the capture's end, that got no segment in return.

    A SYN that was not repeated counts only where answers would be seen, as the capture holds something that its
    server sent or that its client got, and where no new SYN took its place. Flows that another rule explains are
    left out.
    """
    flows, rows = evidence.flows, evidence.lone_syns
    silent = (flows.server_frames == 0) & (flows.midstream == 0)
    if silent.any():
        silent &= (evidence.count("syn", CLIENT) > 0) & (evidence.count("first", CLIENT) == 0)
        silent &= ~np.isin(flows.flow, evidence.explained)
    index = np.flatnonzero(silent)
    again = evidence.measures.client_retransmissions[index]
    is_timed = flows.start_ns[index] != NO_TIME
    again[is_timed & (flows.end_ns[index] - flows.start_ns[index] < AGAIN_NS)] = 0
    asked = joined([of_rows(evidence, rows, np.ones_like(rows)), of_flows(evidence, index, again + 1)])
    proven = asked.syns > 1
    single = ~proven & evidence.is_old(asked.start_ns, wait_ns)
    if single.any():
        proven |= single & _is_in_sight(evidence, asked) & ~_is_replaced(evidence, asked.row, wait_ns)
    calls = chosen(asked, np.flatnonzero(proven))
    return chosen(calls, np.argsort(calls.row, kind="stable"))


def of_flows(evidence: Evidence, index: I64, syns: I64) -> Calls:
    """The flows at these rows of `flows` as calls."""
    return of_rows(evidence, np.searchsorted(evidence.all_flows.flow, evidence.flows.flow[index]), syns)


def of_rows(evidence: Evidence, rows: I64, syns: I64) -> Calls:
    """The flows at these rows of `all_flows` as calls."""
    flows = evidence.all_flows
    listener = flows.server[rows].astype(np.int64) << PORT_BITS | flows.server_port[rows]
    return Calls(rows, flows.client[rows].astype(np.int64), listener, flows.start_ns[rows], syns)


def answered(evidence: Evidence) -> Calls:
    """The flows in which a SYN was answered, as a SYN-ACK shows, or, where that passed unseen, what the client sent."""
    called = evidence.measures.completeness & SYN_SEEN > 0
    taken = (evidence.measures.completeness & SYN_ACK_SEEN > 0) | (evidence.count("first", CLIENT) > 0)
    index = np.flatnonzero(called & taken)
    return of_flows(evidence, index, evidence.count("syn", CLIENT)[index])


def groups(keys: npt.NDArray[np.integer]) -> list[I64]:
    """The indices of equal keys, a group each, the largest first."""
    order = np.argsort(keys, kind="stable")
    found = np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(keys) else []
    return sorted(found, key=len, reverse=True)


def by_caller(calls: Calls) -> list[I64]:
    """The indices of the calls of each client's address to each listener, a group each, in order of the calls."""
    order = np.lexsort((calls.listener, calls.client))
    client, listener = calls.client[order], calls.listener[order]
    differs = (client[1:] != client[:-1]) | (listener[1:] != listener[:-1])
    return np.split(order, np.flatnonzero(differs) + 1) if len(order) else []


def scans(calls: Calls, targets: float) -> tuple[list[I64], I64]:
    """Of each client that called at least that many listeners, its calls; and the calls of all others."""
    order = np.lexsort((calls.listener, calls.client))
    client, listener = calls.client[order], calls.listener[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(client) != 0) | (np.diff(listener) != 0)
    is_scan = (np.bincount(client[is_new], minlength=1) >= targets)[calls.client]
    scanned = np.flatnonzero(is_scan)
    return [scanned[group] for group in groups(calls.client[scanned])], np.flatnonzero(~is_scan)


def syn_frames(evidence: Evidence, row: int) -> tuple[list[int], list[int]]:
    """Frames and times of the SYNs of the flow in a row of `all_flows`, the first few."""
    flow, notable = evidence.all_flows.flow[row], evidence.notable
    start, stop = np.searchsorted(notable.flow, (flow, flow + 1))
    is_syn = notable.kinds[start:stop] >> KINDS.index("syn") & 1 == 1
    rows = start + np.flatnonzero(is_syn & (notable.side[start:stop] == CLIENT))
    if len(rows):
        return notable.frame[rows].tolist(), notable.time_ns[rows].tolist()
    return list(evidence.first_frames(np.array([flow]))), [int(evidence.all_flows.start_ns[row])]


def _is_replaced(evidence: Evidence, rows: I64, wait_ns: int) -> Bools:
    """Whether the same two ends began another flow soon after."""
    flows = evidence.all_flows
    order = np.lexsort((flows.client, flows.client_port, flows.server, flows.server_port))
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for end in (flows.client, flows.client_port, flows.server, flows.server_port):
        same &= np.diff(end[order]) == 0
    soon = np.diff(flows.start_ns[order]) < wait_ns
    replaced = np.zeros(len(order), np.bool_)
    replaced[order[:-1]] = same & soon
    found: Bools = replaced[rows]
    return found


def _is_in_sight(evidence: Evidence, asked: Calls) -> Bools:
    """Whether anything was seen that the call's server sent to anyone, or that anyone sent to its client."""
    known = speaking(evidence)
    seen: Bools = known.hosts[asked.listener >> PORT_BITS] | known.gets[asked.client]
    return seen if evidence.sees[SERVER] else np.zeros_like(seen)


def endpoint(evidence: Evidence, listener: int) -> str:
    """A listener as text, `10.0.0.1:80`."""
    return evidence.book.endpoint(listener >> PORT_BITS, listener & (1 << PORT_BITS) - 1)


def ends(evidence: Evidence, row: int) -> tuple[str, str]:
    """Client and server of the flow in a row of `all_flows` as text."""
    flows, book = evidence.all_flows, evidence.book
    client = book.endpoint(int(flows.client[row]), int(flows.client_port[row]))
    return client, book.endpoint(int(flows.server[row]), int(flows.server_port[row]))
