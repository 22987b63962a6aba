"""What action.yml runs: annotations, the job's summary, SARIF where it is asked for; fails as the check does."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent

OWN = ("-o", "--output", "--format", "--init", "--update")
"""Options that the action gives itself, or that have no place in a pipeline."""
REMEDY = "sarif names a file; for another report run tcptrace check itself"


def main() -> int:
    """The exit status of the check; 2 where a report could not be written."""
    try:
        args = split("args", os.environ.get("ARGS", ""))
        if own := [word for word in args if word.startswith(OWN)]:
            return failed(f"{own[0]} is not for args\n  {REMEDY}")
        words = [*paths(os.environ["PATHS"]), *args]
        status, trouble = check(words, "github")
        if not trouble and (sarif := os.environ.get("SARIF")):
            Path(sarif).parent.mkdir(parents=True, exist_ok=True)
            _, trouble = check(words, "sarif", Path(sarif))
    except (OSError, ValueError) as error:
        trouble = str(error)
    if trouble:
        return failed(trouble)
    with TemporaryDirectory() as folder:
        part = Path(folder) / "summary.md"
        check(words, "markdown", part)
        summarize(part.read_text(encoding="utf-8"))
    return status


def split(name: str, text: str) -> list[str]:
    """Words on one line or many, quoted where they have spaces; a backslash is one, as in paths of Windows."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        raise ValueError(f"{name}: a quote is not closed: {text.strip()}\n  put \" around what has a '") from None


def paths(text: str) -> Iterator[str]:
    """What PATHS names; patterns as a shell resolves them."""
    for word in split("paths", text):
        yield from sorted(glob(word, recursive=True)) or [word]  # noqa: PTH207  Path.glob needs a folder first


def check(words: list[str], form: str, output: Path | None = None) -> tuple[int, str]:
    """One report: the exit status, and why there is none."""
    options = ["--quiet", "--format", form, *(["--output", str(output)] if output else [])]
    command = [sys.executable, "-m", "tcptrace", "check", *words, *options]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False)
    sys.stderr.write(done.stderr)
    return done.returncode, done.stderr if done.returncode not in (0, 1) else ""


def summarize(text: str) -> None:
    """Add to the job's summary, to which other steps add too."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)


def failed(text: str) -> int:
    """Annotate why there is no report, and put it into the job's summary."""
    told = text.strip().replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=tcptrace check::{told}", flush=True)
    summarize(f"## ✖ Captures\n\n{indent(text.strip(), '    ')}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
