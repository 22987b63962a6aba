"""Addresses by small number: every distinct address of a capture is kept once (a kernel module).

Row `id` of `words` is the family (4, 6, or 0 for a host whose name alone is known, in tcpdump
text) and four 32-bit words;
`slots` is an open-addressing hash table of id + 1, its length a power of two, 0 for empty.
Products stay below 2**63, so plain and compiled arithmetic agree.
"""

from tcptrace.schema import Addresses

WIDTH = 5
NAMED = 0
_MULTIPLIER = 0x5BD1E995
_MASK_31 = 0x7FFFFFFF


def hash_words(seed: int, family: int, a: int, b: int, c: int, d: int) -> int:
    """A 31-bit hash of an address; nobody can collide what a seed scatters."""
    h = seed ^ family
    h = ((h ^ a) * _MULTIPLIER) & _MASK_31
    h = ((h ^ (h >> 15) ^ b) * _MULTIPLIER) & _MASK_31
    h = ((h ^ (h >> 15) ^ c) * _MULTIPLIER) & _MASK_31
    h = ((h ^ (h >> 15) ^ d) * _MULTIPLIER) & _MASK_31
    return h ^ (h >> 13)


def intern(addresses: Addresses, family: int, a: int, b: int, c: int, d: int) -> int:
    """The id of an address, new or known. The caller keeps `slots` at most half full."""
    words, slots, used = addresses.words, addresses.slots, addresses.used
    mask = len(slots) - 1
    slot = hash_words(used[1], family, a, b, c, d) & mask
    while slots[slot] != 0:
        row = (slots[slot] - 1) * WIDTH
        known = words[row] == family and words[row + 1] == a and words[row + 2] == b
        if known and words[row + 3] == c and words[row + 4] == d:
            return int(slots[slot]) - 1
        slot = (slot + 1) & mask
    new = int(used[0])
    row = new * WIDTH
    words[row] = family
    words[row + 1] = a
    words[row + 2] = b
    words[row + 3] = c
    words[row + 4] = d
    slots[slot] = new + 1
    used[0] = new + 1
    return new


def rehash(addresses: Addresses) -> None:
    """Fill empty `slots` (after growth) from `words`."""
    words, slots = addresses.words, addresses.slots
    mask = len(slots) - 1
    for new in range(int(addresses.used[0])):
        row = new * WIDTH
        slot = (
            hash_words(addresses.used[1], words[row], words[row + 1], words[row + 2], words[row + 3], words[row + 4])
            & mask
        )
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = new + 1
