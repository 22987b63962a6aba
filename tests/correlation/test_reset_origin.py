"""Where a RST was born, and where a way would have gone on."""

from pathlib import Path

import pytest

import tcptrace
from tcptrace.correlation.directions import REPLY, REQUEST
from tcptrace.correlation.onward import onward
from tcptrace.correlation.order import Route
from tcptrace.correlation.reset_origin import from_sender, reset_origins
from tcptrace.correlation.result import Connection, Leg, ResetOrigin, Stream
from tests.correlation.in_words import one_clock, passages, route
from tests.correlation.wire import BITS, Tcp, changed, recorded, write

LINE = "client fw:eth0 fw:eth1 server\n"
ROUTE = route((0, 1, 2, 3), (3, 2, 1, 0))
OPEN = "C S 0 ttl=64,63,62,62 | 0 1 2 3\nS S. 0 1 ttl=62,63,64,64 | 7 6 5 4\nC . 1 1 ttl=64,63,62,62 | 8 9 10 11\n"


def origin(text: str, by: Route = ROUTE) -> ResetOrigin:
    told = passages(text)
    return reset_origins(told, [by], one_clock(told))[0]


def test_of_the_server_itself() -> None:
    found = origin(LINE + OPEN + "S R. 1 1 ttl=62,63,64,64 ip_id=0 | 16 15 14 13\n")
    assert (found.point, found.side, found.host, found.frame, found.direction) == (3, "server", "server", 4, REPLY)


def test_of_a_firewall_between() -> None:
    found = origin(LINE + OPEN + "C P. 1:11 1 | 12 13 - -\nS R. 1 1 ttl=63,64,-,- | 15 14 - -\n")
    assert (found.point, found.side, found.host) == (1, "middlebox", "fw")
    assert found.evidence == (
        "fw:eth0 is the first point, from the server, that has it (frame 5)",
        "server, fw:eth1 saw nothing of it, nearer to the server, whose other segments pass there",
        "RST+ACK, TTL 64",
        "the server's other segments have TTL 63 at fw:eth0",
    )


def test_of_the_client() -> None:
    found = origin(LINE + OPEN + "C R 1 ttl=64,63,62,62 | 12 13 14 15\n")
    assert (found.point, found.side, found.host, found.direction) == (0, "client", "client", REQUEST)


def test_of_a_stranger_beyond_the_first_point() -> None:
    """Nothing lies nearer to the server than the one point; the TTL says that it came from somewhere else."""
    found = origin("client\nC S 0 ttl=64 | 0\nS S. 0 1 ttl=52 | 7\nS R. 1 1 ttl=60 | 9\n", route((0,), (0,)))
    assert (found.side, found.host) == ("middlebox", "")


def test_of_a_server_that_was_not_captured_at() -> None:
    found = origin("client\nC S 0 ttl=64 | 0\nS S. 0 1 ttl=52 | 7\nS R. 1 1 ttl=52 | 9\n", route((0,), (0,)))
    assert (found.side, found.host) == ("server", "")


def missed(folder: Path, case: str, end: str, **otherwise: int) -> Connection:
    """A recorded connection whose sender's own capture lacks its RSTs, which the other may show otherwise."""

    def is_reset(one: Tcp) -> bool:
        return bool(one.flags & BITS["R"]) and one.from_server == (end == "server")

    def shown(one: Tcp) -> Tcp:
        return one._replace(**otherwise) if is_reset(one) else one

    points = {point: recorded(case, f"{point}.pcap") for point in ("client", "server")}
    points[end] = [frame for frame in points[end] if not is_reset(Tcp.of(frame.data))]
    other = "client" if end == "server" else "server"
    points[other] = changed(points[other], shown)
    (one,) = tcptrace.correlate(write(folder, points)).connections
    return one


CLOSED_BY_RST = {
    "abortive-close-server": "server",
    "abortive-close-unread": "server",
    "abortive-close-unread-client": "client",
}


@pytest.mark.parametrize(("case", "end"), CLOSED_BY_RST.items())
def test_missed_by_its_sender_s_own_capture(tmp_path: Path, case: str, end: str) -> None:
    """It goes on with the sender's IP identifications at its TTL: nobody between could have made it."""
    found = missed(tmp_path, case, end)
    assert found.reset_origin is not None
    assert (found.reset_origin.side, found.reset_origin.host) == (end, end)
    assert found.states[end == "server"] == "CLOSED"


@pytest.mark.parametrize("otherwise", [{"ip_id": 0}, {"ip_id": 9}, {"ttl": 60}])
def test_missed_where_its_sender_is_but_not_its_own(tmp_path: Path, otherwise: dict[str, int]) -> None:
    found = missed(tmp_path, "abortive-close-server", "server", **otherwise)
    assert found.reset_origin is not None
    assert found.reset_origin.side == "middlebox"


def test_by_the_realserver_s_other_interface() -> None:
    text = "client lvs:eth0 rs:bond1 rs:bond0\nC S 0 | 0 1 2 -\nS S. 0 1 ttl=63,-,-,64 | 6 - - 5\n"
    found = origin(text + "S R 1 ttl=63,-,64,- | 9 - 8 -\n", Route((0, 1, 2), (3, 0), (), ((0, 1, 2), (2, 3, 0))))
    assert (found.side, found.host) == ("server", "rs")


def test_the_first_by_reference_time_counts() -> None:
    found = origin(LINE + OPEN + "S R 500 | 30 - - -\nC R 1 | 12 13 14 15\n")
    assert found.direction == REQUEST


def test_points_in_order_from_a_sender() -> None:
    """Those of the other direction alone stand where they would pass."""
    dr = route((0, 1, 2, 3), (4, 0))
    assert from_sender(dr, REPLY) == (4, 3, 2, 1, 0)
    assert from_sender(dr, REQUEST) == (0, 1, 2, 3, 4)


def going_on(text: str, *by: Route) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    told = passages(text)
    legs = [
        tuple(Leg(point, n, f"c:{n}", "s:80", (), 1.0) for point in range(len(told.points))) for n in range(len(by))
    ]
    found = onward(told, by, [Stream(n, leg) for n, leg in enumerate(legs)])
    return [(one.request, one.reply) for one in found]


def test_a_reply_that_entered_a_router_would_leave_by_where_requests_enter() -> None:
    text = LINE + "C S 0 | 0 1 2 3\nS S. 0 1 | - - 5 4\n"
    assert going_on(text, route((0, 1, 2, 3), (3, 2))) == [((0, 1, 2, 3), (3, 2, 1))]


def test_a_reply_that_nobody_got_would_reach_the_client() -> None:
    text = "client server\nC S 0 ttl=64,60 | 0 1\nS S. 0 1 | - 2\n"
    assert going_on(text, route((0, 1), (1,))) == [((0, 1), (1, 0))]


def test_a_request_would_go_where_others_to_its_server_go() -> None:
    text = LINE + "C S 0 | 0 1 2 3\nS S. 0 1 | 7 6 5 4\nC . 1 1 | 8 9 10 11\n1 C S 0 | 20 21 - -\n"
    assert going_on(text, ROUTE, route((0, 1), ()))[1] == ((0, 1, 2), ())


BALANCED = "lvs:eth0 lvs:eth1 rs1:bond1 rs1:bond0\nC S 0 | 0 1 2 -\nS S. 0 1 | - - - 3\nC . 1 1 | 8 9 10 -\n"


def test_a_request_need_not_go_where_a_balancer_sent_others() -> None:
    """DR: who answers bypasses the director, which may have sent this one to a server that nobody captured."""
    text = BALANCED + "1 C S 0 | 20 21 - -\n"
    assert going_on(text, route((0, 1, 2), (3,)), route((0, 1), ()))[1] == ((0, 1), ())


def test_a_request_went_to_who_answered_it() -> None:
    text = BALANCED + "1 C S 0 | 20 21 - -\n1 S R. 0 1 | - - - 23\n"
    assert going_on(text, route((0, 1, 2), (3,)), route((0, 1), (3,)))[1] == ((0, 1, 2), (3,))


def test_a_client_that_goes_on_after_its_syn_was_answered_somewhere() -> None:
    text = LINE + "C S 0 | 0 1 2 3\nS S. 0 1 | 7 6 5 4\n1 C S 0 | 20 21 - -\n1 C . 1 1 | 30 31 - -\n"
    assert going_on(text, ROUTE, route((0, 1), ()))[1] == ((0, 1), ())


def test_a_way_on_which_something_arrived_ends_where_it_ends() -> None:
    """DR without a point at the client: the client acknowledges what bypasses the director."""
    text = "lvs:eth0 lvs:eth1 rs\nC S 0 ttl=64 | 0 1 2\nS S. 0 1 | - - 3\nC . 1 1 | 8 9 10\n"
    assert going_on(text, route((0, 1, 2), (2,))) == [((0, 1, 2), (2,))]
