"""Kernels into machine code, by numba; the only module that imports it, and only when code is made.

The module's kernels are compiled as second instances of their modules, whose functions call one
another's compiled forms. Those called from Python get a C function each (see interface.py).
"""

import importlib
import importlib.util
import re
from itertools import count
from types import FunctionType, ModuleType
from typing import Any, get_args, get_origin

import llvmlite.binding as llvm
import numba
from numba import types

from tcptrace.kernels.interface import Interface
from tcptrace.kernels.machine_code import empty_module, target_machine
from tcptrace.schema import DTYPES, columns

_SIGNATURE = types.void(types.CPointer(types.voidptr), types.CPointer(types.int64))
_RUNTIME_CALL = re.compile(r"^declare (.*@(?:NRT|numba)_\w+\(.*)$", re.MULTILINE)
_TRAP = r"define linkonce_odr \1 {\n  call void @llvm.trap()\n  unreachable\n}"


def object_code(modules: list[str], interfaces: dict[str, Interface]) -> bytes:
    """One object file with the C function of every kernel that has an interface, under the kernel's full name."""
    copies: dict[str, ModuleType] = {}
    for module in modules:
        copies[module] = _compiled_copy(module, copies)
    program = empty_module()
    for name, taken in interfaces.items():
        module, _, function = name.rpartition(".")
        program.link_in(_c_function(name, getattr(copies[module], function), taken))
    code: bytes = target_machine().emit_object(program)
    return code


def _compiled_copy(name: str, copies: dict[str, ModuleType]) -> ModuleType:
    """A second instance of a kernel module whose functions are compiled, and call compiled ones."""
    jit = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
    original = importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(f"{name}__compiled", original.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    for attribute, value in list(vars(copy).items()):
        if isinstance(value, FunctionType):
            home = copies.get(value.__module__)
            setattr(copy, attribute, jit(value) if home is None else getattr(home, value.__name__))
    return copy


def _c_function(name: str, kernel: Any, taken: Interface) -> Any:
    """A module of LLVM that holds the C function of a kernel.

    Kernels raise nothing, so what numba's error paths call is never reached: a trap stands in for
    it, and the code needs nothing of numba's when it runs.
    """
    compiled = numba.cfunc(_SIGNATURE)(_unpacking(kernel, taken))
    text = _RUNTIME_CALL.sub(_TRAP, compiled.inspect_llvm())
    module = llvm.parse_assembly(f"{text}\ndeclare void @llvm.trap()\n")
    module.get_function(compiled.native_name).name = name
    return module


def _unpacking(kernel: Any, taken: Interface) -> Any:
    """A Python function for numba, `entry(arrays, numbers)`, that calls the kernel with what lies in both."""
    scope: dict[str, Any] = {"kernel": kernel, "carray": numba.carray}
    array, number = count(), count(len(taken.dtypes))

    def an_array() -> str:
        index = next(array)
        scope[f"dtype_{index}"] = taken.dtypes[index]
        return f"carray(arrays[{index}], numbers[{index}], dtype_{index})"

    def piece(hint: Any) -> str:
        if hint is int:
            return f"numbers[{next(number)}]"
        if hint in DTYPES:
            return an_array()
        if get_origin(hint) is tuple:
            return f"({''.join(f'{piece(part)}, ' for part in get_args(hint))})"
        scope[hint.__name__] = hint
        return f"{hint.__name__}({', '.join(an_array() for _ in columns(hint))})"

    call = f"kernel({', '.join(piece(hint) for hint in taken.parameters)})"
    lines = [f"results = {call}", *(f"numbers[{i}] = results[{i}]" for i in range(taken.results))]
    if taken.results < 0:
        lines = [f"numbers[0] = {call}"]
    exec("def entry(arrays, numbers):\n " + "\n ".join(lines), scope)
    return scope["entry"]
