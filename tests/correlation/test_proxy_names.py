"""Streams that no host saw together: which of two with one id is the client's, and which the proxy's own."""

from dataclasses import replace
from pathlib import Path

import pytest

import tcptrace
from tests.correlation.proxied import GET, OK, Dialogue, Joined, at_points, client, upstream
from tests.correlation.wire import Tcp, recorded, write

ASKED = GET[:-2] + b"X-Request-ID: 7f3a\r\n\r\n"
JOINED = [["10.0.0.1:40000", "10.0.1.254:5001"]]


def in_both_orders(folder: Path, down: Dialogue, up: Dialogue) -> list[Joined]:
    first, second = at_points(folder, client=[down], app=[up]), at_points(folder, app=[up], client=[down])
    return [first, second]


def test_a_request_waits_longer_on_its_client_s_stream(tmp_path: Path) -> None:
    """Whichever seems to begin first: their clocks may have nothing in common."""
    for at in (0, 2.2, 30):
        first, second = client(1, at=15, request=ASKED), upstream(5001, at, request=ASKED, answers=15)
        for joined in in_both_orders(tmp_path, first, second):
            assert joined.clients() == JOINED


def test_a_later_request_of_a_stream_tells_too(tmp_path: Path) -> None:
    """The upstream's second; what its first client said was not captured."""
    here = [frame for frame in recorded("haproxy-reuse", "client.pcap") if 40001 in Tcp.of(frame.data)[2:4]]
    points = {"client": here, "app": recorded("haproxy-reuse", "app-eth0.pcap")}
    for order in (["client", "app"], ["app", "client"]):
        (one,) = tcptrace.correlate(write(tmp_path, {point: points[point] for point in order})).connections
        assert (one.client, one.mode) == ("10.0.0.1:40001", "proxy")


@pytest.mark.parametrize(
    ("down", "up"),
    [
        ({"reply": b""}, {"answers": 15}),
        ({}, {"answers": 15, "reply": b""}),
        ({"answers": 15}, {"answers": 15}),
        ({"reply": OK.replace(b"200 OK", b"100 Continue")}, {"answers": 15}),
        ({"answers": 15.001}, {"answers": 15}),
    ],
)
def test_where_nothing_tells_nobody_is_joined(tmp_path: Path, down: dict[str, object], up: dict[str, object]) -> None:
    """No answer, one that a proxy gives before it asks, or waits that differ by less than clocks do."""
    first, second = client(1, request=ASKED, **down), upstream(5001, 2.2, request=ASKED, **up)
    for joined in in_both_orders(tmp_path, first, second):
        assert joined.conversations == []
        assert [set(one) for one in joined.maybe()] == [set(JOINED[0])]
        assert joined.candidates[0].confidence <= 0.7
        assert joined.candidates[0].evidence[-1] == "nothing tells which of both is the proxy's own"


def test_where_no_answer_was_seen_a_header_tells(tmp_path: Path) -> None:
    named = ASKED[:-2] + b"X-Forwarded-For: 10.0.0.1\r\n\r\n"
    first, second = client(1, request=ASKED, reply=b""), upstream(5001, 2.2, request=named, reply=b"")
    for joined in in_both_orders(tmp_path, first, second):
        assert joined.clients() == JOINED


def test_a_header_and_waits_that_contradict_each_other_tell_nothing(tmp_path: Path) -> None:
    """What a proxy answers from its cache, say, while it asks again."""
    named = ASKED[:-2] + b"X-Forwarded-For: 10.0.0.1\r\n\r\n"
    first, second = client(1, request=ASKED, answers=5), upstream(5001, 2.2, request=named, answers=15)
    for joined in in_both_orders(tmp_path, first, second):
        assert joined.conversations == []
        assert len(joined.candidates) == 1


def test_two_calls_of_one_client_are_not_one_conversation(tmp_path: Path) -> None:
    """A service that asks two others for one request of its own client."""
    one = upstream(5001, 0, request=ASKED, answers=20)
    other = replace(one, client="10.0.1.254:5002", server="10.0.2.3:9090", at=2, answers=10)
    for joined in (at_points(tmp_path, one=[one], other=[other]), at_points(tmp_path, other=[other], one=[one])):
        assert (joined.conversations, joined.candidates) == ([], [])
