"""Where a report goes: standard output, or a file that appears whole or not at all."""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tcptrace.errors import UsageError

STANDARD_OUTPUT = "-"
REMEDY = "give -o another file"


@contextmanager
def open_output(path: Path | None, inputs: Sequence[str] = (), remedy: str = REMEDY) -> Iterator[TextIO]:
    """A text stream (its `buffer` takes bytes) to `path`, or to standard output without one or for `-`.

    A file is written beside its final place, which it takes only when the block ends without an
    exception. Raises UsageError when it cannot be written or is one of `inputs`.
    """
    if path is None or str(path) == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise UsageError("standard output is closed\n  open it, or give -o a file")
        yield sys.stdout
        sys.stdout.flush()
        return
    if any(_same_file(path, source) for source in inputs):
        raise UsageError(f"{path}: is an input\n  {remedy}")
    try:
        place = path.resolve()  # a symbolic link stays one, its target is replaced
        special = path.exists() and not path.is_file()  # /dev/stdout, a FIFO: nothing to take the place of
        descriptor, part = (os.open(path, os.O_WRONLY | os.O_TRUNC), "") if special else _part_beside(place)
    except (OSError, RuntimeError) as error:  # RuntimeError: symbolic links in a circle, before Python 3.13
        raise UsageError(
            f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}\n  {remedy}"
        ) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
        if part:
            with suppress(PermissionError):  # a file system without modes
                Path(part).chmod(_mode(place))
            Path(part).replace(place)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk
            error.filename = str(path)
        if part:
            Path(part).unlink(missing_ok=True)
        raise


def _part_beside(place: Path) -> tuple[int, str]:
    """A new file in the same folder, by its descriptor and name: short, however long the other's is."""
    return tempfile.mkstemp(".part", ".tcptrace-", place.parent)


def _mode(place: Path) -> int:
    """Of the file that is there, else that of a new one by the umask."""
    if place.exists():
        return stat.S_IMODE(place.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _same_file(path: Path, source: str) -> bool:
    """Whether a path leads to an input, which `-` is whatever standard input comes from."""
    try:
        read = os.fstat(0) if source == "-" else Path(source).stat()
        return path.is_file() and os.path.samestat(path.stat(), read)
    except OSError:
        return False
