"""The end of a data connection that FTP announces: a line in, address and port out; against regular expressions."""

import re
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames import SRC, SRC6, Decoded, ethernet, ipv4, ipv6, tcp

CLIENT = 1000


def segment(payload: bytes, sport: int, dport: int) -> bytes:
    return struct.pack(">HH", sport, dport) + tcp(payload)[4:]


def command(payload: bytes) -> bytes:
    return ethernet(ipv4(segment(payload, CLIENT, 21)))


def reply(payload: bytes) -> bytes:
    return ethernet(ipv4(segment(payload, 21, CLIENT)))


def announced(frame: bytes) -> str | None:
    row = Decoded([frame])
    return row.book.endpoint(row.announced >> 16, row.announced & 0xFFFF) if row.announced >= 0 else None


@pytest.mark.parametrize(
    ("line", "end"),
    [
        (b"227 Entering Passive Mode (192,0,2,9,19,136).\r\n", "192.0.2.9:5000"),
        (b"227 Entering Passive Mode. 192,0,2,9,19,136", "192.0.2.9:5000"),
        (b"227-after 12 attempts, 1,2: 192, 0, 2, 9, 19, 136\r\n", "192.0.2.9:5000"),
        (b"227 (192,0,2,9,0,21,7)\r\n", "192.0.2.9:21"),
        (b"227 (300,192,0,2,9,19,136)\r\n", "192.0.2.9:5000"),
        (b"229 Entering Extended Passive Mode (|||5000|)\r\n", f"{SRC}:5000"),
        (b"229 (!!!65535!)", f"{SRC}:65535"),
    ],
)
def test_a_server_names_its_end(line: bytes, end: str) -> None:
    assert announced(reply(line)) == end
    assert announced(command(line)) is None
    assert announced(ethernet(ipv4(segment(line, 2121, CLIENT)))) is None


def test_a_client_names_its_end() -> None:
    line = b"PORT 10,0,0,1,19,136\r\n"
    assert announced(command(line)) == f"{SRC}:5000"
    assert announced(reply(line)) is None
    assert announced(ethernet(ipv4(segment(line, CLIENT, 80)))) is None


def test_over_ipv6() -> None:
    frame = ethernet(ipv6(segment(b"229 Entering Extended Passive Mode (|||5000|)\r\n", 21, CLIENT)), 0x86DD)
    assert announced(frame) == f"[{SRC6}]:5000"


def test_the_own_address_is_known_already() -> None:
    own, other = Decoded([command(b"PORT 10,0,0,1,19,136\r\n")]), Decoded([command(b"PORT 10,0,0,3,19,136\r\n")])
    assert own.announced >> 16 == own.src
    assert other.book.text(other.announced >> 16) == "10.0.0.3"
    assert (len(own.book), len(other.book)) == (2, 3)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"227",
        b"227 ",
        b"227 Entering Passive Mode",
        b"227 (192,0,2,9,19)\r\n",
        b"227 (192,0,2,9,19,)\r\n",
        b"227 (192,0,2,9,19,256)\r\n",
        b"227 (192.0.2.9,19,136)\r\n",
        b"227 (192,0,2,9,19 ,136)\r\n",
        b"227 (192,0,2,\r\n9,19,136)\r\n",
        b"227 see below\r\n227 (192,0,2,9,19,136)\r\n",
        b"150 hello\r\n227 (192,0,2,9,19,136)\r\n",
        b"228 (192,0,2,9,19,136)\r\n",
        b"229 |||5000|\r\n",
        b"229 (|||5000|\r\n",
        b"229 (|||5000)\r\n",
        b"229 (||5000|)\r\n",
        b"229 (||!5000|)\r\n",
        b"229 (||||)\r\n",
        b"229 (|||65536|)\r\n",
        b"229 (|||99999999999999999999|)\r\n",
        b"229 below\r\n(|||5000|)\r\n",
    ],
)
def test_a_reply_that_names_no_end(line: bytes) -> None:
    assert announced(reply(line)) is None


@pytest.mark.parametrize("line", [b"PORT", b"PORT ", b"PORT\t1,2,3,4,5,6", b"port 1,2,3,4,5,6", b"EPRT |1|1.2.3.4|5|"])
def test_a_command_that_names_no_end(line: bytes) -> None:
    assert announced(command(line)) is None


def test_fragments_announce_nothing() -> None:
    assert announced(ethernet(ipv4(segment(b"PORT 10,0,0,1,19,136\r\n", CLIENT, 21), fragment=0x2000))) is None


@pytest.mark.parametrize("build", [command, reply])
def test_nothing_beyond_what_was_captured_is_read(build: Callable[[bytes], bytes]) -> None:
    for line in (b"PORT 10,0,0,2,19,136\r\n", b"227 (10,0,0,2,19,136)\r\n", b"229 (|||5000|)\r\n"):
        frame = build(line)
        for there in range(54, len(frame)):
            cut = Decoded([frame[:there]], original=len(frame), between=b"9,9,9,9,9,9|)")
            assert cut.columns["announced"] == Decoded([frame[:there]], original=len(frame)).columns["announced"]


BYTE = rb"0*(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[0-9]{1,2})(?![0-9])"
LISTED = re.compile(rb"(?<![0-9])" + rb", *".join([rb"(" + BYTE + rb")"] * 6))
EXTENDED = re.compile(rb"[^(]*\(([^0-9])\1\1([0-9]+)\1\)", re.DOTALL)


def naive(payload: bytes, is_command: bool) -> tuple[str, int] | None:
    """Address and port, by regular expressions."""
    line = re.split(rb"[\r\n]", payload, maxsplit=1)[0]
    if line.startswith(b"PORT ") if is_command else line.startswith(b"227"):
        found = LISTED.search(line[5 if is_command else 4 :])
        numbers = [int(number) for number in found.groups()] if found else []
        return (".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]) if found else None
    found = EXTENDED.match(line[4:]) if line.startswith(b"229") and not is_command else None
    return (SRC, int(found[2])) if found and int(found[2]) < 65536 else None


WORDS = [b",", b", ", b" ", b"(", b")", b"|", b"|||", b"|)", b"(|||", b"\r\n", b"\n", b"x", b"227 ", b"PORT ", b"\0"]
NUMBERS = st.integers(0, 70000).map(b"%d".__mod__)
LISTS = st.lists(st.integers(0, 300), min_size=5, max_size=7).map(
    lambda numbers: b",".join(map(b"%d".__mod__, numbers))
)
LINES = st.builds(
    lambda code, words: code + b"".join(words),
    st.sampled_from([b"227 ", b"229 ", b"PORT ", b"229 (|||", b""]),
    st.lists(st.one_of(st.sampled_from(WORDS), NUMBERS, LISTS), max_size=14),
)


@given(st.lists(st.tuples(LINES, st.booleans()), min_size=1, max_size=8))
def test_lines_as_regular_expressions_read_them(lines: list[tuple[bytes, bool]]) -> None:
    frames = [(command if is_command else reply)(line) for line, is_command in lines]
    expected = [naive(line, is_command) for line, is_command in lines]
    for compiled in (False, True):
        decoded = Decoded(frames, compiled=compiled)
        found = decoded.columns["announced"]
        assert [(decoded.book.text(end >> 16), end & 0xFFFF) if end >= 0 else None for end in found] == expected
