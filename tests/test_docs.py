"""Generated pages are fresh."""

import re
from pathlib import Path

import generate
import pytest

from tcptrace.report import flow_rows, packet_columns, timeline_rows

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_page_is_what_the_code_says(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == generate.PAGES[page](), "run: make docs"


@pytest.mark.parametrize("names", [flow_rows.NAMES, packet_columns.NAMES, timeline_rows.NAMES])
def test_every_column_is_explained(names: list[str]) -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_column_of_packets_is_explained_in_order() -> None:
    rows = [line for line in (DOCS / "packets.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])] == packet_columns.NAMES
