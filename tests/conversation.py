"""Conversations in a few words, as Packets, and what the tracker makes of them.

Each line is `[time_ms] C|S FLAGS seq[:end] [ack] [column=value ...]`, numbers relative to the sender's
ISN and the receiver's; C is 10.0.0.1:1000, S is 10.0.0.2:80. `sack=201:301,401:501` are the edges of blocks,
relative to the receiver's ISN.
"""

from dataclasses import dataclass

import numpy as np

from tcptrace import kernels
from tcptrace.capture.address_book import AddressBook
from tcptrace.capture.decoding import Chunk
from tcptrace.kernels import Kernels
from tcptrace.schema import SACK_BLOCKS_MAX, SIDES, STATES, UNKNOWN, Flows, Packets, Transitions, allocate
from tcptrace.tcp.endpoint import EVENTS
from tcptrace.tcp.flow_table import client_sides, flow_table
from tcptrace.tcp.tracker import Tracker
from tcptrace.tcp.transition_table import transition_table

BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32}
ISN = {"C": 1_000_000, "S": 4_294_967_000}
END = {"C": (0, 1000), "S": (1, 80)}
STEP_MS = 10.0


def packets(text: str, isn: dict[str, int] | None = None) -> Packets:
    """The rows of a conversation."""
    isn = isn or ISN
    lines = [words for line in text.splitlines() if (words := line.split())]
    table = allocate(Packets, len(lines))
    for column in table:
        column[:] = UNKNOWN
    table.quoted[:] = 0
    table.rfb[:] = table.alert[:] = 0
    table.len_cut[:] = table.options_cut[:] = table.sack_permitted[:] = 0
    table.inferred[:] = 0
    now = 0.0
    for i, words in enumerate(lines):
        if words[0][0].isdigit():
            now = float(words.pop(0))
        else:
            now += STEP_MS
        given = [word.split("=") for word in words if "=" in word]
        side, letters, numbers, *ack = [word for word in words if "=" not in word]
        peer = "S" if side == "C" else "C"
        start, _, end = numbers.partition(":")
        table.frame[i] = i + 1
        table.time_ns[i] = int(now * 1e6)
        (table.src[i], table.sport[i]), (table.dst[i], table.dport[i]) = END[side], END[peer]
        table.flags[i] = sum(BITS[letter] for letter in letters)
        table.seq[i] = (isn[side] + int(start)) % 2**32
        table.len[i] = int(end or start) - int(start)
        table.ack[i] = (isn[peer] + int(ack[0])) % 2**32 if ack else 0
        table.window[i] = 1000
        table.window_scale[i] = 7 if "S" in letters else UNKNOWN
        for column, value in given:
            if column == "sack":
                edges = [(isn[peer] + int(edge)) % 2**32 for edge in value.replace(",", ":").split(":")]
                table.sack_count[i] = len(edges) // 2
                table.sack[i * 2 * SACK_BLOCKS_MAX :][: len(edges)] = edges
            else:
                getattr(table, column)[i] = int(value)
    return table


@dataclass
class Outcome:
    """What came of a conversation."""

    flows: Flows
    transitions: Transitions

    def states(self, flow: int = 0) -> tuple[str, str]:
        """Last states of client and server."""
        return STATES[self.flows.client_state[flow]], STATES[self.flows.server_state[flow]]

    def path(self, side: str, flow: int = 0) -> list[str]:
        """The states one side went through, the first included; inferred ones end in `?`."""
        t = self.transitions
        rows = np.flatnonzero((t.flow == flow) & (t.side == SIDES.index(side)) & (t.unexpected == 0))
        names = [STATES[t.to_state[row]] + "?" * int(t.inferred[row]) for row in rows]
        return [STATES[t.from_state[rows[0]]], *names] if len(rows) else []

    def unexpected(self, flow: int = 0) -> list[str]:
        """The unexpected events of a flow."""
        t = self.transitions
        return [EVENTS[event] for event in t.event[(t.flow == flow) & (t.unexpected == 1)]]


def track(*chunks: Packets, with_kernels: Kernels | None = None) -> Outcome:
    """Run the tracker over chunks of rows."""
    with_kernels = with_kernels or kernels.plain()
    tracker = Tracker()
    for chunk in chunks:
        tracker.take(Chunk.of(chunk, with_kernels))
    tracker.finish(max(int(chunk.time_ns.max()) for chunk in chunks))
    client, guessed = client_sides(tracker)
    return Outcome(flow_table(tracker, client, guessed), transition_table(tracker, client))


def outcome(text: str) -> Outcome:
    """What comes of a conversation in words."""
    return track(packets(text))


def endpoints() -> AddressBook:
    """The addresses of C, S and other hosts by number."""
    import ipaddress

    book = AddressBook()
    for number in range(1, 100):
        book.add(ipaddress.IPv4Address(f"10.0.0.{number}"), kernels.plain())
    return book
