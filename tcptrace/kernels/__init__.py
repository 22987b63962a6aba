"""Kernels twice: as plain Python and as machine code, from the same source.

A kernel module holds constants and functions over integer arrays, and nothing else. Plain, the
functions run on memoryviews, whose elements are Python ints: nothing is imported and no one
waits. Compiled, they are called at the addresses of machine code which numba made once and which
later runs load without numba.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from pathlib import Path
from types import SimpleNamespace
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
    "tcptrace.tcp.directions": ("begin",),
    "tcptrace.tcp.labels": ("label",),
    "tcptrace.tcp.sending_rows": (),
    "tcptrace.tcp.round_trips": (),
    "tcptrace.tcp.unacked": (),
    "tcptrace.tcp.limits": (),
    "tcptrace.tcp.repeats": (),
    "tcptrace.tcp.sending": ("measure",),
    "tcptrace.tcp.counters": ("count",),
    "tcptrace.tcp.zeek_gaps": (),
    "tcptrace.tcp.zeek_rows": (),
    "tcptrace.tcp.zeek_states": (),
    "tcptrace.tcp.zeek_history": ("note",),
}
"""Kernel modules in order of their imports, each with the kernels that are called from Python.

The others are called by kernels only.
"""

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Kernels:
    """One set of kernels, plain or compiled, and the form in which it takes its arrays."""

    compiled: bool
    modules: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """The kernel module of that name below `tcptrace`, e.g. "capture.addresses"."""
        return self.modules[f"tcptrace.{name}"]

    def view(self, table: Any) -> Any:
        """A table (or one array) in the form these kernels take: itself, or memoryviews of it."""
        if self.compiled:
            return table
        if isinstance(table, tuple):
            return type(table)(*(self.view(column) for column in table))
        return memoryview(table)

    def view_bytes(self, buffer: bytearray | memoryview | mmap) -> Any:
        """A byte buffer in the form these kernels take: uint8 array, or memoryview."""
        return np.frombuffer(buffer, np.uint8) if self.compiled else memoryview(buffer)


@cache
def plain() -> Kernels:
    """The kernels as Python functions: ready at once, some microseconds a frame."""
    return Kernels(False, {name: importlib.import_module(name) for name in KERNEL_MODULES})


def are_kept() -> bool:
    """Whether an earlier run has kept the machine code of these kernels, so that it need only be loaded."""
    from tcptrace.kernels import kept_code

    return kept_code.is_there(_sources())


def compiled(notice: Notice = lambda text: None) -> Kernels:
    """The kernels as machine code: a twentieth of a second to load, far under a microsecond a frame.

    `notice` is told in one line when they must be compiled first, which takes some seconds.
    """
    if not _loaded:
        _loaded.append(_load(notice))
    return _loaded[0]


_loaded: list[Kernels] = []


def _load(notice: Notice) -> Kernels:
    from tcptrace.kernels.interface import bind, interface
    from tcptrace.kernels.machine_code import MachineCode

    modules = plain().modules
    interfaces = {
        f"{module}.{name}": interface(getattr(modules[module], name))
        for module, names in KERNEL_MODULES.items()
        for name in names
    }
    code = MachineCode(_object_code(interfaces, notice))
    bound: dict[str, Any] = {module: SimpleNamespace() for module in modules}
    for full_name, taken in interfaces.items():
        module, _, name = full_name.rpartition(".")
        setattr(bound[module], name, bind(code, full_name, taken))
    return Kernels(True, bound)


def _object_code(interfaces: dict[str, Any], notice: Notice) -> bytes:
    """What an earlier run has kept, else made now and kept."""
    from tcptrace.kernels import kept_code

    sources = _sources()
    if code := kept_code.read(sources):
        return code
    place = kept_code.writable_place()
    if place is None:
        notice("no writable cache directory: compiling the kernels for this run only (some seconds)")
    else:
        notice("compiling the kernels for the first time (some seconds)")
    from tcptrace.kernels.compiler import object_code

    code = object_code(interfaces)
    if place is not None:
        kept_code.write(place, sources, code)
    return code


def _sources() -> tuple[Path, ...]:
    return tuple(Path(str(module.__file__)) for module in plain().modules.values())
