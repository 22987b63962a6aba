"""How a notable segment is written down: seven words, several values a word (a kernel module).

A flow has ten of them or so, and there may be millions of flows.
"""

from tcptrace.schema import I64

TIME_NS = 1  # the one value with a word of its own
NOTE = 7

# Values as (word, first bit, bits, what is added so that none is negative).
FRAME = (0, 0, 40, 0)
KINDS = (0, 40, 16, 0)
END = (2, 0, 41, 0)  # flow << 1 | side
FLAGS = (2, 41, 12, 0)
REPEAT = (2, 53, 4, 0)
SEQ = (3, 0, 33, 1)
TTL = (3, 33, 9, 1)
LABELS = (3, 42, 16, 0)
ACK = (4, 0, 33, 1)
IP_ID = (4, 33, 17, 1)
LEN = (5, 0, 32, 1)
WINDOW = (5, 32, 31, 1)
TSVAL = (6, 0, 33, 1)
IDLE_MS = (6, 33, 30, 0)

NS_PER_MS = 1_000_000


def put(notes: I64, row: int, field: tuple[int, int, int, int], value: int) -> None:
    """Write one value of a note, or the largest there is room for."""
    word, bit, bits, offset = field
    notes[row * NOTE + word] |= min(value + offset, (1 << bits) - 1) << bit


def begin(notes: I64, row: int, frame: int, time_ns: int, end: int, kinds: int, flags: int) -> None:
    """Begin a note with what every one has."""
    for word in range(NOTE):
        notes[row * NOTE + word] = 0
    notes[row * NOTE + TIME_NS] = time_ns
    put(notes, row, FRAME, frame)
    put(notes, row, END, end)
    put(notes, row, KINDS, kinds)
    put(notes, row, FLAGS, flags)
