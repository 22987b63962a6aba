"""Kernels into machine code, by numba, which is imported only when code is made.

The module's kernels are compiled as second instances of their modules, whose functions call one
another's compiled forms. Those called from Python get a C function each (see interface.py).
"""

import gc
import importlib
import os
import re
import subprocess
import sys
from subprocess import DEVNULL, PIPE
from types import FunctionType, ModuleType
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core import codegen
from numba.cpython import slicing

from tcptrace.kernels import KERNEL_MODULES, source
from tcptrace.kernels.interface import IN_TURN, Interface, interface
from tcptrace.kernels.intrinsics import INSTEAD, given, type_of
from tcptrace.kernels.machine_code import empty_module, target_machine

slicing.fix_index = lambda builder, index, size: index
"""Kernels count no index from the end: to allow for it takes a sixth of their time."""

codegen.JITCodeLibrary._finalize_specific = lambda library: None
codegen.JITCodeLibrary.get_pointer_to_function = lambda library, name: library._ensure_finalized() or 0
codegen.JITCPUCodegen.set_env = lambda code, name, environment: None
codegen.CPUCodeLibrary._optimize_functions = lambda library, module: None
codegen.CPUCodeLibrary._optimize_final_module = lambda library: None
"""numba optimizes each function, and makes machine code of it, with all that it calls; here both are done once, of the
whole."""

PROCESSES_MAX = 4
_SIGNATURE = types.void(types.CPointer(types.voidptr), types.CPointer(types.int64))
_RUNTIME_CALL = re.compile(r"^declare (.*@(?:NRT|numba)_\w+\(.*)$", re.MULTILINE)
_TRAP = r"define linkonce_odr \1 {\n  call void @llvm.trap()\n  unreachable\n}"

_IN_TURN = f"""
define void @{IN_TURN}(ptr %steps, ptr %numbers) {{
start:
  %count = load i64, ptr %numbers
  br label %next
next:
  %i = phi i64 [0, %start], [%following, %step]
  %ended = icmp eq i64 %i, %count
  br i1 %ended, label %end, label %step
step:
  %at = getelementptr [3 x ptr], ptr %steps, i64 %i
  %arrays_at = getelementptr ptr, ptr %at, i64 1
  %numbers_at = getelementptr ptr, ptr %at, i64 2
  %kernel = load ptr, ptr %at
  %kernel_arrays = load ptr, ptr %arrays_at
  %kernel_numbers = load ptr, ptr %numbers_at
  call void %kernel(ptr %kernel_arrays, ptr %kernel_numbers)
  %following = add i64 %i, 1
  br label %next
end:
  ret void
}}
"""


def object_code(interfaces: dict[str, Interface]) -> bytes:
    """One object file with the C function of every kernel that has an interface, under the kernel's full name.

    Most of the time goes into numba's Python, so the kernels are dealt out to a process a core.
    Raises OSError when one of them fails.
    """
    program = empty_module()
    groups = _dealt_out(list(interfaces), min(os.cpu_count() or 1, PROCESSES_MAX))
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for group in groups:
            workers.append(_worker(group))
        for worker in workers:
            code, _ = worker.communicate()
            if worker.returncode:
                raise ChildProcessError("the kernels cannot be compiled")
            program.link_in(llvm.parse_bitcode(code))
    finally:
        for worker in workers:
            worker.kill()
    program.link_in(llvm.parse_assembly(_IN_TURN))
    made: bytes = target_machine().emit_object(program)
    return made


def _worker(names: list[str]) -> "subprocess.Popen[bytes]":
    """A process that compiles kernels; it imports from where this one does.

    numba has its defaults there, but leaves the optimizing to `_optimize`.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    environment["NUMBA_OPT"] = "0"
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-P", "-m", __name__, *names]  # -P: never from the working directory
    return subprocess.Popen(command, stdout=PIPE, stdin=DEVNULL, stderr=DEVNULL, env=environment)


def _dealt_out(names: list[str], hands: int) -> list[list[str]]:
    """The kernels in as many groups, each with about as much to compile, by the length of Python's byte code.

    The longest come first, each to the group that has least to compile with it: what two kernels of a group share
    is compiled once.
    """
    length = {module: _code_bytes(importlib.import_module(module)) for module in KERNEL_MODULES}
    needs = {name: set(_called(name.rpartition(".")[0], {})) for name in names}

    def weight(modules: set[str]) -> int:
        return sum(map(length.__getitem__, modules))

    groups: list[tuple[list[str], set[str]]] = [([], set()) for _ in range(hands)]
    for name in sorted(names, key=lambda name: weight(needs[name]), reverse=True):
        group, modules = min(groups, key=lambda group: weight(group[1] | needs[name]))
        group.append(name)
        modules |= needs[name]
    return [group for group, _ in groups if group]


def _code_bytes(module: ModuleType) -> int:
    """Byte code of the functions of a module."""
    own = (value for value in vars(module).values() if isinstance(value, FunctionType))
    return sum(len(function.__code__.co_code) for function in own if function.__module__ == module.__name__)


def _called(module: str, found: dict[str, None]) -> dict[str, None]:
    """A kernel module and all whose functions it calls."""
    found[module] = None
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, FunctionType) and value.__module__ in KERNEL_MODULES and value.__module__ not in found:
            _called(value.__module__, found)
    return found


def _compiled(names: list[str]) -> Any:
    """A module of LLVM with the C functions of these kernels."""
    copies: dict[str, ModuleType] = {}
    called: dict[str, None] = {}
    for name in names:
        _called(name.rpartition(".")[0], called)
    for module in KERNEL_MODULES:
        if module in called:
            copies[module] = _compiled_copy(module, copies)
    program = empty_module()
    for name in names:
        module, _, function = name.rpartition(".")
        taken = interface(getattr(importlib.import_module(module), function))
        program.link_in(_c_function(name, getattr(copies[module], function), taken))
    _optimize(program, names)
    return program


def _optimize(program: Any, names: list[str]) -> None:
    """Let nothing but these functions be called from without, and optimize.

    numba would optimize each function by itself, with all that it calls, and passes seven words for an array. Where
    all callers are known, words that nobody reads are not passed, and what is called once is inlined.
    """
    for function in program.functions:
        if not function.is_declaration and function.name not in names:
            function.linkage = "internal"
    passes = llvm.create_pass_builder(target_machine(), llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(program, passes)


def _compiled_copy(name: str, copies: dict[str, ModuleType]) -> ModuleType:
    """A second instance of a kernel module whose functions are compiled, and call compiled ones.

    Each is compiled once, for the types its annotations say: numba would compile it anew for every
    mixture of integers and truth values that it is called with, which takes half as long again.
    """
    jit = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, no_rewrites=True, _nrt=False)
    copy = ModuleType(f"{name}__compiled")
    exec(compile(source(name), str(importlib.import_module(name).__file__), "exec"), vars(copy))
    own: list[Any] = []
    for attribute, value in list(vars(copy).items()):
        if isinstance(value, FunctionType):
            home = copies.get(value.__module__)
            made = jit(INSTEAD.get(f"{name}.{attribute}", value)) if home is None else getattr(home, value.__name__)
            own += [made] if home is None else []
            setattr(copy, attribute, made)
    for function in own:
        function.compile(tuple(map(type_of, interface(function.py_func).parameters)))
        function.disable_compile()
    return copy


def _c_function(name: str, kernel: Any, taken: Interface) -> Any:
    """A module of LLVM that holds the C function of a kernel.

    Kernels raise nothing, so what numba's error paths call is never reached: a trap stands in for
    it, and the code needs nothing of numba's when it runs.
    """
    compiled = numba.cfunc(_SIGNATURE)(_unpacking(name, kernel, taken))
    text = _RUNTIME_CALL.sub(_TRAP, compiled.inspect_llvm())
    module = llvm.parse_assembly(f"{text}\ndeclare void @llvm.trap()\n")
    module.get_function(compiled.native_name).name = name
    return module


def _unpacking(name: str, kernel: Any, taken: Interface) -> Any:
    """A Python function for numba that calls the kernel with what lies in two arrays."""
    lines = [
        "results = kernel(*given(arrays, numbers))",
        *(f"numbers[{i}] = results[{i}]" for i in range(taken.results)),
    ]
    if taken.results < 0:
        lines = ["numbers[0] = kernel(*given(arrays, numbers))"]
    scope: dict[str, Any] = {"kernel": kernel, "given": given(taken)}
    function = name.replace(".", "_")  # no two may share one when their code is linked
    exec(f"def {function}(arrays, numbers):\n " + "\n ".join(lines), scope)
    return scope[function]


if __name__ == "__main__":
    gc.set_threshold(10_000, 20, 30)  # there are few cycles to find, and looking for them takes a tenth of the time
    sys.stdout.buffer.write(_compiled(sys.argv[1:]).as_bitcode())
