"""Every command the README shows works, and prints what is shown."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ tcptrace (.*)\n([^`]*)```", README)
PYTHON = re.findall(r"```python\n([^`]*)```", README)


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_shown_command(command: str, output: str) -> None:
    words = [sys.executable, "-m", "tcptrace", *shlex.split(command)]
    got = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    assert got.stdout.rstrip() == output.rstrip()
    assert got.stderr == ""


@pytest.mark.parametrize("program", PYTHON)
def test_shown_program(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "10.0.0.1:40000" in done.stdout
    assert "SYN_SENT" in done.stdout


def test_something_is_shown() -> None:
    assert len(SHOWN) == 4
    assert len(PYTHON) == 1
