"""A correlation as Markdown with a Mermaid diagram."""

import re
from dataclasses import replace
from typing import Any

from tcptrace.report.correlation.formats import CorrelationFormat
from tcptrace.report.correlation.mermaid import MOST
from tests.report.correlation import samples
from tests.report.correlation.samples import DR, LOST, LVS_DR, clock, lvs_dr
from tests.report.correlation.test_console import many, with_loss
from tests.report.correlation.test_formats import written
from tests.report.correlation.test_telling import long


def markdown(correlation: Any) -> str:
    return written(CorrelationFormat.MARKDOWN, correlation)


def diagram(text: str) -> list[str]:
    """The statements."""
    (found,) = re.findall(r"^```mermaid\nsequenceDiagram\n(.*?)^```$", text, re.S | re.M)
    return [line.strip() for line in found.splitlines()]


def test_a_ticket_has_summary_findings_points_way_hops_and_ladder() -> None:
    text = markdown(with_loss())
    assert re.findall(r"^##.*", text, re.M) == [
        "## Summary",
        "## Findings",
        "## Points",
        "## Connection 0: 123.58.180.188:32935 → 123.58.180.123:80",
        "### Hops",
        "### Ladder",
    ]
    assert "5 points, 3 hosts, 1 connection; 1 error, 0 warnings, 0 notes\n" in text
    assert "- ✖ **lost-between** 123.58.180.188:32935 → 123.58.180.123:80, connection 0, confidence 0.95" in text
    assert "- *request* client ──4──▶ lvs:eth0 ──3, 1 not captured──▶ lvs:eth1 ──2, 1 lost──▶ rs:bond1  1 seg" in text
    assert "\n| request | lvs:eth1 → rs:bond1 | 2 | 1 | 0 | 40.0 µs | -10.0 µs to 90.0 µs | " in text


def test_the_ladder_is_a_sequence_diagram_of_the_points() -> None:
    told = diagram(markdown(with_loss()))
    assert told[:9] == [
        "participant p0 as client",
        "box transparent lvs",
        "participant p1 as lvs:eth0",
        "participant p2 as lvs:eth1",
        "end",
        "box transparent rs",
        "participant p3 as rs:bond1",
        "participant p4 as rs:bond0",
        "end",
    ]
    assert told[12] == "p4->>p0: 0.320 ms ← SYN+ACK seq 0 ack 1 · frame 1 → frame 2"
    assert "p1->>p2: frame 2 · 50.0 µs" in told
    lost = told.index("p2--xp3: lost")
    assert told[lost + 1].startswith("Note over p0,p4: ✖ lost-between: 1 segment of the client left lvs:eth1")
    assert "p1-->>p2: passed, not captured" in told


def test_a_segment_that_one_point_saw_is_a_note_there() -> None:
    at = samples.points("client", "rs")
    alone = lvs_dr(
        points=at,
        clocks={name: clock(name) for name in ("client", "rs")},
        connections=(replace(DR, streams=(replace(DR.streams[0], legs=DR.legs[:2]),), path=((0, 1), ()), hops=()),),
        passages=samples.passages(at, ("C 0x002 0 1 -1 0  0.000 -",)),
        found=(),
    )
    assert diagram(markdown(alone))[-1] == "Note over p0: 0.000 ms → SYN seq 0 · frame 1"


def test_a_long_connection_is_capped_and_says_so() -> None:
    text = markdown(long())
    told = diagram(text)
    assert sum(" ms " in line for line in told) == MOST
    assert any(re.fullmatch(r"Note over p0,p4: … \d+ segments", line) for line in told)
    assert f"```\n\n{MOST} of 1,003 segments: what findings name" in text


def test_many_connections_are_a_table_and_the_worst_is_told_in_full() -> None:
    text = markdown(many(5))
    assert "- 5 connections, mode dr\n  - *request* client ──26──▶ lvs:eth0" in text
    assert "| 4 | 123.58.180.188:32935 | 123.58.180.123:80 | dr | 6 | 1 | CLOSED | CLOSED | lost-between |" in text
    assert text.count("\n## Connection 1:") == text.count("\n## Connection ") == 1


def test_no_text_becomes_markup_or_ends_the_diagram() -> None:
    name = "end; ```\nparticipant x <img src=x> #x; %%{init}%% |"
    at = samples.points(name, *samples.POINTS[1:])
    finding = replace(LOST, summary=name, evidence_frames=((name, (1,)),))
    hostile = lvs_dr(
        points=at,
        clocks={point.host: clock(point.host) for point in at},
        connections=(replace(DR, client=name),),
        passages=samples.passages(at, LVS_DR),
        found=(finding,),
    )
    text = markdown(hostile)
    assert text.count("```") == 2
    assert "<img" not in text.replace("\\<img", "")
    told = diagram(text)
    assert told[0] == (
        "participant p0 as #101;nd#59; #96;#96;#96;#92;nparticipant x #60;img src=x#62; #35;x#59; "
        "#37;#37;#123;init#125;#37;#37; #124;"
    )
    starts = ("participant p", "box transparent ", "Note over p", "p", "end")
    assert all(line.startswith(starts) for line in told)
    assert sum(line == "end" for line in told) == 2
