"""How a notable segment is written down: seven words, several values a word (a kernel module).

A flow has ten of them or so, and there may be millions of flows.
"""

from tcptrace.schema import I8, I64, Notable
from tcptrace.tcp.packed import Field
from tcptrace.tcp.packed import put as packed_put
from tcptrace.tcp.packed import value as packed_value

TIME_NS = 1  # the one value with a word of its own
NOTE = 7

# Fields as tcptrace.tcp.packed has them.
FRAME = (0, 0, 40, 0)
WAITED_MS = (0, 40, 18, 1)  # no timer runs for longer than two minutes
REPEAT = (0, 58, 4, 0)
END = (2, 0, 41, 0)  # flow << 1 | side
LABELS = (2, 41, 16, 0)
SEQ = (3, 0, 33, 1)
KINDS = (3, 33, 16, 0)
FLAGS = (3, 49, 12, 0)
ACK = (4, 0, 33, 1)
IP_ID = (4, 33, 17, 1)
TTL = (4, 50, 9, 1)
LEN = (5, 0, 31, 1)
WINDOW = (5, 32, 31, 1)
TSVAL = (6, 0, 33, 1)
IDLE_MS = (6, 33, 30, 0)

NS_PER_MS = 1_000_000


def put(notes: I64, row: int, field: Field, value: int) -> None:
    """Write one value of a note, or the largest there is room for."""
    packed_put(notes, row * NOTE, field, value)


def begin(notes: I64, row: int, frame: int, time_ns: int, end: int, kinds: int, flags: int) -> None:
    """Begin a note with what every one has."""
    for word in range(NOTE):
        notes[row * NOTE + word] = 0
    notes[row * NOTE + TIME_NS] = time_ns
    put(notes, row, FRAME, frame)
    put(notes, row, END, end)
    put(notes, row, KINDS, kinds)
    put(notes, row, FLAGS, flags)


def value(notes: I64, row: int, field: Field) -> int:
    """Read one value of a note."""
    return packed_value(notes, row * NOTE, field)


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
        waited_ms = value(notes, row, WAITED_MS)
        rows.waited_ns[i] = waited_ms * NS_PER_MS if waited_ms >= 0 else -1
