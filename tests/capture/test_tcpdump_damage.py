"""Text that tcpdump did not print, or that was damaged since: told apart, and never an exception."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptrace.capture.tcpdump_text import looks_like_tcpdump
from tests.capture.test_tcpdump_text import DATA, FORMS
from tests.tcpdump_reading import read

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
TRANSCRIPTS = [path.read_text() for path in sorted(CAPTURES.glob("*/*.txt"))]

NO_TCPDUMP = {
    "prose": "The SYN goes out at 12:10:30 and IP packets > 1500 bytes are cut.\n",
    "log": "2024-05-01 12:00:00.123456 INFO connected to 10.0.0.1:80\n2024-05-01 12:00:01 IP changed\n",
    "csv": "frame,time_ns,flow\n1,2,3\n",
    "director table": "TCP 01:00 ESTABLISHED 10.0.0.1:5000 10.0.0.2:80 10.0.0.3:80\n",
    "tshark": "    1 0.000000000 10.0.0.1 → 10.0.0.2 TCP 74 5000 → 80 [SYN] Seq=0 Win=64240 Len=0\n",
    "strace": "12:10:30.083284 connect(3, {sa_family=AF_INET}, 16) = 0\n",
    "empty": "",
    "pcap": "\u00d4\u00c3\u00b2\u00a1\0\0",
}


@pytest.mark.parametrize("kind", NO_TCPDUMP)
def test_other_text_is_not_taken_for_tcpdump(kind: str) -> None:
    assert not looks_like_tcpdump(NO_TCPDUMP[kind].encode())
    assert read(NO_TCPDUMP[kind]).rows == []


def test_tcpdump_is_recognised_behind_other_lines() -> None:
    assert looks_like_tcpdump(("noise\n" * 50 + f"12:10:30.083284 IP {DATA}").encode())


PARTS = st.sampled_from(
    [
        *"0123456789.:> ,[]()\n\t\r\0-+|é",
        "Flags [",
        "IP ",
        "ack ",
        "seq ",
        "options [",
        "win ",
        "length ",
        "vni 1",
        "sack 1 {",
        "99999999999",
    ]
)
TEXTS = st.sampled_from([*TRANSCRIPTS, *(text for text, _ in FORMS.values())])


@given(TEXTS, st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 40), PARTS), max_size=6))
def test_damaged_text_never_raises(text: str, edits: list[tuple[int, int, str]]) -> None:
    for place, length, part in edits:
        place %= len(text) + 1
        text = text[:place] + part + text[place + length :]
    looks_like_tcpdump(text.encode())
    rows, summary = read(text)
    assert len(rows) == summary.tcp_frames
    assert summary.frames == summary.tcp_frames + sum(summary.other_frames.values())


@given(st.binary(max_size=400))
def test_any_bytes_never_raise(data: bytes) -> None:
    read(data)
    read(b"12:10:30.083284 IP " + data)


@pytest.mark.parametrize("part", ["a", " ", "> ", " > ", "1.", ", length 1", "(", "IP ", "x > y: ", "\t", "1 "])
def test_a_line_without_end_is_read_no_further(part: str) -> None:
    text = (
        f"12:10:30.083284 IP {DATA}\n"
        + part * 100_000
        + f"\n12:10:30.083285 IP {part * 3000}\n12:10:30.083286 IP {DATA}\n"
    )
    assert len(read(text).rows) >= 2
