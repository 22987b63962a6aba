"""What a table is made of: columns with a dtype, a unit and a meaning.

A table is a NamedTuple of one-dimensional arrays of equal length, one array a column, so that
the same object can be handed to a kernel (compiled or not), sliced, and turned into pandas.
"""

from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

UNKNOWN = -1
"""In integer columns: the frame does not say (cut short, not printed, not applicable)."""

NO_TIME = -(2**63)
"""In time columns: no time is known (numpy's and pandas' NaT)."""

SACK_BLOCKS_MAX = 4
"""A segment's 40 bytes of options hold at most four blocks (RFC 2018 section 3)."""

U8 = npt.NDArray[np.uint8]
I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
Bools = npt.NDArray[np.bool_]

DTYPES: dict[Any, type[np.integer[Any]]] = {
    U8: np.uint8,
    I8: np.int8,
    I16: np.int16,
    I32: np.int32,
    I64: np.int64,
    U32: np.uint32,
}


class Column(NamedTuple):
    """What a column means, beside its name and type."""

    unit: str
    meaning: str
    per_row: int = 1
    """Values a row; row i owns the values from i * per_row."""


T = TypeVar("T")


@cache
def columns(table: type[Any]) -> dict[str, tuple[Any, Column]]:
    """Name → (numpy dtype, Column) of every column of a table, in order."""
    hints = get_type_hints(table, include_extras=True)
    return {name: (DTYPES[hint.__origin__], hint.__metadata__[0]) for name, hint in hints.items()}


def allocate(table: type[T], rows: int) -> T:
    """A table with room for `rows` rows; contents are undefined."""
    kind: Any = table
    return table(*(np.empty(rows * column.per_row, dtype) for dtype, column in columns(kind).values()))
