"""The HTML page as a browser shows it, at two widths."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tcptrace
from tcptrace.report.correlation.formats import CorrelationFormat
from tests.correlation.wire import CAPTURES
from tests.report.correlation.browser import CHROMIUM, Browser
from tests.report.correlation.test_console import many, with_loss
from tests.report.correlation.test_formats import written

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

WIDTHS = (1280, 400)


@pytest.fixture(scope="module", params=WIDTHS)
def page(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Nine connections of which three have lost a segment."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(written(CorrelationFormat.HTML, many(9)))
    with Browser(folder / "profile", request.param, 800) as browser:
        browser.send(
            "Emulation.setDeviceMetricsOverride", width=request.param, height=800, deviceScaleFactor=1, mobile=False
        )
        browser.open(folder / "page.html")
        yield browser


def details(page: Browser) -> Any:
    """What the one pane says that is open."""
    return page.value("[...document.querySelectorAll('.detail:not([hidden])')].map(pane => pane.textContent).join()")


def visible(page: Browser, selector: str) -> Any:
    """How many of these are shown."""
    return page.value(f"[...document.querySelectorAll({selector!r})].filter(one => one.checkVisibility()).length")


def test_nothing_is_asked_for_and_nothing_is_complained_of(page: Browser) -> None:
    assert [request.split("/")[-1] for request in page.requests] == ["page.html"]
    assert page.complaints == []


def test_the_page_is_as_wide_as_the_window_and_ladders_scroll_in_their_boxes(page: Browser) -> None:
    width = page.value("document.documentElement.clientWidth")
    assert page.value("document.documentElement.scrollWidth") == width
    box = "document.querySelector('.ladder')"
    assert page.value(f"{box}.scrollWidth > {box}.clientWidth") == (width < 600)
    beyond = "[...document.querySelectorAll('main > *, dd, .finding')].filter(one => one.scrollWidth > one.clientWidth)"
    assert page.value(f"{beyond}.map(one => one.textContent)") == []


def test_no_text_of_a_ladder_is_cut_or_written_over_another(page: Browser) -> None:
    assert (
        page.value(
            """(() => {
            const svg = document.querySelector("svg.rungs"), {width} = svg.viewBox.baseVal, found = [];
            for (const rung of svg.querySelectorAll(".rung")) {
                const boxes = [...rung.querySelectorAll("text")].map(text => [text.textContent, text.getBBox()]);
                for (const [told, box] of boxes)
                    if (box.x < 0 || box.x + box.width > width) found.push(told);
                const [, time] = boxes[0], [, words] = boxes[1], [, frame] = boxes[boxes.length - 1];
                if (time.x + time.width > words.x) found.push("time over words");
                if (boxes.slice(2).some(([, box]) => box.x < words.x + words.width)) found.push("words over frames");
            }
            return found;
        })()"""
        )
        == []
    )


def test_the_mouse_on_a_segment_shows_its_details(page: Browser) -> None:
    page.hover("#connection-1 .rung:nth-of-type(4) .words")
    assert details(page).startswith(
        "1.000 ms  → 100 bytes 1:101\n14:03:11.251000 by the reference clock\nclient: frame"
    )
    assert "rs:bond1: lost before it came here" in details(page)
    assert page.value("document.querySelectorAll('.chosen').length") == 1


def test_keys_go_from_segment_to_segment(page: Browser) -> None:
    page.value("document.querySelector('#connection-1 .rung').focus()")
    assert details(page).startswith("0.000 ms  → SYN seq 0")
    page.press("ArrowDown")
    assert details(page).startswith("0.320 ms  ← SYN+ACK seq 0 ack 1")
    page.press("Escape")
    assert details(page) == ""


def test_a_rule_filters_the_page_and_all_shows_it_again(page: Browser) -> None:
    assert visible(page, "section.connection") == 9
    page.value("document.querySelector('.bar [data-filter=lost-between]').click()")
    assert visible(page, "section.connection") == 3
    assert visible(page, "#connections tbody tr") == 3
    faded = "[...document.querySelectorAll('#connection-1 .rung')].map(rung => getComputedStyle(rung).opacity < 1)"
    assert page.value(faded) == [True, True, False, False, True, True]
    page.value("document.querySelector('.bar [data-filter=\"\"]').click()")
    assert visible(page, "section.connection") == 9
    assert page.value("document.querySelectorAll('.other').length") == 0


def test_one_finding_filters_the_page(page: Browser) -> None:
    page.value("document.querySelector('[data-filter=finding-1]').click()")
    assert visible(page, ".finding") == 1
    assert visible(page, "section.connection") == 1
    page.value("document.querySelector('[data-filter=finding-1]').click()")
    assert visible(page, ".finding") == 3


def test_a_finding_about_no_connection_in_particular_leaves_all(tmp_path: Path) -> None:
    """Two captures that share nothing: their clocks are not told."""
    apart = tcptrace.correlate({"a": CAPTURES / "ipvs-dr/client.pcap", "b": CAPTURES / "http/client.pcap"})
    (tmp_path / "page.html").write_text(written(CorrelationFormat.HTML, apart))
    with Browser(tmp_path / "profile", 1280, 800) as page:
        page.open(tmp_path / "page.html")
        page.value("document.querySelector('.bar [data-filter=clock-unaligned]').click()")
        assert visible(page, "section.connection") == len(apart.connections)
        assert page.value("document.querySelectorAll('.rung.other').length") == 0


def test_without_a_script_all_is_there(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(written(CorrelationFormat.HTML, with_loss()))
    with Browser(tmp_path / "profile", 1280, 800) as page:
        page.send("Emulation.setScriptExecutionDisabled", value=True)
        page.open(tmp_path / "page.html")
        assert page.complaints == []
        tree = page.send("DOM.getDocument", depth=0)["root"]["nodeId"]
        assert len(page.send("DOM.querySelectorAll", nodeId=tree, selector=".rung title")["nodeIds"]) == 6
        for selector in ("button:not([hidden], .bar *)", ".detail:not([hidden])", ".bar:not([hidden])"):
            assert page.send("DOM.querySelectorAll", nodeId=tree, selector=selector)["nodeIds"] == []


def test_the_dark_scheme_is_dark(page: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.value(ground)
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    dark = page.value(ground)
    page.send("Emulation.setEmulatedMedia", features=[])
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 23, 28)")
