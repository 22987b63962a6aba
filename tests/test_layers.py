"""The house keeps its order: imports go down only, and what is slow to load is loaded when needed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_imports_go_down_only() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("imported", "not_loaded"),
    [
        ("tcptrace", {"numpy", "numba", "pandas", "dpkt", "rich", "typer"}),
        ("tcptrace.analysis", {"numba", "pandas", "dpkt", "rich", "typer"}),
        ("tcptrace.cli", {"numba", "pandas", "dpkt", "tcptrace.correlation.connections", "tcptrace.check.run"}),
    ],
)
def test_what_is_slow_to_load_waits(imported: str, not_loaded: set[str]) -> None:
    program = f"import sys, {imported}; print(*sorted({not_loaded!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []
