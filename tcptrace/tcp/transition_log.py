"""One step of an endpoint through the state table, written down (a kernel module).

A written step is four values: endpoint, frame, time, and the rest packed into one (see `pack`),
so that the compiled code of `step`, which is inlined wherever an event is told, stays small.
"""

from tcptrace.schema import I8, I64, Endpoints, Transitions
from tcptrace.tcp.endpoint import CLOSED, CLOSING, RESTORED, SYN_SENT, UNEXPECTED, UNKNOWN_STATE
from tcptrace.tcp.endpoint_rows import BEFORE_RESET, NARROW, NOTES, SINCE_NS, STATE, WIDE

STATES = 12

ENDPOINT = 0
FRAME = 1
TIME_NS = 2
PACKED = 3
STEP = 4

EVENT_SHIFT = 16
FROM_SHIFT = 8
INFERRED_SHIFT = 24
BYTE = 0xFF


def record(
    endpoints: Endpoints, e: int, before: int, after: int, event: int, inferred: int, frame: int, time_ns: int
) -> None:
    """Append one step; before == after stands for an unexpected event."""
    steps, used = endpoints.steps, endpoints.used
    row = used[1] * STEP
    steps[row + ENDPOINT] = e
    steps[row + FRAME] = frame
    steps[row + TIME_NS] = time_ns
    steps[row + PACKED] = inferred << INFERRED_SHIFT | event << EVENT_SHIFT | before << FROM_SHIFT | after
    used[1] += 1


def step(endpoints: Endpoints, e: int, event: int, inferred: int, frame: int, time_ns: int) -> None:
    """Apply an event to endpoint `e`; an unexpected one is recorded once."""
    narrow = endpoints.narrow
    before = int(narrow[e * NARROW + STATE])
    after = int(endpoints.next_states[event * STATES + before])
    if after == before:
        return
    if after != UNEXPECTED:
        narrow[e * NARROW + STATE] = after
        endpoints.wide[e * WIDE + SINCE_NS] = time_ns
    elif narrow[e * NARROW + NOTES] & (1 << event):
        return
    else:
        narrow[e * NARROW + NOTES] |= 1 << event
        after = before
    record(endpoints, e, before, after, event, inferred, frame, time_ns)


def restore(endpoints: Endpoints, e: int, frame: int, time_ns: int) -> None:
    """Give an endpoint believed reset its state of before back: it goes on sending."""
    narrow = endpoints.narrow
    after = int(narrow[e * NARROW + BEFORE_RESET])
    narrow[e * NARROW + STATE] = after
    narrow[e * NARROW + BEFORE_RESET] = -1
    endpoints.wide[e * WIDE + SINCE_NS] = time_ns
    record(endpoints, e, CLOSED, after, RESTORED, 0, frame, time_ns)


def reset(endpoints: Endpoints, e: int, event: int, inferred: int, frame: int, time_ns: int) -> int:
    """Apply a RST to endpoint `e`, keeping its state for `restore`; 1 if that ended an open connection."""
    narrow = endpoints.narrow
    before = int(narrow[e * NARROW + STATE])
    step(endpoints, e, event, inferred, frame, time_ns)
    if before != CLOSED and narrow[e * NARROW + STATE] == CLOSED:
        narrow[e * NARROW + BEFORE_RESET] = before
        return 1 if before == UNKNOWN_STATE or SYN_SENT <= before <= CLOSING else 0
    return 0


def tell(steps: I64, order: I64, client: I8, rows: Transitions) -> None:
    """Fill the columns of Transitions from steps in this order; `client` is the client's side of each flow."""
    for i in range(len(order)):
        at = order[i] * STEP
        flow, packed = steps[at + ENDPOINT] >> 1, steps[at + PACKED]
        before, after = packed >> FROM_SHIFT & BYTE, packed & BYTE
        rows.capture[i] = 0
        rows.flow[i] = flow
        rows.frame[i] = steps[at + FRAME]
        rows.time_ns[i] = steps[at + TIME_NS]
        rows.side[i] = (steps[at + ENDPOINT] & 1) ^ client[flow]
        rows.from_state[i] = before
        rows.to_state[i] = after
        rows.event[i] = packed >> EVENT_SHIFT & BYTE
        rows.inferred[i] = packed >> INFERRED_SHIFT
        rows.unexpected[i] = 1 if before == after else 0
