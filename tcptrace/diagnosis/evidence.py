"""All that rules may look at of one capture: tables by column, and single flows as stories."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.context import AddressClaim, IcmpError
from tcptrace.capture.summary import CaptureSummary
from tcptrace.diagnosis.story import SYN, Story, Told
from tcptrace.rows import chosen, part, places, records, runs
from tcptrace.schema import I64, KINDS, NO_TIME, SIDES, Bools, FlowMeasures, Flows, Notable, SideFacts, Transitions
from tcptrace.tcp.joined_flows import Joined

STORIES = 256
"""Flows that are read out of the tables at a time."""


@dataclass(frozen=True)
class Evidence:
    """The tables of one capture; rules change nothing here.

    Of a flow that is no more than one SYN nothing is measured, since there may be millions: such flows are
    in `all_flows` only, at the rows `lone_syns`; all others are in `flows` too, beside which `measures` and
    `sides` lie row for row.
    """

    summary: CaptureSummary
    book: AddressBook
    all_flows: Flows
    lone_syns: I64
    flows: Flows
    measures: FlowMeasures
    sides: tuple[SideFacts, SideFacts]
    """Of the clients and of the servers."""
    notable: Notable
    """By flow and in order of capture, a few segments a flow."""
    transitions: Transitions
    """By flow and in order."""
    joined: Joined
    """Flows that are halves of one conversation."""
    icmp: tuple[IcmpError, ...] = ()
    """ICMP errors that quote a segment, in order of capture, each with its flow where the capture has it."""
    explained: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    """Numbers of flows that another rule has explained; they are left out of `stories` and `lone_syns`."""

    def without(self, explained: I64) -> "Evidence":
        """The same for a rule that need not look at these flows, given by number."""
        if not len(explained):
            return self
        is_explained = np.zeros(int(max(explained.max(), self.all_flows.flow[-1])) + 1, np.bool_)
        is_explained[explained] = True
        left = ~is_explained[self.all_flows.flow][self.lone_syns]
        return replace(self, explained=explained, lone_syns=self.lone_syns[left])

    def is_old(self, times: I64, wait_ns: I64 | int) -> Bools:
        """Whether so long has passed between these times and the end of the recording that was going on."""
        ends = self.summary.recorded_until(times)
        old: Bools = (times != NO_TIME) & (ends != NO_TIME) & (times <= ends - wait_ns)
        return old

    @property
    def arp(self) -> list[AddressClaim]:
        """Who says by ARP which address is whose, in order of capture."""
        return self.summary.context.arp

    @property
    def names(self) -> dict[str, str]:
        """Address → name, as DNS told somebody."""
        return self.summary.context.names

    @cached_property
    def icmp_by_flow(self) -> dict[int, list[IcmpError]]:
        """The ICMP errors about each flow that has any, by its number."""
        about: dict[int, list[IcmpError]] = {}
        for error in self.icmp:
            if error.flow >= 0:
                about.setdefault(error.flow, []).append(error)
        return about

    @cached_property
    def sees(self) -> tuple[bool, bool]:
        """Whether the capture holds anything that clients sent, and anything that servers sent, in any flow."""
        flows = self.all_flows
        return bool((flows.client_frames > 0).any()), bool((flows.server_frames > 0).any())

    def stories(self, rows: Bools) -> Iterator[Story]:
        """The flows that a mask beside `flows` selects, but for those explained, one after the other."""
        index = np.flatnonzero(rows)
        index = index[~np.isin(self.flows.flow[index], self.explained)]
        for start in range(0, len(index), STORIES):
            yield from self._stories(index[start : start + STORIES])

    def story(self, row: int) -> Story:
        """The flow in a row of `flows`."""
        return next(self._stories(np.array([row])))

    def _stories(self, index: I64) -> Iterator[Story]:
        """The flows in these rows of `flows`; together they take a fraction of the time."""
        told = zip(
            records(chosen(self.flows, index)),
            records(chosen(self.measures, index)),
            *(records(chosen(side, index)) for side in self.sides),
            _of_flows(self.notable, self.flows.flow[index]),
            _of_flows(self.transitions, self.flows.flow[index]),
            self.summary.recorded_until(self.flows.end_ns[index]).tolist(),
            strict=True,
        )
        for flow, measures, client, server, segments, steps, end_ns in told:
            yield Story(
                flow,
                measures,
                (client, server),
                self.book.endpoint(flow.client, flow.client_port),
                self.book.endpoint(flow.server, flow.server_port),
                list(map(Told._make, segments)),
                steps,
                end_ns,
                self.icmp_by_flow.get(flow.flow, ()),
            )

    def lone_syn(self, row: int) -> Told:
        """The one segment of a flow that is a lone SYN, by its row in `all_flows`."""
        number, start_ns = int(self.all_flows.flow[row]), int(self.all_flows.start_ns[row])
        steps = _of_flow(self.transitions, number)
        frame = int(steps.frame[0]) if len(steps.frame) else 0
        facts = {"flow": number, "side": 0, "frame": frame, "time_ns": start_ns, "flags": SYN, "seq": 0, "len": 0}
        facts |= {"kinds": 1 << KINDS.index("syn"), "labels": 0, "repeat": 0}
        return Told(**{**dict.fromkeys(Told._fields, -1), **facts})

    def first_frames(self, flows: I64) -> tuple[int, ...]:
        """The frame that began each of these flows, by number."""
        return tuple(self.transitions.frame[places(self.transitions.flow, flows)].tolist())

    def frames_of(self, kind: str, flows: I64, most: int) -> tuple[int, ...]:
        """The first frames that were kept as one of KINDS in these flows, given by number."""
        told = self.notable
        kept = told.frame[self._is_kind(kind) & np.isin(told.flow, flows)]
        return tuple(np.sort(kept)[:most].tolist())

    def row_of(self, flow: int) -> int:
        """The row in `flows` of a flow's number; -1 when it is not there."""
        row = int(np.searchsorted(self.flows.flow, flow))
        return row if row < len(self.flows.flow) and self.flows.flow[row] == flow else -1

    def measured(self, side: int, what: str) -> I64:
        """A measure of one side, a column of FlowMeasures without the side's name, beside `flows`."""
        column: I64 = getattr(self.measures, f"{SIDES[side]}_{what}")
        return column

    def count(self, kind: str, side: int | None = None) -> I64:
        """How many notable segments of one of KINDS each row of `flows` has, of one side or both."""
        rows = self._is_kind(kind)
        if side is not None:
            rows &= self.notable.side == side
        return self.per_flow(rows)

    def per_flow(self, notable: Bools) -> I64:
        """How many of these notable segments each row of `flows` has."""
        counts: I64 = np.bincount(self._row_of_notable[np.flatnonzero(notable)], minlength=len(self.flows.flow))
        return counts

    def _is_kind(self, kind: str) -> Bools:
        """Which notable segments were kept as one of KINDS."""
        rows: Bools = self.notable.kinds & 1 << KINDS.index(kind) != 0
        return rows

    @cached_property
    def _row_of_notable(self) -> I64:
        """The row in `flows` of the flow of each notable segment; both are ordered by flow, and none lacks its flow."""
        first = np.searchsorted(self.notable.flow, self.flows.flow)
        return np.repeat(np.arange(len(first)), np.diff(first, append=len(self.notable.flow)))


def _of_flows(table: Any, numbers: I64) -> Iterator[list[Any]]:
    """The rows of a table ordered by flow that belong to each of these flows, as records."""
    index, counts = runs(table.flow, numbers)
    rows = records(chosen(table, index))
    for count in counts.tolist():
        yield list(islice(rows, count))


def _of_flow(table: Any, flow: int) -> Any:
    start, stop = np.searchsorted(table.flow, (flow, flow + 1))
    return part(table, int(start), int(stop))
