"""Addresses are labelled by the names that DNS gave them in the capture."""

import io
import ipaddress
from pathlib import Path

import pytest

import tcptrace
from tcptrace import kernels
from tcptrace.capture.address_book import AddressBook
from tcptrace.report import console, markdown
from tcptrace.report.view import View

CALL = """\
10:00:00.1 IP 10.0.0.1.5353 > 10.0.0.53.53: 7+ A? shop.example. (31)
10:00:00.2 IP 10.0.0.53.53 > 10.0.0.1.5353: 7 2/0/0 A 10.0.0.2, A 10.0.0.3 (63)
10:00:00.3 IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 5, win 64240, length 0
10:00:00.4 IP 10.0.0.2.80 > 10.0.0.1.40000: Flags [R.], seq 0, ack 6, win 0, length 0
"""


@pytest.fixture
def analysis(tmp_path: Path) -> tcptrace.Analysis:
    path = tmp_path / "call.txt"
    path.write_text(CALL)
    return tcptrace.analyze(path)


def test_a_finding_and_the_summary_name_the_server(analysis: tcptrace.Analysis) -> None:
    out = io.StringIO()
    console.write_analyses([analysis], out, View(utc=True))
    text = out.getvalue()
    assert "\n  10.0.0.1:40000 → 10.0.0.2:80 (shop.example)\n" in text
    assert "names       10.0.0.2 shop.example\n" in text, "the other address has no flow"
    assert text.count("shop.example") == 2


def test_markdown_names_it_too(analysis: tcptrace.Analysis) -> None:
    out = io.StringIO()
    markdown.write_analyses([analysis], out, View(utc=True))
    assert r"10.0.0.2:80 \(shop.example\)" in out.getvalue()


def test_json_and_the_library_have_all_names(analysis: tcptrace.Analysis) -> None:
    names = {"10.0.0.2": "shop.example", "10.0.0.3": "shop.example"}
    assert analysis.to_dict()["captures"][0]["names"] == names
    assert analysis.captures["names"][0] == names


def test_without_a_name_an_address_stands_alone() -> None:
    book = AddressBook({"10.0.0.2": "shop.example"})
    for address in ("10.0.0.2", "10.0.0.3"):
        book.add(ipaddress.ip_address(address), kernels.plain())
    assert [book.labelled(0, 80), book.labelled(0), book.labelled(1, 80), book.labelled(1)] == [
        "10.0.0.2:80 (shop.example)",
        "10.0.0.2 (shop.example)",
        "10.0.0.3:80",
        "10.0.0.3",
    ]
