"""A line on standard error while work takes over a second, gone when it is done."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tcptrace.kernels import Notice
from tcptrace.report.escape import printable
from tcptrace.report.units import size

PATIENCE_S = 1.0
PERIOD_S = 0.5
LINE = 80
"""Of a terminal that may be narrow."""
_ERASE = "\r\x1b[K"


@contextmanager
def reading(path: str, *, quiet: bool = False, progress: bool = True) -> Iterator[Notice]:
    """Show that a capture is being read, on a terminal; yields how to tell the user something meanwhile.

    Without `progress`, for a result that is written meanwhile, there are only notices.
    """
    if quiet:
        yield lambda text: None
        return
    if not progress or not sys.stderr.isatty():
        yield lambda text: print(printable(text), file=sys.stderr)
        return
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(printable(path), done), daemon=True)
    ticker.start()
    try:
        yield lambda text: print(f"{_ERASE}{printable(text)}", file=sys.stderr)
    finally:
        done.set()
        ticker.join()


@contextmanager
def checking(*, quiet: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """Show on a terminal how far a check is; yields how to tell it."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total, last: None
        return
    began = time.monotonic()

    def advance(done: int, total: int, last: str) -> None:
        if time.monotonic() - began > PATIENCE_S:
            sys.stderr.write(f"{_ERASE}checked {done:,} of {total:,}, {printable(last)}"[:LINE])
            sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


def _tick(path: str, done: threading.Event) -> None:
    began = time.monotonic()
    if done.wait(PATIENCE_S):
        return
    while True:
        text = f"reading {path}{_size(path)}, {time.monotonic() - began:.0f} s"
        sys.stderr.write(f"{_ERASE}{text}")
        sys.stderr.flush()
        if done.wait(PERIOD_S):
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            return


def _size(path: str) -> str:
    try:
        return f" ({size(Path(path).stat().st_size)}B)"
    except OSError:
        return ""
