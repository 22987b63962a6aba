"""The simplest clocks that causality allows: offsets alone if these do, else with drift; given what steps they made."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tcptrace.correlation.clock_fit import STAMPS_NS, System
from tcptrace.correlation.clock_limits import Limits, Observed, Steps, limits_of, quickest
from tcptrace.correlation.result import Clock, ClockStep


class Model(NamedTuple):
    """Clocks of some hosts, the first of which is the reference."""

    hosts: Sequence[str]
    system: System
    clocks: Mapping[str, Clock]
    crossed: Mapping[tuple[int, int], int]
    """How many segments tie the clocks of two hosts, from one to the other."""
    limits: Limits
    """Those that may bind."""
    steps: Steps
    """Whose sizes were adjusted."""
    contradiction_ns: int
    """By how much, on some hop, segments still arrive before they left."""


def modelled(observed: Observed, hosts: Sequence[str], steps: Steps) -> Model:
    """The clocks of these hosts, if they made these steps; the sizes of steps are adjusted."""
    limits, crossed = limits_of(observed, hosts, steps)
    starts_ns = [observed.starts_ns[host] for host in hosts]
    counts = [len(steps.get(host, ())) for host in hosts]
    system = System(quickest(limits), starts_ns, counts)
    if system.slack < -STAMPS_NS:
        system = System(limits, starts_ns, counts, [host for host in range(1, len(hosts)) if _is_bound(system, host)])
        told = [host for host in system.drifting if _excludes_zero(*system.drift_range(host))]
        simpler = System(limits, starts_ns, counts, told)
        system = simpler if simpler.slack >= min(system.slack, -STAMPS_NS) else system
    x = system.shared()
    clocks = {}
    for number, host in enumerate(hosts):
        drift_ppm = system.drift(x, number) * 1e6 if number in system.drifting else None
        adjusted = (
            ClockStep(step.time_ns, step.by_ns + round(system.step_ns(x, number, i)), step.frames)
            for i, step in enumerate(steps.get(host, ()))
        )
        offset_ns = round(system.offset_ns(x, number))
        clocks[host] = Clock(host, offset_ns, None, None, drift_ppm, starts_ns[number], tuple(adjusted))
    contradiction_ns = 0 if system.slack >= -STAMPS_NS else round(-system.slack)
    return Model(hosts, system, clocks, crossed, limits, steps, contradiction_ns)


def _is_bound(system: System, host: int) -> bool:
    """Whether a host's offset is bounded on both sides, by the reference or by another."""
    return any(None not in system.offset_range(host, other) for other in range(host))


def _excludes_zero(low: float | None, high: float | None) -> bool:
    return (low is not None and low > 0) or (high is not None and high < 0)
