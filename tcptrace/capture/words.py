"""Integers out of a byte buffer, in either byte order, and the fetching of it (a kernel module).

`flip` is the byte order: LITTLE, or BIG, by which byte 0, 1, 2, 3 of a word become 3, 2, 1, 0.
Products, not shifts: numba makes a shifted byte unsigned, and that with a signed number a float.
"""

from tcptrace.schema import U8

LITTLE = 0
BIG = 3


def u32(data: U8, place: int, flip: int) -> int:
    """The unsigned 32-bit word at `place`."""
    low = data[place + flip] + data[place + (1 ^ flip)] * 0x100
    word: int = low + data[place + (2 ^ flip)] * 0x10000 + data[place + (3 ^ flip)] * 0x1000000
    return word


def u16(data: U8, place: int, flip: int) -> int:
    """The unsigned 16-bit word at `place`."""
    swap = flip & 1
    word: int = data[place + swap] + data[place + (1 ^ swap)] * 0x100
    return word


def fetch(data: U8, start: int, end: int) -> None:
    """Have the processor fetch these bytes into its cache, for they will be read soon; they may lie anywhere.

    Plain Python has no use for it; machine code waits for memory most of the time that it walks and decodes.
    """
