"""Why a segment came again: a conversation in, a kind out, and what the flow counts."""

import pytest

from tcptrace.schema import REPEATS, UNKNOWN
from tests.conversation import packets
from tests.tcp.measured import MS, last, last_of

THREE = "100 C . 1:101 1\n 101 C . 101:201 1\n 102 C . 201:301 1\n"

LONG = "".join(f"{at * 401} C . {at}:{at + 1} 1\n {at * 401 + 400} S . 1 {at + 1}\n" for at in range(1, 31))
UNSTEADY = "100 C . 1:2 1\n 400 S . 1 2\n 500 C . 2:3 1\n 900 S . 1 3\n"

KINDS = [
    ("100 C . 1:101 1\n 130 C . 101:201 1", "none"),
    ("100 C . 1:101 1\n 130 S . 1 101\n 200 C . 100:101 1", "none"),  # a keep-alive
    ("100 C . 1:101 1\n 110 S . 1 101\n 120 C . 1:101 1", "spurious"),
    # a timer has run out, since the range was sent or became the lowest
    ("100 C . 1:101 1\n 900 C . 1:101 1", "timeout"),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 300 S . 1 101\n 550 C . 101:201 1", "timeout"),
    (UNSTEADY + "1100 C . 3:4 1\n 1438 C . 3:4 1", "timeout"),  # srtt and a least timer, whatever the variation
    ("100 C . 1:101 1\n 900 C . 1:101 1\n 2500 C . 1:101 1", "timeout"),
    # duplicate ACKs go on, but only a timer can tell that the repeat was lost too
    (THREE + "110 S . 1 1\n 111 C . 1:101 1\n 330 S . 1 1\n 335 C . 1:101 1", "timeout"),
    # an ACK has asked for it, or has left it the lowest of a recovery (RFC 6582)
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1\n 111 C . 1:101 1", "fast"),
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 110 S . 1 1 sack=101:201\n 111 C . 1:101 1", "fast"),
    (THREE + "110 S . 1 1\n 111 C . 1:101 1\n 121 S . 1 101\n 122 C . 101:201 1", "fast"),
    # after a timeout ACKs release repeats, with SACK too
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 901 C . 101:201 1", "go_back_n"),
    (
        THREE + "112 S . 1 1 sack=201:301\n 500 C . 1:101 1\n 520 S . 1 101 sack=201:301\n 521 C . 101:201 1",
        "go_back_n",
    ),
    # twice the round trip from end to end, of which the handshake showed 10 ms either way
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 141 C . 101:201 1", "tail_loss_probe"),
    # or as long as a timer, where that is less: RFC 8985 section 7.2
    (LONG + "12900 C . 31:32 1\n 12901 C . 32:33 1\n 13501 C . 32:33 1", "tail_loss_probe"),
    # no timer is so short, and nothing has asked for it
    ("100 C . 1:101 1\n 101 C . 101:201 1\n 130 C . 101:201 1", "unclear"),
    ("100 C . 1:101 1\n 130 C . 1:101 1", "unclear"),
    ("100 C . 1:101 1\n 100.01 C . 1:101 1 ttl=3", "unclear"),
    ("100 C . 1:101 1 tsval=1\n 101 C . 201:301 1 tsval=3\n 102 C . 101:201 1 tsval=4", "unclear"),
    # overtaken: by the timestamp, by an identification that counts, else by the clock if nothing asked for it
    ("100 C . 1:101 1 tsval=1\n 101 C . 201:301 1 tsval=3\n 190 C . 101:201 1 tsval=2", "reordered"),
    ("90 C . 1:2 1 ip_id=1\n 91 C . 2:3 1 ip_id=2\n 101 C . 9:10 1 ip_id=4\n 190 C . 3:9 1 ip_id=3", "reordered"),
    ("100 C . 1:101 1\n 101 C . 201:301 1\n 102 C . 101:201 1", "reordered"),
    ("100 C . 1:101 1 ip_id=40000\n 101 C . 201:301 1 ip_id=9\n 102 C . 101:201 1 ip_id=30000", "reordered"),
    ("1 C . 1:2 1 ip_id=9\n 2 C . 3:4 1 ip_id=20\n 21 S . 1 2 sack=3:4\n 22 C . 2:3 1 ip_id=12", "fast"),
    # the same packet twice
    ("100 C . 1:101 1 ip_id=5\n 101 C . 1:101 1 ip_id=5", "copy"),
    ("100 C . 1:101 1 ip_id=5\n 101 C . 101:201 1 ip_id=6\n 102 C . 1:101 1 ip_id=5", "copy"),
    ("100 C . 1:101 1 ip_id=0\n 100.05 C . 1:101 1 ip_id=0", "copy"),
    ("100 C . 1:101 1\n 100.05 C . 1:101 1", "copy"),
    ("30 C . 1 1 ip_id=5\n 31 C . 1 1 ip_id=5", "copy"),
    ("30 C . 1 1\n 30.05 C . 1 1", "copy"),
]


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_why_a_segment_is_sent_again(text: str, kind: str) -> None:
    assert last(text).kind == kind


def test_every_kind_has_a_case() -> None:
    assert {kind for _, kind in KINDS} == set(REPEATS)


NO_COPIES = [
    "100 C . 1:101 1 ip_id=5\n 130 C . 1:101 1 ip_id=5",  # a timer may be that short
    "100 C . 1:101 1 ip_id=5\n 101 C . 1:102 1 ip_id=5",  # holds a new byte
    "100 C . 1:101 1 ip_id=7\n 101 C . 101:201 1 ip_id=7\n 105 C . 101:201 1 ip_id=7",  # the sender counts nothing
    "30 S . 1:5 1\n 31 C . 1 5 ip_id=7\n 40 S . 5:9 1\n 41 C . 1 9 ip_id=7\n 42 C . 1 9 ip_id=7",
    "100 C . 1:101 1\n 101 C . 1:101 1",  # no identification, and not at once
    "100 C . 1:101 1\n 100.05 C . 1:101 1 window=9",
    "100 C . 1:101 1 tsval=1\n 100.05 C . 1:101 1 tsval=2",
    "100 C . 1:101 1\n 100.01 C . 101:201 1\n 100.02 C . 1:101 1",  # not next to its original
    "30 S . 1:5 1\n 30.1 S . 9:13 1\n 31 C . 1 5\n 31.05 C . 1 5",  # may be duplicate ACKs
    "30 S . 1:5 1\n 31 C R 1\n 31.05 C R 1",  # each segment may get a RST
]


@pytest.mark.parametrize("text", NO_COPIES)
def test_what_may_be_sent_alike_is_no_copy(text: str) -> None:
    found = last(text)
    assert "copy" not in found.kinds
    assert found.measures.client_copies[0] == 0


def test_a_repeated_syn_with_the_same_identification_is_no_copy() -> None:
    found = last_of(packets("0 C S 0 ip_id=1\n 1000 C S 0 ip_id=1\n 3000 C S 0 ip_id=1"))
    assert found.kinds == ["none", "timeout", "timeout"]
    assert (found.backoff, found.measures.client_timeouts[0]) == (2, 2)


def test_a_repeat_names_its_original() -> None:
    found = last("100 C . 1:101 1\n 900 C . 1:101 1\n 2500 C . 1:101 1")
    assert (found.original, found.since_original_ns, found.backoff) == (4, 2400 * MS, 2)
    assert found.measures.client_retransmissions[0] == 2
    assert found.measures.client_timeouts[0] == 2


def test_how_far_a_segment_was_overtaken() -> None:
    found = last("100 C . 1:101 1\n 101 C . 201:301 1\n 102 C . 301:401 1\n 104 C . 101:201 1")
    assert (found.reordered_by, found.since_original_ns) == (2, 2 * MS)
    assert found.measures.client_reordered[0] == 1


def test_a_timer_that_does_not_double_shows_that_a_probe_came_first() -> None:
    found = last("".join(f"{now} C . 1:101 1\n" for now in (100, 346, 594, 1110)))
    assert found.kinds[4:] == ["timeout", "timeout", "timeout"]
    assert found.segments.backoff.tolist()[4:] == [1, 1, 2]
    assert found.measures.client_timeouts[0] == 2


def test_timers_of_a_syn_need_not_double() -> None:
    found = last_of(packets("".join(f"{now} C S 0\n" for now in (0, 1000, 2000, 3000))))
    assert found.segments.backoff.tolist() == [0, 1, 2, 3]


TWICE = "100 C . 1:101 1\n 101 C . 101:201 1\n 900 C . 1:101 1\n 910 S . 1 201\n"
STAMPED = "100 C . 1:101 1 tsval=7\n 400 C . 1:101 1 tsval=8\n"

PROOFS = [
    (TWICE, 0),
    (TWICE + "920 S . 1 201 sack=1:101", 1),  # DSACK (RFC 2883)
    (TWICE + "920 S . 1 201 sack=1:101\n 921 S . 1 201 sack=1:101", 1),  # one repeat, one proof
    (TWICE + "920 S . 1 201 sack=101:201", 0),  # a duplicate by the network: this was not sent again
    (TWICE + "920 C . 201:301 1\n 930 S . 1 301\n 940 C . 301:401 1\n 950 S . 1 401 sack=1:101", 0),  # long after
    (THREE + "900 C . 101:201 1\n 910 S . 1 1 sack=101:201,101:301", 1),  # above what is acknowledged
    (STAMPED + "430 S . 1 101 tsecr=7", 1),  # it echoes the first transmission (RFC 3522)
    (STAMPED + "430 S . 1 101 tsecr=8", 0),
    (STAMPED + "430 S . 1 101 tsecr=7\n 431 S . 1 101 sack=1:101", 1),
    (STAMPED.replace("8", "7") + "430 S . 1 101 tsecr=7", 0),  # one tick: which it echoes cannot be told
]


@pytest.mark.parametrize(("text", "count"), PROOFS)
def test_what_proves_a_repeat_needless(text: str, count: int) -> None:
    assert last(text).measures.client_spurious[0] == count


def test_a_timestamp_that_fits_both_transmissions_gives_no_round_trip() -> None:
    assert last(STAMPED + "430 S . 1 101 tsecr=7").timestamp_rtt_ns == 330 * MS
    assert last(STAMPED.replace("8", "7") + "430 S . 1 101 tsecr=7").timestamp_rtt_ns == UNKNOWN


def test_without_times_nothing_is_said_of_timers() -> None:
    chunk = packets("C S 0\n S S. 0 1\n C . 1 1\n C . 1:101 1\n C . 101:201 1\n C . 101:201 1\n S . 1 201")
    chunk.time_ns[:] = -(2**63)
    found = last_of(chunk)
    assert found.kinds[5] == "unclear"
    assert set(found.segments.idle_ns.tolist()) == set(found.segments.rtt_ns.tolist()) == {UNKNOWN}
