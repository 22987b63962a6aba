"""What a director believes: its tables cell by cell, and what it prints of its connections."""

from pathlib import Path

import pytest

import tcptrace
from tcptrace.correlation.director import directors
from tcptrace.correlation.director_files import read_director_file
from tcptrace.correlation.director_table import STATES, TABLES, after, event_of
from tcptrace.correlation.points import from_words
from tcptrace.correlation.result import Translation
from tcptrace.errors import UsageError
from tests.correlation.recorded import CAPTURES, case

SYN, FIN, RST, ACK = 2, 1, 4, 16


@pytest.mark.parametrize("table", TABLES)
def test_every_cell_has_a_state(table: str) -> None:
    assert len(TABLES[table]) == 4 * len(STATES)
    assert set(TABLES[table].values()) <= set(STATES)


@pytest.mark.parametrize(
    ("flags", "event"),
    [(SYN | ACK, "syn"), (FIN | ACK, "fin"), (RST | ACK, "rst"), (RST | SYN, "rst"), (SYN | FIN, "syn"), (8, "")],
)
def test_of_several_flags_the_first_counts(flags: int, event: str) -> None:
    assert event_of(flags) == event


def walk(*steps: tuple[str, int]) -> list[str]:
    states = ["NONE"]
    for table, flags in steps:
        states.append(after(table, states[-1], flags))
    return states


def test_input_only_stays_in_fin_wait_after_a_normal_close() -> None:
    steps = [("input_only", flags) for flags in (SYN, ACK, ACK, FIN | ACK, ACK)]
    assert walk(*steps) == ["NONE", "SYN_RECV", "ESTABLISHED", "ESTABLISHED", "FIN_WAIT", "FIN_WAIT"]


def test_nat_sees_both_ways_and_never_shows_last_ack() -> None:
    steps = [("input", SYN), ("output", SYN | ACK), ("input", ACK), ("input", FIN | ACK), ("output", FIN | ACK)]
    steps.append(("input", ACK))
    assert walk(*steps) == ["NONE", "SYN_RECV", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT", "TIME_WAIT"]


def test_input_only_differs_from_input_in_three_cells() -> None:
    differing = {cell for cell, state in TABLES["input"].items() if TABLES["input_only"][cell] != state}
    assert differing == {("fin", "ESTABLISHED"), ("fin", "FIN_WAIT"), ("rst", "SYNACK")}


def test_sloppy_tcp_takes_a_bare_ack_for_a_connection() -> None:
    assert (after("input", "NONE", ACK), after("sloppy input", "NONE", ACK)) == ("CLOSE", "ESTABLISHED")
    assert after("sloppy input_only", "NONE", ACK) == "ESTABLISHED"


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("ipvs-dr", ["SYN_RECV", "ESTABLISHED", "FIN_WAIT"]),
        ("ipvs-tun", ["SYN_RECV", "ESTABLISHED", "FIN_WAIT"]),
        ("ipvs-nat", ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT"]),
        ("fullnat", ["SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT"]),
        ("director-timeout", ["SYN_RECV", "ESTABLISHED", "NONE"]),
        ("vanished-in-director", ["SYN_RECV"]),
    ],
)
def test_timelines_of_recorded_directors(name: str, steps: list[str]) -> None:
    told = case(name)
    [found] = directors(
        told.passages, told.streams, told.routes, told.modes, told.rewrites, told.origins, told.alignment
    )
    assert found is not None
    assert [step.after for step in found.timeline] == steps
    assert {step.basis for step in found.timeline} == {"capture"}


def test_an_expired_entry_was_lost_between_two_requests() -> None:
    told = case("director-timeout")
    [found] = directors(
        told.passages, told.streams, told.routes, told.modes, told.rewrites, told.origins, told.alignment
    )
    assert found is not None
    expired = found.timeline[-1]
    assert (expired.event, expired.time_ns) == ("its entry expired", None)
    assert expired.low_ns is not None
    assert expired.high_ns is not None
    assert 3_000_000_000 < expired.high_ns - expired.low_ns < 6_000_000_000


def test_realservers_differ_by_what_they_answered() -> None:
    told = case("backend-silent")
    found = directors(told.passages, told.streams, told.routes, told.modes, told.rewrites, {}, told.alignment)
    assert [one.timeline[-1].after for one in found if one] == ["SYN_RECV", "FIN_WAIT", "SYN_RECV", "FIN_WAIT"]


def test_direct_connections_have_no_director() -> None:
    told = case("vip-arp-conflict")
    found = directors(told.passages, told.streams, told.routes, told.modes, told.rewrites, {}, told.alignment)
    assert found == [None]


IPVS = Translation("10.0.0.1:40000", "10.1.0.100:80", "", "10.2.0.11:80", "ESTABLISHED", 899)
DPVS = ("202.108.10.2:33896", "202.108.10.1:6379", "192.168.168.7:1028", "192.168.168.2:6379")


def test_table_of_linux() -> None:
    assert read_director_file(CAPTURES / "ipvs-nat" / "ipvsadm-lnc.txt").translations == (IPVS,)


def test_table_and_log_of_dpvs() -> None:
    table = read_director_file(CAPTURES / "dpvs-fullnat" / "ipvsadm-lnc.txt")
    log = read_director_file(CAPTURES / "dpvs-fullnat" / "dpvs.log")
    assert table.translations == (Translation(*DPVS, "TIME_WAIT", 7),)
    assert log.translations == (Translation(*DPVS),)
    assert [(step.before, step.after) for step in log.steps] == [
        ("NONE", "SYN_RECV"),
        ("SYN_RECV", "ESTABLISHED"),
        ("ESTABLISHED", "CLOSE_WAIT"),
        ("CLOSE_WAIT", "TIME_WAIT"),
    ]


CONNTRACK = """\
tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.1.0.100 sport=40000 dport=80 src=10.2.0.11 dst=10.0.0.1 sport=80 \
dport=40000 [ASSURED] mark=0 use=1
ipv6     10 tcp      6 119 SYN_SENT src=fd00::1 dst=fd00::100 sport=40000 dport=80 [UNREPLIED] src=fd00::11 \
dst=fd00::5 sport=80 dport=1025 mark=0 use=1
udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1
conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.
"""


def test_connection_tracker(tmp_path: Path) -> None:
    path = tmp_path / "conntrack.txt"
    path.write_text(CONNTRACK)
    assert read_director_file(path).translations == (
        Translation("10.0.0.1:40000", "10.1.0.100:80", "", "10.2.0.11:80", "ESTABLISHED", 431999),
        Translation("[fd00::1]:40000", "[fd00::100]:80", "[fd00::5]:1025", "[fd00::11]:80", "SYN_SENT", 119),
    )


def test_a_table_without_connections_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text(
        "IPVS connection entries\npro expire state       source             virtual            destination\n"
    )
    assert read_director_file(path).translations == ()


@pytest.mark.parametrize("name", ["client.txt", "ipvsadm-ln.txt", "no-such-file", "."])
def test_other_files_are_refused_with_what_is_understood(name: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)dpvs-fullnat.*(ipvsadm -lnc, conntrack -L|cannot be read)"):
        read_director_file(CAPTURES / "dpvs-fullnat" / name)


TABLE = """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 14:59  ESTABLISHED 10.0.0.1:40000     10.1.0.100:80      {}
"""


def told_of(path: Path, text: str, *cases: str) -> list[str]:
    """What a user is told of a table beside a recorded connection to 10.2.0.11:80 by NAT."""
    path.write_text(text)
    notices: list[str] = []
    tcptrace.correlate(from_words(cases or [str(CAPTURES / "ipvs-nat")]), director_tables=[path], notice=notices.append)
    return [text.removeprefix(f"{path}: ") for text in notices]


def test_a_table_that_agrees(tmp_path: Path) -> None:
    assert told_of(tmp_path / "table.txt", TABLE.format("10.2.0.11:80")) == []


def test_a_table_that_the_captures_contradict(tmp_path: Path) -> None:
    assert told_of(tmp_path / "table.txt", TABLE.format("10.2.0.99:80")) == [
        "10.0.0.1:40000 → 10.1.0.100:80 goes to 10.2.0.99:80, but was captured going to 10.2.0.11:80: an older table?"
    ]


def test_a_server_that_captures_do_not_show(tmp_path: Path) -> None:
    """DR changes link-layer addresses only: nothing contradicts any server."""
    assert told_of(tmp_path / "table.txt", TABLE.format("10.2.0.99:80"), str(CAPTURES / "ipvs-dr")) == []


def test_a_table_of_another_director(tmp_path: Path) -> None:
    text = TABLE.format("10.2.0.11:80").replace("10.0.0.1:", "10.9.9.9:")
    assert told_of(tmp_path / "table.txt", text) == [
        "none of its connections was captured: of another director, or another time?"
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("TCP 14:59  ESTABLISHED 300.0.0.1:40000 10.1.0.100:80 10.2.0.11:80", "300.0.0.1:40000 is no address and port"),
        ("TCP 14:59  ESTABLISHED 10.0.0.1:99999 10.1.0.100:80 10.2.0.11:80", "10.0.0.1:99999 is no address and port"),
        ("TCP 14:59  BOGUS 10.0.0.1:40000 10.1.0.100:80 10.2.0.11:80", "BOGUS is no state of a director"),
        ("TCP xx:yy  ESTABLISHED 10.0.0.1:40000 10.1.0.100:80 10.2.0.11:80", "no entry of a table"),
    ],
)
def test_lines_that_say_what_cannot_be_are_left_out(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(f"{TABLE.format('10.2.0.11:80')}{line}\n")
    found = read_director_file(path)
    assert found.translations == (IPVS,)
    assert found.faults == (f"{path}: line 4: {fault}: left out",)


@pytest.mark.parametrize("encoding", ["utf-16", "nul"])
def test_what_is_no_text_is_no_table(tmp_path: Path, encoding: str) -> None:
    path, text = tmp_path / "table.txt", TABLE.format("10.2.0.11:80")
    path.write_bytes(text.replace("\n", "\0").encode() if encoding == "nul" else text.encode(encoding))
    with pytest.raises(UsageError, match="no table or log of a director"):
        read_director_file(path)
