"""Ports used again out of TIME_WAIT, ports used up, and tuples of which the server still has an old connection."""

import pytest

from tcptrace.diagnosis.rule import Finding
from tests.diagnosis.diagnosed import diagnosed, of_rule

OLD, NEW = 0, 50_000
"""Where the numbers of the old and the new connection begin."""


def connection(ms: float, base: int = OLD, port: int = 1000, close: str = "") -> str:
    """A connection on a port, and its close; numbers from `base` on."""
    c, s = f"sport={port}", f"dport={port}"
    lines = [
        f"{ms} C S {base} {c}",
        f"{ms + 1} S S. {base} {base + 1} {s}",
        f"{ms + 2} C . {base + 1} {base + 1} {c}",
        *CLOSES[close].format(a=base + 1, b=base + 2, c=c, s=s).splitlines(),
    ]
    return "\n".join(lines)


CLOSES = {
    "": "",
    "client": "C F. {a} {a} {c}\nS F. {a} {b} {s}\nC . {b} {b} {c}",
    "server": "S F. {a} {a} {s}\nC F. {a} {b} {c}\nS . {b} {b} {s}",
    "reset": "C R. {a} {a} {c}",
}


def only(rule: str, text: str, **facts: float) -> Finding:
    [finding] = of_rule(rule, text, **facts)
    return finding


@pytest.mark.parametrize(("closed_by", "cause"), [("client", "tcp_tw_reuse"), ("server", "RFC 6191")])
def test_a_tuple_in_time_wait_is_used_again(closed_by: str, cause: str) -> None:
    found = only("port-reuse", f"{connection(0, close=closed_by)}\n{connection(2000, NEW)}")
    assert (found.severity, found.flows, found.frames) == ("info", (1,), (7,))
    assert f"on the tuple of flow 0, which the {closed_by} still held in TIME_WAIT, 1.98 s into it" in found.summary
    assert cause in found.cause


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("it ended by RST", f"{connection(0, close='reset')}\n{connection(2000, NEW)}"),
        ("it was still open", f"{connection(0)}\n{connection(2000, NEW)}"),
        ("2MSL had passed", f"{connection(0, close='client')}\n{connection(60_100, NEW)}"),
        ("the SYN was not accepted", f"{connection(0, close='client')}\n2000 C S {NEW}"),
        ("another port was used", f"{connection(0, close='client')}\n{connection(2000, NEW, port=1001)}"),
    ],
)
def test_no_port_is_used_again_out_of_time_wait_when(what: str, text: str) -> None:
    assert of_rule("port-reuse", text) == []


def test_ports_that_one_client_uses_again_are_told_as_one() -> None:
    first = "\n".join(connection(port, port=port, close="client") for port in range(1000, 1010))
    again = "\n".join(connection(1000 + port, NEW, port, close="client") for port in range(1000, 1010))
    found = only("port-reuse", f"{first}\n{again}")
    assert len(found.flows) == 10
    assert found.summary.startswith("10 connections like this. The first: 10.0.0.1:1000 opened")


CHALLENGE = f"3000 C S {NEW}\n3001 S . 1 1\n3002 C R 1"
ACCEPTED = f"3020 C S {NEW}\n3021 S S. {NEW} {NEW + 1}\n3022 C . {NEW + 1} {NEW + 1}"


def test_the_server_speaks_of_an_older_connection() -> None:
    found = only("stale-connection", f"{connection(0)}\n{CHALLENGE}\n{ACCEPTED}")
    assert (found.severity, found.confidence, found.flows) == ("warning", 0.95, (1,))
    assert found.frames == (4, 5, 6, 7, 8)
    assert found.summary == (
        "10.0.0.1:1000 called 10.0.0.2:80 (frame 4), which answered by an ACK of an older connection (frame 5): it"
        " still holds flow 0; the client reset it (frame 6) and called again after 20 ms (frame 7), which was accepted"
        " (frame 8)."
    )


def test_the_older_connection_need_not_be_in_the_capture() -> None:
    found = only("stale-connection", f"{CHALLENGE}\n{ACCEPTED}")
    assert "it still holds a connection from before this capture" in found.summary


@pytest.mark.parametrize(
    ("old", "cause"),
    [
        ("", "the client's side lost the old connection (restart, NAT or firewall entry gone), before this capture"),
        (connection(0), "the client's side lost the old connection without a FIN or RST"),
        (connection(0, close="reset"), "the client had reset the old connection (frame 4), which did not reach"),
        (
            f"{connection(0)}\n10 C F. 1 1\n11 S . 1 2",
            "the client had closed it; the program at 10.0.0.2:80 has not: CLOSE_WAIT",
        ),
        (f"{connection(0)}\n10 C F. 1 1", "the client had closed it, and no ACK of its FIN is here"),
        (
            f"{connection(0)}\n10 C F. 1 1\n11 S F. 1 2",
            "both sides had closed it, the client first; the last ACK did not",
        ),
        (connection(0, close="client"), "both sides had closed it, the client first; the last ACK did not"),
        (connection(0, close="server"), "the server had closed it first and holds it in TIME_WAIT"),
        (f"{connection(0)}\n10 S F. 1 1\n11 C F. 1 1\n12 S . 2 2\n12 C . 2 2", "the server had closed it first and"),
        (f"{connection(0)}\n10 S F. 1 1\n11 C F. 1 1\n12 S . 2 2", "both sides had closed it at once, and no ACK"),
        (f"{connection(0)}\n10 S F. 1 1\n11 C . 1 2", "the server had closed it and waits for the client's FIN"),
        (f"{connection(0)}\n10 S F. 1 1", "the server had closed it, and no ACK of its FIN is here"),
        ("0 C S 0", "the client gave up its call of flow 0, whose SYN-ACK did not reach it"),
        ("0 C S 0\n1 S S. 0 1", "the client gave up its call of flow 0, whose SYN-ACK did not reach it"),
    ],
    ids=[
        "before the capture",
        "lost",
        "reset",
        *"CLOSE_WAIT|ESTABLISHED|LAST_ACK|LAST_ACK seen|TIME_WAIT|simultaneous|CLOSING|FIN_WAIT_2|FIN_WAIT_1".split(
            "|"
        ),
        "a lone SYN",
        "half-open",
    ],
)
def test_how_the_old_connection_came_to_be_stale(old: str, cause: str) -> None:
    found = only("stale-connection", f"{old}\n{CHALLENGE}\n{ACCEPTED}")
    assert found.cause.startswith(cause)


@pytest.mark.parametrize(("side", "is_other"), [("S R 1", True), ("C R 1", False), ("C R 1\n11 S R 1", False)])
def test_a_server_that_holds_the_connection_did_not_reset_it(side: str, is_other: bool) -> None:
    found = only("stale-connection", f"{connection(0)}\n10 {side}\n{CHALLENGE}\n{ACCEPTED}")
    assert ("something between them had reset the client in the server's name (frame 4)" in found.cause) == is_other
    assert ("sent frame 4 (its TTL and IP ID beside the server's)" in found.fix) == is_other
    assert "without a FIN or RST" not in found.cause


@pytest.mark.parametrize(("closed_by", "counts"), [("server", False), ("client", True)])
def test_how_the_old_connection_ended_can_be_checked(closed_by: str, counts: bool) -> None:
    found = only("stale-connection", f"{connection(0, close=closed_by)}\n{CHALLENGE}\n{ACCEPTED}")
    ends = {"client": "10.0.0.1:1000", "server": "10.0.0.2:80"}
    first, other = ends.pop(closed_by), *ends.values()
    assert (
        f"flow 0: FIN of {first} (frame 4, acknowledged), FIN of {other} (frame 5, acknowledged)" in found.evidence[1]
    )
    assert "frame.number in {4, 5, 7, 8, 9, 10, 11}   server: ss -tan 'sport = :80 and dport = :1000'" in found.confirm
    assert ("TcpExtTCPSYNChallenge" in found.confirm) == counts
    assert ("TcpExtPAWSEstab" in found.confirm) != counts
    assert ("tcp_timestamps" in found.fix) != counts


CLOSED_STAMPED = f"{connection(0)}\n10 S F. 1 1 tsval=70\n11 C F. 1 2 tsval={{last}}\n12 S . 2 2 tsval=71"


@pytest.mark.parametrize(
    ("last", "new", "cause", "fix"),
    [
        (
            5000,
            4999,
            "refuses a SYN with an older timestamp (PAWS): another host behind the same NAT",
            "source ports that",
        ),
        (5, 2**32 - 5, "refuses a SYN with an older timestamp (PAWS)", "source ports that no two hosts"),
        (5000, 5000, "refuses a SYN of which neither the number nor the timestamp is newer", "timestamps at both ends"),
        (2**32 - 5, 5, "lets a newer timestamp in at once on Linux", "let the timestamp reach the server"),
        (
            5000,
            -1,
            "neither the number nor the timestamp is newer, or the timestamp is older (PAWS)",
            "timestamps at both",
        ),
    ],
    ids=["older", "older, wrapped", "same", "newer, wrapped", "without one"],
)
def test_time_wait_refuses_a_syn_by_its_timestamp(last: int, new: int, cause: str, fix: str) -> None:
    called = CHALLENGE.replace(f"S {NEW}", f"S {NEW} tsval={new}")
    found = only("stale-connection", f"{CLOSED_STAMPED.format(last=last)}\n{called}\n{ACCEPTED}")
    assert cause in found.cause
    assert found.fix.startswith(fix)
    assert ("tcp_timestamps" in found.fix) == (not fix.startswith("source"))
    assert (f"the SYN's timestamp is {new}, the client's last before {last}" in found.evidence) == (new >= 0)
    assert "nstat -az TcpExtPAWSEstab" in found.confirm


def test_an_older_timestamp_counts_in_time_wait_only() -> None:
    old = f"{connection(0)}\n10 C F. 1 1 tsval=5000\n11 S . 1 2"
    found = only("stale-connection", f"{old}\n{CHALLENGE.replace(f'S {NEW}', f'S {NEW} tsval=7')}\n{ACCEPTED}")
    assert "PAWS" not in found.cause + found.fix + found.confirm


def test_that_it_was_accepted_at_last_is_part_of_the_story() -> None:
    found = diagnosed(f"{connection(0, close='client')}\n{CHALLENGE}\n{ACCEPTED}")
    assert found["stale-connection"].symptoms == ("port-reuse",)


def test_it_is_less_sure_without_the_end_or_the_reset() -> None:
    assert only("stale-connection", CHALLENGE).confidence == 0.85
    found = only("stale-connection", f"0 C S {NEW}\n1 S . 1 1\n1000 C S {NEW}\n1001 S . 1 1\n3000 C S {NEW}")
    assert found.confidence == 0.6
    assert found.summary.endswith("called again after 1 s (frame 3), in vain.")


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the SYN-ACK is missing in the capture", f"0 C S {NEW}\n1 S . {NEW + 1} {NEW + 1}\n2 C R {NEW + 1}"),
        ("the server answered by SYN-ACK", f"0 C S 0\n1 S S. 0 1\n2 S . {NEW} {NEW}\n3 C R {NEW}"),
        ("the server refused", f"0 C S {NEW}\n1 S R. 0 {NEW + 1}"),
        ("nothing followed", f"0 C S {NEW}\n1 S . 1 1"),
        ("the RST is of something else", f"0 C S {NEW}\n1 S . 1 1\n2 C R 777"),
        ("nobody called", "0 C . 1 1\n1 S . 1 1\n2 C R 1"),
    ],
)
def test_no_connection_is_stale_when(what: str, text: str) -> None:
    assert of_rule("stale-connection", text) == []


def calls(ports: range, ms: float = 0, apart_ms: float = 10, base: int = OLD) -> str:
    return "\n".join(connection(ms + i * apart_ms, base, port, "client") for i, port in enumerate(ports))


ALL = range(40_000, 40_060)


def test_ports_are_used_up_and_come_back_after_time_wait() -> None:
    found = only("port-exhaustion", f"{calls(ALL)}\n{calls(ALL[:10], 61_000, base=NEW)}")
    assert (found.severity, found.confidence, len(found.flows)) == ("warning", 0.9, 70)
    assert found.summary == (
        "10.0.0.1 used 60 ports (40000 to 40059) for 10.0.0.2:80 within 590 ms and then had to use them again: 10"
        " times, the first (port 40000) after 61 s."
    )
    assert found.frames[0] == 6 * 60 + 1
    assert "Wireshark: tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == 80   client: ss" in found.confirm


def test_ports_are_used_up_and_taken_out_of_time_wait() -> None:
    found = diagnosed(f"{calls(ALL)}\n{calls(ALL, 2000, base=NEW)}")
    assert {"port-exhaustion", "port-reuse"} <= set(found)


def test_fewer_ports_than_set_are_no_range() -> None:
    text = f"{calls(ALL[:49])}\n{calls(ALL[:49], 2000, base=NEW)}"
    assert of_rule("port-exhaustion", text) == []
    assert of_rule("port-exhaustion", text, ports=49)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("none comes round", calls(range(40_000, 40_150))),
        (
            "ports are left over",
            f"{calls(range(40_000, 40_180, 3))}\n{calls(range(40_000, 40_180, 3), 2000, base=NEW)}",
        ),
        ("one port is used twice in a row", f"{calls(ALL)}\n{connection(2000, NEW, 40_059)}"),
        ("it takes hours", f"{calls(ALL, apart_ms=10_000)}\n{calls(ALL, 700_000, 10_000, NEW)}"),
    ],
)
def test_ports_are_not_used_up_when(what: str, text: str) -> None:
    assert of_rule("port-exhaustion", text) == []


def test_the_default_range_is_used_up_at_nine_tenths() -> None:
    few = "\n".join(f"{i / 2} C S 0 sport={32_768 + i}" for i in range(500))
    assert of_rule("port-exhaustion", few, range_share=499 / 28_232)
    assert of_rule("port-exhaustion", few, range_share=501 / 28_232) == []
