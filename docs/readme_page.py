"""What README.md shows is what the commands print: puts in what they print today."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"(```console\n\$ tcptrace (.*)\n)[^`]*(?=```)")


def readme() -> str:
    """README.md with the output of each command it shows."""
    return SHOWN.sub(lambda shown: shown[1] + _printed(shown[2]), (ROOT / "README.md").read_text(encoding="utf-8"))


def _printed(command: str) -> str:
    words = [sys.executable, "-m", "tcptrace", *shlex.split(command)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True).stdout
