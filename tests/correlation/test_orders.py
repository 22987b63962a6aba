"""What is told of recorded cases, whatever the order in which their points are given."""

from collections import Counter
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.correlation.points import from_words
from tests.correlation.recorded import CAPTURES, case, recorded_paths

HEAVY = {"crowd-dr", "crowd-nat", "random-loss-in-director"}
"""Told in the same way as others, and ten times as long."""

Told = tuple[Counter[Any], Counter[Any]]


@cache
def inputs(name: str) -> dict[str, Any]:
    return dict(from_words([str(CAPTURES / name)]))


def told(name: str, order: tuple[str, ...]) -> Told:
    """Paths, losses and ends of all connections; findings by rule, severity and how many connections they are about."""
    correlation = tcptrace.correlate({point: inputs(name)[point] for point in order})
    points = [point.name for point in correlation.points]
    connections = Counter(
        (
            connection.client,
            connection.server,
            connection.mode,
            tuple(tuple(points[point] for point in way) for way in connection.path),
            frozenset((hop.direction, points[hop.source], hop.lost_frames) for hop in connection.hops if hop.lost),
            connection.reset_origin and (points[connection.reset_origin.point], connection.reset_origin.side),
            connection.states,
        )
        for connection in correlation.connections
    )
    found = Counter((finding.rule, finding.severity, len(finding.connections)) for finding in correlation.found)
    return connections, found


@pytest.mark.parametrize("name", [name for name in recorded_paths() if name not in HEAVY])
def test_the_points_may_be_given_in_any_order(name: str) -> None:
    given = tuple(inputs(name))
    assert told(name, given[::-1]) == told(name, given)


@pytest.mark.parametrize("name", [name for name in recorded_paths() if case(name).truth["mode"] == "proxy"])
def test_any_two_points_of_a_proxied_case_tell_the_same_in_both_orders(name: str) -> None:
    for one, other in combinations(inputs(name), 2):
        assert told(name, (one, other)) == told(name, (other, one))


@pytest.mark.parametrize(("name", "maybe"), [("haproxy", []), ("haproxy-reuse", [3]), ("nginx-reuse", [3])])
@pytest.mark.parametrize("points", [("client", "proxy:eth1"), ("client", "app:eth0"), ("proxy:eth0", "app:eth0")])
def test_the_one_that_waits_longer_is_the_client(name: str, maybe: list[int], points: tuple[str, ...]) -> None:
    """An upstream of one client is joined; one kept for two is theirs maybe, and never the other way round."""
    for order in permutations(points):
        correlation = tcptrace.correlate({point: inputs(name)[point] for point in order})
        several = [one.client for one in correlation.connections if len(one.streams) > 1]
        assert several == ([] if maybe else ["10.0.0.1:40000"])
        assert [len(one.streams) for one in correlation.candidates] == maybe


def test_a_director_that_sees_one_way_may_be_the_reference() -> None:
    """Its clock is bounded only by those of both ends, one of which was set."""
    orders = [order for order in permutations(inputs("clocks-dr-step")) if order[0].startswith("lvs")]
    for order in orders[::9]:
        assert told("clocks-dr-step", order) == told("clocks-dr-step", tuple(inputs("clocks-dr-step")))


@pytest.mark.parametrize("name", ["icmp-rejected", "icmp-rejected-ipv6"])
def test_a_host_that_saw_nothing_leaves_no_clock_open(name: str) -> None:
    files: dict[str, Path] = {point: CAPTURES / name / f"{point}.pcap" for point in ("client", "server")}
    for order in (("client", "server"), ("server", "client")):
        found = tcptrace.correlate({point: files[point] for point in order}).found
        assert [finding.rule for finding in found] == ["icmp-rejected"]
