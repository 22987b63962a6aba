"""Kernels twice: as plain Python and compiled by numba, from the same source.

A kernel module holds constants and functions over integer arrays, and nothing else. Plain, the
functions run on memoryviews, whose elements are Python ints: nothing is imported and no one
waits. Compiled, every kernel module is loaded a second time under another name and each of its
functions passes through `numba.njit`; numba is imported only then.

numba's own cache does not notice an edited callee in another file, so the cache directory is
keyed by a hash of all kernel sources and numba's version.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

KERNEL_MODULES: dict[str, tuple[str, ...]] = {
    "tcptrace.capture.addresses": ("intern", "rehash"),
    "tcptrace.capture.words": (),
    "tcptrace.capture.cursor": (),
    "tcptrace.capture.link_layer": (),
    "tcptrace.capture.internet": (),
    "tcptrace.capture.tunnels": (),
    "tcptrace.capture.tcp_options": (),
    "tcptrace.capture.walk": (),
    "tcptrace.capture.decode": ("decode",),
    "tcptrace.capture.walk_pcap": ("walk",),
    "tcptrace.capture.walk_pcapng": ("walk",),
    "tcptrace.capture.walk_erf": ("walk",),
    "tcptrace.flows": ("assign", "rehash"),
    "tcptrace.tcp.sequence": (),
    "tcptrace.tcp.endpoint_rows": (),
    "tcptrace.tcp.transition_log": (),
    "tcptrace.tcp.holes": (),
    "tcptrace.tcp.segment_events": (),
    "tcptrace.tcp.segment_pass": ("advance", "finish"),
}
"""Kernel modules in order of their imports, each with the kernels that are called from Python.

The others are called by kernels only; numba need not wrap them, which saves half the compile time.
"""

Notice = Callable[[str], None]
Jit = Callable[[FunctionType], Any]


@dataclass(frozen=True)
class Kernels:
    """One set of kernels, plain or compiled, and the form in which it takes its arrays."""

    compiled: bool
    modules: dict[str, ModuleType]

    def __getitem__(self, name: str) -> ModuleType:
        """The kernel module of that name below `tcptrace`, e.g. "capture.addresses"."""
        return self.modules[f"tcptrace.{name}"]

    def view(self, table: Any) -> Any:
        """A table (or one array) in the form these kernels take: itself, or memoryviews of it."""
        if self.compiled:
            return table
        if isinstance(table, tuple):
            return type(table)(*(self.view(column) for column in table))
        return memoryview(table)

    def view_bytes(self, buffer: bytes | bytearray | memoryview | mmap) -> Any:
        """A byte buffer in the form these kernels take: uint8 array, or memoryview."""
        return np.frombuffer(buffer, np.uint8) if self.compiled else memoryview(buffer)


@cache
def plain() -> Kernels:
    """The kernels as Python functions: ready at once, some microseconds a frame."""
    return Kernels(False, {name: importlib.import_module(name) for name in KERNEL_MODULES})


def compiled(notice: Notice = lambda text: None) -> Kernels:
    """The kernels compiled by numba: half a second to load, far under a microsecond a frame.

    `notice` is told in one line when a first compile, which takes some seconds, is ahead.
    """
    place, first = _cache_directory()
    if not _compiled.cache_info().currsize:
        if place is None:
            notice("no writable cache directory: compiling the kernels for this run only (some seconds)")
        elif first:
            notice("compiling the kernels for the first time (some seconds)")
    return _compiled(place)


@cache
def _compiled(place: Path | None) -> Kernels:
    import numba

    setattr(numba.config, "CACHE_DIR", str(place or ""))  # noqa: B010  numba declares no attributes
    lean: dict[str, Any] = {"_nrt": False}
    entry = numba.njit(cache=place is not None, nogil=True, **lean)
    bare: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    internal = numba.njit(nogil=True, **bare)
    copies: dict[str, ModuleType] = {}
    for name in KERNEL_MODULES:
        copies[name] = _compiled_copy(name, entry, internal, copies)
    return Kernels(True, copies)


def _compiled_copy(name: str, entry: Jit, internal: Jit, copies: dict[str, ModuleType]) -> ModuleType:
    """A second instance of a kernel module whose functions are compiled, and call compiled ones."""
    original = importlib.import_module(name)
    alias = f"{name}__compiled"
    spec = importlib.util.spec_from_file_location(alias, original.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    sys.modules[alias] = copy  # numba's cache looks a kernel's module up by name
    spec.loader.exec_module(copy)
    for attribute, value in list(vars(copy).items()):
        if isinstance(value, FunctionType):
            jit = entry if attribute in KERNEL_MODULES[name] else internal
            home = copies.get(value.__module__)
            setattr(copy, attribute, jit(value) if value.__module__ == alias else getattr(home, value.__name__))
    return copy


@cache
def _cache_directory() -> tuple[Path | None, bool]:
    """Where compiled kernels are kept (None: nowhere is writable), and whether it is new."""
    digest = hashlib.sha256()
    for part in (sys.version, importlib.metadata.version("numba"), importlib.metadata.version("numpy")):
        digest.update(part.encode())
    for name in KERNEL_MODULES:
        digest.update(Path(str(importlib.import_module(name).__file__)).read_bytes())
    for parent in _cache_parents():
        place = parent / "tcptrace" / f"kernels-{digest.hexdigest()[:16]}"
        first = not place.is_dir()
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                return place, first
        except OSError:
            continue
    return None, True


def _cache_parents() -> list[Path]:
    """Candidates for the user's cache directory, best first (XDG Base Directory Specification)."""
    parents = [Path(value) for key in ("TCPTRACE_CACHE", "XDG_CACHE_HOME") if (value := os.environ.get(key))]
    try:
        home = Path.home()
    except RuntimeError:
        return parents
    mac = home / "Library" / "Caches"
    return [*parents, mac if sys.platform == "darwin" else home / ".cache"]
