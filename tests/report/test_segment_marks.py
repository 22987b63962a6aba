"""Labels, repeats, round trips and bytes in flight, where people read segments and where programs do."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import tcptrace
from tcptrace.analysis import timeline
from tcptrace.report import csv_report, json_report
from tcptrace.report.ladder import write_ladder
from tcptrace.report.packet_lines import write_packet_lines
from tcptrace.report.segment_marks import labels, measures, verdict
from tcptrace.report.terminal import Piece, Screen, wrapped
from tcptrace.report.view import View
from tcptrace.schema import LABELS, REPEATS
from tests.report import samples

CAPTURES = Path(__file__).parents[2] / "captures"
LOST_FIN, TWO_INTERFACES = CAPTURES / "fin-retransmitted" / "client.pcap", CAPTURES / "two-interfaces" / "router.pcapng"


def ladder(path: Path, width: int | None = None, *, color: bool = False) -> str:
    out = io.StringIO()
    write_ladder(Screen(out, width=width, color=color), timeline(path, 0), View(utc=True))
    return out.getvalue()


def packets(path: Path, width: int | None = None, *, color: bool = False) -> str:
    out = io.StringIO()
    write_packet_lines(Screen(out, width=width, color=color), tcptrace.packets(path), View(utc=True))
    return out.getvalue()


def bits(*names: str) -> int:
    return sum(1 << LABELS.index(name) for name in names)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], []),
        (["retransmission"], [("[retransmission]", "odd")]),
        (["retransmission", "fast_retransmission"], [("[fast_retransmission]", "odd")]),
        (["duplicate_ack"], [("[duplicate_ack]", "dim")]),
        (["lost_segment", "zero_window"], [("[lost_segment]", "odd"), ("[zero_window]", "odd")]),
    ],
)
def test_labels_stand_in_brackets_those_of_a_fault_in_colour(names: list[str], told: list[tuple[str, str]]) -> None:
    assert labels(bits(*names)) == tuple(Piece(*piece) for piece in told)


@pytest.mark.parametrize(
    ("repeat", "original", "reordered_by", "text"),
    [
        ("timeout", 12, 0, "repeats frame 12, timeout"),
        ("tail_loss_probe", 0, 0, "repeats, tail loss probe"),
        ("copy", 0, 0, "copy"),
        ("reordered", 0, 3, "overtaken by 3"),
    ],
)
def test_our_verdict_names_the_original_and_the_kind(repeat: str, original: int, reordered_by: int, text: str) -> None:
    assert verdict(REPEATS.index(repeat), original, reordered_by).text == text


def test_a_segment_has_its_round_trip_and_the_bytes_in_flight() -> None:
    _, segments, *_ = samples.chunk("1 0 C 0x018 1 77 1 6", bytes_in_flight=1448, rtt_ns=193_000)
    assert list(measures(segments)) == [Piece("in flight 1,448, rtt 193 µs", "dim")]


def test_a_ladder_tells_labels_and_repeats_after_the_words() -> None:
    text = ladder(LOST_FIN)
    assert "→  FIN        seq 81 ack 201 win 64,512 [retransmission] repeats frame 8, timeout\n" in text
    assert "→  80 bytes   1:81 ack 1 win 64,512 in flight 80\n" in text
    assert "←  ACK        ack 81 win 65,536 rtt 10.4 ms\n" in text
    assert "on eth1 [retransmission] copy\n" in ladder(TWO_INTERFACES)


def test_a_narrow_ladder_has_labels_only() -> None:
    text = ladder(LOST_FIN, 80)
    assert "[retransmission]" in text
    assert "timeout" in text
    assert "rtt" not in text
    assert "in flight" not in text
    assert "rtt" in ladder(LOST_FIN, 110)


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("path", [LOST_FIN, TWO_INTERFACES], ids=lambda path: path.parent.name)
def test_nothing_is_wider_than_the_terminal(path: Path, width: int) -> None:
    for text in (ladder(path, width), packets(path, width)):
        assert max(map(len, text.splitlines())) <= width


def test_packets_have_labels_too() -> None:
    assert packets(LOST_FIN).count("win 64,512 [retransmission] repeats frame 8, timeout\n") == 1


@pytest.mark.parametrize("write", [ladder, packets])
def test_colour_changes_no_word(write: Callable[..., str]) -> None:
    for width in (None, 80):
        colored = write(LOST_FIN, width, color=True)
        assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == write(LOST_FIN, width)
        assert "\x1b[33m" in colored


def test_wrapped_pieces_keep_their_styles() -> None:
    pieces = [Piece("77 bytes   1:78 ack 1"), Piece("[zero_window]", "odd"), Piece("", "bad"), Piece("a b", "dim")]
    assert wrapped(pieces, None) == [[pieces[0], Piece(" "), pieces[1], Piece(" "), pieces[3]]]
    assert wrapped(pieces, 18, "  ") == [
        [Piece("77 bytes   1:78")],
        [Piece("  ack 1")],
        [Piece("  "), Piece("[zero_window] ", "odd"), Piece("a", "dim")],
        [Piece("  "), Piece("b", "dim")],
    ]


def test_programs_get_the_columns_of_segments() -> None:
    made, out = timeline(LOST_FIN, 0), io.StringIO()
    csv_report.write_timeline(made, out, View())
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    json_report.write_timeline(made, stream, View())
    objects = json.loads(stream.buffer.getvalue())["segments"]  # type: ignore[attr-defined]  it is a BytesIO
    repeat, first = objects[8], objects[0]
    assert (repeat["repeat"], repeat["original"], repeat["backoff"]) == ("timeout", 8, 1)
    assert repeat["since_original_ns"] == repeat["time_ns"] - objects[7]["time_ns"]
    assert (first["rtt_ns"], first["original"], first["repeat"], first["dsack"]) == (None, None, "none", False)
    assert objects[4]["rtt_ns"] == objects[4]["time_ns"] - objects[3]["time_ns"]
    assert objects[3]["bytes_in_flight"] == 80
    assert list(rows[0])[-14:] == [*list(first)[-13:-1], "client_state", "server_state"]
    for row, told in zip(rows, objects, strict=True):
        for name in list(first)[-13:-1]:
            value = told[name]
            assert row[name] == ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))


def test_packets_have_our_verdict_after_wiresharks() -> None:
    out = io.StringIO()
    csv_report.write_packets("c", tcptrace.packets(LOST_FIN), out, View())
    row = list(csv.DictReader(io.StringIO(out.getvalue())))[8]
    assert list(row)[-2:] == ["repeat", "original"]
    assert (row["analysis"], row["repeat"], row["original"]) == ("retransmission", "timeout", "8")
