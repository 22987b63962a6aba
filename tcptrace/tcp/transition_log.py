"""One step of an endpoint through the state table, kept as a row of Transitions (a kernel module)."""

from tcptrace.schema import Log
from tcptrace.tcp.endpoint import CLOSED, CLOSING, RESTORED, SYN_SENT, UNEXPECTED, UNKNOWN_STATE
from tcptrace.tcp.endpoint_rows import BEFORE_RESET, NARROW, NOTES, SINCE_NS, STATE, WIDE

STATES = 12


def record(log: Log, e: int, before: int, after: int, event: int, inferred: int, frame: int, time_ns: int) -> None:
    """Append one row; before == after stands for an unexpected event."""
    i = log.used[0]
    log.flow[i] = e >> 1
    log.side[i] = e & 1
    log.frame[i] = frame
    log.time_ns[i] = time_ns
    log.from_state[i] = before
    log.to_state[i] = after
    log.event[i] = event
    log.inferred[i] = inferred
    log.unexpected[i] = 1 if before == after else 0
    log.used[0] = i + 1


def step(log: Log, e: int, event: int, inferred: int, frame: int, time_ns: int) -> None:
    """Apply an event to endpoint `e`; an unexpected one is recorded once."""
    narrow = log.endpoints.narrow
    before = int(narrow[e * NARROW + STATE])
    after = int(log.next_states[event * STATES + before])
    if after == UNEXPECTED:
        if narrow[e * NARROW + NOTES] & (1 << event) == 0:
            narrow[e * NARROW + NOTES] |= 1 << event
            record(log, e, before, before, event, inferred, frame, time_ns)
    elif after != before:
        narrow[e * NARROW + STATE] = after
        log.endpoints.wide[e * WIDE + SINCE_NS] = time_ns
        record(log, e, before, after, event, inferred, frame, time_ns)


def restore(log: Log, e: int, frame: int, time_ns: int) -> None:
    """Give an endpoint believed reset its state of before back: it goes on sending."""
    narrow = log.endpoints.narrow
    after = int(narrow[e * NARROW + BEFORE_RESET])
    narrow[e * NARROW + STATE] = after
    narrow[e * NARROW + BEFORE_RESET] = -1
    log.endpoints.wide[e * WIDE + SINCE_NS] = time_ns
    record(log, e, CLOSED, after, RESTORED, 0, frame, time_ns)


def reset(log: Log, e: int, event: int, inferred: int, frame: int, time_ns: int) -> int:
    """Apply a RST to endpoint `e`, keeping its state for `restore`; 1 if that ended an open connection."""
    narrow = log.endpoints.narrow
    before = int(narrow[e * NARROW + STATE])
    step(log, e, event, inferred, frame, time_ns)
    if before != CLOSED and narrow[e * NARROW + STATE] == CLOSED:
        narrow[e * NARROW + BEFORE_RESET] = before
        return 1 if before == UNKNOWN_STATE or SYN_SENT <= before <= CLOSING else 0
    return 0
