"""What a case.toml says as a whole: keys that say nothing here, points that are none, and what contradicts itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from tcptrace.check import kinds
from tcptrace.check.kinds import Problem
from tcptrace.check.vocabulary import ALONE, EXPECT, FLOW, LIMIT, TOGETHER

ELSEWHERE = {
    ALONE: "is told of several points: name them in [points]",
    TOGETHER: "is told of one flow, not of a connection",
}


def inconsistencies(told: Mapping[str, Any]) -> Iterator[Problem]:
    """All of a document whose values are each right by themselves."""
    where = TOGETHER if "points" in told else ALONE
    expect = told.get("expect", {})
    yield from _misplaced(EXPECT, expect, ("expect",), where)
    for place, flow in enumerate(expect.get("flow", [])):
        yield from _misplaced(FLOW, flow, ("expect", "flow", place), where)
    yield from _misplaced(LIMIT, told.get("limits", {}), ("limits",), where)
    for rule in set(expect.get("findings", [])) & set(expect.get("absent", [])):
        yield Problem(("expect", "absent"), f"{rule!r} is expected by findings")
    yield from _no_points(told)


def _misplaced(table: kinds.Table, told: Mapping[str, Any], path: kinds.KeyPath, where: str) -> Iterator[Problem]:
    for key in told:
        if table.keys[key].where not in ("", where):
            yield Problem((*path, key), ELSEWHERE[where])


def _no_points(told: Mapping[str, Any]) -> Iterator[Problem]:
    """Points that are expected and not named."""
    points = told.get("points", {})
    for place, flow in enumerate(told.get("expect", {}).get("flow", [])):
        for path, point in _points_of(flow):
            if point not in points and point.partition(":")[0] not in points:  # a capture may have many interfaces
                problem = f"there is no point {point!r}; {kinds.nearest(point, points)}"
                yield Problem(("expect", "flow", place, *path), problem)


def _points_of(flow: Mapping[str, Any]) -> Iterator[tuple[kinds.KeyPath, str]]:
    """Every point that an expected connection names, and where."""
    for direction, names in flow.get("path", {}).items():
        yield from ((("path", direction, number), name) for number, name in enumerate(names))
    if "point" in flow.get("reset_origin", {}):
        yield ("reset_origin", "point"), flow["reset_origin"]["point"]
