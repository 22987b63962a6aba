"""How a kernel is called as machine code: by one C signature, whatever it takes.

A kernel takes arrays, tables of arrays, ints and tuples of ints, as its annotations say, and returns
nothing, an int or a tuple of ints. Its C function is `void kernel(void **arrays, int64_t *numbers)`:
the address of every array in order; the length of every array in order, followed by all ints in
order. What it returns lies at the start of `numbers` afterwards.
"""

import ctypes
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from tcptrace.schema import DTYPES, columns

if TYPE_CHECKING:
    from tcptrace.kernels.machine_code import MachineCode

_C_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_NO_BYTES = ctypes.c_char * 0

IN_TURN = "in_turn"
"""A C function of that signature beside the kernels': for each step in `arrays`, numbers[0] of them, it calls the
function at the first of three addresses with the other two."""


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

    addresses: "array[int]"
    lengths: "array[int]"
    dtypes: list[np.dtype[Any]]
    arrays: Any
    """Themselves, which this keeps alive."""


def columns_of(table: Any) -> Columns:
    """A table, or one array. Raises TypeError for an array that is not contiguous or cannot be written to."""
    arrays: Any = [table] if isinstance(table, np.ndarray) else table
    return Columns(
        array("Q", map(ctypes.addressof, map(_NO_BYTES.from_buffer, arrays))),
        array("q", map(len, arrays)),
        [column.dtype for column in arrays],
        arrays,
    )


class Bound:
    """A function of the machine code, in Python, of what its kernel takes, arrays and tables as Columns."""

    def __init__(self, code: "MachineCode", name: str, taken: Interface) -> None:
        self.address = code.address(name)
        self._function = _C_FUNCTION(self.address)
        self._code = code  # keeps it in memory
        self._taken = taken
        self._results = array("q", bytes(8 * abs(taken.results)))

    def __call__(self, *arguments: Any) -> Any:
        """Run it. Raises TypeError for arrays of other dtypes."""
        addresses, numbers = self.given(arguments)
        self._function(addresses.buffer_info()[0], numbers.buffer_info()[0])
        results = self._taken.results
        if results < 0:
            return numbers[0]
        return tuple(numbers[:results]) if results else None

    def given(self, arguments: Iterable[Any]) -> "tuple[array[int], array[int]]":
        """The two arrays that its C function takes; TypeError for arrays of other dtypes."""
        addresses, numbers = array("Q"), array("q")
        dtypes: list[np.dtype[Any]] = []
        ints: list[int] = []
        for argument in arguments:
            if isinstance(argument, Columns):
                addresses += argument.addresses
                numbers += argument.lengths
                dtypes += argument.dtypes
            elif isinstance(argument, tuple):
                ints += argument
            else:
                ints.append(argument)
        taken = self._taken
        if dtypes != taken.dtypes or len(ints) != taken.ints:
            raise TypeError(f"takes {taken.ints} ints and arrays of {', '.join(map(str, taken.dtypes))}")
        numbers.extend(ints)
        numbers += self._results  # room for them, even where nothing is taken
        return addresses, numbers


class InTurn:
    """Runs kernels one after the other in one call, so that no other thread's Python comes between them."""

    def __init__(self, code: "MachineCode") -> None:
        self._function = _C_FUNCTION(code.address(IN_TURN))
        self._code = code

    def __call__(self, calls: Iterable[tuple[Any, ...]]) -> None:
        """Call each: a kernel, which returns nothing, and what it takes."""
        given = [(kernel.address, *kernel.given(arguments)) for kernel, *arguments in calls]
        steps = array("Q")
        for address, addresses, numbers in given:
            steps.extend((address, addresses.buffer_info()[0], numbers.buffer_info()[0]))
        count = array("q", [len(given)])
        self._function(steps.buffer_info()[0], count.buffer_info()[0])
