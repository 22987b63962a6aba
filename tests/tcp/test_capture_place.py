"""Where a capture was taken: a handshake in, a place out."""

import pytest

from tcptrace import kernels
from tcptrace.capture.decoding import Chunk
from tcptrace.schema import NO_TIME, TAKEN_NEAR, Packets
from tcptrace.tcp.capture_place import taken_near
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.measures import Measured
from tcptrace.tcp.tracker import Tracker
from tests.conversation import packets


def places(chunk: Packets) -> list[str]:
    tracker = Tracker(statistics=False)
    tracker.take(Chunk.of(chunk, kernels.plain()))
    client, guessed = client_sides(tracker)
    near = taken_near(Measured(tracker, client), flow_table(tracker, client, guessed))
    return [TAKEN_NEAR[place] for place in near.tolist()]


@pytest.mark.parametrize(
    ("server_half_ms", "client_half_ms", "place"),
    [
        (10, 0.03, "client"),
        (0.03, 10, "server"),
        (10, 8, "between"),
        (9, 1, "between"),
        (0.1, 0.02, "between"),
        (0.01, 0.02, "unknown"),
        (0, 0, "unknown"),
    ],
)
def test_the_shorter_half_of_the_handshake_is_that_of_the_near_end(
    server_half_ms: float, client_half_ms: float, place: str
) -> None:
    answered, acknowledged = 5 + server_half_ms, 5 + server_half_ms + client_half_ms
    assert places(packets(f"5 C S 0\n{answered} S S. 0 1\n{acknowledged} C . 1 1")) == [place]


@pytest.mark.parametrize(
    "text",
    [
        "0 C S 0\n 1000 C S 0\n 1010 S S. 0 1\n 1010.1 C . 1 1",
        "0 C S 0\n 10 S S. 0 1\n 1010 S S. 0 1\n 1010.1 C . 1 1",
        "0 C S 0\n 10 S S. 0 1",
        "0 S S. 0 1\n 0.1 C . 1 1",
        "0 C . 1:101 1\n 10 S . 1 101",
        "0 C S 0",
    ],
    ids=["SYN again", "SYN-ACK again", "no ACK", "no SYN", "midstream", "lone SYN"],
)
def test_a_half_that_is_lacking_or_holds_a_wait_tells_nothing(text: str) -> None:
    assert places(packets(text)) == ["unknown"]


def test_what_follows_the_handshake_changes_nothing() -> None:
    data = "".join(f"{20 + i} C . {1 + i}:{2 + i} 1\n {20.5 + i} S . 1 {2 + i}\n" for i in range(30))
    assert places(packets("0 C S 0\n 10 S S. 0 1\n 10.1 C . 1 1\n" + data)) == ["client"]


def test_a_capture_without_times_tells_nothing() -> None:
    chunk = packets("0 C S 0\n 10 S S. 0 1\n 10.1 C . 1 1")
    chunk.time_ns[:] = NO_TIME
    assert places(chunk) == ["unknown"]
