"""The segments that tell a flow's story: a conversation in, kinds and facts out."""

from typing import Any

import pytest

from tcptrace import kernels
from tcptrace.schema import KINDS, NO_TIME
from tests.conversation import packets
from tests.tcp.noted import MS, OPEN, told


def last(text: str) -> frozenset[str]:
    """The kinds of the last segment of a conversation; none if it is not kept."""
    chunk = packets(OPEN + text)
    return dict(told(chunk).kinds).get(len(chunk.frame), frozenset())


def facts(text: str) -> tuple[Any, Any]:
    """What is known of client and server."""
    return told(packets(OPEN + text)).facts


WRITE = "100 C . 1:11 1\n"
CASES = {
    "syn": ("500 S S. 0 1", "500 S . 1 1"),
    "fin": ("C F. 1 1", "C R. 1 1"),
    "rst": ("S R. 1 1", "S F. 1 1"),
    "first": ("S . 1 1", "C . 1 1"),
    "data": ("C . 1:101 1", "C . 1:101 1\n C . 101:201 1"),
    "answer": ("C . 1:101 1\n S . 1 101", "C . 1:101 1\n S . 1 101\n S . 1 101"),
    "repeat": ("C . 1:101 1\n 900 C . 1:101 1", "C . 1:101 1\n 900 C . 101:201 1"),
    "resumed": ("1020 C . 1 1", "1019.9 C . 1 1"),
    "window": ("C . 1 1 window=0", "C F. 1 1 window=0"),
    "probe": ("C . 0 1", "C . 1:2 1"),
    "gap": ("C . 101:201 1", "C . 1:101 1"),
    "reordered": (
        "C . 1:101 1\n 101 C . 201:301 1\n 102 C . 101:201 1",
        "C . 1:101 1\n 101 C . 101:201 1\n 102 C . 101:201 1",
    ),
    "copy": ("C . 1:101 1 ip_id=5\n C . 1:101 1 ip_id=5", "C . 1:101 1 ip_id=5\n C . 1:101 1 ip_id=6"),
    "after_fin": ("S F. 1 1\n C . 1:101 2", "S F. 1 1\n C . 1 2"),
    "stall": (WRITE + "140 S . 1 11\n 141 C . 11:21 1", WRITE + "140 S . 1:2 11\n 141 C . 11:21 2"),
    "timeout": (
        "C . 1:101 1\n 900 C . 1:101 1",
        "C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1\n 111 C . 1:101 1",
    ),
}


def test_every_kind_has_a_case() -> None:
    assert list(CASES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_segment_is_kept_for_what_it_is(kind: str) -> None:
    text, near_miss = CASES[kind]
    assert kind in last(text)
    assert kind not in last(near_miss)


MORE = [
    ("S . 1 101", "gap", True),
    ("S . 1 1 window=0\n C . 1:2 1", "probe", True),
    ("C . 1 1 window=0\n C . 1 1 window=0", "window", False),
    ("C . 1 1 window=0\n C . 1 1", "window", True),
    ("S R. 1 1 window=0", "window", False),
    ("S S. 0 1 window=0", "window", False),
    ("C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "repeat", True),
    ("C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "timeout", False),
    # a small write is held back only by the first, bare and late acknowledgement of a single segment
    (WRITE + "130 S . 1 11\n 150 C . 11:21 1", "stall", True),
    (WRITE + "350 S . 1 11\n 351 C . 11:21 1", "stall", True),
    (WRITE + "129.9 S . 1 11\n 130 C . 11:21 1", "stall", False),
    (WRITE + "350.1 S . 1 11\n 351 C . 11:21 1", "stall", False),
    (WRITE + "130 S . 1 11\n 150.1 C . 11:21 1", "stall", False),
    (WRITE + "120 S . 1 11\n 140 S . 1 11 window=900\n 141 C . 11:21 1", "stall", False),
    (WRITE + "100.1 C . 11:21 1\n 140 S . 1 21\n 141 C . 21:31 1", "stall", False),
    (WRITE + "140 S . 1 6\n 141 C . 11:21 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 C . 11:511 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 C . 11:510 1", "stall", True),
    ("50 C . 1:1449 1\n 51 S . 1 1449\n 100 C . 1449:1459 1\n 140 S . 1 1459\n 141 C . 1459:2906 1", "stall", True),
    ("50 C . 1:1449 1\n 51 S . 1 1449\n 100 C . 1449:1459 1\n 140 S . 1 1459\n 141 C . 1459:2907 1", "stall", False),
    (WRITE + "140 S . 1 11\n 141 S . 1:5 11\n 142 C . 11:21 5", "stall", False),
]


@pytest.mark.parametrize(("text", "kind", "is_one"), MORE)
def test_where_a_kind_begins_and_ends(text: str, kind: str, is_one: bool) -> None:
    assert (kind in last(text)) is is_one


def test_of_each_kind_and_direction_the_first_seven_are_kept_and_the_latest() -> None:
    repeats = "".join(f"{100 + 900 * number} C . 1:101 1\n" for number in range(12))
    kept = told(packets(OPEN + repeats)).kinds
    assert [frame for frame, kinds in kept if "repeat" in kinds] == [5, 6, 7, 8, 9, 10, 11, 15]
    assert len(kept) == 3 + 1 + 8
    kept = told(packets(OPEN + repeats + "99999 C . 1:101 1\n")).kinds
    assert kept[-1][1] == {"repeat", "timeout", "resumed"}


def test_what_breaks_a_longer_silence_than_all_before_is_kept_whatever_the_number() -> None:
    asked = [f"{2000 + 1500 * n} C . {1 + 10 * n}:{11 + 10 * n} 1\n" for n in range(12)]
    again = [f"{30000 + 900 * n} C . 111:121 1\n" for n in range(5)]
    kept = told(packets(OPEN + "".join(asked))).kinds
    assert [frame for frame, kinds in kept if "resumed" in kinds] == [4, 5, 6, 7, 8, 9, 10, 15]
    kept = told(packets(OPEN + "".join(asked) + "".join(again) * 2 + "90000 C . 121:131 1\n 90300 C . 121:131 1")).kinds
    assert (26, {"resumed"}) in kept
    assert kept[-1][1] >= {"repeat"}


def test_a_rst_that_changes_a_state_is_kept_whatever_the_number() -> None:
    ignored = "".join(f"{100 + n} S R {5000000 + n}\n" for n in range(12))
    kept = told(packets(OPEN + ignored + "200 S R 1\n 201 S R 5000000")).kinds
    assert [frame for frame, kinds in kept if "rst" in kinds] == [4, 5, 6, 7, 8, 9, 10, 16]


def test_probes_of_a_closed_window_and_what_is_sent_again_unanswered_are_counted() -> None:
    client, server = facts("100 C . 1 1 window=0\n 300 S . 0 1\n 301 C . 1 1\n 9000 S . 0 1")
    assert (server.probes, server.probes_of_closed) == (2, 1)
    client, _ = facts("100 C . 1:101 1\n" + "".join(f"{400 * n} C . 1:101 1\n" for n in range(1, 12)))
    assert client.unanswered_repeats == 11
    client, _ = facts("100 C . 1:101 1\n 400 C . 1:101 1\n 500 S . 1 101")
    assert client.unanswered_repeats == 0


def test_a_lone_syn_is_kept_once_its_flow_is_more() -> None:
    assert told(packets("0 C S 0 window=77")).kinds == []
    found = told(packets("0 C S 0 window=77"), packets("10 S S. 0 1"))
    assert [kinds for _, kinds in found.kinds] == [{"syn"}, {"syn", "answer"}]
    assert found.notable.flags.tolist() == [2, 18]
    assert found.notable.window_bytes.tolist()[0] == 77


def test_how_long_a_window_was_closed() -> None:
    client, _ = facts("100 C . 1 1 window=0\n 150 C . 1 1 window=0\n 400 C . 1 1\n 500 C . 1 1 window=0\n 510 C . 1 1")
    assert (client.closures, client.closed_max_ns, client.is_closed) == (2, 300 * MS, 0)
    client, _ = facts("100 C . 1 1 window=0\n 150 C . 1 1 window=0\n 400 S . 1 1")
    assert (client.closures, client.closed_max_ns, client.is_closed) == (1, 300 * MS, 1)


def test_a_window_of_unknown_scale_is_closed_at_0_too() -> None:
    client, _ = told(packets("100 C . 1 1 window=0\n 150 C . 1 1")).facts
    assert (client.closures, client.closed_max_ns) == (1, 50 * MS)


def test_probes_are_unanswered_until_the_other_side_is_heard() -> None:
    client, _ = facts("C . 0 1\n C . 0 1\n C . 0 1")
    assert (client.probes, client.unanswered) == (3, 3)
    client, _ = facts("C . 0 1\n C . 0 1\n S . 1 1\n C . 0 1")
    assert (client.probes, client.unanswered) == (3, 1)
    client, _ = facts("C . 0 1\n C . 0 1\n C R. 1 1")
    assert client.unanswered == 2


def test_the_largest_segment_and_where_the_first_of_its_size_was() -> None:
    client, server = facts("C . 1:101 1\n C . 101:301 1\n C . 301:501 1\n C . 501:502 1")
    assert (client.largest_bytes, client.largest_seq) == (200, 101)
    assert (server.largest_bytes, server.largest_seq) == (0, -1)


def test_stalls_add_up() -> None:
    more = "150 S . 1:5 21\n 151 C . 21 5\n 200 C . 21:31 5\n 250 S . 5 31\n 251 C . 31:41 5\n"
    client, server = facts(WRITE + "140 S . 1 11\n 141 C . 11:21 1\n" + more)
    assert (client.delayed_writes, client.delayed_ns) == (2, 90 * MS)
    assert server.delayed_writes == 0


def test_without_times_nothing_lasts() -> None:
    chunk = packets(OPEN + "100 C . 1 1 window=0\n 150 C . 1:11 1 window=0\n 400 S . 1 11\n 401 C . 11:21 1")
    chunk.time_ns[3:] = NO_TIME
    for chosen in (kernels.plain(), kernels.compiled()):
        found = told(chunk, with_kernels=chosen)
        assert [kinds for frame, kinds in found.kinds if frame > 3] == [
            {"window"},
            {"data"},
            {"first", "answer"},
            {"window"},
        ]
        assert (found.facts[0].closures, found.facts[0].closed_max_ns) == (1, 0)
        assert found.notable.time_ns.tolist()[-1] == NO_TIME


# A naive twin: an object a side, told of a segment at a time.
