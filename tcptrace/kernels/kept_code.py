"""Where machine code is kept between runs: one file in the user's cache directory.

Its name is a hash of all kernel sources, of what compiled them and of the processor. It begins
with the hash of its contents, so that a damaged one is made anew and never run.
"""

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

_HASH_BYTES = hashlib.sha256().digest_size


def is_there(sources: tuple[Path, ...]) -> bool:
    """Whether code for these sources is kept somewhere."""
    name = _file_name(sources)
    return any((place / name).is_file() for place in _places())


def read(sources: tuple[Path, ...]) -> bytes | None:
    """The code kept for these sources; None where there is none that is whole."""
    name = _file_name(sources)
    for place in _places():
        try:
            kept = (place / name).read_bytes()
        except OSError:
            continue
        code = kept[_HASH_BYTES:]
        if hashlib.sha256(code).digest() == kept[:_HASH_BYTES]:
            return code
    return None


def writable_place() -> Path | None:
    """The first place that can be written to."""
    for place in _places():
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                return place
        except OSError:
            continue
    return None


def write(place: Path, sources: tuple[Path, ...], code: bytes) -> None:
    """Keep code; the file appears whole or, where there is no room for it, not at all."""
    descriptor, part = tempfile.mkstemp(dir=place, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(part).replace(place / _file_name(sources))
    except OSError:
        Path(part).unlink(missing_ok=True)


def _places() -> Iterator[Path]:
    """Candidates for the cache directory, best first (XDG Base Directory Specification)."""
    for key in ("TCPTRACE_CACHE", "XDG_CACHE_HOME"):
        if value := os.environ.get(key):
            yield Path(value) / "tcptrace"
    try:
        home = Path.home()
    except RuntimeError:
        return
    yield (home / "Library" / "Caches" if sys.platform == "darwin" else home / ".cache") / "tcptrace"


@cache
def _file_name(sources: tuple[Path, ...]) -> str:
    """The file for these sources on this machine."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    processor = [platform.machine(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    digest.update("\n".join([sys.version, llvmlite.__version__, _numba_version(), *processor]).encode())
    return f"kernels-{digest.hexdigest()[:16]}.o"


def _numba_version() -> str:
    """As numba's own file says it: to import numba, or the reader of package metadata, takes longer than all else."""
    numba = find_spec("numba")
    file = Path(str(numba.origin)).with_name("_version.py") if numba else Path()
    return file.read_text() if file.is_file() else ""
