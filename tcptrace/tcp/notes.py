"""How a notable segment is written down: seven words, several values a word (a kernel module).

A flow has ten of them or so, and there may be millions of flows.
"""

from tcptrace.schema import I8, I64, Notable

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
LEN = (5, 0, 31, 1)
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


def value(notes: I64, row: int, field: tuple[int, int, int, int]) -> int:
    """Read one value of a note."""
    word, bit, bits, offset = field
    return int(notes[row * NOTE + word] >> bit & ((1 << bits) - 1)) - offset


def tell(notes: I64, order: I64, client: I8, rows: Notable) -> None:
    """Fill the columns of Notable from notes in this order; `client` is the client's side of each flow."""
    for i in range(len(order)):
        row = order[i]
        end = value(notes, row, END)
        rows.flow[i] = end >> 1
        rows.side[i] = (end & 1) ^ client[end >> 1]
        rows.frame[i] = value(notes, row, FRAME)
        rows.time_ns[i] = notes[row * NOTE + TIME_NS]
        rows.kinds[i] = value(notes, row, KINDS)
        rows.flags[i] = value(notes, row, FLAGS)
        rows.labels[i] = value(notes, row, LABELS)
        rows.repeat[i] = value(notes, row, REPEAT)
        rows.seq[i] = value(notes, row, SEQ)
        rows.ack[i] = value(notes, row, ACK)
        rows.len[i] = value(notes, row, LEN)
        rows.window_bytes[i] = value(notes, row, WINDOW)
        rows.ttl[i] = value(notes, row, TTL)
        rows.ip_id[i] = value(notes, row, IP_ID)
        rows.tsval[i] = value(notes, row, TSVAL)
        rows.idle_ns[i] = value(notes, row, IDLE_MS) * NS_PER_MS
