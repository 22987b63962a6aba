"""Expected flows, or connections, each found among those there are.

Of captures analyzed alone, a flow is looked for in every capture that has one between these ends, and some capture
must. Two expectations are never met by the same flow.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tcptrace.check.outcome import Outcome
from tcptrace.check.seen import Group, Json, Sight

ENDS = ("client", "server")
NEAR = 3
"""Flows that are named where none fits."""


def expected_flows(expected: Sequence[Json], sight: Sight) -> Iterator[Outcome]:
    """An outcome for each."""
    met_by = [_met_by(expected, group) for group in sight.groups]
    for place, entry in enumerate(expected):
        groups = [n for n, group in enumerate(sight.groups) if any(_is_between(entry, item) for item in group.items)]
        missing = [sight.groups[n] for n in groups if place not in met_by[n]]
        yield _outcome(entry, place, missing if groups else None, sight)


def nearest_flows(expected: Sequence[Json], sight: Sight) -> Mapping[int, Json]:
    """For each that a capture does not meet, a flow of it between the same ends that no other has, if there is one."""
    found: dict[int, Json] = {}
    for group in sight.groups:
        met_by = _met_by(expected, group)
        free = [item for n, item in enumerate(group.items) if n not in met_by.values()]
        for place, entry in enumerate(expected):
            near = next((n for n, item in enumerate(free) if _is_between(entry, item)), None)
            if place not in met_by and place not in found and near is not None:
                found[place] = free.pop(near)
    return found


def _outcome(entry: Json, place: int, missing: Sequence[Group] | None, sight: Sight) -> Outcome:
    """`missing`: the captures that have such ends and no such flow; None: no capture has such ends."""
    noun = sight.groups[0].noun
    name = " → ".join(entry[end] for end in ENDS if end in entry) or f"{noun} {place + 1} of those expected"
    expected = _shown({key: value for key, value in entry.items() if key not in ENDS}) or f"a {noun} between these ends"
    found, look = "as expected", sight.look
    if missing is None:
        ends = (f"{item['client']} → {item['server']}" for group in sight.groups for item in group.items)
        found = f"none between these ends; there are {_some(list(dict.fromkeys(ends)))}"
    elif missing:
        group = missing[0]
        near = [item for item in group.items if _is_between(entry, item)]
        at = f" of {group.path}" if len(sight.groups) > 1 else ""
        told = [f"{noun} {item[noun]}{at} has {_shown(_differing(entry, item)) or 'met another'}" for item in near]
        found, look = _some(told), _look(group, near[0], sight)
    met = missing is not None and not missing
    label = name if name.startswith(noun) else f"flow {name}"
    return Outcome(label, ("expect", "flow", place), met, expected, found, look=look)


def _look(group: Group, item: Json, sight: Sight) -> str:
    if group.noun == "connection":
        return f"{sight.look} --connection {item['connection']}"
    return f"tcptrace timeline {shlex.quote(group.path)} --flow {item['flow']}"


def _met_by(expected: Sequence[Json], group: Group) -> Mapping[int, int]:
    """Expectation → item, as many as can be met at once: augmenting paths."""
    fitting = [[n for n, item in enumerate(group.items) if _fits(entry, item)] for entry in expected]
    has: dict[int, int] = {}
    for entry in range(len(expected)):
        reached: dict[int, int] = {}
        item = _reachable(entry, fitting, {taken: by for by, taken in has.items()}, reached)
        while item is not None:  # each takes the item that reached it, and gives its own to the one before
            has[reached[item]], item = item, has.get(reached[item])
    return has


def _reachable(
    entry: int, fitting: Sequence[Sequence[int]], taken: Mapping[int, int], reached: dict[int, int]
) -> int | None:
    """The nearest item that is free, were those that stand in the way to take others; `reached`: item → by whom."""
    waiting = [entry]
    for one in waiting:
        for item in fitting[one]:
            if item not in reached:
                reached[item] = one
                if item not in taken:
                    return item
                waiting.append(taken[item])
    return None


def _is_between(entry: Json, item: Json) -> bool:
    return all(entry[end] == item[end] for end in ENDS if end in entry)


def _fits(entry: Any, item: Any) -> bool:
    """Every key given holds."""
    if isinstance(entry, dict):
        return isinstance(item, dict) and all(key in item and _fits(value, item[key]) for key, value in entry.items())
    return bool(entry == item)


def _differing(entry: Json, item: Json) -> Json:
    """What an item has in place of the values that do not hold."""
    told: Json = {}
    for key, value in entry.items():
        has = item.get(key)
        if isinstance(value, dict) and isinstance(has, dict):
            if below := _differing(value, has):
                told[key] = below
        elif value != has:
            told[key] = has
    return told


def _shown(values: Json) -> str:
    """`states.client TIME_WAIT, close fin`."""
    return ", ".join(f"{name} {'nothing' if value is None else value}" for name, value in _flat(values, ""))


def _flat(values: Json, before: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", " → ".join(value) if isinstance(value, list) else value


def _some(told: Sequence[str]) -> str:
    more = f"; and {len(told) - NEAR} more" if len(told) > NEAR else ""
    return ("; ".join(told[:NEAR]) or "none") + more
