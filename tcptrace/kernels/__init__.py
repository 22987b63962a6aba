"""Kernels twice: as plain Python and as machine code, from the same source.

A kernel module holds constants and functions over integer arrays, and nothing else. Plain, the
functions run on memoryviews, whose elements are Python ints: nothing is imported and no one
waits. Compiled, they are called at the addresses of machine code which numba made once and which
later runs load without numba.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from mmap import mmap
from threading import Lock
from types import SimpleNamespace
from typing import Any

import numpy as np

from tcptrace.kernels.interface import columns_of

KERNEL_MODULES: dict[str, tuple[str, ...]] = {
    "tcptrace.capture.addresses": ("intern", "rehash"),
    "tcptrace.capture.words": (),
    "tcptrace.capture.cursor": (),
    "tcptrace.capture.link_layer": (),
    "tcptrace.capture.internet": (),
    "tcptrace.capture.tunnels": (),
    "tcptrace.capture.tcp_options": (),
    "tcptrace.capture.walk": (),
    "tcptrace.capture.ftp": (),
    "tcptrace.capture.tls": (),
    "tcptrace.capture.unsaid": (),
    "tcptrace.capture.decode": ("decode",),
    "tcptrace.capture.walk_pcap": ("walk",),
    "tcptrace.capture.walk_pcapng": ("walk",),
    "tcptrace.capture.walk_erf": ("walk",),
    "tcptrace.flows": ("assign", "rehash"),
    "tcptrace.tcp.sequence": (),
    "tcptrace.tcp.endpoint_rows": (),
    "tcptrace.tcp.transition_log": ("tell",),
    "tcptrace.tcp.holes": (),
    "tcptrace.tcp.segment_events": (),
    "tcptrace.tcp.segment_pass": ("advance", "finish"),
    "tcptrace.tcp.packed": (),
    "tcptrace.tcp.lone_syns": ("recall",),
    "tcptrace.tcp.directions": ("begin",),
    "tcptrace.tcp.labels": ("label",),
    "tcptrace.tcp.sending_rows": (),
    "tcptrace.tcp.round_trips": (),
    "tcptrace.tcp.unacked": (),
    "tcptrace.tcp.copies": (),
    "tcptrace.tcp.scoreboard": (),
    "tcptrace.tcp.slow_start": (),
    "tcptrace.tcp.limits": (),
    "tcptrace.tcp.repeats": (),
    "tcptrace.tcp.sending": ("measure",),
    "tcptrace.tcp.notes": ("tell",),
    "tcptrace.tcp.notable": ("note",),
    "tcptrace.tcp.counters": ("count",),
    "tcptrace.tcp.zeek_gaps": (),
    "tcptrace.tcp.zeek_rows": (),
    "tcptrace.tcp.zeek_states": (),
    "tcptrace.tcp.zeek_history": ("note",),
}
"""Kernel modules in order of their imports, each with the kernels that are called from Python.

The others are called by kernels only.
"""

_COMPILED_BY = (
    *(f"tcptrace.schema.{name}" for name in ("column", "packets", "segments")),
    "tcptrace.kernels.interface",
    "tcptrace.kernels.intrinsics",
    "tcptrace.kernels.compiler",
)
"""What else the machine code depends on: the order of columns, how kernels are called and compiled."""

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Kernels:
    """One set of kernels, plain or compiled, and the form in which it takes its arrays."""

    compiled: bool
    modules: dict[str, Any]
    in_turn: Callable[[Iterable[tuple[Any, ...]]], None]
    """Calls kernels that return nothing, each given with what it takes, one after the other."""

    def __getitem__(self, name: str) -> Any:
        """The kernel module of that name below `tcptrace`, e.g. "capture.addresses"."""
        return self.modules[f"tcptrace.{name}"]

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, the same set of its own."""
        return (compiled if self.compiled else plain), ()

    def view(self, table: Any) -> Any:
        """A table (or one array) in the form these kernels take: addresses, or memoryviews."""
        if self.compiled:
            return columns_of(table)
        if isinstance(table, tuple):
            return type(table)(*(self.view(column) for column in table))
        return memoryview(table)

    def view_bytes(self, buffer: bytearray | memoryview | mmap) -> Any:
        """A byte buffer in the form these kernels take."""
        return columns_of(np.frombuffer(buffer, np.uint8)) if self.compiled else memoryview(buffer)


@cache
def plain() -> Kernels:
    """The kernels as Python functions: ready at once, some microseconds a frame."""
    return Kernels(False, {name: importlib.import_module(name) for name in KERNEL_MODULES}, _in_turn)


def _in_turn(calls: Iterable[tuple[Any, ...]]) -> None:
    for kernel, *arguments in calls:
        kernel(*arguments)


def are_kept() -> bool:
    """Whether an earlier run has kept the machine code of these kernels, so that it need only be loaded.

    It has been read by then, and found whole.
    """
    with _lock:
        return bool(_loaded) or _kept() is not None


def compiled(notice: Notice = lambda text: None) -> Kernels:
    """The kernels as machine code: a twentieth of a second to load, far under a microsecond a frame.

    `notice` is told in one line when they must be compiled first, which takes some seconds, and
    when the plain ones must do: where nothing can be compiled, or code made at run time may not run.
    """
    with _lock:
        if not _loaded:
            _loaded.append(_load(notice))
        return _loaded[0]


_lock = Lock()
_loaded: list[Kernels] = []


@cache
def _kept() -> bytes | None:
    from tcptrace.kernels import kept_code

    try:
        return kept_code.read(source(*KERNEL_MODULES, *_COMPILED_BY))
    except OSError:
        return None


def _load(notice: Notice) -> Kernels:
    from tcptrace.kernels.interface import Bound, InTurn, interface
    from tcptrace.kernels.machine_code import MachineCode, runs_here

    if not runs_here():
        notice("this system runs no code made at run time: kernels stay plain Python, some twenty times slower")
        return plain()
    modules = plain().modules
    interfaces = {
        f"{module}.{name}": interface(getattr(modules[module], name))
        for module, names in KERNEL_MODULES.items()
        for name in names
    }
    try:
        code = MachineCode(_kept() or _made(interfaces, notice))
    except OSError as error:
        notice(f"{error}: kernels stay plain Python, some twenty times slower")
        return plain()
    _kept.cache_clear()
    bound: dict[str, Any] = {module: SimpleNamespace() for module in modules}
    for full_name, taken in interfaces.items():
        module, _, name = full_name.rpartition(".")
        setattr(bound[module], name, Bound(code, full_name, taken))
    return Kernels(True, bound, InTurn(code))


def _made(interfaces: dict[str, Any], notice: Notice) -> bytes:
    """Machine code made now, and kept where there is a place for it; OSError when it cannot be made."""
    from tcptrace.kernels import kept_code

    place = kept_code.writable_place()
    if place is None:
        notice("no writable cache directory: compiling the kernels for this run only (some seconds)")
    else:
        notice("compiling the kernels for the first time (some seconds)")
    from tcptrace.kernels.compiler import object_code

    before = source(*KERNEL_MODULES, *_COMPILED_BY)
    code = object_code(interfaces)
    if place is not None and source(*KERNEL_MODULES, *_COMPILED_BY) == before:  # nobody edited it meanwhile
        kept_code.write(place, before, code)
    return code


def source(*modules: str) -> bytes:
    """The source of modules, one after the other, by their loaders, so also out of a zip file.

    Nothing is imported. Raises OSError where there is no source.
    """
    return b"".join(map(_source_of, modules))


def _source_of(module: str) -> bytes:
    spec = find_spec(module)
    get_data = getattr(spec and spec.loader, "get_data", None)
    if spec is None or get_data is None:
        raise OSError(f"{module} has no source")
    text: bytes = get_data(spec.origin)
    return text
