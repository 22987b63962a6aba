"""A correlation as one HTML file, read without a browser."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

from tcptrace.report.correlation.formats import CorrelationFormat, correlation_report
from tcptrace.report.view import View
from tests.report.correlation import samples
from tests.report.correlation.samples import DR, LOST, LVS_DR, clock, hop, leg, lvs_dr
from tests.report.correlation.test_console import many, shown, with_loss
from tests.report.correlation.test_formats import written
from tests.report.correlation.test_telling import long

SVG = "{http://www.w3.org/2000/svg}"


def page(correlation: Any) -> str:
    return written(CorrelationFormat.HTML, correlation)


def ladders(text: str) -> list[ElementTree.Element]:
    """The drawings, which are well-formed XML."""
    found = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg\b.*?</svg>", text, re.S)]
    return [svg for svg in found if svg.get("class") == "rungs"]


def rungs(text: str) -> list[ElementTree.Element]:
    (ladder,) = ladders(text)
    return [group for group in ladder.iter(f"{SVG}g") if (group.get("class") or "").startswith("rung")]


def texts(rung: ElementTree.Element, kind: str) -> list[str | None]:
    return [text.text for text in rung.iter(f"{SVG}text") if text.get("class") == kind]


class Elements(HTMLParser):
    """What a page consists of, checked to be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_file_asks_for_nothing_else() -> None:
    text = page(with_loss())
    elements = Elements(text).found
    assert {tag for tag, _ in elements} & {"link", "img", "iframe", "object", "base", "form"} == set()
    assert [attributes for tag, attributes in elements if tag == "script"] == [{}]
    leads = [value for _, attributes in elements for name, value in attributes.items() if name in ("href", "src")]
    assert leads
    assert all(value and value.startswith("#") for value in leads)
    assert set(re.findall(r"https?://[^\"' ]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = [told["content"] for tag, told in elements if told.get("http-equiv") == "Content-Security-Policy"]
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_every_link_leads_somewhere() -> None:
    for correlation in (with_loss(), many(9)):
        elements = Elements(page(correlation)).found
        ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {attributes["href"] for tag, attributes in elements if tag == "a"} <= {f"#{name}" for name in ids}


def test_without_a_script_nothing_is_hidden_that_tells_something() -> None:
    hidden = [(tag, told.get("class")) for tag, told in Elements(page(with_loss())).found if "hidden" in told]
    assert hidden == [("div", "bar"), ("button", None), ("pre", "detail")]
    text = re.sub(r"<[^>]+>", "", page(with_loss()))
    for told in (
        "1 error, 0 warnings, 0 notes",
        "1 segment of the client left lvs:eth1 (frame 3) and never came to rs:bond1.",
        "a capture of lvs that lacks one direction by a filter",
        "-0.083 ms / -0.043 ms",
        "dr, confidence 0.9",
        "lvs: NONE → SYN_RECV → ESTABLISHED → FIN_WAIT",
        "client CLOSED, server CLOSED",
        "30.0 µs / 50.0 µs / 60.0 µs",
    ):
        assert told in text


def test_every_rung_says_what_it_is_when_and_where() -> None:
    first, reply, *_, again, reset = rungs(page(with_loss()))
    assert texts(first, "time") == ["0.000"]
    assert texts(first, "words") == ["→ SYN        seq 0"]
    assert texts(first, "frame") == ["1", "1", "1", "1"]
    assert texts(first, "delay") == ["0 s", "50.0 µs", "233 µs"]
    assert first.findtext(f"{SVG}title") == (
        "0.000 ms  → SYN seq 0\n"
        "14:03:11.250000 by the reference clock\n"
        "client: frame 1 at 0.000 ms\n"
        "lvs:eth0: frame 1 at -0.013 ms, 0 s after client\n"
        "lvs:eth1: frame 1 at 0.037 ms, 50.0 µs after lvs:eth0\n"
        "rs:bond1: frame 1 at 0.270 ms, 233 µs after lvs:eth1"
    )
    assert [rung.get("class") for rung in (first, reply, reset)] == ["rung client", "rung server", "rung bad"]
    assert "lvs:eth1: passed, not captured" in (again.findtext(f"{SVG}title") or "")
    assert all(rung.get("tabindex") == "0" for rung in (first, reply))


def test_what_was_lost_ends_with_a_cross_and_what_a_capture_lacks_is_a_ring() -> None:
    *_, lost, again, _ = rungs(page(with_loss()))
    assert [path.get("class") for path in lost.iter(f"{SVG}path")] == ["cross"]
    assert [ring.get("class") for ring in again.iter(f"{SVG}circle")] == ["missed"]
    assert "rs:bond1: lost before it came here\n✖ lost-between: 1 segment" in (lost.findtext(f"{SVG}title") or "")
    *_, shaft = lost.iter(f"{SVG}line")
    cross = float(shaft.get("x2") or 0)
    source, target = (float(line.get("x1") or 0) for line in lifelines(page(with_loss()))[2:4])
    assert source < cross < target


def lifelines(text: str) -> list[ElementTree.Element]:
    (ladder,) = ladders(text)
    return [line for line in ladder.iter(f"{SVG}line") if line.get("class") == "lifeline"]


def test_arrows_slant_and_stay_between_their_lifelines() -> None:
    for rung in rungs(page(with_loss())):
        for shaft in rung.iter(f"{SVG}line"):
            assert float(shaft.get("y2") or 0) > float(shaft.get("y1") or 0)
    places = [float(line.get("x1") or 0) for line in lifelines(page(lvs_dr()))]
    assert places == sorted(places)
    assert len(places) == 5


def test_what_was_lost_far_ends_before_the_next_lifeline() -> None:
    at = samples.points(*samples.POINTS)
    skips = (*DR.hops[:2], hop(0, 1, 3, 0, lost=1, lost_frames=(1,)))
    skipping = lvs_dr(
        connections=(replace(DR, hops=skips),), passages=samples.passages(at, ("C 0x002 0 1 -1 0 0.000 0.1 - - -",))
    )
    text = page(skipping)
    *_, shaft = rungs(text)[0].iter(f"{SVG}line")
    source, following = (float(line.get("x1") or 0) for line in lifelines(text)[1:3])
    assert source < float(shaft.get("x2") or 0) < following
    (drawn,) = [line for line in shown(skipping).splitlines() if "✕" in line and "lost" not in line]
    assert drawn.rstrip(" │").endswith("✕")
    assert drawn.count("│") == 3


def test_segments_of_other_sizes_are_marked() -> None:
    at = samples.points("client", "rs")
    two = (replace(DR.streams[0], legs=(leg(0), leg(1))),)
    sizes = lvs_dr(
        points=at,
        clocks={name: clock(name) for name in ("client", "rs")},
        connections=(replace(DR, streams=two, path=((0, 1), (1, 0)), hops=(hop(0, 0, 1, 1),)),),
        passages=samples.passages(at, ("C 0x018 1 2001 1 2000  0.000 ~0.100",)),
        found=(),
    )
    (rung,) = rungs(page(sizes))
    assert texts(rung, "frame") == ["1", "~1"]
    assert "rs: frame 1 at 0.100 ms, in segments of other sizes, 100 µs after client" in (
        rung.findtext(f"{SVG}title") or ""
    )


def test_findings_stand_at_their_frames_and_name_what_they_show() -> None:
    text = page(with_loss())
    told = rungs(text)
    assert [rung.get("data-shows") for rung in told] == ["", "", *["lost-between finding-0"] * 2, "", ""]
    marked = [node.get("class") for node in told[3].iter(f"{SVG}rect") if "node" in (node.get("class") or "")]
    assert marked == ["node seen error", "node seen", "node seen error"]
    (note,) = ladders(text)[0].iter(f"{SVG}a")
    assert note.get("href") == "#finding-0"
    assert "lost-between: 1 segment of the client left" in " ".join(part.text or "" for part in note.iter(f"{SVG}text"))


def test_of_many_connections_all_are_listed_and_the_worst_are_drawn() -> None:
    out = page(many(9))
    assert len(ladders(out)) == 9
    rows = re.findall(r'<tr data-shows="([^"]*)"><td class="connection right[ none]*">(.*?)</td>', out)
    assert rows[0] == ("lost-between finding-0", '<a href="#connection-1">1</a>')
    assert {number for _, number in rows} == {f'<a href="#connection-{i}">{i}</a>' for i in range(9)}
    assert "9 connections, mode dr" in out


def test_top_says_how_many_are_drawn() -> None:
    told = io.StringIO()
    correlation_report(CorrelationFormat.HTML).write_correlation(many(9), told, View(utc=True, top=2))
    text = told.getvalue()
    assert len(ladders(text)) == 2
    assert "In full below: the 2 worst (--top)." in text
    assert "… and 1 more finding: --top, --format json" in text
    assert len(re.findall("<tr data-shows=", text)) == 9


def test_a_long_connection_is_capped_and_says_so() -> None:
    text = page(long())
    assert len(rungs(text)) == 300
    assert "300 of 1,003 segments: what findings name" in text
    assert re.search(r">… \d+ segments<", text)


def test_no_text_becomes_markup() -> None:
    name = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&\x00\x1b\ud800:eth0"
    at = samples.points(name, *samples.POINTS[1:])
    finding = replace(LOST, rule='x" onclick="y', summary=name, cause=name, evidence_frames=((name, (1,)),))
    hostile = lvs_dr(
        points=at,
        clocks={point.host: clock(point.host, 5) for point in at},
        connections=(replace(DR, client=name, mode_evidence=(name,)),),
        passages=samples.passages(at, LVS_DR),
        recordings=(samples.recording(name, 0, problems=[name]), *lvs_dr().recordings[1:]),
        found=(finding,),
    )
    text = page(hostile)
    elements = Elements(text).found
    assert [tag for tag, _ in elements].count("script") == 1
    assert "img" not in {tag for tag, _ in elements}
    assert not any(attribute.startswith("on") for _, attributes in elements for attribute in attributes)
    assert len(ladders(text)) == 1
    script = text.split("<script>")[1].split("</script>")[0]
    assert script == files("tcptrace.report.correlation.html").joinpath("script.js").read_text("utf-8")


def test_nothing_found_and_nothing_joined_is_a_page_too() -> None:
    text = page(lvs_dr(connections=(), found=()))
    assert "no findings in 0 connections" in text
    assert ladders(text) == []
    Elements(text)
