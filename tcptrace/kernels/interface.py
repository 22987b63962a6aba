"""How a kernel is called as machine code: by one C signature, whatever it takes.

A kernel takes arrays, tables of arrays, ints and tuples of ints, as its annotations say, and returns
nothing, an int or a tuple of ints. Its C function is `void kernel(void **arrays, int64_t *numbers)`:
the address of every array in order; the length of every array in order, followed by all ints in
order. What it returns lies at the start of `numbers` afterwards.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from tcptrace.schema import DTYPES, columns

if TYPE_CHECKING:
    from tcptrace.kernels.machine_code import MachineCode

_C_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_NO_BYTES = ctypes.c_char * 0


class Interface(NamedTuple):
    """What a kernel takes and returns."""

    parameters: tuple[Any, ...]
    """The annotation of every parameter."""
    dtypes: list[np.dtype[Any]]
    """Those of all its arrays, columns of tables among them, in order."""
    ints: int
    """How many ints it takes, those in tuples among them."""
    results: int
    """How many ints it returns in a tuple; -1: an int by itself, 0: nothing."""


def interface(kernel: Callable[..., Any]) -> Interface:
    """Read off a kernel's annotations."""
    hints = get_type_hints(kernel, include_extras=True)
    returned = hints.pop("return")
    leaves = [leaf for hint in hints.values() for leaf in _leaves(hint)]
    dtypes = [np.dtype(leaf) for leaf in leaves if leaf is not int]
    results = -1 if returned is int else len(get_args(returned))
    return Interface(tuple(hints.values()), dtypes, len(leaves) - len(dtypes), results)


def _leaves(hint: Any) -> Iterator[Any]:
    """The dtypes of the arrays that a parameter consists of, or `int`s."""
    if hint is int:
        yield int
    elif hint in DTYPES:
        yield DTYPES[hint]
    elif get_origin(hint) is tuple:
        yield from get_args(hint)
    else:
        yield from (dtype for dtype, _ in columns(hint).values())


class Columns(NamedTuple):
    """Arrays as machine code takes them; they must stay where they are until it has run."""

    addresses: list[int]
    lengths: list[int]
    dtypes: list[np.dtype[Any]]
    arrays: Any
    """Themselves, which this keeps alive."""


def columns_of(table: Any) -> Columns:
    """A table, or one array. Raises TypeError for an array that is not contiguous or cannot be written to."""
    arrays: Any = [table] if isinstance(table, np.ndarray) else table
    return Columns(
        [ctypes.addressof(_NO_BYTES.from_buffer(array)) for array in arrays],
        [len(array) for array in arrays],
        [array.dtype for array in arrays],
        arrays,
    )


def bind(code: "MachineCode", name: str, taken: Interface) -> Callable[..., Any]:
    """A function of the machine code, in Python, of what its kernel takes, arrays and tables as Columns.

    It raises TypeError for arrays of other dtypes.
    """
    function: Any = _C_FUNCTION(code.address(name))
    function.code = code  # keeps it in memory
    addresses_of = ctypes.c_void_p * len(taken.dtypes)
    numbers_of = ctypes.c_int64 * max(len(taken.dtypes) + taken.ints, taken.results, 1)

    def call(*arguments: Any) -> Any:
        addresses: list[int] = []
        lengths: list[int] = []
        dtypes: list[np.dtype[Any]] = []
        ints: list[int] = []
        for argument in arguments:
            if isinstance(argument, Columns):
                addresses += argument.addresses
                lengths += argument.lengths
                dtypes += argument.dtypes
            elif isinstance(argument, tuple):
                ints += argument
            else:
                ints.append(argument)
        if dtypes != taken.dtypes or len(ints) != taken.ints:
            raise TypeError(f"takes {taken.ints} ints and arrays of {', '.join(map(str, taken.dtypes))}")
        numbers = numbers_of(*lengths, *ints)
        function(addresses_of(*addresses), numbers)
        if taken.results < 0:
            return numbers[0]
        return tuple(numbers[: taken.results]) if taken.results else None

    return call
