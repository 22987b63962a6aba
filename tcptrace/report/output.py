"""Where a report goes: standard output, or a file that appears whole or not at all."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tcptrace.errors import UsageError


@contextmanager
def open_output(path: Path | None, inputs: Sequence[str] = ()) -> Iterator[TextIO]:
    """A text stream (its `buffer` takes bytes) to `path`, or to standard output without one.

    A file is written beside its final place, which it takes only when the block ends without an
    exception. Raises UsageError when it cannot be written or is one of `inputs`.
    """
    if path is None:
        if sys.stdout is None:
            raise UsageError("standard output is closed\n  open it, or give -o a file")
        yield sys.stdout
        sys.stdout.flush()
        return
    if any(_same_file(path, source) for source in inputs):
        raise UsageError(f"{path}: is an input\n  give -o another file")
    place = path.resolve()  # a symbolic link stays one, its target is replaced
    special = path.exists() and not path.is_file()  # /dev/stdout, a FIFO: nothing to take the place of
    unfinished = path if special else place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        stream = unfinished.open("w" if special else "x", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}\n  give -o another file") from error
    if special:
        with stream:
            yield stream
        return
    try:
        with stream:
            yield stream
        if place.exists():
            shutil.copymode(place, unfinished)
        unfinished.replace(place)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _same_file(path: Path, source: str) -> bool:
    try:
        return path.is_file() and path.samefile(source)
    except OSError:
        return False
