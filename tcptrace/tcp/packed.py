"""Several values in a word (a kernel module).

A field is (word, first bit, bits, what is added so that no value is negative); words are 63 bits wide.
"""

from tcptrace.schema import I64

Field = tuple[int, int, int, int]


def put(words: I64, at: int, field: Field, value: int) -> None:
    """Write a value, or the largest there is room for, where a record begins whose bits are 0."""
    word, bit, bits, offset = field
    words[at + word] |= min(value + offset, (1 << bits) - 1) << bit


def value(words: I64, at: int, field: Field) -> int:
    """Read a value of the record that begins there."""
    word, bit, bits, offset = field
    return int(words[at + word] >> bit & ((1 << bits) - 1)) - offset
