"""SYN cookies show in a timestamp set back, in options lost, in silence; each only where nothing else explains it."""

import re

import pytest

from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.diagnosed import of_rule

RULE = "syn-cookies"
LATER = "200.3 S . 1 81 tsval=70200"
"""The server's clock ticks once a millisecond."""


def stamped(set_back: int = 40, *, low: int = 0, client_ticks: int = 20, answer_ms: float = 20.3) -> str:
    """A handshake and a request; the SYN-ACK's timestamp lies `set_back` ticks before the server's clock."""
    stamp = 70_000 + 10 - set_back if not low else (70_010 - set_back) // 64 * 64 + low
    return "\n".join(
        [
            "0.1 C S 0 tsval=500 sack_permitted=1",
            f"10.2 S S. 0 1 tsval={stamp} tsecr=500 sack_permitted=1 ip_id=0",
            f"10.3 C . 1 1 tsval={500 + client_ticks // 2} tsecr={stamp}",
            f"10.4 C P. 1:81 1 tsval={500 + client_ticks} tsecr={stamp}",
            f"{answer_ms} S . 1 81 tsval={70_000 + int(answer_ms)} tsecr={500 + client_ticks}",
            LATER,
            "200.4 S P. 1:101 81 tsval=70200",
        ]
    )


def only(text: str, **facts: float) -> Finding:
    [finding] = of_rule(RULE, text, **facts)
    return finding


def test_a_timestamp_set_back_is_a_note() -> None:
    found = only(stamped())
    assert (found.severity, found.confidence, found.frames) == ("info", 0.9, (1, 2, 5))
    assert found.summary == (
        "10.0.0.2:80 answered 10.0.0.1:1000 by a SYN cookie (frame 2): its timestamp lies 50 ticks before that of the"
        " next segment (frame 5), which came only 20.2 ms after the SYN."
    )


def test_low_bits_that_read_as_the_offer_make_it_surer() -> None:
    found = only(stamped(low=7 | 16))
    assert found.confidence == 0.95
    assert "its low bits read as what the client offered: window scale 7 and SACK" in found.evidence


def test_the_timestamp_must_lie_further_back_than_the_time_that_passed() -> None:
    """20.2 ms since the SYN hold at most 21 ticks of the clock: 22 are one too many."""
    assert of_rule(RULE, stamped(11)) == []
    assert of_rule(RULE, stamped(12))
    assert of_rule(RULE, stamped(12), ticks=2) == []


def test_more_than_the_low_bits_hold_is_something_else() -> None:
    assert of_rule(RULE, stamped(74))
    assert of_rule(RULE, stamped(75)) == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the client's clock says that the capture's is wrong", stamped(client_ticks=40)),
        ("all times are whole milliseconds", re.sub(r"^(\d+)\.\d", r"\1", stamped(), flags=re.MULTILINE)),
        ("the server's clock is faster", stamped().replace("tsval=70200", "tsval=250000")),
        ("the SYN is not in the capture", stamped().split("\n", 1)[1]),
    ],
)
def test_a_timestamp_tells_nothing_when(what: str, text: str) -> None:
    assert of_rule(RULE, text) == []


def test_a_clock_that_was_not_told_makes_it_less_sure() -> None:
    assert only("\n".join(stamped().splitlines()[:5])).confidence == 0.75


BARE = "10 S S. 0 1 mss=1460 window_scale=-1 ip_id={id} window={window}"


def plain(ip_id: int = 0, window: int = 64_240, then: int = 64_160, port: int = 1000) -> str:
    """A client that offers window scale and SACK without timestamps, a SYN-ACK that has neither."""
    lines = f"0 C S 0 sack_permitted=1 mss=1460\n{BARE.format(id=ip_id, window=window)}\n11 C . 1 1\n12 C P. 1:81 1"
    lines += f"\n20 S . 1 81 window={then}"
    return "\n".join(f"{line} {'sport' if ' C ' in line else 'dport'}={port}" for line in lines.splitlines())


def test_options_lost_are_a_warning() -> None:
    found = only(plain())
    assert (found.severity, found.confidence, found.frames) == ("warning", 0.7, (1, 2))
    assert found.summary.startswith("10.0.0.1:1000 offered window scale 7 and SACK, 10.0.0.2:80 took neither (frame 2)")


def test_it_is_surer_where_others_got_the_options_whatever_the_form() -> None:
    other = "0 C S 0 sport=7 sack_permitted=1\n1 S S. 0 1 dport=7 sack_permitted=1 mss=1460\n2 C . 1 1 sport=7"
    found = only(f"{other}\n{plain(ip_id=4711)}")
    assert (found.confidence, found.flows) == (0.9, (1,))


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the server counts IP IDs: not Linux", plain(ip_id=4711)),
        ("its window is not of whole segments", plain(window=65_535)),
        ("its window is closed: a SYN proxy", plain(window=0, then=0)),
        ("it takes window back", plain(window=14_600, then=10_240)),
        ("the client offered no SACK", plain().replace("sack_permitted=1", "")),
        ("the client offered no window scale", plain().replace("sack_permitted=1", "sack_permitted=1 window_scale=-1")),
        ("SACK was taken", plain().replace("window_scale=-1", "window_scale=-1 sack_permitted=1")),
    ],
)
def test_no_options_are_lost_when(what: str, text: str) -> None:
    assert of_rule(RULE, text) == []


def forgotten(*repeats_ms: float, length: int = 80, ip_id: int = 0, more: str = "") -> str:
    request = f"1:{1 + length}"
    lines = ["0.5 C S 0", f"10.5 S S. 0 1 ip_id={ip_id}", "10.6 C . 1 1", f"11.5 C P. {request} 1"]
    return "\n".join([*lines, *(f"{ms} C P. {request} 1" for ms in repeats_ms), *more.splitlines()])


def test_silence_where_a_kernel_would_repeat_its_syn_ack() -> None:
    found = only(forgotten(260, 760, 1760))
    assert (found.severity, found.confidence, found.frames) == ("warning", 0.5, (2, 4, 5, 6, 7))
    assert "the request was sent 4 times within 1.75 s and got no word, nor was the SYN-ACK repeated" in found.summary
    assert "accept queue" in found.cause
    assert "SYN proxy" in found.cause


def test_silence_must_outlast_the_timer_of_a_syn_ack() -> None:
    assert of_rule(RULE, forgotten(260, 1010)) == []
    assert of_rule(RULE, forgotten(260, 1011))


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the SYN-ACK is repeated: an accept queue", forgotten(260, 760, 1760, more="2000 S S. 0 1")),
        ("the request is acknowledged", forgotten(260, 760, 1760, more="2000 S . 1 81")),
        ("the request is large: the path's MTU may be in the way", forgotten(260, 760, 1760, length=1400)),
        ("the server counts IP IDs: not Linux", forgotten(260, 760, 1760, ip_id=29_064)),
        ("the request is sent once more only", forgotten(1760)),
    ],
)
def test_no_connection_is_forgotten_when(what: str, text: str) -> None:
    assert of_rule(RULE, text) == []


def test_a_connection_idle_before_its_request_was_forgotten_otherwise() -> None:
    late = forgotten(3260, 3760, 4760).replace("11.5 C", "3011.5 C")
    assert of_rule(RULE, late) == []
