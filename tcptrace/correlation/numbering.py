"""Numbers for rows that are equal, without a loop over them."""

import numpy as np
import numpy.typing as npt

from tcptrace.schema import I64

KEY_BITS = 62
"""What a key may fill of 64 bits."""


def packed(*columns: npt.NDArray[np.integer]) -> I64:
    """For every row one number, the same for rows that are equal in all columns, in the order of the columns."""
    key, bits = _from_zero(columns[0])
    for column in columns[1:]:
        lower, lower_bits = _from_zero(column)
        if bits + lower_bits > KEY_BITS:
            key, bits = _from_zero(numbered(key))
        if bits + lower_bits > KEY_BITS:
            lower, lower_bits = _from_zero(numbered(lower))
        key <<= lower_bits
        key |= lower
        bits += lower_bits
    return key


def _from_zero(column: npt.NDArray[np.integer]) -> tuple[I64, int]:
    """A copy of a column with its least value at 0, and the bits that it takes."""
    if not len(column):
        return np.empty(0, np.int64), 0
    low, high = int(column.min()), int(column.max())
    shifted: I64 = column.astype(np.int64)
    shifted -= low
    return shifted, (high - low).bit_length()


def numbered(*columns: npt.NDArray[np.integer]) -> I64:
    """For every row of these columns a number from 0 in their order, the same for equal rows."""
    key = packed(*columns) if len(columns) > 1 else columns[0]
    order = np.argsort(key, kind="stable")
    arranged = key[order]
    found = np.empty(len(key), np.int64)
    found[order] = np.cumsum(arranged != np.concatenate((arranged[:1], arranged[:-1])))
    return found


def renumbered(number: I64) -> I64:
    """Small numbers from 0, in their order without gaps."""
    present = np.zeros(int(number.max(initial=-1)) + 1, np.bool_)
    present[number] = True
    found: I64 = (np.cumsum(present) - 1)[number]
    return found


def ranked(number: I64) -> I64:
    """For every row how many rows of the same number stand before it."""
    order = np.argsort(number, kind="stable")
    arranged = number[order]
    found = np.empty(len(number), np.int64)
    found[order] = np.arange(len(number)) - np.searchsorted(arranged, arranged)
    return found


def distinct(group: I64, member: npt.NDArray[np.integer]) -> I64:
    """For every row how many different members its group has; groups are small numbers from 0."""
    _, first = np.unique(packed(group, member), return_index=True)
    count: I64 = np.bincount(group[first], minlength=int(group.max(initial=-1)) + 1)[group]
    return count
