"""Integers out of a byte buffer, in either byte order (a kernel module).

`flip` is the byte order: LITTLE, or BIG, by which byte 0, 1, 2, 3 of a word become 3, 2, 1, 0.
"""

from tcptrace.schema import U8

LITTLE = 0
BIG = 3


def u32(data: U8, place: int, flip: int) -> int:
    """The unsigned 32-bit word at `place`."""
    low = data[place + flip] | data[place + (1 ^ flip)] << 8
    word: int = low | data[place + (2 ^ flip)] << 16 | data[place + (3 ^ flip)] << 24
    return word


def u16(data: U8, place: int, flip: int) -> int:
    """The unsigned 16-bit word at `place`."""
    swap = flip & 1
    word: int = data[place + swap] | data[place + (1 ^ swap)] << 8
    return word
