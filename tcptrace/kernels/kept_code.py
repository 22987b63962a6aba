"""Where machine code is kept between runs: one file in the user's cache directory.

Its name is a hash of all kernel sources, of what compiled them and of the processor. It begins
with the hash of its contents, so that a damaged one is made anew and never run. Nor is one run
that others could have written: file and directory belong to the user, or to root, and to no one else.
"""

import hashlib
import os
import platform
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

FILES_MAX = 3
"""Kept at a time: of this version, and of one or two before."""

_HASH_BYTES = hashlib.sha256().digest_size
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def read(source: bytes) -> bytes | None:
    """The code kept for the kernels of this source; None where there is none that is whole and ours."""
    name = _file_name(source)
    for place in _places():
        try:
            kept = _read_ours(place / name) if _is_ours(place.stat()) else b""
        except OSError:
            continue
        code = kept[_HASH_BYTES:]
        if code and hashlib.sha256(code).digest() == kept[:_HASH_BYTES]:
            return code
    return None


def _read_ours(path: Path) -> bytes:
    """A regular file's contents; nothing of any other, nor of one that others can write to."""
    with os.fdopen(os.open(path, _OPEN), "rb") as file:
        status = os.fstat(file.fileno())
        return file.read() if stat.S_ISREG(status.st_mode) and _is_ours(status) else b""


def _is_ours(status: os.stat_result) -> bool:
    """Whether nobody but the user and root can have written there."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & _BY_OTHERS


def writable_place() -> Path | None:
    """The first place that is ours and can be written to; from now on nobody else's."""
    for place in _places():
        try:
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o700)  # fails where it belongs to another user
            with tempfile.TemporaryFile(dir=place):
                return place
        except OSError:
            continue
    return None


def write(place: Path, source: bytes, code: bytes) -> None:
    """Keep code; the file appears whole or, where there is no room for it, not at all. The oldest files go."""
    descriptor, part = tempfile.mkstemp(dir=place, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(part).replace(place / _file_name(source))
        for old in sorted(place.glob("kernels-*.o"), key=_written_ns, reverse=True)[FILES_MAX:]:
            old.unlink(missing_ok=True)
    except OSError:
        Path(part).unlink(missing_ok=True)


def _written_ns(path: Path) -> int:
    return path.lstat().st_mtime_ns


def _places() -> Iterator[Path]:
    """Candidates for the cache directory, best first (XDG Base Directory Specification); TCPTRACE_CACHE is the only."""
    if only := os.environ.get("TCPTRACE_CACHE"):
        yield Path(only) / "tcptrace"
        return
    if value := os.environ.get("XDG_CACHE_HOME"):
        yield Path(value) / "tcptrace"
    try:
        home = Path.home()
    except RuntimeError:
        return
    yield (home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache") / "tcptrace"


@cache
def _file_name(source: bytes) -> str:
    """The file for this source on this machine."""
    digest = hashlib.sha256(source)
    processor = [platform.machine(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    digest.update("\n".join([sys.version, llvmlite.__version__, _numba_version(), *processor]).encode())
    return f"kernels-{digest.hexdigest()[:16]}.o"


def _numba_version() -> str:
    """As numba's own file says it: to import numba, or the reader of package metadata, takes longer than all else."""
    numba = find_spec("numba")
    file = Path(str(numba.origin)).with_name("_version.py") if numba else Path()
    return file.read_text() if file.is_file() else ""
