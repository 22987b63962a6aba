"""Which segments of a long connection are drawn."""

import re
from dataclasses import replace
from typing import Any

from tcptrace.report.correlation.chart import Chart, chart_of, drawn_part
from tests.report.correlation import samples
from tests.report.correlation.samples import LOST, lossy, lvs_dr
from tests.report.correlation.test_console import shown

DATA = 1000
LOST_AT = 700
"""Of the data segments, counted from 1."""


def long(**facts: Any) -> Any:
    """A handshake, many data segments of which one is lost and sent again at once, and a RST."""
    at = samples.points("client", "lvs:eth0", "lvs:eth1", "rs:bond1", "rs:bond0")
    texts = ["C 0x002 0 1 -1 0 0 0.1 0.2 0.3 -", "S 0x012 0 1 1 0 0.8 - - - 0.6"]
    for number in range(1, DATA + 1):
        place = f"C 0x010 {number} {number + 1} 1 1 {number}"
        texts.append(f"{place} {number}.1 {number}.2 {'-' if number == LOST_AT else f'{number}.3'} -")
    texts.append(f"S 0x014 1 1 {DATA} 0 {DATA + 2}.3 - - - {DATA + 2}")
    lost = replace(lossy().hops[2], lost_frames=(LOST_AT + 1,))
    told = {
        "points": at,
        "passages": samples.passages(at, texts),
        "connections": (replace(lossy(), hops=(lossy().hops[0], lost)),),
        "found": (replace(LOST, evidence_frames=(("client", (LOST_AT + 2, 12)),)),),
    }
    return lvs_dr(**{**told, **facts})


def charted(most: int) -> Chart:
    correlation = long()
    return chart_of(correlation, correlation.connections[0], most)


def test_all_are_told_where_there_is_room() -> None:
    chart = charted(DATA + 3)
    assert (len(chart.rows), chart.total, chart.skipped_after) == (DATA + 3, DATA + 3, 0)
    assert drawn_part(chart) == ""


def test_of_too_many_those_that_tell_the_story_stay() -> None:
    chart = charted(6)
    told = [" ".join(" ".join(piece.text for piece in row.words).split()) for row in chart.rows]
    assert told == [
        "→ SYN seq 0",
        "← SYN+ACK seq 0 ack 1",
        "→ 1 byte 1:2 ack 1",
        "→ 1 byte 10:11",
        f"→ 1 byte {LOST_AT}:{LOST_AT + 1}",
        f"← RST+ACK seq 1 ack {DATA}",
    ]
    assert [row.rung.skipped for row in chart.rows] == [0, 0, 0, 8, LOST_AT - 11, DATA - LOST_AT]
    assert sum(row.rung.skipped for row in chart.rows) + len(chart.rows) + chart.skipped_after == chart.total


def test_the_finding_stands_at_its_frame_though_not_all_are_told() -> None:
    assert [row.rung.stops[0].frame for row in charted(6).rows if row.findings] == [LOST_AT + 2]


def test_the_console_says_where_segments_are_left_out_and_that_they_are() -> None:
    text = shown(long(), 100)
    assert re.search(r"\n +… \d+ segments\n", text)
    assert "300 of 1,003 segments: what findings name" in " ".join(text.split())
