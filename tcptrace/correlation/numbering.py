"""Numbers for rows that are equal, without a loop over them."""

import numpy as np

from tcptrace.schema import I64


def numbered(*columns: I64) -> I64:
    """For every row of these columns a number from 0, the same for equal rows."""
    count = len(columns[0])
    order = np.lexsort(columns)
    differs = np.zeros(count, np.bool_)
    for column in columns:
        arranged = column[order]
        differs[1:] |= arranged[1:] != arranged[:-1]
    found = np.empty(count, np.int64)
    found[order] = np.cumsum(differs)
    return found


def ranked(number: I64) -> I64:
    """For every row how many rows of the same number stand before it."""
    order = np.argsort(number, kind="stable")
    arranged = number[order]
    first = np.searchsorted(arranged, arranged)
    found = np.empty(len(number), np.int64)
    found[order] = np.arange(len(number)) - first
    return found


def distinct(group: I64, member: I64) -> I64:
    """For every row how many different members its group has."""
    pairs = numbered(group, member)
    _, first = np.unique(pairs, return_index=True)
    groups = numbered(group)
    count: I64 = np.bincount(groups[first], minlength=int(groups.max(initial=-1)) + 1)[groups]
    return count
