"""Offsets, drifts and steps of all hosts' clocks together: those that causality allows, and of these the fairest.

What is added to a time t of host h to reach reference time is offset + drift * (t - start) - its steps so far. Every
crossing says that a segment left before it arrived, which is linear in these unknowns. A chain of hosts may bound what
no pair does: a director that sees requests only lies between the client and the realserver.
"""

from collections.abc import Sequence

import numpy as np

from tcptrace.correlation.clock_limits import Limits
from tcptrace.correlation.linear_program import Floats, maximize
from tcptrace.correlation.order_evidence import DRIFT_MAX
from tcptrace.schema import I64, Bools

UNDECIDED = 0.1
"""Offsets so close, in nanoseconds, are one."""
STAMPS_NS = 1_000
"""A kernel with several processors and interfaces takes the times of frames out of order by up to this."""
DELAY_MAX_NS = 1_000_000_000
"""No segment is under way for longer."""

Range = tuple[float | None, float | None]
"""Least and greatest; None: unbounded."""


class System:
    """The inequalities of some hosts' clocks. Host 0 is the reference.

    `starts_ns` are the times at which offsets hold; `steps` how many steps each clock makes, whose sizes are adjusted
    as well; hosts in `drifting` may drift by up to `drift_max`.
    """

    def __init__(
        self,
        limits: Limits,
        starts_ns: Sequence[int],
        steps: Sequence[int] = (),
        drifting: Sequence[int] = (),
        drift_max: float = DRIFT_MAX,
    ) -> None:
        self.hosts = len(starts_ns)
        self.drifting = tuple(drifting)
        self._base_ns = _roughly(limits, self.hosts)
        self._offsets = {host: host - 1 for host in range(1, self.hosts)}
        self._drifts = {host: len(self._offsets) + i for i, host in enumerate(drifting)}
        names = [(host, i) for host, count in enumerate(steps) for i in range(count)]
        self._steps = {name: len(self._offsets) + len(self._drifts) + i for i, name in enumerate(names)}
        self._fill(limits, np.array(starts_ns, np.int64))
        self._crossings = len(limits.left_ns)
        self._bound_drifts(drift_max)
        _, slack, binding = self._widest(np.arange(len(self._limits)) < self._crossings, self._limits)
        self.slack = slack if binding else np.inf
        """The greatest least slack of all crossings; negative where they contradict each other."""
        if self.slack < 0:
            self._limits[: self._crossings] += max(UNDECIDED - self.slack, STAMPS_NS if self.slack < -1 else 0)

    def _fill(self, limits: Limits, starts_ns: I64) -> None:
        count = len(limits.left_ns)
        self._rows = np.zeros((count, len(self._offsets) + len(self._drifts) + len(self._steps)))
        gone = limits.left_ns - starts_ns[limits.earlier]
        come = limits.arrived_ns - starts_ns[limits.later]
        self.span_ns = max(int(max(gone.max(initial=1), come.max(initial=1))), 1)
        ends = ((limits.earlier, gone, limits.left_steps, 1), (limits.later, come, limits.arrived_steps, -1))
        for host_of, passed, made, sign in ends:
            for host, column in self._offsets.items():
                self._rows[host_of == host, column] += sign
            for host, column in self._drifts.items():
                its = host_of == host
                self._rows[its, column] += sign * (passed[its] / self.span_ns)
            for (host, i), column in self._steps.items():
                self._rows[(host_of == host) & (made > i), column] -= sign
        base = np.array(self._base_ns, np.int64)
        self._limits = (limits.arrived_ns + base[limits.later] - limits.left_ns - base[limits.earlier]).astype(float)

    def _bound_drifts(self, drift_max: float) -> None:
        both = np.repeat(np.eye(self._rows.shape[1])[list(self._drifts.values())], 2, axis=0)
        both[1::2] *= -1
        self._rows = np.vstack((self._rows, both))
        self._limits = np.concatenate((self._limits, np.full(len(both), drift_max * self.span_ns)))

    def _widest(self, is_open: Bools, limits: Floats) -> tuple[Floats, float, tuple[int, ...]]:
        """Where the open rows have the greatest least slack, how great, and the rows that bind it.

        If none do, slack could grow for ever; then it is none.
        """
        if not is_open.any():
            return np.empty(0), 0.0, ()
        rows = np.column_stack((self._rows, is_open.astype(np.float64)))
        goal = np.eye(rows.shape[1])[-1]
        found = maximize(goal, rows, limits)
        if not found.bounded:
            found = maximize(goal, np.vstack((rows, goal)), np.append(limits, 0))
            return found.x[:-1], 0.0, ()
        return found.x[:-1], float(found.x[-1]), found.binding

    def shared(self) -> Floats:
        """The unknowns that leave all crossings the same least slack, as far as each is bound.

        What binds the tightest ones is settled; then the same among the others, until nothing binds. What is bounded
        on one side only stays as near to what the clocks say as that allows.
        """
        limits = self._limits.copy()
        is_open = np.arange(len(limits)) < self._crossings
        x, settled = np.zeros(self._rows.shape[1]), 0
        rows = np.empty((0, len(x)))
        while settled < len(x):
            x, slack, binding = self._widest(is_open, limits)
            tight = [row for row in binding if is_open[row]]
            if not tight:
                return self._nearest(limits)
            limits[tight] -= slack
            is_open[tight] = False
            rows = np.vstack((rows, self._rows[tight]))
            settled = int(np.linalg.matrix_rank(rows))
        return x

    def _nearest(self, limits: Floats) -> Floats:
        """Every unknown that is left free as near to what the clocks say as the limits allow, one after the other."""
        rows = self._rows
        for column in range(rows.shape[1]):
            axis = np.eye(rows.shape[1])[column]
            told_ns = -self._base_ns[column + 1] if column + 1 < self.hosts else 0
            wanted = _believed(told_ns, *_range(axis, rows, limits))
            rows = np.vstack((rows, axis, -axis))
            limits = np.append(limits, (wanted + UNDECIDED, UNDECIDED - wanted))
        return maximize(np.zeros(rows.shape[1]), rows, limits).x

    def offset_ns(self, x: Floats, host: int) -> float:
        """What these unknowns make a host's offset."""
        return self._base_ns[host] + (float(x[self._offsets[host]]) if host else 0.0)

    def drift(self, x: Floats, host: int) -> float:
        """And its drift, as a ratio."""
        return float(x[self._drifts[host]]) / self.span_ns if host in self._drifts else 0.0

    def step_ns(self, x: Floats, host: int, i: int) -> float:
        """What is to be added to the size of one of its steps."""
        return float(x[self._steps[host, i]])

    def step_range(self, host: int, i: int) -> Range:
        """Between what that may be."""
        return self._range(np.eye(self._rows.shape[1])[self._steps[host, i]])

    def drift_range(self, host: int) -> Range:
        """How much a host may drift, as a ratio."""
        low, high = self._range(np.eye(self._rows.shape[1])[self._drifts[host]])
        return low and low / self.span_ns, high and high / self.span_ns

    def offset_range(self, host: int, other: int = 0) -> Range:
        """How far a host's offset may lie from another's."""
        goal = np.zeros(self._rows.shape[1])
        for sign, one in ((1, host), (-1, other)):
            if one:
                goal[self._offsets[one]] += sign
        base_ns = self._base_ns[host] - self._base_ns[other]
        low, high = self._range(goal)
        return None if low is None else low + base_ns, None if high is None else high + base_ns

    def _range(self, goal: Floats) -> Range:
        return _range(goal, self._rows, self._limits)


def _range(goal: Floats, rows: Floats, limits: Floats) -> Range:
    if not goal.any():
        return 0.0, 0.0
    low, high = maximize(-goal, rows, limits), maximize(goal, rows, limits)
    return float(goal @ low.x) if low.bounded else None, float(goal @ high.x) if high.bounded else None


def _believed(told: float, least: float | None, most: float | None) -> float:
    """What a clock says itself, as far as bounds allow; where that makes delays that are none, a bound."""
    if least is not None and most is not None:
        return (least + most) / 2
    bound = most if least is None else least
    if bound is None:
        return told
    return float(np.clip(told, least, most)) if abs(told - bound) < DELAY_MAX_NS else bound


def _roughly(limits: Limits, hosts: int) -> list[int]:
    """Offsets by the first crossing that ties each host to one before, so that what is left to find is small."""
    ties: dict[tuple[int, int], int] = {}
    columns = (limits.earlier, limits.later, limits.arrived_ns - limits.left_ns)
    for earlier, later, apart_ns in zip(*(column.tolist() for column in columns), strict=True):
        ties.setdefault((earlier, later), apart_ns)
        ties.setdefault((later, earlier), -apart_ns)
    found: dict[int, int] = {}
    for host in range(hosts):
        waiting = [] if host in found else [(host, 0)]
        while waiting:
            one, base_ns = waiting.pop()
            if one not in found:
                found[one] = base_ns
                waiting += [(later, base_ns - apart) for (earlier, later), apart in ties.items() if earlier == one]
    return [found[host] for host in range(hosts)]
