"""What numba does not do for kernels, or takes long for, written as LLVM's instructions."""

from itertools import count
from typing import Any, get_args, get_origin

import llvmlite.ir as llvm_ir
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from tcptrace.kernels.interface import Interface
from tcptrace.schema import DTYPES, U8, columns

SCALARS = {int: types.int64, bool: types.boolean}
CACHE_LINE_BYTES = 64


def type_of(hint: Any) -> Any:
    """What numba calls an annotation of a parameter."""
    if hint in SCALARS:
        return SCALARS[hint]
    if hint in DTYPES:
        return numba.from_dtype(np.dtype(DTYPES[hint]))[::1]
    if get_origin(hint) is tuple:
        return types.UniTuple(types.int64, len(get_args(hint)))
    return types.NamedTuple([numba.from_dtype(dtype)[::1] for dtype, _ in columns(hint).values()], hint)


def given(taken: Interface) -> Any:
    """What a kernel takes, arrays and ints, out of two arrays, as one tuple; numba's `carray` compiles far longer."""
    kinds = types.Tuple(tuple(map(type_of, taken.parameters)))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays, numbers = arguments
        array, number = count(), count(len(taken.dtypes))

        def loaded(pointer: Any, index: int) -> Any:
            return builder.load(builder.gep(pointer, [context.get_constant(types.intp, index)]))

        def an_array(kind: Any) -> Any:
            index = next(array)
            item = context.get_data_type(kind.dtype)
            step = context.get_constant(types.intp, context.get_abi_sizeof(item))
            made = context.make_array(kind)(context, builder)
            arrayobj.populate_array(
                made,
                data=builder.bitcast(loaded(arrays, index), item.as_pointer()),
                shape=cgutils.pack_array(builder, [loaded(numbers, index)]),
                strides=cgutils.pack_array(builder, [step]),
                itemsize=step,
                meminfo=None,
            )
            return made._getvalue()

        def value(kind: Any) -> Any:
            if isinstance(kind, types.BaseTuple):
                return context.make_tuple(builder, kind, [value(part) for part in kind])
            return an_array(kind) if isinstance(kind, types.Array) else loaded(numbers, next(number))

        return value(kinds)

    return intrinsic(lambda typing, arrays, numbers: (kinds(arrays, numbers), code))


def _typed_prefetch(typing: Any, data: Any, place: Any) -> Any:
    """LLVM's instruction of that name: of what will be read soon, into the second cache and those beyond it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, place = arguments
        address = builder.gep(context.make_array(signature.args[0])(context, builder, data).data, [place])
        number = llvm_ir.IntType(32)
        kind = llvm_ir.FunctionType(llvm_ir.VoidType(), [address.type, number, number, number])
        name = "llvm.prefetch.p0"
        prefetch = builder.module.globals.get(name) or llvm_ir.Function(builder.module, kind, name)
        builder.call(prefetch, [address, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(data, place), code


_prefetch = intrinsic(_typed_prefetch)


def _fetch(data: U8, start: int, end: int) -> None:
    for place in range(start, end, CACHE_LINE_BYTES):
        _prefetch(data, place)


INSTEAD = {"tcptrace.capture.words.fetch": _fetch}
"""What only machine code does; as plain Python such a kernel does nothing."""
