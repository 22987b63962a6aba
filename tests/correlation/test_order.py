import numpy as np
import pytest

from tcptrace.correlation.order import GIVEN, Route, routes
from tcptrace.correlation.passages import Passages
from tcptrace.correlation.result import Point
from tests.correlation.passing import WrongClock, written
from tests.correlation.rearranged import disordered, rearranged
from tests.correlation.recorded import case, recorded_paths


def named(passages: Passages) -> list[tuple[list[str], list[str]]]:
    names = [point.name for point in passages.points]
    found = routes(passages, passages.points)
    return [([names[p] for p in route.request], [names[p] for p in route.reply]) for route in found]


def fits(points: list[str], truth: list[str]) -> bool:
    """Whether points lie on a way in its order; `rs1 or rs2` is either of them."""
    left = iter(truth)
    return all(any(point in told.split(" or ") for told in left) for point in points)


@pytest.mark.parametrize("name", recorded_paths())
def test_a_recorded_route_is_the_true_one(name: str) -> None:
    recorded = case(name)
    found = named(recorded.passages)
    for direction, way in enumerate(("request", "reply")):
        truth = list(dict.fromkeys(recorded.truth[way]))
        ways = [list(dict.fromkeys(one[way])) for one in recorded.truth.get("conversations", [recorded.truth])]
        assert all(any(fits(both[direction], one) for one in ways) for both in found), found
        whole = {told for both in found for told in both[direction]}
        if recorded.truth["mode"] != "proxy":
            assert all(any(one in whole for one in told.split(" or ")) for told in truth), found


UNANSWERED = ("backend-silent", "vip-less", "vip-less-forwards", "vip-less-rejects")
UNTOLD = dict.fromkeys(UNANSWERED, "without TTL, nothing tells of a SYN that is never answered where it was first")
UNTOLD |= dict.fromkeys(
    ("vanished-in-director", "vanished-reverse-path"), "without TTL, nothing tells where a client lies that got nothing"
)
UNTOLD["clocks-dr"] = "without TTL, microseconds do not tell where a director lies that sees requests only"
ALIKE = {"untranslated-same-node": "a node that forwards to its own pod lowers no TTL, and sees requests only"}


TOLD = [name for name in ("lvs-dr", "dpvs-fullnat", *recorded_paths()) if name not in ALIKE]
"""Cases whose order is told whatever the order of the arguments; those in UNTOLD with TTL only."""


@pytest.mark.parametrize(
    ("name", "with_ttl"), [(name, ttl) for name in TOLD for ttl in (True, False) if ttl or name not in UNTOLD]
)
def test_no_order_of_points_and_no_clock_changes_a_route(name: str, with_ttl: bool) -> None:
    passages = case(name).passages
    truth = named(passages)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        other = rearranged(disordered(passages, rng), rng.permutation(len(passages.points)).tolist())
        if not with_ttl:
            other.sightings.ttl[:] = -1
        assert named(other) == truth


def test_the_published_realserver_lies_behind_the_director() -> None:
    assert named(case("lvs-dr").passages) == [
        (["client", "lvs:eth0", "lvs:eth1", "rs:bond1"], ["rs:bond0", "client"]),
    ]


def route_of(points: list[str], text: str, clocks: dict[str, WrongClock] | None = None) -> Route:
    passages = written(points, text, clocks).passages()
    return routes(passages, passages.points)[0]


def test_round_trips_order_two_hosts_however_their_clocks_are_set() -> None:
    text = """
        > SYN     client=0   rs=100
        < SYN-ACK client=230 rs=130
    """
    found = route_of(["rs", "client"], text, {"rs": WrongClock(-(10**12))})
    assert (found.request, found.reply) == ((1, 0), (0, 1))
    assert found.evidence == ("request client → rs: round trips", "reply rs → client: round trips")


def test_where_nothing_tells_it_is_as_given_and_a_host_stays_together() -> None:
    points = ["client", "lvs:eth0", "rs", "lvs:eth1"]
    found = route_of(points, "> SYN client=0 lvs:eth0=5 lvs:eth1=6 rs=9")
    assert found.request == (0, 1, 3, 2)
    assert found.reply == ()
    assert found.evidence[0].endswith(GIVEN)
    assert found.evidence[1].endswith("one clock")


def test_a_waf_between_two_interfaces_of_a_host_stays_between() -> None:
    points = ["lb:eth0", "lb:eth1", "waf"]
    assert route_of(points, "> SYN lb:eth0=0/64 waf=5/63 lb:eth1=9/62").request == (0, 2, 1)


def test_streams_that_have_nothing_to_show_go_the_way_of_the_others() -> None:
    passages = written(
        ["rs", "client"],
        """
        0 > SYN client=0 rs=100
        0 < SYN-ACK client=230 rs=130
        1 > SYN client=500 rs=600
        """,
    ).passages()
    assert [route.request for route in routes(passages, passages.points)] == [(1, 0), (1, 0)]


def test_a_stream_the_other_way_round_is_no_evidence_for_the_rest() -> None:
    text = ""
    for stream in range(7):
        near, far = ("client", "rs") if stream < 5 else ("rs", "client")
        text += f"{stream} > SYN {near}=0 {far}=100\n{stream} < SYN-ACK {near}=230 {far}=130\n"
    passages = written(["client", "rs"], text).passages()
    assert [route.request for route in routes(passages, passages.points)] == [(0, 1)] * 5 + [(1, 0)] * 2


def test_who_saw_resets_only_is_not_on_the_route() -> None:
    found = route_of(
        ["client", "lvs", "rs:bond1", "rs:bond0"],
        """
        > SYN     client=0/64   lvs=50/63 rs:bond1=100/62
        < SYN-ACK client=230/63 rs:bond0=130/64
        > ACK     client=300/64 lvs=350/63
        < RST     client=400/63 lvs=360/64
        """,
    )
    assert found.reply == (3, 0)
    assert found.resets[1] in ((3, 1, 0), (1, 3, 0))


def test_no_passages_no_routes() -> None:
    passages = written(["client"], "").passages()
    assert routes(passages, (Point("client", "client", 0),)) == []
