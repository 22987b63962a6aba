"""What action.yml runs: annotations, the job's summary, SARIF where it is asked for; fails as the check does."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

OWN = ("-o", "--output", "--format", "--init", "--update")
"""Options that the action gives itself, or that have no place in a pipeline."""


def main() -> int:
    """The exit status of the check; 2 where a report could not be written."""
    args = shlex.split(os.environ.get("ARGS", ""))
    if own := [word for word in args if word.startswith(OWN)]:
        return failed(f"{own[0]} is not for args\n  sarif names a file; for another report run tcptrace check itself")
    words = [*paths(os.environ["PATHS"]), *args]
    status, trouble = check(words, "github")
    if not trouble and (sarif := os.environ.get("SARIF")):
        Path(sarif).parent.mkdir(parents=True, exist_ok=True)
        _, trouble = check(words, "sarif", Path(sarif))
    summarize(words, trouble)
    return failed(trouble) if trouble else status


def paths(text: str) -> Iterator[str]:
    """Words on one line or many, quoted where they have spaces; patterns as a shell resolves them."""
    for word in shlex.split(text):
        yield from sorted(glob(word, recursive=True)) or [word]  # noqa: PTH207  Path.glob needs a folder first


def check(words: list[str], form: str, output: Path | None = None) -> tuple[int, str]:
    """One report: the exit status, and why there is none."""
    options = ["--quiet", "--format", form, *(["--output", str(output)] if output else [])]
    command = [sys.executable, "-m", "tcptrace", "check", *words, *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False)
    sys.stderr.write(done.stderr)
    return done.returncode, done.stderr if done.returncode not in (0, 1) else ""


def summarize(words: list[str], trouble: str) -> None:
    """Add to the job's summary, to which other steps add too."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with TemporaryDirectory() as folder, Path(summary).open("a", encoding="utf-8") as file:
            part = Path(folder) / "summary.md"
            if not trouble:
                check(words, "markdown", part)
            file.write(part.read_text(encoding="utf-8") if part.exists() else f"## ✖ Captures\n\n    {trouble}\n")


def failed(text: str) -> int:
    """Annotate why there is no report."""
    told = text.strip().replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=tcptrace check::{told}", flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
