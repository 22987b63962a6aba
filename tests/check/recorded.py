"""Recorded cases, copied to be altered."""

import shutil
from pathlib import Path

from tcptrace.check.outcome import Result
from tcptrace.check.run import Check, check

CAPTURES = Path(__file__).resolve().parent.parent.parent / "captures"


def copied(name: str, folder: Path) -> Path:
    """A case of captures/, in a folder of its own."""
    return Path(shutil.copytree(CAPTURES / name, folder / name))


def altered(case: Path, before: str, after: str) -> Path:
    """The case with another text in its case.toml, which must be there."""
    file = case / "case.toml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    return case


def checked(*paths: Path) -> Check:
    return check(paths, jobs=1)


def result(*paths: Path) -> Result:
    (one,) = checked(*paths).results
    return one
