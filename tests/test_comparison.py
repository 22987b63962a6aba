"""The scripts that hold our figures against those of other programs; the programs themselves need not be here."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_our_side_of_the_comparison_with_tcptrace_of_old() -> None:
    ours = runpy.run_path(str(ROOT / "compare" / "tcptrace_c.py"))["ours"]
    assert len(ours(ROOT / "captures" / "half-close" / "client.pcap")) == 1
