"""tcpdump's text as tickets hold it: deep in a log, in UTF-16, copied from a web page."""

import codecs
import html
from pathlib import Path

import pytest

from tcptrace.capture.tcpdump_text import LOOK_AHEAD_BYTES, OTHER_NAMES_MAX
from tcptrace.errors import CaptureError
from tests.capture_files import read

SYN = "12:10:30.083284 IP 10.0.0.1.5000 > 10.0.0.2.80: Flags [S], seq 7, win 6, options [mss 1460], length 0\n"
RST = "12:10:30.083299 IP 10.0.0.2.80 > 10.0.0.1.5000: Flags [R.], seq 0, ack 8, win 0, length 0\n"
VERBOSE = (
    "12:10:30.083284 IP (tos 0x0, ttl 63, id 4454, offset 0, flags [DF], proto TCP (6), length 60)\n"
    "    10.0.0.1.5000 > 10.0.0.2.80: Flags [S], cksum 0x1c2d (incorrect -> 0x3e4f), seq 7, win 6, length 0\n" + RST
)
LOG = "2024-05-01 12:00:00,123 INFO a line of the application > 1 & < 2\n"

FORMS = {
    "UTF-16, little-endian": lambda text: codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16, big-endian": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "source of a page": lambda text: html.escape(text).encode(),
    "source of a page, in an element": lambda text: f"<html><pre>{html.escape(text)}</pre></html>".encode(),
    "source of a page, blanks escaped": lambda text: html.escape(text).replace(" ", "&nbsp;").encode(),
    "copied from a page": lambda text: text.replace(" ", "\xa0").encode(),
    "copied from a page, in part": lambda text: (
        text.replace("IP 10", "IP\xa0 10").replace(" Flags", "\xa0Flags").encode()
    ),
    "behind a log": lambda text: (LOG * 20_000 + text).encode(),
    "behind a log in Latin-1": lambda text: b"f\xfcr " + (LOG * 2000 + text).encode(),
    "behind a log, UTF-16": lambda text: (LOG * 20_000 + text).encode("utf-16"),
}


@pytest.mark.parametrize("text", [SYN + RST, VERBOSE], ids=["plain", "-v"])
@pytest.mark.parametrize("form", FORMS)
def test_text_of_a_ticket_reads_as_tcpdump_printed_it(tmp_path: Path, form: str, text: str) -> None:
    as_printed, plain = read(tmp_path, text.encode())
    rows, summary = read(tmp_path, FORMS[form](text))
    assert len(as_printed) == 2
    assert rows == as_printed
    assert (summary.format, summary.frames, summary.problems) == ("tcpdump text", 2, plain.problems)


def test_the_look_for_a_first_packet_has_an_end(tmp_path: Path) -> None:
    log = (LOG * (LOOK_AHEAD_BYTES // len(LOG) + 1)).encode()
    with pytest.raises(CaptureError, match="it looks like text, but none printed by tcpdump"):
        read(tmp_path, log + SYN.encode())


def test_utf_16_of_something_else_is_text(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="it looks like text, but none printed by tcpdump"):
        read(tmp_path, "nothing of the kind\r\n".encode("utf-16"))


def test_escapes_in_a_readable_line_stay(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, (SYN + "\t<p>12:10:30 a &gt; b</p>\n" + RST).encode())
    assert [row.frame for row in rows] == [1, 2]


def test_kinds_of_frames_are_as_many_as_can_be_read(tmp_path: Path) -> None:
    words = "".join(f"12:10:30.{number:06} word{number} says something\n" for number in range(500))
    arp = "12:10:31.000001 ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28\n"
    _, summary = read(tmp_path, (SYN + words + arp).encode())
    assert summary.frames == 502
    assert len(summary.other_frames) == OTHER_NAMES_MAX + 2
    assert summary.other_frames["word3"] == 1
    assert summary.other_frames["other text"] == 500 - OTHER_NAMES_MAX
    assert summary.other_frames["ARP"] == 1
    (problem,) = summary.problems
    assert problem == "470 lines with a time begin with ever other words; they count as frames (first: line 32)"


def test_colours_of_a_terminal_are_no_text(tmp_path: Path) -> None:
    as_printed, _ = read(tmp_path, (SYN + RST).encode())
    red, blue = "\x1b[01;31m\x1b[K", "\x1b[38;5;4m"
    for text in (
        SYN.replace("80", f"{red}80\x1b[m\x1b[K") + RST.replace("IP", f"{blue}IP\x1b[0m\x1b(B"),
        f"\x1b]0;root@host: tcpdump\x07{SYN}\x1b[?2004l{RST}",
    ):
        rows, summary = read(tmp_path, text.encode())
        assert rows == as_printed
        assert (summary.other_frames, summary.problems) == ({}, [])
