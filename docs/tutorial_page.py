"""What tutorial.md shows is what the commands print, one after the other in one folder: puts in that of today."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?<=```console\n)[^`]*(?=```)")
COMMAND = re.compile(r"^\$ (.*)\n(?:(?!\$ ).*\n)*", re.MULTILINE)


def tutorial() -> str:
    """tutorial.md with the output of each command it shows."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        for name in ("captures", "docs"):  # as in a clone
            (Path(folder) / name).symlink_to(ROOT / name)
        return BLOCK.sub(lambda block: COMMAND.sub(lambda one: _run(one[1], folder), block[0]), text)


def _run(command: str, folder: str) -> str:
    """A command, and what it prints, on standard error too; its failure is part of the story."""
    tcptrace = f'tcptrace() {{ {shlex.quote(sys.executable)} -m tcptrace "$@"; }}\n'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"}
    words = ["bash", "-c", tcptrace + command]
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return f"$ {command}\n{done.stdout}"
