"""ICMP errors, each with the flow it is about."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tcptrace import flows as f
from tcptrace.capture.context import IcmpError
from tcptrace.schema import I8, I64, UNKNOWN, Bools
from tcptrace.tcp.tracker import Tracker


def about_flows(errors: Sequence[IcmpError], tracker: Tracker, client: I8) -> tuple[IcmpError, ...]:
    """Errors with the flow and the side of what they quote, where the capture has it; the others as they were.

    It is the tuple's newest flow that began before the error. Where tcpdump's text does not give the
    ports, it is the newest flow between these hosts.
    """
    if not errors:
        return ()
    lifetimes = Lifetimes(errors, tracker)
    return tuple(_about(error, lifetimes.find(error), tracker, client) for error in errors)


def _about(error: IcmpError, flow: int, tracker: Tracker, client: I8) -> IcmpError:
    if flow < 0:
        return error
    row = tracker.flows.rows[flow * f.WIDTH : (flow + 1) * f.WIDTH].tolist()
    side = 0 if row[f.KEY_0] >> 16 == error.src and error.sport in (UNKNOWN, row[f.KEY_0] & 0xFFFF) else 1
    base = row[f.BASE_0 + side]
    seq = (error.seq - base) & 0xFFFFFFFF if error.seq >= 0 and base >= 0 else UNKNOWN
    return error._replace(flow=flow, side=side ^ int(client[flow]), seq=seq)


class Lifetimes:
    """The flows that some errors may be about."""

    def __init__(self, errors: Sequence[IcmpError], tracker: Tracker) -> None:
        rows = tracker.flows.rows[: tracker.flow_count * f.WIDTH].reshape(-1, f.WIDTH)
        hosts = np.unique([(error.src, error.dst) for error in errors])
        has_frames = rows[:, f.FRAMES_0] + rows[:, f.FRAMES_1] > 0
        near = np.isin(rows[:, f.KEY_0] >> 16, hosts) & np.isin(rows[:, f.KEY_1] >> 16, hosts)
        self._flow = np.flatnonzero(near & has_frames)
        self._key_0, self._key_1 = rows[self._flow, f.KEY_0], rows[self._flow, f.KEY_1]
        self._first_frame: list[int] = rows[self._flow, f.FIRST_FRAME].tolist()
        self._places: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        quoted = {_tuple(error.src << 16 | error.sport, error.dst << 16 | error.dport) for error in errors}
        for place, ends in enumerate(map(_tuple, self._key_0.tolist(), self._key_1.tolist())):
            if ends in quoted:
                self._places[ends].append(place)

    def find(self, error: IcmpError) -> int:
        """The newest flow that the error can be about; -1 for none. Flows are numbered as they begin."""
        if error.sport < 0 or error.dport < 0:
            return self._between(error)
        places = self._places.get(_tuple(error.src << 16 | error.sport, error.dst << 16 | error.dport), [])
        before = bisect_left(places, error.frame, key=self._first_frame.__getitem__)
        return int(self._flow[places[before - 1]]) if before else UNKNOWN

    def _between(self, error: IcmpError) -> int:
        count = bisect_left(self._first_frame, error.frame)
        ends = self._key_0[:count], self._key_1[:count]
        forth, back = (
            _is_end(src, error.src, error.sport) & _is_end(dst, error.dst, error.dport)
            for src, dst in (ends, ends[::-1])
        )
        places = np.flatnonzero(forth | back)
        return int(self._flow[places[-1]]) if len(places) else UNKNOWN


def _tuple(end: int, other: int) -> tuple[int, int]:
    return (end, other) if end < other else (other, end)


def _is_end(keys: I64, address: int, port: int) -> Bools:
    is_host: Bools = keys >> 16 == address
    return is_host if port < 0 else is_host & (keys & 0xFFFF == port)
