"""What passed between neighbouring points, and what did not."""

from collections.abc import Sequence

import pytest

from tcptrace.correlation.clocks import Alignment
from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.fates import fates
from tcptrace.correlation.hops import hops
from tcptrace.correlation.order import Route
from tcptrace.correlation.result import Hop, ResetOrigin
from tests.correlation.in_words import alignment, one_clock, passages, route

DR = route((0, 1, 2, 3), (4, 0))
"""client, lvs:eth0, lvs:eth1, rs:bond1; back from rs:bond0."""
DR_POINTS = "client lvs:eth0 lvs:eth1 rs:bond1 rs:bond0\n"
LINE = route((0, 1, 2), (2, 1, 0))
LINE_POINTS = "client router server\n"
OPEN = """
C S  0     | 0 1 2
S S. 0   1 | 5 4 3
C .  1   1 | 6 7 8
"""


def found(
    text: str,
    by: Route | Sequence[Route] = LINE,
    clocks: Alignment | None = None,
    truncated: Sequence[int] = (),
    origins: dict[int, ResetOrigin] | None = None,
) -> dict[tuple[int, str, str], Hop]:
    told = passages(text)
    routes = [by] if isinstance(by, Route) else list(by)
    became = fates(told, routes, truncated, origins)
    found = hops(told, routes, became, clocks or one_clock(told))
    return {(hop.direction, told.points[hop.source].name, told.points[hop.target].name): hop for hop in found}


def test_a_healthy_exchange_loses_nothing() -> None:
    by_hop = found(LINE_POINTS + OPEN)
    assert {key: (hop.frames, hop.lost, hop.missed) for key, hop in by_hop.items()} == {
        (REQUEST, "client", "router"): (2, 0, 0),
        (REQUEST, "router", "server"): (2, 0, 0),
        (REPLY, "server", "router"): (1, 0, 0),
        (REPLY, "router", "client"): (1, 0, 0),
    }


def test_a_transmission_is_lost_though_its_repeat_arrives() -> None:
    by_hop = found(
        DR_POINTS
        + """
        C S  0        | 0   1   1.1 2   -
        S S. 0      1 | 5   -   -   -   4
        C .  1      1 | 6   7   7.1 8   -
        C P. 1:101  1 | 10  11  11.1 -  -
        C P. 1:101  1 | 210 211 211.1 212 -
        S .  1    101 | 215 -   -   -   214
        """,
        DR,
    )
    hop = by_hop[REQUEST, "lvs:eth1", "rs:bond1"]
    assert (hop.frames, hop.lost, hop.lost_frames, hop.missed) == (3, 1, (3,), 0)
    assert sum(hop.lost for hop in by_hop.values()) == 1


def test_what_was_acknowledged_and_seen_by_no_later_point_was_missed_by_its_capture() -> None:
    by_hop = found(
        LINE_POINTS
        + OPEN
        + """
        C P. 1:101  1 | 10  11  -
        S .  1    101 | 15  14  13
        """
    )
    hop = by_hop[REQUEST, "router", "server"]
    assert (hop.frames, hop.lost, hop.missed, hop.missed_frames) == (2, 0, 1, (4,))


def test_what_a_later_point_has_was_missed_between() -> None:
    by_hop = found(LINE_POINTS + OPEN + "C P. 1:101  1 | 10  -  12\n")
    assert by_hop[REQUEST, "client", "router"].missed_frames == (4,)
    assert by_hop[REQUEST, "router", "server"].missed == 0
    assert sum(hop.lost for hop in by_hop.values()) == 0


def test_unacknowledged_at_the_tail_is_lost() -> None:
    by_hop = found(LINE_POINTS + OPEN + "C P. 1:101  1 | 10  11  -\n")
    assert by_hop[REQUEST, "router", "server"].lost_frames == (4,)


def test_a_truncated_capture_loses_nothing_after_its_end() -> None:
    by_hop = found(LINE_POINTS + OPEN + "C P. 1:101  1 | 10  11  -\n", truncated=[2])
    assert by_hop[REQUEST, "router", "server"].lost == 0


def test_a_truncated_capture_can_show_a_loss_before_its_end() -> None:
    text = "C P. 1:101  1 | 10  11  -\nC P. 1:101  1 | 210  211  212\n"
    assert found(LINE_POINTS + OPEN + text, truncated=[2])[REQUEST, "router", "server"].lost_frames == (4,)


def test_an_acknowledgement_that_a_repeat_explains_proves_nothing_of_the_original() -> None:
    """The repeat has other sizes: its bytes count."""
    text = """
        C P. 1:101    1 | 10  11  -
        C P. 101:201  1 | 10  11  -
        C P. 1:201    1 | 210 211 212
        S .  1      201 | 215 214 213
        """
    hop = found(LINE_POINTS + OPEN + text)[REQUEST, "router", "server"]
    assert (hop.lost, hop.lost_frames, hop.missed) == (2, (4, 5), 0)


def test_bare_acknowledgements_count() -> None:
    text = "S P. 1:101 1 | 14 13 12\nC . 1 101 | 15 16 -\nS P. 101:201 1 | 24 23 22\nC . 1 201 | 25 26 27\n"
    assert found(LINE_POINTS + OPEN + text)[REQUEST, "router", "server"].lost_frames == (5,)


def test_thinned_acknowledgements_are_not_lost() -> None:
    lines = [f"C . 1 {100 * n + 1} | {n} {n} {'-' if n % 3 else n}" for n in range(10, 40)]
    assert found(LINE_POINTS + OPEN + "\n".join(lines))[REQUEST, "router", "server"].lost == 0


def test_acknowledgements_where_offload_joins_segments_are_not_lost() -> None:
    text = "C P. 1:101 1 | 10 11 12*\nS . 1 101 | 15 14 13\nC . 101 1 | 16 17 -\n"
    assert found(LINE_POINTS + OPEN + text)[REQUEST, "router", "server"].lost == 0


def test_what_a_director_refuses_is_not_lost() -> None:
    """It answers by its own RST; the client's further RSTs end there as well."""
    text = """
        C S  0        | 0   1   1.1 2   -
        S S. 0      1 | 5   -   -   -   4
        C .  1      1 | 6   7   7.1 8   -
        C P. 1:101  1 | 5000 5001 - -   -
        S R  1        | 5003 5002 - -   -
        S P. 1:11   1 | 5010 -  -   -   5009
        C R  1        | 5011 5012 - -   -
        """
    origin = ResetOrigin(1, "middlebox", "lvs", 4, (), REPLY)
    assert sum(hop.lost for hop in found(DR_POINTS + text, DR).values()) == 2
    assert sum(hop.lost for hop in found(DR_POINTS + text, DR, origins={0: origin}).values()) == 0


def test_duplicates_are_those_of_one_packet() -> None:
    text = "C P. 1:101 1 ip_id=7 | 10 11 12\nC P. 1:101 1 ip_id=7 | - - 12.1\nC P. 1:101 1 ip_id=8 | - - 212\n"
    by_hop = found(LINE_POINTS + OPEN + text)
    assert by_hop[REQUEST, "router", "server"].duplicated == 1
    assert by_hop[REQUEST, "client", "router"].duplicated == 0


def test_reordering_is_what_came_after_something_sent_later() -> None:
    text = "C P. 1:11 1 | 10 11 14\nC P. 11:21 1 | 10.1 11.1 12\nC P. 21:31 1 | 10.2 11.2 13\n"
    by_hop = found(LINE_POINTS + OPEN + text)
    assert by_hop[REQUEST, "client", "router"].reordered == 0
    assert by_hop[REQUEST, "router", "server"].reordered == 1


def test_streams_are_counted_apart() -> None:
    text = "\n".join(f"{n} C S 0 | {n} {n}.1 {n}.2 \n {n} C S 0 | {n + 10} {n + 10} -" for n in range(3))
    told = passages(LINE_POINTS + text)
    found = hops(told, [LINE] * 3, fates(told, [LINE] * 3), one_clock(told))
    assert [(hop.stream, hop.lost) for hop in found if hop.direction == REQUEST and hop.source == 1] == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]


def test_residence_in_one_host_is_exact_and_between_hosts_has_an_interval() -> None:
    text = "C S 0 | 0 -289.7 -289.65 - -\nC . 1 1 | 1 -288.7 -288.61 - -\nC . 1 2 | 2 -287.6 -287.5 - -\n"
    clocks = alignment("client 0 lvs 290 rs 0", client_lvs=(289.8, 290.3))
    by_hop = found(DR_POINTS + text, DR, clocks)
    inside, outside = by_hop[REQUEST, "lvs:eth0", "lvs:eth1"].delay, by_hop[REQUEST, "client", "lvs:eth0"].delay
    assert inside is not None
    assert outside is not None
    assert (inside.min_ns, inside.p50_ns, inside.max_ns) == (50_000, 90_000, 100_000)
    assert (inside.low_ns, inside.high_ns) == (90_000, 90_000)
    assert (outside.min_ns, outside.p50_ns, outside.low_ns, outside.high_ns) == (300_000, 300_000, 100_000, 600_000)


@pytest.mark.parametrize("bounds", [(None, 290.0), (100.0, None), (None, None)])
def test_no_delay_where_a_clock_is_bounded_on_one_side_only(bounds: tuple[float | None, float | None]) -> None:
    clocks = alignment("client 0 router 0 server 0", client_router=bounds)
    assert found(LINE_POINTS + OPEN, LINE, clocks)[REQUEST, "client", "router"].delay is None


def test_segments_without_times_give_no_delay() -> None:
    by_hop = found(LINE_POINTS + "C S 0 | ? ? ?\n")
    assert by_hop[REQUEST, "client", "router"].delay is None
    assert by_hop[REQUEST, "client", "router"].frames == 1


def test_a_rst_of_a_host_on_the_way_proves_nothing_of_what_lies_behind() -> None:
    """The router refuses the first SYN; the repeat is lost beyond it."""
    by_hop = found(LINE_POINTS + "C S 0 | 0 1 -\nC S 0 | 10 11 -\nS R. 0 1 | 3 - -\n")
    hop = by_hop[REQUEST, "router", "server"]
    assert (hop.lost, hop.missed) == (2, 0)
    by_hop = found(LINE_POINTS + "C S 0 | 0 1 -\nS R. 0 1 | 3 2 -\n")
    hop = by_hop[REQUEST, "router", "server"]
    assert (hop.lost, hop.missed) == (0, 0)
    by_hop = found(LINE_POINTS + "C S 0 | 0 - -\nS R. 0 1 | 3 2 -\n")
    assert [by_hop[REQUEST, a, b].missed for a, b in (("client", "router"), ("router", "server"))] == [1, 0]


def test_a_rst_that_left_a_realserver_by_its_other_interface_acknowledges() -> None:
    by_hop = found(DR_POINTS + "C S 0 | 0 1 1.1 2 -\nC S 0 | 10 11 11.1 - -\nS R. 0 1 | 16 - - - 14\n", DR)
    hop = by_hop[REQUEST, "lvs:eth1", "rs:bond1"]
    assert (hop.lost, hop.missed) == (1, 0)
    by_hop = found(DR_POINTS + "C S 0 | 10 11 11.1 - -\nS R. 0 1 | 16 - - - 14\n", DR)
    hop = by_hop[REQUEST, "lvs:eth1", "rs:bond1"]
    assert (hop.lost, hop.missed) == (0, 1)
