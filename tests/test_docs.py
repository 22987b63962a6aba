"""Generated pages are fresh."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_states_page_is_what_the_table_says():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (DOCS / "states.md").read_text(encoding="utf-8") == generate.page(), "run: python docs/generate.py"
