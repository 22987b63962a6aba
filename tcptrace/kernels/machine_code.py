"""Object code into callable functions, by llvmlite; numba is not needed for it."""

import ctypes
import mmap
import sys
from typing import Any

import llvmlite.binding as llvm


def runs_here() -> bool:
    """Whether a process may run what it has written: systemd, SELinux and prctl can forbid it.

    Found out by doing with a page what LLVM does with its code; LLVM itself goes on and crashes.
    """
    if sys.platform == "win32":
        return True
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=private, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    page[0] = 1
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    allowed: bool = protect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) == 0
    return allowed


def target_machine() -> Any:
    """The processor at hand, with all it can do."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(llvm.get_host_cpu_name(), features, opt=3, codemodel="jitdefault", jit=True)


def empty_module() -> Any:
    """A module of LLVM for this processor, with nothing in it."""
    machine = target_machine()
    module = llvm.parse_assembly("")
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    return module


class MachineCode:
    """An object file in memory, ready to run; stays there as long as this does."""

    def __init__(self, object_code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(empty_module(), target_machine())
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(object_code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where the function of that name begins."""
        address: int = self._engine.get_function_address(name)
        return address
