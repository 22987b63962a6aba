"""Generated pages are fresh."""

import importlib.util
import re
from pathlib import Path

from tcptrace.report import packet_columns

DOCS = Path(__file__).parent.parent / "docs"


def test_states_page_is_what_the_table_says():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (DOCS / "states.md").read_text(encoding="utf-8") == generate.page(), "run: python docs/generate.py"


def test_every_column_of_packets_is_explained_in_order():
    rows = [line for line in (DOCS / "packets.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])] == packet_columns.NAMES
