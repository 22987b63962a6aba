"""Text of tcpdump that was folded or cut since: read as it was printed, or said to be unknown, and never made up."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tests.tcpdump_reading import Reading, read

STAMP = "2026-11-21 05:42:56.61653"
OPTIONS = "options [nop,nop,TS val 2185337360 ecr 435644122]"
PLAIN = [
    f"{STAMP}0 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 2732061204, win 64240, options [mss 1460,sackOK,TS val "
    "435644106 ecr 0,nop,wscale 10], length 0",
    f"{STAMP}1 IP 10.0.0.2.80 > 10.0.0.1.40000: Flags [S.], seq 1940707703, ack 2732061205, win 65160, options "
    "[mss 1460,sackOK,TS val 2185337344 ecr 435644106,nop,wscale 10], length 0",
    f"{STAMP}2 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [P.], seq 1:81, ack 1, win 63, {OPTIONS}, length 80: HTTP: GET / "
    "HTTP/1.1",
    f"{STAMP}3 IP 10.0.0.2.80 > 10.0.0.1.40000: Flags [.], seq 1:1449, ack 81, win 64, {OPTIONS}, length 1448: HTTP",
    f"{STAMP}4 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [.], ack 1449, win 64, {OPTIONS}, length 0",
]
VERBOSE = [
    f"{STAMP}0 IP (tos 0x0, ttl 64, id 4454, offset 0, flags [DF], proto TCP (6), length 1500)",
    f"    10.0.0.2.80 > 10.0.0.1.40000: Flags [.], cksum 0x1c2d (incorrect -> 0x3e4f), seq 1:1449, ack 81, win 64, "
    f"{OPTIONS}, length 1448: HTTP",
]
LINK = [
    f"{STAMP}0 5e:9a:45:14:a1:2f > 66:e9:45:71:5e:e5, ethertype IPv4 (0x0800), length 1514: "
    + PLAIN[3].partition("IP ")[2],
]
IPV6 = [
    f"{STAMP}0 IP6 (flowlabel 0x6ac40, hlim 64, next-header TCP (6) payload length: 1480) fd00:1234:5678:9abc::1.40000 "
    f"> fd00:1234:5678:9abc::2.80: Flags [.], cksum 0xa769 (correct), seq 1:1449, ack 1, win 73, {OPTIONS}, length 1448"
]


def by_width(line: str, width: int) -> list[str]:
    return [line[place : place + width] for place in range(0, len(line), width)]


def copied(line: str, width: int) -> list[str]:
    return [part.rstrip() for part in by_width(line, width)]


def by_words(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, break_on_hyphens=False, replace_whitespace=False)


def folded(lines: list[str], fold: Callable[[str, int], list[str]], width: int) -> Reading:
    return read("\n".join(part for line in lines for part in fold(line, width)))


def cut(lines: list[str], width: int) -> Reading:
    return read("\n".join(line[:width] for line in lines))


@pytest.mark.parametrize("lines", [PLAIN, VERBOSE, LINK, IPV6], ids=["plain", "-v", "-e", "IPv6 -v"])
@pytest.mark.parametrize("fold", [by_width, copied, by_words])
def test_folded_lines_read_as_they_were_printed(lines: list[str], fold: Callable[[str, int], list[str]]) -> None:
    printed = read("\n".join(lines))
    for width in (76, 80, 88, 90, 110, 120, 132, 160, 162):
        reading = folded(lines, fold, width)
        assert reading.rows == printed.rows
        assert (reading.summary.other_frames, reading.summary.problems) == ({}, [])


def test_a_length_folded_within_its_digits_is_one_number() -> None:
    place = PLAIN[3].index("448: HTTP")
    assert folded(PLAIN[3:4], by_width, place).column("len") == [1448]


@pytest.mark.parametrize(
    "below", ["\t0x0000:  4500 003c 0000 4000", "E..<..@.@.....", "8 bytes missing", "    GET / HTTP/1.1"]
)
def test_what_tcpdump_prints_below_a_packet_is_no_part_of_its_line(below: str) -> None:
    whole = read("\n".join(PLAIN))
    assert read("\n".join(part for line in PLAIN for part in (line, below))).rows == whole.rows
    width = PLAIN[3].index(", length")
    reading = read("\n".join(part for line in PLAIN for part in (line[:width], below)))  # the last is shorter
    assert reading.column("len") == [0, 0, 80, 1448, 0]
    assert reading.summary.problems == ["4 lines end before their length: folded or cut (first: line 1)"]


def fields(reading: Reading) -> list[Any]:
    return reading.column("flags", "seq", "ack", "window", "len")


def test_the_last_field_of_a_cut_line_is_unknown_and_those_before_are_whole() -> None:
    line = PLAIN[3]
    known = {
        ", seq 1:14": (16, -1, -1, -1, -1),
        ", seq 1:1449, ack 8": (16, 1, -1, -1, 1448),
        ", seq 1:1449, ack 81, win 6": (16, 1, 81, -1, 1448),
        ", seq 1:1449, ack 81, win 64, opt": (16, 1, 81, 64, 1448),
        f", seq 1:1449, ack 81, win 64, {OPTIONS}, length 144": (16, 1, 81, 64, 1448),
    }
    for end, told in known.items():
        reading = read(line[: line.index(end) + len(end)])
        assert fields(reading) == [told]
        assert reading.summary.problems == ["1 line ends before its length: folded or cut (first: line 1)"]
    assert read(line).summary.problems == []


def test_a_cut_list_of_options_is_no_list_without_them() -> None:
    line = PLAIN[0]
    whole, before, within = read(line), *(read(line[: line.index(end)]) for end in (", options", "5644106"))
    assert whole.column("mss", "tsval", "options_cut") == [(1460, 435644106, 0)]
    assert before.column("mss", "tsval", "options_cut") == [(-1, -1, 1)]
    assert within.column("mss", "tsval", "options_cut") == [(1460, -1, 1)]


def test_lines_cut_to_a_terminals_width_make_no_bytes() -> None:
    reading = cut(PLAIN, 80)
    assert reading.column("len") == [-1] * 5
    assert reading.summary.problems == ["5 lines end before their length: folded or cut (first: line 1)"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("IP 10.0.0.1.40000 > 10.0.0.2.80: Fl", "TCP, unreadable"),
        ("IP 10.0.0.1.40000 > 10.0.0.2.80: ", "TCP, unreadable"),
        ("IP 10.0.0.1.40000 > 10.0.0.2.80: what is this", "other IP"),
        ("IP 10.0.0.1.40000 > 10.0.0.2.80: UDP, length 5", "UDP"),
        ("IP 10.0.0.1.40000 > 10.0.0.2.123: NTPv4, Client, length 48", "UDP"),
    ],
)
def test_only_what_says_so_is_udp(line: str, name: str) -> None:
    assert read(f"{STAMP}0 {line}\n").summary.other_frames == {name: 1}


@pytest.mark.parametrize(("width", "copies"), [(80, 0), (1000, 10)])
def test_segments_cut_before_their_numbers_are_no_copies_of_each_other(tmp_path: Path, width: int, copies: int) -> None:
    data = [PLAIN[3].replace(f"{STAMP}3", f"{STAMP[:-5]}7{place:05}") for place in range(11)]
    path = tmp_path / "cut.txt"
    path.write_text("\n".join(line[:width] for line in (*PLAIN[:3], *data)))
    [flow] = tcptrace.analyze(path).flows.to_dict("records")
    assert flow["server_copies"] == copies


@pytest.mark.parametrize("end", [" >", " > 10.0.0.2", " > 10.0.0.2.80"])
def test_a_line_that_ends_in_its_addresses_is_counted_as_cut(end: str) -> None:
    line = PLAIN[2]
    reading = read(line[: line.index(end) + len(end)])
    assert reading.summary.other_frames == {"other IP": 1}
    assert reading.summary.problems[0] == "1 line ends before its length: folded or cut (first: line 1)"
