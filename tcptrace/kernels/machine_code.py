"""Object code into callable functions, by llvmlite; numba is not needed for it."""

from typing import Any

import llvmlite.binding as llvm


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
